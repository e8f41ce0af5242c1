"""The statistics that need no more of a period than its count, sum, lowest and highest; all others are percentiles."""

from __future__ import annotations

STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


def of(statistic: str, count: float, total: float, lowest: float, highest: float) -> float:
    """One of STATISTICS, of a period in which something was measured (count above 0)."""
    return {
        "Average": total / count,
        "Sum": total,
        "Minimum": lowest,
        "Maximum": highest,
        "SampleCount": count,
    }[statistic]
