"""What the checks of a review ask a frame: values now and before, how fresh they are, and why there are none."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import cloudwatch, model, statistics
from couch_explorers.metrics.findings import RUN_AGAIN, Finding
from couch_explorers.metrics.model import API, API_FUNCTION, DEAD_LETTERS, PARTS, QUEUE, WORKER, SeriesState
from couch_explorers.metrics.thresholds import RECENT_S
from couch_explorers.workspace import HOW_TO_DEPLOY

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from couch_explorers.metrics.model import SeriesKey, Threshold
    from couch_explorers.metrics.thresholds import ReviewThreshold

STACK: dict[str, Literal["queue", "API"]] = {
    QUEUE: "queue",
    DEAD_LETTERS: "queue",
    WORKER: "queue",
    API: "API",
    API_FUNCTION: "API",
}

# How each of CloudWatch's five answers is named; the fifth is a number, be it zero.
DENIED, MISSING, PARTIAL, IDLE = "Denied", "Missing", "Partial", "Idle"
DOUBT = f"{PARTIAL}: CloudWatch gave only a part of the points."


class ReviewData:
    """A frame as the checks read it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.facts = model.context_of(frame)
        self.end = self.facts.window().end
        names = {window.name for window in self.facts.windows}
        self.compared = self.facts.compare if self.facts.compare in names else None

    def points(self, key: SeriesKey, window: str = "now") -> pd.Series:
        """One series of one window."""
        return model.points(self.frame, key, window)

    def total(self, key: SeriesKey) -> float:
        """The sum now; NaN where it is not known."""
        return statistics.total(self.frame, key)

    def total_before(self, key: SeriesKey) -> float:
        """The sum of the window compared with; NaN without one, or where only a part of it is known."""
        return statistics.total(self.frame, key, str(self.compared)) if self.is_whole_before(key) else math.nan

    def highest_before(self, key: SeriesKey) -> float:
        """The highest value of the window compared with; NaN without one, or where only a part of it is known."""
        return statistics.highest(self.frame, key, str(self.compared)) if self.is_whole_before(key) else math.nan

    def percentile_before(self, key: SeriesKey) -> float | None:
        """The worst percentile of the window compared with that its samples carry; None otherwise, and for a part of it."""
        if not self.is_whole_before(key):
            return None
        return statistics.worst_percentile(self.frame, key, str(self.compared)).value

    def is_whole_before(self, *keys: SeriesKey) -> bool:
        """Whether there is a window to compare with, and none of some series came in part there."""
        if self.compared is None:
            return False
        return all(self.facts.state(key, self.compared) is not SeriesState.PARTIAL for key in keys)

    def line(self, short_name: str, otherwise: ReviewThreshold) -> Threshold:
        """The line that an alarm holds; of an own threshold where there is none."""
        return self.facts.line(short_name) or otherwise.line

    def recent(self, key: SeriesKey, seconds: float = RECENT_S) -> pd.Series:
        """The points that tell how things stand at the end."""
        return statistics.recent(self.frame, key, seconds)

    def peak(self, key: SeriesKey) -> tuple[float, datetime]:
        """The highest value now and when it was; for a series that has points."""
        values = self.points(key)
        return float(values.max()), values.idxmax().to_pydatetime()

    def at(self, moment: datetime) -> str:
        """Say a time in the review's time zone."""
        return self.facts.format_time(moment)

    def latest(self, key: SeriesKey) -> float:
        """The last value now; 0 without any: a queue that has messages is measured each minute."""
        values = self.points(key)
        return float(values.iloc[-1]) if len(values) else 0.0

    def latest_said(self, key: SeriesKey, unit: str = "") -> str:
        """Say the last value: "3 at the end", or when it was measured where that is not the end."""
        values = self.points(key)
        last = f"{formatting.number(float(values.iloc[-1]))}{unit}"
        if not self.is_stale(key):
            return f"{last} at the end"
        return f"{last} when last measured, {self.at(values.index[-1].to_pydatetime())}"

    def is_stale(self, key: SeriesKey) -> bool:
        """Whether the last value, of a series that has one, tells nothing of how things stand at the end."""
        measured = self.points(key).index[-1].to_pydatetime()
        return bool(self.end - measured > timedelta(seconds=max(RECENT_S, self.facts.period_s)))

    def state(self, *keys: SeriesKey) -> SeriesState:
        """The worst answer for some series: denied, then missing, then partial, then idle; complete only if all are."""
        states = {self.facts.state(key) for key in keys}
        order = (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL, SeriesState.IDLE)
        return next((state for state in order if state in states), SeriesState.COMPLETE)

    def unanswered(self, check: str, *keys: SeriesKey) -> Finding | None:
        """The row of a check that cannot be made: its series were denied, are missing, or came back empty and cut short."""
        for key in keys:
            state = self.facts.state(key)
            part = PARTS[key[0]]
            if state is SeriesState.DENIED:
                reason = f"{DENIED}: these credentials may not ask CloudWatch about {part}."
                return Finding(check, Verdict.NO_DATA, reason, action=f"Allow {cloudwatch.GET_METRIC_DATA}.")
            if state is SeriesState.MISSING:
                return Finding(
                    check, Verdict.NO_DATA, f"{MISSING}: {part} is not deployed.", action=self.deploy(key[0])
                )
            if state is SeriesState.PARTIAL and self.points(key).empty:
                reason = f"{PARTIAL}: CloudWatch's answer about {part} was cut short and held no points."
                return Finding(check, Verdict.NO_DATA, reason, action=RUN_AGAIN)
        return None

    def believed(self, row: Finding, *keys: SeriesKey) -> Finding:
        """Give the row, doubted where one of its series is only partly there."""
        partial = any(self.facts.state(key) is SeriesState.PARTIAL for key in keys)
        return row.doubted(DOUBT) if partial else row

    def deploy(self, resource: str) -> str:
        """Say how a part is deployed."""
        how = HOW_TO_DEPLOY.get((STACK[resource], self.facts.target), "deploy it")
        return f"{how[:1].upper()}{how[1:]}."

    def command(self, arguments: str) -> str:
        """Write a command of `couch` for this target."""
        if self.facts.target == "local":
            return f"`couch {arguments}`"
        return f"`couch {arguments} --target {self.facts.target} --candidate {self.facts.candidate}`"

    def log(self, resource: str) -> str:
        """Name the log of a function."""
        function = self.facts.function(resource)
        return f"/aws/lambda/{function.name}" if function else f"{PARTS[resource]}'s log"
