"""PutMetricData: a request becomes samples, or is refused whole.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
and https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry.samples import Sample
from couch_explorers.local.telemetry.wire_protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_AGO_S = 14 * 86_400
FURTHEST_AHEAD_S = 2 * 3600
MOST_METRICS = 1000
MOST_VALUES = 150
LARGEST_VALUE = 2.0**360

ONE_OF = ("Value", "Values", "StatisticValues")


def samples(request: Mapping[str, Any], now_s: float) -> list[Sample]:
    """Read what a request publishes; RefusedError for what AWS would not take.

    One rule of AWS's is not kept: a namespace that begins with AWS/ is AWS's own there. Here anybody may publish in it,
    because that is how an alarm is tried out without waiting for a queue to grow old.
    """
    found = [("MetricData", datum) for datum in request.get("MetricData", ())]
    for number, group in enumerate(request.get("EntityMetricData", ()), 1):
        found += [(f"EntityMetricData.member.{number}.MetricData", datum) for datum in group.get("MetricData", ())]
    if not found:
        raise RefusedError("MissingParameter", "The parameter MetricData is required.")
    if len(found) > MOST_METRICS:
        raise RefusedError(
            "InvalidParameterValue", f"The collection MetricData has {len(found)} members: at most {MOST_METRICS}."
        )
    return [
        sample
        for number, (place, datum) in enumerate(found, 1)
        for sample in _samples_of(request["Namespace"], datum, f"{place}.member.{number}", now_s)
    ]


def _samples_of(namespace: str, datum: Mapping[str, Any], place: str, now_s: float) -> Iterator[Sample]:
    time_s = datum.get("Timestamp", now_s)
    if not now_s - LONGEST_AGO_S <= time_s <= now_s + FURTHEST_AHEAD_S:
        raise RefusedError(
            "InvalidParameterValue",
            f"The parameter {place}.Timestamp must lie between two weeks ago and two hours ahead.",
        )
    dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions", ())}
    for count, total, lowest, highest in _figures(datum, place):
        for figure in (count, total, lowest, highest):
            if not math.isfinite(figure) or abs(figure) > LARGEST_VALUE:
                raise RefusedError(
                    "InvalidParameterValue", f"{place}: {figure} is not a number between -2^360 and 2^360."
                )
        if count <= 0:
            raise RefusedError("InvalidParameterValue", f"{place}: a value cannot have been seen {count:g} times.")
        yield Sample(
            namespace,
            datum["MetricName"],
            time_s,
            datum.get("Unit", "None"),
            count,
            total,
            lowest,
            highest,
            dimensions,
        )


def _figures(datum: Mapping[str, Any], place: str) -> Iterator[tuple[float, float, float, float]]:
    """(count, total, lowest, highest) of each of a datum's values, or of its statistic set."""
    given = [name for name in ONE_OF if name in datum]
    if len(given) != 1:
        raise RefusedError(
            "InvalidParameterCombination", f"{place}: exactly one of {', '.join(ONE_OF)} is taken, {len(given)} given."
        )
    if "Value" in datum:
        value = datum["Value"]
        yield 1.0, value, value, value
    elif "Values" in datum:
        values = datum["Values"]
        counts = datum.get("Counts") or [1.0] * len(values)
        if not 1 <= len(values) <= MOST_VALUES or len(counts) != len(values):
            raise RefusedError(
                "InvalidParameterValue",
                f"{place}: 1 to {MOST_VALUES} Values and as many Counts are taken, not {len(values)} and {len(counts)}.",
            )
        yield from ((count, value * count, value, value) for value, count in zip(values, counts, strict=True))
    else:
        one = datum["StatisticValues"]
        if one["Minimum"] > one["Maximum"]:
            raise RefusedError("InvalidParameterValue", f"{place}: the Minimum is larger than the Maximum.")
        yield one["SampleCount"], one["Sum"], one["Minimum"], one["Maximum"]
