"""What a review knows beside the points themselves: windows, alarms, functions, deploys, and how each series answered.

A frame of points carries it as `frame.attrs["facts"]`; `of(frame)` takes it out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from couch_explorers.aws.alarms import COMPARISONS, GREATER
from couch_explorers.metrics import grouping

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    import pandas as pd

    from couch_explorers.aws.alarms import Comparison

COLUMNS = ("window", "resource", "metric", "statistic", "unit", "value")

# The parts of the system, as the column `resource` names them.
QUEUE, DEAD_LETTERS, WORKER, API_FUNCTION, API = "queue", "dead letters", "worker", "api function", "api"
# As a sentence names them.
PARTS = {
    QUEUE: "the queue",
    DEAD_LETTERS: "the dead-letter queue",
    WORKER: "the worker",
    API_FUNCTION: "the API's function",
    API: "the API",
}

WindowName = Literal["now", "before", "week"]
SeriesKey = tuple[str, str, str]
"""resource, metric, statistic"""


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
class Line:
    """A line that a value must not cross; `comparison` is CloudWatch's name for what lies beyond it."""

    value: float
    comparison: str = GREATER

    @property
    def sign(self) -> str:
        """The sign of what lies beyond the line, such as ">"."""
        return self._comparison.sign

    def is_crossed(self, value: float) -> bool:
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
    rang: tuple[tuple[datetime, datetime], ...] = ()  # from and to, UTC; one that still rings ends with the window
    comparison: str = GREATER

    @property
    def line(self) -> Line:
        """The line that it watches over."""
        return Line(self.threshold, self.comparison)


@dataclass(frozen=True)
class FunctionFacts:
    """A deployed Lambda function: its limits and when its code was last changed."""

    resource: str  # WORKER or API_FUNCTION
    name: str
    timeout_s: float
    memory_mb: int
    updated: datetime | None = None
    commit: str = ""
    maximum_concurrency: int | None = None  # of the event source mapping


@dataclass(frozen=True)
class LogFacts:
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
class Facts:
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
    functions: tuple[FunctionFacts, ...] = ()
    logs: tuple[LogFacts, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    synthetic: tuple[tuple[datetime, datetime], ...] = ()  # stretches whose points were written by the local history
    metrics_requested: int = 0
    calls: int = 0
    cost_usd: float = 0.0
    unanswered: dict[str, str] = field(
        default_factory=dict
    )  # by IAM action, the sentence that says why there is no answer
    notes: tuple[str, ...] = ()  # sentences for the reader: what was denied, cut off, or could not be asked

    def __deepcopy__(self, _memory: object) -> Facts:
        """Give itself: nothing in it changes, and pandas copies a frame's attributes with every step."""
        return self

    def window(self, name: str = "now") -> Window:
        """Give a window by its name; KeyError where it was not asked for."""
        return {window.name: window for window in self.windows}[name]  # type: ignore[index]

    def alarm(self, short_name: str) -> Alarm | None:
        """Give an alarm by its short name."""
        return next((alarm for alarm in self.alarms if alarm.short_name == short_name), None)

    def line(self, short_name: str) -> Line | None:
        """Give the line of an alarm; None where there is no such alarm, or where it watches a band and holds none."""
        alarm = self.alarm(short_name)
        return alarm.line if alarm and not math.isnan(alarm.threshold) else None

    def function(self, resource: str) -> FunctionFacts | None:
        """Give a function by its resource."""
        return next((function for function in self.functions if function.resource == resource), None)

    def state(self, key: SeriesKey, window: str = "now") -> SeriesState:
        """How a series answered; MISSING for one that was never asked for."""
        return self.states.get((window, key), SeriesState.MISSING)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which times are shown."""
        return ZoneInfo(self.timezone)


def of(frame: pd.DataFrame) -> Facts:
    """Take the facts out of a frame; ValueError when it carries none (it was not made by `metrics.fetch`)."""
    found = frame.attrs.get("facts")
    if not isinstance(found, Facts):
        said = "This frame carries no facts: use what metrics.fetch returned, not a copy made from its values."
        raise ValueError(said)  # noqa: TRY004 - the frame has the right type, and lacks something
    return found


def points(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> pd.Series:
    """One series of one window: values by time (UTC, the start of each period); empty where there is none."""
    return frame["value"].iloc[grouping.rows_of(frame, (window, *key))].sort_index()
