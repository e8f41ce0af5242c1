"""Metrics from log lines: the embedded metric format, and metric filters of log groups.

- https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
- https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html; whether an event matches a
  filter's pattern is up to the engine
"""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch.store import MINUTE_S, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger("couch.local")

# Limits of the specification above.
MOST_DIMENSIONS = 30
MOST_METRICS = 100
MOST_VALUES = 100

MARK = '"CloudWatchMetrics"'
SHOWN = 200  # characters of a bad line in our log


class EmbeddedMetricError(ValueError):
    """A log line with metrics breaks the format; the message says where."""


def samples_or_warning(line: str) -> list[Sample]:
    """Return the samples of a log line; none for a document that breaks the format, which is logged by the local cloud."""
    if MARK not in line:
        return []
    try:
        return embedded_samples(line)
    except EmbeddedMetricError as error:
        logger.warning("A log line's metrics are left out: %s The line: %.*s", error, SHOWN, line)
        return []


def embedded_samples(line: str) -> list[Sample]:
    """The samples of one log line: each value once for each dimension set. None where the line is no such document.

    Raises EmbeddedMetricError, and gives nothing at all, where the document breaks the format.
    """
    try:
        root = json.loads(line)
    except ValueError:
        return []
    metadata = root.get("_aws") if isinstance(root, dict) else None
    if not isinstance(metadata, dict) or "CloudWatchMetrics" not in metadata:
        return []
    time_s = _finite_number(metadata.get("Timestamp"), "_aws.Timestamp") / 1000
    directives = _list(metadata["CloudWatchMetrics"], "_aws.CloudWatchMetrics")
    return [sample for directive in directives for sample in _directive(root, directive, time_s)]


def _directive(root: Mapping[str, Any], directive: Any, time_s: float) -> Iterator[Sample]:
    namespace = _text(_member(directive, "Namespace"), "Namespace")
    sets = [_dimensions(root, each) for each in _list(_member(directive, "Dimensions"), "Dimensions")]
    for definition in _list(_member(directive, "Metrics"), "Metrics", MOST_METRICS):
        name = _text(_member(definition, "Name"), "a metric's Name")
        unit = _text(definition.get("Unit", "None"), f"the Unit of {name}")
        resolution_s = definition.get("StorageResolution", MINUTE_S)
        if resolution_s not in (1, MINUTE_S):
            raise EmbeddedMetricError(f"The StorageResolution of {name} is {resolution_s!r}: 1 or {MINUTE_S} is taken.")
        values = root.get(name)
        if not isinstance(values, list):
            values = [values]
        numbers = [
            _finite_number(value, f"the metric {name}") for value in _list(values, f"the metric {name}", MOST_VALUES)
        ]
        for dimensions in sets:
            for number in numbers:
                yield Sample(namespace, name, time_s, unit, 1.0, number, number, number, dimensions, resolution_s)


def _dimensions(root: Mapping[str, Any], names: Any) -> dict[str, str]:
    return {
        _text(name, "a dimension's name"): _text(root.get(name), f"the dimension {name}")
        for name in _list(names, "a dimension set", MOST_DIMENSIONS)
    }


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise EmbeddedMetricError(f"{name} is missing.")
    return value[name]


def _list(value: Any, what: str, most: float = math.inf) -> list[Any]:
    if not isinstance(value, list):
        raise EmbeddedMetricError(f"{what} is no list.")
    if len(value) > most:
        raise EmbeddedMetricError(f"{what} has {len(value)} members, at most {most:g} are taken.")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise EmbeddedMetricError(f"{what} is no text.")
    return value


def _finite_number(value: Any, what: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise EmbeddedMetricError(f"{what} is no number.")


def filter_samples(transformations: Any, message: str, time_s: float) -> Iterator[Sample]:
    """The samples of one event that matched; none for a value that the event does not have."""
    fields = _json_fields(message)
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


def _json_fields(message: str) -> Mapping[str, Any]:
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
