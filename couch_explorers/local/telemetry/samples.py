"""What is measured, before it is stored: one sample of one metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Sample:
    """One value, or the statistic set of several, of one metric at one moment.

    `time_s` is Unix time; `unit` is one of CloudWatch's (Count, Seconds, Milliseconds, …). A single value has `count` 1
    and `total`, `lowest` and `highest` equal to it; a value seen n times has `count` n and `total` n times the value.
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
