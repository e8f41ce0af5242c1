"""The review's model: windows, series, thresholds, alarms, functions and deploys, the context of all, and the frame of points."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from couch_explorers import formatting
from couch_explorers.aws.alarms import COMPARISONS, GREATER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from couch_explorers.aws.alarms import Comparison
    from couch_explorers.objective import Objective

DAY, WEEK_DAYS = timedelta(days=1), 7

COLUMNS = ("window", "resource", "metric", "statistic", "unit", "value")
LABEL_COLUMNS = COLUMNS[:-1]
SERIES_COLUMNS = ["window", "resource", "metric", "statistic"]

# The parts of the system, as the column `resource` names them.
QUEUE, DEAD_LETTERS, WORKER, API_FUNCTION, API = "queue", "dead-letter queue", "worker", "api function", "api"
# As a sentence names them.
PARTS = {
    QUEUE: "the queue",
    DEAD_LETTERS: "the dead-letter queue",
    WORKER: "the worker",
    API_FUNCTION: "the API's function",
    API: "the API",
}

WindowName = Literal["now", "before", "week", "burn", "budget"]
SeriesKey = tuple[str, str, str]
"""resource, metric, statistic"""
NamedSeries = tuple[str, str, str, str]
"""window, resource, metric, statistic"""
NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)

T = TypeVar("T")


class SeriesState(StrEnum):
    """How CloudWatch answered for one series in one window. A value of zero is data: such a series is COMPLETE."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # CloudWatch said that it gave only a part, or failed inside
    IDLE = "idle"  # the resource is there, and nothing was measured
    MISSING = "missing"  # the resource is not there
    DENIED = "denied"  # the caller has no right to ask


@dataclass(frozen=True)
class Window:
    """A stretch of time from `start` (included) to `end` (not included), both UTC."""

    name: WindowName
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Series:
    """One line of numbers that CloudWatch is asked for; `period_s` is the time that one point stands for."""

    resource: str
    metric: str
    statistic: str
    unit: str
    period_s: int
    namespace: str
    cloudwatch_metric: str
    dimensions: tuple[tuple[str, str], ...]

    @property
    def key(self) -> SeriesKey:
        """How the frame names it."""
        return (self.resource, self.metric, self.statistic)


@dataclass(frozen=True)
class Threshold:
    """A line that a value must not cross; `comparison` is CloudWatch's name for what lies beyond it."""

    value: float
    comparison: str = GREATER

    @property
    def sign(self) -> str:
        """The sign of what lies beyond the line, such as ">"."""
        return self._comparison.sign

    def is_breached_by(self, value: float) -> bool:
        """Whether a value lies beyond the line; NaN never does."""
        return self._comparison.is_beyond(value, self.value)

    @property
    def _comparison(self) -> Comparison:
        # Anomaly bands compare otherwise; they have no threshold either, and nothing lies beyond NaN.
        return COMPARISONS.get(self.comparison, COMPARISONS[GREATER])


@dataclass(frozen=True)
class Alarm:
    """A deployed alarm: what it watches, its threshold, how it stands, and when it rang inside the window `now`."""

    name: str
    short_name: str  # without the stem: "oldest-message-age", "dead-letters", "worker-errors", "failed-jobs"
    threshold: float
    state: str  # OK, ALARM, INSUFFICIENT_DATA
    reason: str
    since: datetime | None
    period_s: int
    actions_enabled: bool = True
    alarm_intervals: tuple[
        tuple[datetime, datetime], ...
    ] = ()  # from and to, UTC; one that still rings ends with the window
    comparison: str = GREATER

    @property
    def line(self) -> Threshold:
        """The line that it watches over."""
        return Threshold(self.threshold, self.comparison)


@dataclass(frozen=True)
class FunctionConfiguration:
    """A deployed Lambda function: its limits and when its code was last changed."""

    resource: str  # WORKER or API_FUNCTION
    name: str
    timeout_s: float
    memory_mb: int
    updated: datetime | None = None
    commit: str = ""
    maximum_concurrency: int | None = None  # of the event source mapping
    objective: Objective | None = None


@dataclass(frozen=True)
class LogSummary:
    """What the REPORT lines of a function's log say about the window `now`; None where no line gives the figure."""

    resource: str
    reports: int  # REPORT lines read
    complete: bool  # whether all of the window's were read
    cold_starts: int | None = None
    longest_init_ms: float | None = None
    highest_memory_mb: float | None = None
    billed_ms: float | None = None


