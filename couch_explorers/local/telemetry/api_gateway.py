"""The metrics of REST APIs: one measurement for each request to a stage.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
Left out: CacheHitCount and CacheMissCount (no stage here has a cache), and the dimensions Method and Resource, which only
detailed metrics have. A request to a stage that does not exist reaches no API, so none counts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch.store import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "AWS/ApiGateway"


def request(
    name: str, stage: str, status: int, *, time_s: float, latency_s: float, integration_s: float | None
) -> Iterator[Sample]:
    """The metrics of one request, by API and by API and stage. The errors are 0 or 1 each, so that their average is a rate."""
    values: list[tuple[str, float, str]] = [
        ("Count", 1, "Count"),
        ("4XXError", int(400 <= status < 500), "Count"),  # noqa: PLR2004 - the status codes themselves
        ("5XXError", int(status >= 500), "Count"),  # noqa: PLR2004
        ("Latency", round(latency_s * 1000), "Milliseconds"),
    ]
    if integration_s is not None:
        values.append(("IntegrationLatency", round(integration_s * 1000), "Milliseconds"))
    for dimensions in ({"ApiName": name}, {"ApiName": name, "Stage": stage}):
        for metric, value, unit in values:
            yield Sample.of(NAMESPACE, metric, value, time_s=time_s, unit=unit, dimensions=dimensions)


def api_name(name: str, api_id: str) -> str:
    """An API's name as its metrics carry it: without what is not ASCII, and the id where nothing is left."""
    return name.encode("ascii", "ignore").decode().strip() or api_id
