"""The review's model: windows, series, thresholds, alarms, functions and deploys, their context, and the frame of points."""

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
# Their names in a sentence.
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
    """CloudWatch's response for one series in one window. A value of zero is data: such a series is COMPLETE."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # CloudWatch returned only part of the data, or had an internal error
    IDLE = "idle"  # the resource exists, and nothing was measured
    MISSING = "missing"  # the resource does not exist
    DENIED = "denied"  # the caller has no permission


@dataclass(frozen=True)
class Window:
    """A time interval from `start` (inclusive) to `end` (exclusive), both UTC."""

    name: WindowName
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """The length of the interval."""
        return self.end - self.start


@dataclass(frozen=True)
class Series:
    """One series requested from CloudWatch; `period_s` is the time that one point covers."""

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
        """The key of the series in the frame."""
        return (self.resource, self.metric, self.statistic)


@dataclass(frozen=True)
class Threshold:
    """A threshold; `comparison` is CloudWatch's operator for values that breach it."""

    value: float
    comparison: str = GREATER

    @property
    def sign(self) -> str:
        """The comparison's sign, such as ">"."""
        return self._comparison.sign

    def is_breached_by(self, value: float) -> bool:
        """Check whether a value breaches the threshold; NaN never does."""
        return self._comparison.is_beyond(value, self.value)

    @property
    def _comparison(self) -> Comparison:
        # Anomaly bands have other operators, but no threshold either, and NaN is never breached.
        return COMPARISONS.get(self.comparison, COMPARISONS[GREATER])


@dataclass(frozen=True)
class Alarm:
    """A deployed alarm: its threshold, its state, and when it was in ALARM inside the window `now`."""

    name: str
    short_name: str  # without the stem: "oldest-message-age", "dead-letters", "worker-errors", "failed-jobs"
    threshold: float
    state: str  # OK, ALARM, INSUFFICIENT_DATA
    reason: str
    since: datetime | None
    period_s: int
    actions_enabled: bool = True
    # Start and end, UTC; an interval that is still open ends with the window.
    alarm_intervals: tuple[tuple[datetime, datetime], ...] = ()
    comparison: str = GREATER

    @property
    def line(self) -> Threshold:
        """Its threshold with the comparison."""
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
    """The figures of the REPORT lines in a function's log for the window `now`; None if no line has the figure."""

    resource: str
    reports: int  # REPORT lines read
    complete: bool  # whether all lines of the window were read
    cold_starts: int | None = None
    longest_init_ms: float | None = None
    highest_memory_mb: float | None = None
    billed_ms: float | None = None


@dataclass(frozen=True)
class Deploy:
    """A deployment that changed some resources."""

    time: datetime
    resources: tuple[str, ...]
    commit: str = ""
    synthetic: bool = False


