"""Measures MiniStack's REST APIs, which publishes none of their metrics."""

from __future__ import annotations

import functools
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry.api_gateway import api_name, request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from couch_explorers.local.telemetry.recorder import Recorder

logger = logging.getLogger("couch.local")


@dataclass
class Call:
    """One request: the API and stage that it reached, and how long the integration took, if it was asked."""

    api_id: str = ""
    stage: str = ""
    integration_s: float | None = None


_current: ContextVar[Call | None] = ContextVar("couch_gateway_call", default=None)


def mend(recorder: Recorder, clock: Callable[[], float]) -> None:
    """Measure where every form of a REST API's address comes together, refusals by the gateway itself included."""
    from ministack import app  # noqa: PLC0415 - reads its settings from the environment on import
    from ministack.services import apigateway_v1  # noqa: PLC0415 - likewise

    handle: Callable[..., Awaitable[Any]] = app._handle_execute_api_request  # noqa: SLF001 - no public seam
    authorize: Callable[..., Any] = app._enforce_execute_api  # noqa: SLF001
    integrate: Callable[..., Awaitable[Any]] = apigateway_v1._call_lambda_raw  # noqa: SLF001

    @functools.wraps(handle)
    async def measured(*arguments: Any, **named: Any) -> Any:
        call = Call()
        token = _current.set(call)
        received_s, began_s = clock(), perf_counter()
        try:
            answer = await handle(*arguments, **named)
        finally:
            _current.reset(token)
        if answer is not None and call.api_id:
            _record(recorder, call, answer[0], received_s, perf_counter() - began_s)
        return answer

    @functools.wraps(authorize)
    def noticed(api_id: str, stage: str, *arguments: Any, **named: Any) -> Any:
        if call := _current.get():
            call.api_id, call.stage = api_id, stage
        return authorize(api_id, stage, *arguments, **named)

    @functools.wraps(integrate)
    async def timed(*arguments: Any, **named: Any) -> Any:
        began_s = perf_counter()
        try:
            return await integrate(*arguments, **named)
        finally:
            if call := _current.get():
                call.integration_s = perf_counter() - began_s

    app._handle_execute_api_request = measured  # noqa: SLF001
    app._enforce_execute_api = noticed  # noqa: SLF001
    apigateway_v1._call_lambda_raw = timed  # noqa: SLF001


def _record(recorder: Recorder, call: Call, status: int, received_s: float, latency_s: float) -> None:
    from ministack.services import apigateway_v1  # noqa: PLC0415 - see above

    try:
        scope = apigateway_v1.find_api_scope(call.api_id)
        if scope is None or call.stage not in apigateway_v1.stages_for_api(call.api_id):
            return
        account_id, region = scope
        api = apigateway_v1._rest_apis.get_scoped(account_id, region, call.api_id)  # noqa: SLF001
        samples = request(
            api_name(api.get("name", ""), call.api_id),
            call.stage,
            status,
            time_s=received_s,
            latency_s=latency_s,
            integration_s=call.integration_s,
        )
        recorder.record(samples, region)
    except Exception:
        # The caller gets its answer, measured or not.
        logger.exception("A request to the API %s could not be measured", call.api_id)
