"""The facts of a review, each computed once, and what each check found: a row of the table, a clause of a caption, a headline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

COLUMNS = ("check", "verdict", "value", "unit", "threshold", "before", "change", "reason", "action")

RUN_AGAIN = "Run the review again in a minute."

# More intervals than these are counted, not listed: in the table, in captions and above the axes.
MAX_INTERVALS = 3
SHARE = "%"  # a value with this unit is a share in per cent, and its change is told in points
USD = "USD"
# One of them is called the same.
UNCHANGED = ("s", "series")
MINUS, TIMES = "\u2212", "\u00d7"
# Changes smaller than this are noise, larger than that are told as a multiple.
NOTICEABLE, MULTIPLE = 0.01, 10.0
NOTICEABLE_POINTS = 0.05


@dataclass(frozen=True)
class Peak:
    """The highest value of a window, and the period that has it (the last of several); `when` is that period in words."""

    value: float
    start: datetime
    end: datetime
    when: str


@dataclass(frozen=True)
class Latest:
    """The last value of a window; `is_current` says whether it was measured late enough to tell how things are at its end."""

    value: float
    when: str
    is_current: bool

    def clause(self, formatted: Callable[[float], str] = formatting.number) -> str:
        """Say the last value: "3 at the end", or when it was measured where that is not the end."""
        value = formatted(self.value)
        return f"{value} at the end" if self.is_current else f"{value} when last measured, {self.when}"


@dataclass(frozen=True)
class Level:
    """A level that is measured each period, such as an age or a depth; `previous` is the highest of the window compared with.

    `peak` and `latest` are None where nothing was measured, `previous` is NaN where it is not known.
    """

    peak: Peak | None
    latest: Latest | None
    previous: float

    def at_most(self, formatted: Callable[[float], str] = formatting.number) -> str:
        """Say the highest value and when it was: "at most 5 (08:58)"; empty where nothing was measured."""
        return f"at most {formatted(self.peak.value)} ({self.peak.when})" if self.peak else ""

    def depth(self) -> str:
        """Say how many there were: "none", "at most 3 (01:40), 0 at the end"; empty where nothing was measured."""
        if self.peak is None or self.latest is None:
            return ""
        return "none" if self.peak.value == 0 else f"{self.at_most()}, {self.latest.clause()}"


@dataclass(frozen=True)
class Tally:
    """What is counted in a window: the sum now and in the window compared with, NaN where it is not known.

    `busiest` is the period of those that figures show in which most were counted; None where there were none.
    """

    total: float
    previous: float
    busiest: Peak | None


@dataclass(frozen=True)
class AlarmActivity:
    """When an alarm was in state ALARM, in words: since when it is, and from when to when it was before."""

    is_in_alarm: bool
    since: str
    past: tuple[str, ...]

    def clause(self, name: str) -> str:
        """Say what the alarm did, for a caption; empty where it was never in ALARM."""
        if self.is_in_alarm:
            before = f", and was {formatting.count(len(self.past), 'time')} before" if self.past else ""
            return f"{name} has been in ALARM{self.since}{before}"
        return f"{name} was in ALARM {self.past_intervals}" if self.past else ""

    @property
    def past_intervals(self) -> str:
        """List the intervals that are over, or count them where they are many."""
        if len(self.past) > MAX_INTERVALS:
            return f"{formatting.count(len(self.past), 'time')}, last {self.past[-1]}"
        return formatting.join(self.past)


@dataclass(frozen=True)
class Finding:
    """What one check found: rendered as a row of the table, a clause of a figure's caption, and a part of the summary.

    Attributes:
        check: the check's name.
        verdict: how it ended.
        reason: sentences for the table.
        value: the worst of the window, in `unit`; NaN for none.
        unit: such as "s", "jobs", SHARE, USD.
        threshold: above it the value is no longer OK; NaN for none.
        before: the value of the window compared with; NaN where it is not known.
        action: what to do, where the verdict is not OK.
        caption: clauses for the caption of the check's figure, without a full stop; empty for none.
        concern: a clause for the summary where something else than the value is wrong; empty otherwise.

    """

    check: str
    verdict: Verdict
    reason: str
    value: float = math.nan
    unit: str = ""
    threshold: float = math.nan
    before: float = math.nan
    action: str = ""
    caption: str = ""
    concern: str = ""

    @property
    def change(self) -> str:
        """The value against before."""
        return format_change(self.value, self.before, self.unit)

    def record(self) -> dict[str, object]:
        """Give the row as the frame of verdicts has it; a check that is OK asks for nothing."""
        cells = {name: getattr(self, name) for name in COLUMNS}
        return cells | {"action": "" if self.verdict is Verdict.OK else self.action}

    @property
    def headline(self) -> str:
        """Name the check with its value, for the summary: "oldest job waiting 640 s (threshold 300 s)"."""
        if self.concern:
            return f"{self.check} ({self.concern})"
        value, threshold = (format_amount(each, self.unit) for each in (self.value, self.threshold))
        beyond = f" (threshold {threshold})" if value and threshold and self.threshold else ""
        return f"{self.check} {value}{beyond}".strip()

    def downgraded(self, doubt: str) -> Finding:
        """Give the row for numbers that are not all there: what is wrong stays wrong, but OK is not proven."""
        verdict = Verdict.NO_DATA if self.verdict is Verdict.OK else self.verdict
        action = self.action if verdict is not Verdict.NO_DATA else RUN_AGAIN
        return replace(self, verdict=verdict, reason=f"{self.reason} {doubt}", action=action)


def verdict(*, bad: bool, warn: bool) -> Verdict:
    """Choose the verdict."""
    return Verdict.BAD if bad else Verdict.WARN if warn else Verdict.OK


def format_change(now: float, before: float, unit: str = "") -> str:
    """Tell a change: "+12 %", as a multiple from ten times on, "same", "new", "gone"; in points for shares; empty where one of both is not known."""
    if math.isnan(now) or math.isnan(before):
        return ""
    if before == 0 or now == 0:
        return "same" if now == before else "gone" if now == 0 else "new"
    if unit == SHARE:
        points = now - before
        return "same" if abs(points) < NOTICEABLE_POINTS else f"{_sign(points)}{abs(points):.1f} points"
    ratio = now / before
    if abs(ratio - 1) < NOTICEABLE:
        return "same"
    if ratio >= MULTIPLE:
        return f"{TIMES}{formatting.number(round(ratio))}"
    return f"{_sign(ratio - 1)}{formatting.percent(abs(ratio - 1))}"


def _sign(difference: float) -> str:
    return "+" if difference > 0 else MINUS


def format_amount(value: float, unit: str) -> str:
    """Write a value with its unit: "640 s", "$16.48", "0.3 %", "1 job"; empty for none."""
    if math.isnan(value):
        return ""
    if unit == USD:
        return formatting.usd(value)
    if unit == SHARE:
        return formatting.percent(value / 100)
    one = unit.removesuffix("s") if value == 1 and unit not in UNCHANGED else unit
    return f"{formatting.number(value)} {one}".strip()
