"""The facts of a review, each computed once, and each check's finding: a table row, a caption's clause, a headline."""

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
SHARE = "%"  # a value with this unit is a share in per cent, and its change is in percentage points
USD = "USD"
# Units with the same singular.
UNCHANGED = ("s", "series")
MINUS, TIMES = "\u2212", "\u00d7"
# Smaller changes are noise, larger ones are shown as a multiple.
NOTICEABLE, MULTIPLE = 0.01, 10.0
NOTICEABLE_POINTS = 0.05


@dataclass(frozen=True)
class Peak:
    """The highest value of a window, and its period (the last of several); `when` is that period in words."""

    value: float
    start: datetime
    end: datetime
    when: str


@dataclass(frozen=True)
class Latest:
    """The last value of a window; `is_current` says whether it is recent enough to describe the window's end."""

    value: float
    when: str
    is_current: bool

    def clause(self, formatted: Callable[[float], str] = formatting.number) -> str:
        """Describe the last value: "3 at the end", or when it was measured if that is not the end."""
        value = formatted(self.value)
        return f"{value} at the end" if self.is_current else f"{value} when last measured, {self.when}"


@dataclass(frozen=True)
class Level:
    """A level that is measured each period, such as an age or a depth; `previous` is the highest of the compared window.

    `peak` and `latest` are None if nothing was measured; `previous` is NaN if unknown.
    """

    peak: Peak | None
    latest: Latest | None
    previous: float

    def at_most(self, formatted: Callable[[float], str] = formatting.number) -> str:
        """Describe the highest value and its time: "at most 5 (08:58)"; empty if nothing was measured."""
        return f"at most {formatted(self.peak.value)} ({self.peak.when})" if self.peak else ""

    def depth(self) -> str:
        """Describe a depth: "none", "at most 3 (01:40), 0 at the end"; empty if nothing was measured."""
        if self.peak is None or self.latest is None:
            return ""
        return "none" if self.peak.value == 0 else f"{self.at_most()}, {self.latest.clause()}"


@dataclass(frozen=True)
class Tally:
    """A count in a window: the sum now and in the compared window, NaN if unknown.

    `busiest` is the period, as figures show it, with the highest count; None if there were none.
    """

    total: float
    previous: float
    busiest: Peak | None


@dataclass(frozen=True)
class AlarmActivity:
    """When an alarm was in state ALARM, in words: since when it is now, and the past intervals."""

    is_in_alarm: bool
    since: str
    past: tuple[str, ...]

    def clause(self, name: str) -> str:
        """Describe the alarm's activity for a caption; empty if it was never in ALARM."""
        if self.is_in_alarm:
            before = f", and was {formatting.count(len(self.past), 'time')} before" if self.past else ""
            return f"{name} has been in ALARM{self.since}{before}"
        return f"{name} was in ALARM {self.past_intervals}" if self.past else ""

    @property
    def past_intervals(self) -> str:
        """The past intervals, or their count if there are many."""
        if len(self.past) > MAX_INTERVALS:
            return f"{formatting.count(len(self.past), 'time')}, last {self.past[-1]}"
        return formatting.join(self.past)


@dataclass(frozen=True)
class Finding:
    """The result of one check: rendered as a table row, a clause of a figure's caption, and a part of the summary.

    Attributes:
        check: the check's name.
        verdict: the verdict.
        reason: sentences for the table.
        value: the worst of the window, in `unit`; NaN for none.
        unit: such as "s", "jobs", SHARE, USD.
        threshold: above it the value is no longer OK; NaN for none.
        before: the value of the compared window; NaN if unknown.
        action: what to do if the verdict is not OK.
        caption: clauses for the caption of the check's figure, without a full stop; may be empty.
        concern: a clause for the summary if the problem is not the value; empty otherwise.

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
        """The change since the compared window."""
        return format_change(self.value, self.before, self.unit)

    def record(self) -> dict[str, object]:
        """Return the row of the frame of verdicts; a check that is OK has no action."""
        cells = {name: getattr(self, name) for name in COLUMNS}
        return cells | {"action": "" if self.verdict is Verdict.OK else self.action}

    @property
    def headline(self) -> str:
        """The check with its value, for the summary: "oldest job waiting 640 s (threshold 300 s)"."""
        if self.concern:
            return f"{self.check} ({self.concern})"
        value, threshold = (format_amount(each, self.unit) for each in (self.value, self.threshold))
        beyond = f" (threshold {threshold})" if value and threshold and self.threshold else ""
        return f"{self.check} {value}{beyond}".strip()

    def downgraded(self, doubt: str) -> Finding:
        """Return the finding for partial data: a problem stays a problem, but OK is not proven."""
        verdict = Verdict.NO_DATA if self.verdict is Verdict.OK else self.verdict
        action = self.action if verdict is not Verdict.NO_DATA else RUN_AGAIN
        return replace(self, verdict=verdict, reason=f"{self.reason} {doubt}", action=action)


def verdict(*, bad: bool, warn: bool) -> Verdict:
    """Return the verdict: BAD, else WARN, else OK."""
    return Verdict.BAD if bad else Verdict.WARN if warn else Verdict.OK


def format_change(now: float, before: float, unit: str = "") -> str:
    """Describe a change: "+12 %", a multiple from ten times on, "same", "new", "gone"; points for shares; empty if either is unknown."""
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
    """Format a value with its unit: "640 s", "$16.48", "0.3 %", "1 job"; empty for NaN."""
    if math.isnan(value):
        return ""
    if unit == USD:
        return formatting.usd(value)
    if unit == SHARE:
        return formatting.percent(value / 100)
    one = unit.removesuffix("s") if value == 1 and unit not in UNCHANGED else unit
    return f"{formatting.number(value)} {one}".strip()
