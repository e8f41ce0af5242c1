"""The statistics of CloudWatch, taken over what was measured in one period.

Source of names, bounds and rules: "CloudWatch statistics definitions" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BASIC = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
"""Those that need no more of a period than its count, sum, lowest and highest"""

Distribution = tuple[float, float, float]
"""lowest, highest, count: one value seen `count` times where lowest and highest are the same"""

Weighted = list[tuple[float, float]]
"""value and how often it was seen, by value"""

# Any percentile with up to ten decimal places; the short forms tm90, tc99.9, … cut off the highest values only.
_NUMBER = r"\d+(?:\.\d{1,10})?"
_SHORT = re.compile(rf"(?P<kind>[pP]|tm|wm|tc|ts)(?P<rank>{_NUMBER})")
_RANGE = re.compile(
    rf"(?P<kind>TM|WM|TC|TS|PR)\((?P<low>{_NUMBER})?(?P<low_unit>%)?:(?P<high>{_NUMBER})?(?P<high_unit>%)?\)"
)
_WHOLE = 100.0


class UnknownStatisticError(ValueError):
    """A name that is no statistic of CloudWatch's."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The statistic {name!r} is not known. Known: {', '.join(BASIC)}, p0 to p100, IQM, tm90, wm90, tc90, ts90, "
            "TM(10%:90%), WM, TC and TS likewise, and PR(100:2000)."
        )


@dataclass(frozen=True)
class Extended:
    """A statistic that needs every value of a period: a percentile (`high` is its rank), or one of a range of values.

    `kind` is p, TM (trimmed mean), WM (winsorized mean), TC (trimmed count), TS (trimmed sum) or PR (percentile rank).

    The bounds of a range are per cent of the values, or values themselves: above `low`, up to and including `high`.
    None leaves that side open.
    """

    kind: str
    low: float | None
    high: float | None
    per_cent: bool

    def of(self, parts: Iterable[Distribution]) -> float | None:
        """Take it of a period; None where CloudWatch has none.

        That is without values, with a negative one, with a statistic set of unlike values (it hides them), and where the
        range leaves no value of which to take a mean.
        """
        values: Weighted = []
        for lowest, highest, count in parts:
            if lowest < 0 or lowest != highest:
                return None
            if count > 0:
                values.append((lowest, count))
        if not values:
            return None
        values.sort()
        if self.kind == "p":
            return _percentile(values, self.high or 0.0)
        return self._of_range(values)

    def _of_range(self, values: Weighted) -> float | None:
        within = self._within(values)
        count = sum(times for _, times in within)
        match self.kind:
            case "TC":
                return count
            case "TS":
                return sum(value * times for value, times in within)
            case "PR":
                return _WHOLE * count / sum(times for _, times in values)
            case "WM":
                return self._winsorized_mean(values)
            case _:
                return sum(value * times for value, times in within) / count if count else None

    def _within(self, values: Weighted) -> Weighted:
        if not self.per_cent:
            low = -1.0 if self.low is None else self.low
            return [each for each in values if low < each[0] and (self.high is None or each[0] <= self.high)]
        total = sum(times for _, times in values)
        first = total * (self.low or 0.0) / _WHOLE
        last = total * (_WHOLE if self.high is None else self.high) / _WHOLE
        kept: Weighted = []
        seen = 0.0
        for value, times in values:
            # A value at the edge counts in part, so that the same share is cut off whatever the number of values.
            part = min(seen + times, last) - max(seen, first)
            if part > 0:
                kept.append((value, part))
            seen += times
        return kept

    def _winsorized_mean(self, values: Weighted) -> float | None:
        """The mean in which what lies outside of the range counts as the range's end."""
        if self.per_cent:
            within = self._within(values)
            if not within:
                return None
            low, high = within[0][0], within[-1][0]
        else:
            low = values[0][0] if self.low is None else self.low
            high = values[-1][0] if self.high is None else self.high
        return sum(min(max(value, low), high) * times for value, times in values) / sum(times for _, times in values)


@functools.cache
def parse(name: str) -> Extended | None:
    """Read the name of a statistic; None for one of `BASIC`.

    Raises:
        UnknownStatisticError: it is none of CloudWatch's, or its bounds are not in order.

    """
    if name in BASIC:
        return None
    if name == "IQM":
        return Extended("TM", 25.0, 75.0, per_cent=True)
    if match := _SHORT.fullmatch(name):
        rank = float(match["rank"])
        if rank <= _WHOLE:
            kind = match["kind"]
            return Extended("p" if kind in "pP" else kind.upper(), None, rank, per_cent=True)
    elif (match := _RANGE.fullmatch(name)) and (found := _range(match)):
        return found
    raise UnknownStatisticError(name)


def is_known(name: str) -> bool:
    """Whether CloudWatch knows a statistic of this name."""
    try:
        parse(name)
    except UnknownStatisticError:
        return False
    return True


def of_aggregate(statistic: str, count: float, total: float, lowest: float, highest: float) -> float:
    """One of `BASIC`, of a period in which something was measured (count above 0)."""
    return {
        "Average": total / count,
        "Sum": total,
        "Minimum": lowest,
        "Maximum": highest,
        "SampleCount": count,
    }[statistic]


def _range(match: re.Match[str]) -> Extended | None:
    """A statistic of a range; None where its bounds are missing, of two kinds, or not in order."""
    bounds = [(match["low"], match["low_unit"]), (match["high"], match["high_unit"])]
    units = {unit for number, unit in bounds if number is not None}
    if len(units) != 1 or any(unit and number is None for number, unit in bounds):
        return None
    low, high = (None if number is None else float(number) for number, _ in bounds)
    per_cent = units == {"%"}
    if per_cent and (match["kind"] == "PR" or max(low or 0.0, high or 0.0) > _WHOLE):
        return None
    if low is not None and high is not None and low >= high:
        return None
    return Extended(match["kind"], low, high, per_cent)


def _percentile(values: Weighted, rank: float) -> float:
    """Interpolate between the two nearest values, each counted as often as it was seen."""
    total = sum(count for _, count in values)
    position = rank / _WHOLE * max(total - 1, 0.0)
    below = _value_at(values, int(position))
    share = position - int(position)
    return below + share * (_value_at(values, int(position) + 1) - below) if share else below


def _value_at(values: Sequence[tuple[float, float]], position: int) -> float:
    seen = 0.0
    for value, count in values:
        seen += count
        if position < seen:
            return value
    return values[-1][0]
