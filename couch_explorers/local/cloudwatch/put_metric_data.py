"""PutMetricData: a request becomes samples, or is refused whole.

Requests are as botocore has them, but that times are Unix time in seconds. Limits:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
and https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch.errors import RefusedError, invalid_combination, invalid_value
from couch_explorers.local.cloudwatch.metric import MINUTE_S, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_AGO_S = 14 * 86_400
FURTHEST_AHEAD_S = 2 * 3600
MOST_METRICS = 1000
MOST_VALUES = 150
MOST_DIMENSIONS = 30
LARGEST_VALUE = 2.0**360
RESOLUTIONS_S = (1, MINUTE_S)

# AWS takes Values beside StatisticValues, and keeps both.
EXCLUSIVE = (("Value", "Values"), ("Value", "StatisticValues"))


def samples(request: Mapping[str, Any], now_s: float) -> list[Sample]:
    """Read what a request publishes.

    One rule of AWS's is not kept: a namespace that begins with AWS/ is AWS's own there. Here anybody may publish in it,
    because that is how an alarm is tried out without waiting for a queue to grow old.

    Raises:
        RefusedError: AWS would not take it.

    """
    found = [("MetricData", datum) for datum in request.get("MetricData") or ()]
    for number, group in enumerate(request.get("EntityMetricData") or (), 1):
        found += [(f"EntityMetricData.member.{number}.MetricData", datum) for datum in group.get("MetricData") or ()]
    if not found:
        raise RefusedError("MissingParameter", "The parameter MetricData is required.")
    if len(found) > MOST_METRICS:
        raise invalid_value(f"The collection MetricData must not have a size greater than {MOST_METRICS}.")
    return [
        sample
        for number, (place, datum) in enumerate(found, 1)
        for sample in _samples_of(request["Namespace"], datum, f"{place}.member.{number}", now_s)
    ]


def _samples_of(namespace: str, datum: Mapping[str, Any], place: str, now_s: float) -> Iterator[Sample]:
    time_s = datum.get("Timestamp", now_s)
    if not now_s - LONGEST_AGO_S <= time_s <= now_s + FURTHEST_AHEAD_S:
        raise invalid_value(
            f"The parameter {place}.Timestamp must specify a time within the past two weeks or the next two hours."
        )
    resolution_s = datum.get("StorageResolution", MINUTE_S)
    if resolution_s not in RESOLUTIONS_S:
        raise invalid_value(f"The parameter {place}.StorageResolution must be 1 or {MINUTE_S}, not {resolution_s}.")
    dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions") or ()}
    if len(dimensions) > MOST_DIMENSIONS:
        raise invalid_value(f"The collection {place}.Dimensions must not have a size greater than {MOST_DIMENSIONS}.")
    for count, total, lowest, highest in _figures(datum, place):
        for figure in (count, total, lowest, highest):
            if not math.isfinite(figure) or abs(figure) > LARGEST_VALUE:
                raise invalid_value(f"The value {figure} for parameter {place}.Value is invalid.")
        if count <= 0:
            raise invalid_value(f"The value {count:g} for a count of {place} is invalid: it must be more than 0.")
        yield Sample(
            namespace,
            datum["MetricName"],
            time_s,
            datum.get("Unit") or "None",
            count,
            total,
            lowest,
            highest,
            dimensions,
            resolution_s,
        )


def _figures(datum: Mapping[str, Any], place: str) -> Iterator[tuple[float, float, float, float]]:
    """(count, total, lowest, highest) of each of a datum's values, and of its statistic set."""
    for one, other in EXCLUSIVE:
        if datum.get(one) is not None and datum.get(other):
            raise invalid_combination(
                f"The parameters {place}.{one} and {place}.{other} are mutually exclusive and you have specified both."
            )
    if datum.get("Value") is None and not datum.get("Values") and not datum.get("StatisticValues"):
        raise RefusedError(
            "MissingParameter",
            f"At least one of {place}.Value, {place}.Values and {place}.StatisticValues is required.",
        )
    if (value := datum.get("Value")) is not None:
        yield 1.0, value, value, value
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(values)
        if len(counts) != len(values):
            raise invalid_value(f"The parameters {place}.Values and {place}.Counts must be of the same size.")
        if len(values) > MOST_VALUES:
            raise invalid_value(f"The collection {place}.Values must not have a size greater than {MOST_VALUES}.")
        yield from ((count, value * count, value, value) for value, count in zip(values, counts, strict=True))
    if one_set := datum.get("StatisticValues"):
        if one_set["Minimum"] > one_set["Maximum"]:
            raise invalid_value(f"The parameter {place}.StatisticValues.Minimum must not be greater than Maximum.")
        yield one_set["SampleCount"], one_set["Sum"], one_set["Minimum"], one_set["Maximum"]
