"""Percentiles as CloudWatch gives them: from values, and from statistic sets only where the set hides nothing.

Source: "Percentiles" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Distribution = tuple[float, float, float]
"""lowest, highest, count: one value seen `count` times where lowest and highest are the same"""

# Any percentile with up to ten decimal places:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
PERCENTILE = re.compile(r"^[pP](?P<rank>\d{1,3}(?:\.\d{1,10})?)$")


def rank_of(statistic: str) -> float | None:
    """Give 95.0 for "p95"; None for a statistic that is no percentile between p0 and p100."""
    match = PERCENTILE.match(statistic)
    rank = float(match["rank"]) if match else -1.0
    return rank if 0 <= rank <= 100 else None  # noqa: PLR2004 - per cent


def percentile(parts: Iterable[Distribution], rank: float) -> float | None:
    """Interpolate one percentile (0 to 100) between the two nearest values, each counted as often as it was seen.

    None where CloudWatch has none: no values, a negative one, or a statistic set of unlike values.
    """
    values: list[tuple[float, float]] = []
    for lowest, highest, count in parts:
        if lowest < 0 or lowest != highest:
            return None
        if count > 0:
            values.append((lowest, count))
    if not values:
        return None
    values.sort()
    total = sum(count for _, count in values)
    position = rank / 100 * max(total - 1, 0.0)
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