@dataclass(frozen=True)
class Context:
    """Everything that a review knows besides the points."""

    target: str
    candidate: str
    timezone: str
    fetched: datetime
    windows: tuple[Window, ...]
    compare: WindowName | None  # the window to compare with; None for none
    period_s: int
    percentile_period_s: int
    series: tuple[Series, ...] = ()
    states: dict[tuple[str, SeriesKey], SeriesState] = field(default_factory=dict)  # by window name and key
    alarms: tuple[Alarm, ...] = ()
    functions: tuple[FunctionConfiguration, ...] = ()
    logs: tuple[LogSummary, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    synthetic: tuple[tuple[datetime, datetime], ...] = ()  # intervals with synthetic points
    metrics_requested: int = 0
    calls: int = 0
    cost_usd: float = 0.0
    # By IAM action, the sentence that says why there is no response.
    error_notes: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # sentences for the reader: what was denied, truncated, or unavailable
    objectives: dict[str, Objective] = field(default_factory=dict)  # by WORKER and API_FUNCTION
    objective_windows: tuple[Window, ...] = ()  # "burn" and "budget", as far as their data was returned

    def window(self, name: str = "now") -> Window:
        """Return a window by name; raises KeyError if it was not requested."""
        return {window.name: window for window in (*self.windows, *self.objective_windows)}[name]  # type: ignore[index]

    def alarm(self, short_name: str) -> Alarm | None:
        """Return an alarm by its short name, None if there is none."""
        return next((alarm for alarm in self.alarms if alarm.short_name == short_name), None)

    def line(self, short_name: str) -> Threshold | None:
        """Return an alarm's threshold; None if there is no such alarm, or if it has no threshold."""
        alarm = self.alarm(short_name)
        return alarm.line if alarm and not math.isnan(alarm.threshold) else None

    def function(self, resource: str) -> FunctionConfiguration | None:
        """Return a function by its resource, None if there is none."""
        return next((function for function in self.functions if function.resource == resource), None)

    def state(self, key: SeriesKey, window: str = "now") -> SeriesState:
        """Return the state of a series; MISSING if it was never requested."""
        return self.states.get((window, key), SeriesState.MISSING)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of displayed times."""
        return ZoneInfo(self.timezone)

    @property
    def previous_name(self) -> str:
        """The name of the compared window: "the day before", "the week before", "3 days before"; empty without one."""
        if self.compare is None or self.compare not in {window.name for window in self.windows}:
            return ""
        days = round((self.window().start - self.window(self.compare).start) / DAY)
        return {1: "the day before", WEEK_DAYS: "the week before"}.get(days, f"{days} days before")

    def format_time(self, time: datetime) -> str:
        """Format a time in the review's time zone, with the day if the window is longer than one: "03:42", "Tue 03:42"."""
        local = time.astimezone(self.zone)
        length = self.window().length
        if length <= DAY:
            return formatting.clock(local)
        day = f"{local:%a}" if length < WEEK_DAYS * DAY else formatting.date(local)
        return f"{day} {formatting.clock(local)}"

    def format_interval(self, start: datetime, end: datetime) -> str:
        """Format an interval with a dash: "03:12-04:05"; with the day of the end only if it differs."""
        first, last = start.astimezone(self.zone), end.astimezone(self.zone)
        until = formatting.clock(last) if first.date() == last.date() else self.format_time(end)
        return f"{self.format_time(start)}{formatting.DASH}{until}"


class MetricsError(Exception):
    """The metrics could not be fetched; the message says why and what to do."""


class MetricsParameterError(MetricsError):
    """A parameter is invalid, such as a window in the future; the message says what is accepted."""


class MetricFrame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
    """The points of a review: index `time` (UTC, the start of each period), columns `COLUMNS`.

    `context` is the Context of the measurement. Copies and selections keep it; a frame made from values only has none. Results
    of `memo` are stored with the frame, and are not propagated to copies and selections.
    """

    # pandas, "Extending pandas", "Define original properties": `_metadata` is propagated to derived frames, internal names are not.
    _metadata: ClassVar[list[str]] = ["context"]
    _internal_names: ClassVar[list[str]] = [*pd.DataFrame._internal_names, "_memos"]  # noqa: SLF001 - pandas documents it
    _internal_names_set: ClassVar[set[str]] = set(_internal_names)

    context: Context | None = None
    _memos: _Memos | None = None

    @property
    def _constructor(self) -> type[MetricFrame]:
        return MetricFrame

    def memo(self, make: Callable[[MetricFrame], T]) -> T:
        """Compute a function of this frame once; again after rows were added or the context was replaced."""
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
    """Return the context of a frame's points.

    Raises:
        ValueError: the frame has none, since it was not made by `metrics.fetch`.

    """
    found = getattr(frame, "context", None)
    if not isinstance(found, Context):
        message = "This frame has no context: use what metrics.fetch returned, not a copy made from its values."
        raise ValueError(message)  # noqa: TRY004 - the frame has the right type, and lacks something
    return found


def points(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> pd.Series:
    """Return one series of one window: values by time (UTC, the start of each period); empty if there is none."""
    return frame["value"].iloc[rows_of(frame, (window, *key))].sort_index()


def rows_of(frame: pd.DataFrame, named: NamedSeries) -> NDArray[np.intp]:
    """Return the row positions of one series of one window, in the frame's order; empty if there is no such series.

    About forty series are selected hundreds of times from about fifty thousand rows: the rows are grouped once.
    """
    groups = frame.memo(_rows_by_series) if isinstance(frame, MetricFrame) else _rows_by_series(frame)
    return groups.get(named, NO_ROWS)


def _rows_by_series(frame: pd.DataFrame) -> dict[NamedSeries, NDArray[np.intp]]:
    rows: dict[NamedSeries, NDArray[np.intp]] = frame.groupby(SERIES_COLUMNS, observed=True).indices
    return rows


@dataclass
class Points:
    """The points of one series in one window: `times_s` is Unix time, the start of each period, in ascending order."""

    window: str
    series: Series
    times_s: Sequence[float] = field(default_factory=list)
    values: Sequence[float] = field(default_factory=list)


def build_frame(points: Iterable[Points], context: Context) -> MetricFrame:
    """Build the frame from points.

    Args:
        points: one per series and window; the rows are in this order.
        context: the frame's `context`.

    Returns:
        A frame with categorical labels: a day has about a hundred thousand rows, from which series are often selected.

    """
    all_points = list(points)
    counts = [len(each.times_s) for each in all_points]
    labels = [
        (each.window, each.series.resource, each.series.metric, each.series.statistic, each.series.unit)
        for each in all_points
    ]
    times = np.concatenate([np.asarray(each.times_s, dtype="float64") for each in all_points] or [np.empty(0)])
    values = [np.asarray(each.values, dtype="float64") for each in all_points]
    columns: dict[str, object] = {
        name: _repeated([label[position] for label in labels], counts) for position, name in enumerate(LABEL_COLUMNS)
    }
    columns["value"] = np.concatenate(values or [np.empty(0)])
    index = pd.DatetimeIndex((times * 1_000_000).round().astype("datetime64[us]"), name="time").tz_localize("UTC")
    frame = MetricFrame(columns, index=index, columns=list(COLUMNS))
    frame.context = context
    return frame


def _repeated(labels: list[str], counts: list[int]) -> pd.Categorical:
    """Repeat each label for each point of its series; the categories are in order of appearance."""
    categories = list(dict.fromkeys(labels))
    codes = np.array([categories.index(label) for label in labels], dtype="int16")
    return pd.Categorical.from_codes(np.repeat(codes, counts), categories=pd.Index(categories, dtype="str"))
