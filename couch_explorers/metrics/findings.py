"""A row of a review: one check, its verdict, and what a reader needs to believe it and to act."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from couch_explorers import formatting
from couch_explorers.checks import Verdict

COLUMNS = ("check", "verdict", "value", "unit", "threshold", "before", "change", "reason", "action")

RUN_AGAIN = "Run the review again in a minute."

SHARE = "%"  # a value with this unit is a share in per cent, and its change is told in points
USD = "USD"
# One of them is called the same.
UNCHANGED = ("s", "series")
MINUS, TIMES = "\u2212", "\u00d7"
# Changes smaller than this are noise, larger than that are told as a multiple.
NOTICEABLE, MULTIPLE = 0.01, 10.0
NOTICEABLE_POINTS = 0.05


@dataclass(frozen=True)
class Finding:
    """One check. NaN: no such value. `threshold` is the line above which it is no longer OK; `before` that window's value."""

    check: str
    verdict: Verdict
    reason: str
    value: float = math.nan
    unit: str = ""
    threshold: float = math.nan
    before: float = math.nan
    action: str = ""

    @property
    def change(self) -> str:
        """The value against before."""
        return format_change(self.value, self.before, self.unit)

    def record(self) -> dict[str, object]:
        """Give the row as the frame of verdicts has it; a check that is OK asks for nothing."""
        cells = {name: getattr(self, name) for name in COLUMNS}
        return cells | {"action": "" if self.verdict is Verdict.OK else self.action}

    def doubted(self, doubt: str) -> Finding:
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
