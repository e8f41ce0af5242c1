"""What tells one metric from another: namespace, name and every dimension.

Source: "Metrics" and "Dimensions" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = tuple[int, float, float, float, float]
"""time, count, total, lowest, highest: of one minute, one value seen `count` times, or a statistic set"""


class MetricId(NamedTuple):
    """One metric; its dimensions are sorted by name."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()

    def has(self, asked: Sequence[tuple[str, str | None]]) -> bool:
        """Whether it has all of these dimensions; a value None means any value."""
        held = dict(self.dimensions)
        return all(name in held and value in (None, held[name]) for name, value in asked)


def to_text(dimensions: Mapping[str, str]) -> str:
    """Write dimensions so that the same ones are the same text."""
    return json.dumps(sorted(dimensions.items()), ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> tuple[tuple[str, str], ...]:
    """Read dimensions that were written by `to_text`."""
    return tuple((name, value) for name, value in json.loads(text))
