"""How an alarm compares a value with its threshold: CloudWatch's `ComparisonOperator`, for whoever judges by one.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html. Those of anomaly bands, which
have no threshold, are not among them.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Comparison(NamedTuple):
    """Whether a value lies beyond a threshold, and how that is written and said."""

    is_beyond: Callable[[float, float], bool]
    sign: str
    words: str


GREATER = "GreaterThanThreshold"
COMPARISONS: Mapping[str, Comparison] = {
    "GreaterThanOrEqualToThreshold": Comparison(operator.ge, "\u2265", "greater than or equal to"),
    GREATER: Comparison(operator.gt, ">", "greater than"),
    "LessThanOrEqualToThreshold": Comparison(operator.le, "\u2264", "less than or equal to"),
    "LessThanThreshold": Comparison(operator.lt, "<", "less than"),
}