@dataclass(frozen=True)
class Deploy:
    """A change of what runs."""

    time: datetime
    resources: tuple[str, ...]
    commit: str = ""
    synthetic: bool = False


@dataclass(frozen=True)
class Context:
    """Everything that a review knows beside the points."""

    target: str
    candidate: str
    timezone: str
    fetched: datetime
    windows: tuple[Window, ...]
    compare: WindowName | None  # which window the changes are told against; None for none
    period_s: int
    percentile_period_s: int
    series: tuple[Series, ...] = ()
    states: dict[tuple[str, SeriesKey], SeriesState] = field(default_factory=dict)  # by window name and key
    alarms: tuple[Alarm, ...] = ()
    functions: tuple[FunctionConfiguration, ...] = ()
    logs: tuple[LogSummary, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    synthetic: tuple[tuple[datetime, datetime], ...] = ()  # stretches whose points are synthetic
    metrics_requested: int = 0
    calls: int = 0
    cost_usd: float = 0.0
    error_notes: dict[str, str] = field(
        default_factory=dict
    )  # by IAM action, the sentence that says why there is no answer
    notes: tuple[str, ...] = ()  # sentences for the reader: what was denied, cut off, or could not be asked
    objectives: dict[str, Objective] = field(default_factory=dict)  # by WORKER and API_FUNCTION
    objective_windows: tuple[Window, ...] = ()  # of "burn" and "budget", those that were answered

    def window(self, name: str = "now") -> Window:
        """Give a window by its name; KeyError where it was not asked for."""
        return {window.name: window for window in (*self.windows, *self.objective_windows)}[name]  # type: ignore[index]

    def alarm(self, short_name: str) -> Alarm | None:
        """Give an alarm by its short name."""
        return next((alarm for alarm in self.alarms if alarm.short_name == short_name), None)

    def line(self, short_name: str) -> Threshold | None:
        """Give the line of an alarm; None where there is no such alarm, or where it watches a band and holds none."""
        alarm = self.alarm(short_name)
        return alarm.line if alarm and not math.isnan(alarm.threshold) else None

    def function(self, resource: str) -> FunctionConfiguration | None:
        """Give a function by its resource."""
        return next((function for function in self.functions if function.resource == resource), None)

    def state(self, key: SeriesKey, window: str = "now") -> SeriesState:
        """How a series answered; MISSING for one that was never asked for."""
        return self.states.get((window, key), SeriesState.MISSING)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.timezone)

    @property
    def previous_name(self) -> str:
        """Name the window compared with: "the day before", "the week before", "3 days before"; empty where there is none."""
        if self.compare is None or self.compare not in {window.name for window in self.windows}:
            return ""
        days = round((self.window().start - self.window(self.compare).start) / DAY)
        return {1: "the day before", WEEK_DAYS: "the week before"}.get(days, f"{days} days before")

    def format_time(self, time: datetime) -> str:
        """Format a time in the review's time zone, with the day where the window is longer than one: "03:42", "Tue 03:42"."""
        local = time.astimezone(self.zone)
        length = self.window().length
        if length <= DAY:
            return formatting.clock(local)
        day = f"{local:%a}" if length < WEEK_DAYS * DAY else formatting.date(local)
        return f"{day} {formatting.clock(local)}"

    def format_interval(self, start: datetime, end: datetime) -> str:
        """Format an interval with a dash: "03:12-04:05"; the day of the end only where it is another one."""
        first, last = start.astimezone(self.zone), end.astimezone(self.zone)
        until = formatting.clock(last) if first.date() == last.date() else self.format_time(end)
        return f"{self.format_time(start)}{formatting.DASH}{until}"


class MetricsError(Exception):
    """The metrics could not be fetched; the message says why and what to do."""


class MetricsParameterError(MetricsError):
    """What was asked for makes no sense, such as a window in the future; the message says what is taken."""


