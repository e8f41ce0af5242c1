"""Metric filters of log groups: a log event that matches a pattern becomes a sample.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html. Whether an event matches is
the engine's to say; here it is what the match publishes.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch.store import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def samples(transformations: Any, message: str, time_s: float) -> Iterator[Sample]:
    """The samples of one event that matched; none for a value that the event does not have."""
    fields = _fields(message)
    for transformation in transformations or ():
        value = _number(_resolved(str(transformation.get("metricValue", "1")), fields))
        dimensions = {
            name: _resolved(str(selector), fields)
            for name, selector in (transformation.get("dimensions") or {}).items()
        }
        if value is None or any(each is None for each in dimensions.values()):
            continue
        yield Sample.of(
            transformation["metricNamespace"],
            transformation["metricName"],
            value,
            time_s=time_s,
            unit=transformation.get("unit") or "None",
            dimensions={name: str(each) for name, each in dimensions.items()},
        )


def _fields(message: str) -> Mapping[str, Any]:
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _resolved(selector: str, fields: Mapping[str, Any]) -> Any:
    """A constant as it stands; `$.a.b` from the event's JSON, None where it is not there."""
    if not selector.startswith("$."):
        return selector
    value: Any = fields
    for part in selector[2:].split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
