"""A metric (namespace, name and every dimension) and a sample of it.

Source: "Metrics" and "Dimensions" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTE_S = 60
"""The storage resolution of a standard metric; a high-resolution metric is kept by the second."""

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


@dataclass(frozen=True)
class Sample:
    """One value, or the statistic set of several, of one metric at one moment.

    `time_s` is Unix time; `unit` is one of CloudWatch's (Count, Seconds, Milliseconds, …). A single value has `count` 1
    and `total`, `lowest` and `highest` equal to it; a value seen n times has `count` n and `total` n times the value.
    `resolution_s` is CloudWatch's StorageResolution: 60, or 1 for a high-resolution metric.
    """

    namespace: str
    metric: str
    time_s: float
    unit: str
    count: float
    total: float
    lowest: float
    highest: float
    dimensions: Mapping[str, str] = field(default_factory=dict)
    resolution_s: int = MINUTE_S

    @classmethod
    def of(
        cls,
        namespace: str,
        metric: str,
        value: float,
        *,
        time_s: float,
        unit: str = "Count",
        dimensions: Mapping[str, str] | None = None,
    ) -> Sample:
        """Make the sample of a single value."""
        return cls(namespace, metric, time_s, unit, 1.0, value, value, value, dimensions or {})


def to_text(dimensions: Mapping[str, str]) -> str:
    """Write dimensions so that the same ones are the same text."""
    return json.dumps(sorted(dimensions.items()), ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> tuple[tuple[str, str], ...]:
    """Read dimensions that were written by `to_text`."""
    return tuple((name, value) for name, value in json.loads(text))
