"""Measures MiniStack's functions: each invocation once, whichever way it came. MiniStack measures only the Invoke API."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from couch_explorers.local.settings import REGION
from couch_explorers.local.telemetry import function_reports, function_runs, lambda_

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from couch_explorers.local.cloudwatch.metric import Sample
    from couch_explorers.local.telemetry.lambda_ import Concurrency
    from couch_explorers.local.telemetry.recorder import Recorder

logger = logging.getLogger("couch.local")

Config = dict[str, Any]


def mend(recorder: Recorder, concurrency: Concurrency, clock: Callable[[], float]) -> None:
    """Measure at the one place that every invocation passes, and silence MiniStack's own measuring."""
    from ministack.services import lambda_svc  # noqa: PLC0415 - reads its settings from the environment on import

    dispatch: Callable[..., Any] = lambda_svc._execute_function_dispatch  # noqa: SLF001 - the pinned release has no public seam
    acquire: Callable[..., tuple[str | None, str | None]] = lambda_svc._acquire_execution_slot  # noqa: SLF001
    release: Callable[[str], None] = lambda_svc._release_execution_slot  # noqa: SLF001

    @functools.wraps(dispatch)
    def measured(func: Config, config: Config, event: Any, request_id: str, started: float) -> Any:
        with function_runs.measuring() as run:
            result = dispatch(func, config, event, request_id, started)
        failed = bool(isinstance(result, dict) and result.get("error"))
        duration_ms = run.duration_ms(function_reports.timeout_s(config))
        _record(recorder, config, lambda: lambda_.invocation(_arn(config), started, duration_ms, failed=failed))
        return result

    @functools.wraps(acquire)
    def counted_acquire(func: Config, config: Config) -> tuple[str | None, str | None]:
        slot, limit = acquire(func, config)
        if slot is None:
            _record(recorder, config, lambda: lambda_.throttle(_arn(config), clock()))
        else:
            concurrency.began(slot)
            concurrency.began(_account(slot))
        return slot, limit

    @functools.wraps(release)
    def counted_release(slot: str) -> None:
        release(slot)
        if slot is not None:
            concurrency.ended(slot)
            concurrency.ended(_account(slot))

    lambda_svc._execute_function_dispatch = measured  # noqa: SLF001
    lambda_svc._acquire_execution_slot = counted_acquire  # noqa: SLF001
    lambda_svc._release_execution_slot = counted_release  # noqa: SLF001
    lambda_svc._emit_lambda_metrics = _not_here  # noqa: SLF001
    function_runs.mend()
    function_reports.mend(function_runs.current)


def _record(recorder: Recorder, config: Config, samples: Callable[[], Iterator[Sample]]) -> None:
    try:
        parts = str(config.get("FunctionArn", "")).split(":")
        region = parts[3] if len(parts) > 3 and parts[3] else REGION  # noqa: PLR2004 - arn:aws:lambda:REGION:…
        recorder.record(samples(), region)
    except Exception:
        # An invocation ends as it ended, measured or not.
        logger.exception("An invocation of %s could not be measured", config.get("FunctionName"))


def _arn(config: Config) -> str:
    """The ARN of a function, or of the version or alias that was asked for."""
    return str(
        config.get("FunctionArn") or f"arn:aws:lambda:{REGION}::function:{config.get('FunctionName', 'unknown')}"
    )


def _account(slot: str) -> str:
    """The account and region of a slot, which MiniStack names `account:region:function`."""
    return slot.rsplit(":", 1)[0]


def _not_here(*_: Any, **__: Any) -> None:
    """Measure nothing: it is measured where every invocation passes."""