class MetricFrame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
    """The points of a review: index `time` (UTC, the start of each period), columns `COLUMNS`.

    `context` says in which context they were measured. Copies and parts of a frame keep it. A frame made of values alone
    has none. What is computed of a frame by `memo` is kept with it, and is not passed on to copies and parts.
    """

    # pandas, "Extending pandas", "Define original properties": the first are passed on to what is made of a frame, the others are not.
    _metadata: ClassVar[list[str]] = ["context"]
    _internal_names: ClassVar[list[str]] = [*pd.DataFrame._internal_names, "_memos"]  # noqa: SLF001 - pandas documents it
    _internal_names_set: ClassVar[set[str]] = set(_internal_names)

    context: Context | None = None
    _memos: _Memos | None = None

    @property
    def _constructor(self) -> type[MetricFrame]:
        return MetricFrame

    def memo(self, make: Callable[[MetricFrame], T]) -> T:
        """Compute something of this frame once; again where rows were added or the context was replaced since."""
        memos = self._memos
        if memos is None or memos.rows != len(self.index) or memos.context is not self.context:
            memos = self._memos = _Memos(len(self.index), self.context)
        if make not in memos.results:
            memos.results[make] = make(self)
        value: T = memos.results[make]
        return value


@dataclass
class _Memos:
    rows: int
    context: Context | None
    results: dict[Any, Any] = field(default_factory=dict)


def context_of(frame: pd.DataFrame) -> Context:
    """Give the context that a frame's points were measured in.

    Raises:
        ValueError: the frame has none, since it was not made by `metrics.fetch`.

    """
    found = getattr(frame, "context", None)
    if not isinstance(found, Context):
        said = "This frame has no context: use what metrics.fetch returned, not a copy made from its values."
        raise ValueError(said)  # noqa: TRY004 - the frame has the right type, and lacks something
    return found


def points(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> pd.Series:
    """Give one series of one window: values by time (UTC, the start of each period); empty where there is none."""
    return frame["value"].iloc[rows_of(frame, (window, *key))].sort_index()


def rows_of(frame: pd.DataFrame, named: NamedSeries) -> NDArray[np.intp]:
    """Give the places of the rows of one series of one window, in the frame's order; none where there is no such series.

    A frame is asked for some forty series hundreds of times and has some fifty thousand rows: they are grouped once.
    """
    groups = frame.memo(_rows_by_series) if isinstance(frame, MetricFrame) else _rows_by_series(frame)
    return groups.get(named, NO_ROWS)


def _rows_by_series(frame: pd.DataFrame) -> dict[NamedSeries, NDArray[np.intp]]:
    rows: dict[NamedSeries, NDArray[np.intp]] = frame.groupby(SERIES_COLUMNS, observed=True).indices
    return rows


@dataclass
class Points:
    """What one series measured in one window: `times_s` is Unix time, the start of each period, in ascending order."""

    window: str
    series: Series
    times_s: Sequence[float] = field(default_factory=list)
    values: Sequence[float] = field(default_factory=list)


def build_frame(points: Iterable[Points], context: Context) -> MetricFrame:
    """Put points into a frame.

    Args:
        points: one a series and window; the rows stand in this order.
        context: what the frame's `context` is to be.

    Returns:
        A frame whose labels are categories: a day has some hundred thousand rows, and a series is picked out of them often.

    """
    given = list(points)
    counts = [len(each.times_s) for each in given]
    labels = [
        (each.window, each.series.resource, each.series.metric, each.series.statistic, each.series.unit)
        for each in given
    ]
    times = np.concatenate([np.asarray(each.times_s, dtype="float64") for each in given] or [np.empty(0)])
    values = [np.asarray(each.values, dtype="float64") for each in given]
    columns: dict[str, object] = {
        name: _repeated([label[place] for label in labels], counts) for place, name in enumerate(LABEL_COLUMNS)
    }
    columns["value"] = np.concatenate(values or [np.empty(0)])
    index = pd.DatetimeIndex((times * 1_000_000).round().astype("datetime64[us]"), name="time").tz_localize("UTC")
    frame = MetricFrame(columns, index=index, columns=list(COLUMNS))
    frame.context = context
    return frame


def _repeated(labels: list[str], counts: list[int]) -> pd.Categorical:
    """Repeat each label as often as its series has points; the categories stand in the order of their first series."""
    categories = list(dict.fromkeys(labels))
    codes = np.array([categories.index(label) for label in labels], dtype="int16")
    return pd.Categorical.from_codes(np.repeat(codes, counts), categories=pd.Index(categories, dtype="str"))
