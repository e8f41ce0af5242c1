"""The data behind a review's checks: values now and before, how current they are, and why there are none."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import cloudwatch, model, resampling, statistics
from couch_explorers.metrics.cost import cost_of_window
from couch_explorers.metrics.findings import RUN_AGAIN, AlarmActivity, Finding, Latest, Level, Peak, Tally
from couch_explorers.metrics.model import (
    API,
    API_FUNCTION,
    DEAD_LETTERS,
    PARTS,
    QUEUE,
    WORKER,
    MetricFrame,
    SeriesState,
)
from couch_explorers.metrics.thresholds import RECENT_S
from couch_explorers.workspace import HOW_TO_DEPLOY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pandas as pd

    from couch_explorers.metrics.cost import Cost
    from couch_explorers.metrics.model import Context, SeriesKey, Threshold
    from couch_explorers.metrics.resampling import Curve
    from couch_explorers.metrics.statistics import Percentile
    from couch_explorers.metrics.thresholds import ReviewThreshold

STACK: dict[str, Literal["queue", "API"]] = {
    QUEUE: "queue",
    DEAD_LETTERS: "queue",
    WORKER: "queue",
    API: "API",
    API_FUNCTION: "API",
}

# The names of four of CloudWatch's five responses; the fifth is a number, even if it is zero.
DENIED, MISSING, PARTIAL, IDLE = "Denied", "Missing", "Partial", "Idle"
DOUBT = f"{PARTIAL}: CloudWatch gave only a part of the points."


KNOWN = frozenset({SeriesState.IDLE, SeriesState.COMPLETE})
T = TypeVar("T")


def no_data_reason(context: Context, key: SeriesKey) -> str:
    """Return why a series has no points, as a clause without a full stop."""
    part = PARTS.get(key[0], key[0])
    return {
        SeriesState.DENIED: f"not known, these credentials may not ask CloudWatch about {part} (cloudwatch:GetMetricData)",
        SeriesState.MISSING: f"nothing to show, {part} is not deployed",
        SeriesState.PARTIAL: f"not known, CloudWatch's answer about {part} was cut short and held no points",
        SeriesState.IDLE: f"nothing was measured, {part} was idle",
        SeriesState.COMPLETE: f"nothing was measured, {part} was idle",
    }[context.state(key)]


def partial_note(context: Context, *keys: SeriesKey) -> str:
    """Return a note if CloudWatch returned only part of some series; empty otherwise."""
    partial = any(context.state(key) is SeriesState.PARTIAL for key in keys)
    return "CloudWatch gave only a part of the points" if partial else ""


class ReviewData:
    """The facts of one frame, each computed once by one rule: verdicts, captions and summary all read them here."""

    def __init__(self, frame: pd.DataFrame) -> None:
        """Take a frame of `metrics.fetch`; raises ValueError if it has no context."""
        self.frame = frame
        self._facts: dict[object, Any] = {}
        self.context = model.context_of(frame)
        self.end = self.context.window().end
        names = {window.name for window in self.context.windows}
        self.compared = self.context.compare if self.context.compare in names else None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> ReviewData:
        """Return the review's data of a frame, created once per frame."""
        return frame.memo(cls) if isinstance(frame, MetricFrame) else cls(frame)

    def points(self, key: SeriesKey, window: str = "now") -> pd.Series:
        """Return one series of one window."""
        return model.points(self.frame, key, window)

    def total(self, key: SeriesKey) -> float:
        """Return the sum now; NaN if unknown."""
        return statistics.total(self.frame, key)

    def total_before(self, key: SeriesKey) -> float:
        """Return the sum of the compared window; NaN without one, or with partial data."""
        return statistics.total(self.frame, key, str(self.compared)) if self.is_whole_before(key) else math.nan

    def highest_before(self, key: SeriesKey) -> float:
        """Return the highest value of the compared window; NaN without one, or with partial data."""
        return statistics.highest(self.frame, key, str(self.compared)) if self.is_whole_before(key) else math.nan

    def percentile_before(self, key: SeriesKey) -> float | None:
        """Return the worst percentile with enough samples of the compared window; None without one, or with partial data."""
        if not self.is_whole_before(key):
            return None
        return statistics.worst_percentile(self.frame, key, str(self.compared)).value

    def is_whole_before(self, *keys: SeriesKey) -> bool:
        """Check that there is a window to compare with, and that none of these series is partial there."""
        if self.compared is None:
            return False
        return all(self.context.state(key, self.compared) is not SeriesState.PARTIAL for key in keys)

    def line(self, short_name: str, otherwise: ReviewThreshold) -> Threshold:
        """Return an alarm's threshold; without the alarm, the review's own."""
        return self.context.line(short_name) or otherwise.line

    def recent(self, key: SeriesKey, seconds: float = RECENT_S) -> pd.Series:
        """Return the points that describe the window's end."""
        return statistics.recent(self.frame, key, seconds)

    def curve(self, key: SeriesKey, period_s: int | None = None) -> Curve:
        """Return a series of the window now on its grid, like `resampling.resample`."""
        return self.once(("curve", key, period_s), lambda: resampling.resample(self.frame, key, period_s=period_s))

    def level(self, key: SeriesKey) -> Level:
        """Return the facts of a level: its peak, its last value and the peak of the compared window."""
        return self.once(("level", key), lambda: self._level(key))

    def _level(self, key: SeriesKey) -> Level:
        curve, previous = self.curve(key), self.highest_before(key)
        if curve.empty:
            return Level(None, None, previous)
        start, end = curve.latest_at
        longest = timedelta(seconds=max(RECENT_S, curve.period_s))
        latest = Latest(curve.latest, self.format_period(start, end), is_current=self.end - start <= longest)
        return Level(self._peak(curve), latest, previous)

    def tally(self, key: SeriesKey) -> Tally:
        """Return the facts of a count: its sum, that of the compared window, and the busiest period."""
        return self.once(("tally", key), lambda: self._tally(key))

    def _tally(self, key: SeriesKey) -> Tally:
        curve = self.curve(key, resampling.coarser_period_s(self.context, resampling.MAX_STEPS))
        busiest = self._peak(curve) if curve.total > 0 else None
        return Tally(self.total(key), self.total_before(key), busiest)

    def percentile(self, key: SeriesKey) -> Percentile:
        """Return the worst period of a percentile in the window now."""
        return self.once(("percentile", key), lambda: statistics.worst_percentile(self.frame, key))

    def cost(self) -> Cost:
        """Return the cost of the window now."""
        return self.once(("cost",), lambda: cost_of_window(self.frame))

    def alarm(self, short_name: str) -> AlarmActivity | None:
        """Return an alarm's activity in the window now; None if there is no such alarm."""
        alarm = self.context.alarm(short_name)
        if alarm is None:
            return None
        is_open = statistics.open_interval(self.context, alarm)
        since = is_open[0] if is_open else alarm.since
        return AlarmActivity(
            is_in_alarm=statistics.is_in_alarm(self.context, alarm),
            since=f" since {self.at(since)}" if since else "",
            past=tuple(self.context.format_interval(*each) for each in statistics.past_intervals(self.context, alarm)),
        )

    def alarm_clause(self, short_name: str, name: str = "its alarm") -> str:
        """Describe an alarm's activity for a caption; empty if there is none, or no such alarm."""
        activity = self.alarm(short_name)
        return activity.clause(name) if activity else ""

    def format_period(self, start: datetime, end: datetime) -> str:
        """Format a period: a minute by its start, a longer one as an interval."""
        return self.at(start) if end - start <= timedelta(minutes=1) else self.context.format_interval(start, end)

    def _peak(self, curve: Curve) -> Peak:
        start, end = curve.highest_at
        return Peak(curve.highest, start, end, self.format_period(start, end))

    def once(self, named: object, make: Callable[[], T]) -> T:
        """Compute a fact on its first use, and store it."""
        if named not in self._facts:
            self._facts[named] = make()
        fact: T = self._facts[named]
        return fact

    def why_no_data(self, key: SeriesKey) -> str:
        """Return why a series has no points, as a clause without a full stop."""
        return no_data_reason(self.context, key)

    def partial_note(self, *keys: SeriesKey) -> str:
        """Return a note if CloudWatch returned only part of some series; empty otherwise."""
        return partial_note(self.context, *keys)

    def previous_clause(self, level: Level, formatted: Callable[[float], str] = formatting.number) -> str:
        """Describe the highest value of the compared window; empty if unknown."""
        if math.isnan(level.previous):
            return ""
        return f"{self.context.previous_name} " + (f"at most {formatted(level.previous)}" if level.previous else "none")

    def count_clause(self, key: SeriesKey, one: str, many: str, *, none: str = "no", detail: str = "") -> str:
        """Describe a count with its busiest period and the previous count: "7 jobs failed (most 03:30-03:40, the day before none)"."""
        if self.is_unknown(key):
            return f"{many}: {self.why_no_data(key)}"
        tally = self.tally(key)
        previous = ""
        if not math.isnan(tally.previous):
            number_before = formatting.number(tally.previous) if tally.previous else "none"
            previous = f"{self.context.previous_name} {number_before}"
        context = [self.busiest_clause(tally), previous]
        notes = "; ".join(filter(None, (detail, ", ".join(filter(None, context)))))
        shown = notes and (tally.total or (previous and tally.previous))
        number = formatting.number(tally.total) if tally.total else none
        return f"{number} {one if tally.total == 1 else many}{f' ({notes})' if shown else ''}"

    def is_unknown(self, key: SeriesKey) -> bool:
        """Check whether a series has no points because it could not be read, rather than because there was nothing."""
        return self.curve(key).empty and self.context.state(key) not in KNOWN

    def busiest_clause(self, tally: Tally) -> str:
        """Describe when the count was highest; empty if they came one at a time."""
        if tally.busiest is None:
            return ""
        if tally.busiest.value == tally.total:
            return tally.busiest.when
        return f"most {tally.busiest.when}" if tally.busiest.value > 1 else ""

    def at(self, time: datetime) -> str:
        """Format a time in the review's time zone."""
        return self.context.format_time(time)

    def latest(self, key: SeriesKey) -> float:
        """Return the last value now; 0 without any: a queue with messages is measured each minute."""
        values = self.points(key)
        return float(values.iloc[-1]) if len(values) else 0.0

    def state(self, *keys: SeriesKey) -> SeriesState:
        """Return the worst state of some series: denied, then missing, partial, idle; complete only if all are."""
        states = {self.context.state(key) for key in keys}
        order = (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL, SeriesState.IDLE)
        return next((state for state in order if state in states), SeriesState.COMPLETE)

    def no_data_row(self, check: str, *keys: SeriesKey, caption: str = "") -> Finding | None:
        """Return the finding of a check that cannot be made, because its series are denied, missing, or partial and empty."""
        for key in keys:
            state = self.context.state(key)
            part = PARTS[key[0]]
            if state is SeriesState.DENIED:
                reason = f"{DENIED}: these credentials may not ask CloudWatch about {part}."
                return Finding(
                    check, Verdict.NO_DATA, reason, action=f"Allow {cloudwatch.GET_METRIC_DATA}.", caption=caption
                )
            if state is SeriesState.MISSING:
                reason = f"{MISSING}: {part} is not deployed."
                return Finding(check, Verdict.NO_DATA, reason, action=self.deploy(key[0]), caption=caption)
            if state is SeriesState.PARTIAL and self.points(key).empty:
                reason = f"{PARTIAL}: CloudWatch's answer about {part} was cut short and held no points."
                return Finding(check, Verdict.NO_DATA, reason, action=RUN_AGAIN, caption=caption)
        return None

    def with_partial_data(self, row: Finding, *keys: SeriesKey) -> Finding:
        """Return the finding, downgraded if one of its series is partial."""
        partial = any(self.context.state(key) is SeriesState.PARTIAL for key in keys)
        return row.downgraded(DOUBT) if partial else row

    def deploy(self, resource: str) -> str:
        """Return how to deploy a part, as a sentence."""
        how = HOW_TO_DEPLOY.get((STACK[resource], self.context.target), "deploy it")
        return f"{how[:1].upper()}{how[1:]}."

    def command(self, arguments: str) -> str:
        """Return a `couch` command for this target."""
        if self.context.target == "local":
            return f"`couch {arguments}`"
        return f"`couch {arguments} --target {self.context.target} --candidate {self.context.candidate}`"

    def log(self, resource: str) -> str:
        """Return the name of a function's log group."""
        function = self.context.function(resource)
        return f"/aws/lambda/{function.name}" if function else f"{PARTS[resource]}'s log"
