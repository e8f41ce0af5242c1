"""CloudWatch's metrics over the wire: MiniStack's four operations, answered from the metric store.

MiniStack 1.5.33 keeps each value in memory, scans all of them at each request, forgets them when it is killed and gives
no pages. Over every protocol: PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch import metric_data, put_metric_data
from couch_explorers.local.cloudwatch.errors import RefusedError
from couch_explorers.local.cloudwatch.metric import Sample
from couch_explorers.local.telemetry import wire_protocol
from couch_explorers.local.telemetry.wire_protocol import Protocol, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from couch_explorers.local.cloudwatch.store import MetricStore

logger = logging.getLogger("couch.local")

Answer = dict[str, Any]


def mend(store: MetricStore, clock: Callable[[], float] = time.time) -> None:
    """Let MiniStack's CloudWatch keep its metrics in the store, and answer from it.

    No alarm is evaluated when a metric arrives: as on AWS that happens by the clock.
    """
    from ministack.core.responses import get_region  # noqa: PLC0415 - reads its settings from the environment on import
    from ministack.services import cloudwatch  # noqa: PLC0415 - likewise

    def put(request: Mapping[str, Any]) -> Answer:
        store.add(*put_metric_data.samples(request, clock()), region=get_region())
        return {}

    def reading(answer: Callable[..., Answer]) -> Callable[[Mapping[str, Any]], Answer]:
        return lambda request: answer(store, request, now_s=clock(), region=get_region())

    def record_metric(
        namespace: str, metric_name: str, value: float, unit: str = "None", dimensions: dict[str, str] | None = None
    ) -> None:
        try:
            sample = Sample.of(namespace, metric_name, float(value), time_s=clock(), unit=unit, dimensions=dimensions)
            store.add(sample, region=get_region())
        except Exception:
            # What MiniStack promises its services: measuring never breaks what is measured.
            logger.exception("%s %s could not be recorded", namespace, metric_name)

    cloudwatch._put_metric_data = _operation("PutMetricData", put)  # noqa: SLF001 - the pinned release has no public seam
    cloudwatch._get_metric_data = _off_the_loop(_operation("GetMetricData", reading(metric_data.metric_data)))  # noqa: SLF001
    cloudwatch._get_metric_statistics = _off_the_loop(  # noqa: SLF001
        _operation("GetMetricStatistics", reading(metric_data.metric_statistics))
    )
    cloudwatch._list_metrics = _off_the_loop(_operation("ListMetrics", reading(metric_data.list_metrics)))  # noqa: SLF001
    cloudwatch.record_metric = record_metric
    # What an older release saved of its own metrics goes with the first request, instead of being saved for ever.
    cloudwatch._evict_old_metrics = cloudwatch._metrics.clear  # noqa: SLF001
    cloudwatch.reset = _before(cloudwatch.reset, store.clear)
    cloudwatch.handle_request = _awaiting(cloudwatch.handle_request)


def _operation(name: str, serve: Callable[[Mapping[str, Any]], Answer]) -> Callable[..., Response]:
    """Make one of MiniStack's operation handlers: request read, served, and answered or refused in its own protocol."""
    from ministack.services import cloudwatch  # noqa: PLC0415 - see above

    def handle(params: Mapping[str, Any], cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Response:  # noqa: FBT001, FBT002
        protocol = Protocol.CBOR if is_cbor else Protocol.JSON if is_json else Protocol.QUERY
        try:
            return wire_protocol.answer(name, serve(wire_protocol.read(name, params, cbor_data, protocol)), protocol)
        except RefusedError as refusal:
            refused: Response = cloudwatch._error(  # noqa: SLF001
                refusal.code, str(refusal), 400, use_json=is_json, use_cbor=is_cbor
            )
            return refused

    return handle


def _off_the_loop(handle: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
    """Serve in a thread, with the request's account and region: a week of points must not hold up all other requests."""

    @functools.wraps(handle)
    def later(*arguments: Any) -> Awaitable[Response]:
        return asyncio.to_thread(handle, *arguments)

    return later


def _awaiting(handle_request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Response]]:
    """Wait for an operation that is served in a thread: MiniStack expects its operations to answer at once."""

    @functools.wraps(handle_request)
    async def awaiting(*arguments: Any, **named: Any) -> Response:
        answer = await handle_request(*arguments, **named)
        if inspect.isawaitable(answer):
            answer = await answer
        response: Response = answer
        return response

    return awaiting


def _before(original: Callable[[], None], also: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(original)
    def both() -> None:
        also()
        original()

    return both
