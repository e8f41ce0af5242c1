"""The platform's lines in a function's log, START, END and REPORT, as Lambda writes them.

MiniStack 1.5.33 reports whole milliseconds of something longer than the handler, 0 MB of memory, and no Init Duration.
Fields: "REPORT line data fields" in https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.local.telemetry.function_runs import Run

TIMED_OUT = "Task timed out after "


def timeout_s(config: Mapping[str, Any]) -> float:
    """After how many seconds Lambda ends an invocation of this function."""
    return float(config.get("Timeout") or 3)


def report(config: Mapping[str, Any], request_id: str, run: Run, *, timed_out: bool) -> str:
    """One REPORT line. What is not known is left out: a reader must not take 0 MB for a measurement.

    Billed Duration holds the start-up too, since 1 August 2025 for every function:
    https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
    """
    duration_ms = run.duration_ms(timeout_s(config))
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {math.ceil(duration_ms + (run.init_ms or 0))} ms",
        f"Memory Size: {config.get('MemorySize', 128)} MB",
    ]
    if run.peak_mb:
        fields.append(f"Max Memory Used: {run.peak_mb} MB")
    if run.init_ms is not None:
        fields.append(f"Init Duration: {run.init_ms:.2f} ms")
    if timed_out:
        fields.append("Status: timeout")
    return "\t".join(fields)


def mend(current: Callable[[], Run | None]) -> None:
    """Let MiniStack write these lines for the invocation that is being measured."""
    from ministack.services import lambda_svc  # noqa: PLC0415 - reads its settings from the environment on import

    original: Callable[..., None] = lambda_svc._emit_lambda_logs  # noqa: SLF001 - the pinned release has no public seam

    def emit_lambda_logs(
        func: Mapping[str, Any],
        request_id: str,
        log_text: str,
        error: bool,  # noqa: FBT001
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        run = current()
        if run is None or log_source == "rie":
            # Lambda's own emulator in a container writes its own lines.
            original(func, request_id, log_text, error, duration_ms, log_source=log_source)
            return
        config = func.get("config") or func
        lines = [
            f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}",
            *log_text.splitlines(),
            f"END RequestId: {request_id}",
            report(config, request_id, run, timed_out=error and TIMED_OUT in log_text),
        ]
        # As if from the emulator: lines that are all there are taken as they are.
        original(func, request_id, "\n".join(lines), error, duration_ms, log_source="rie")

    lambda_svc._emit_lambda_logs = emit_lambda_logs  # noqa: SLF001
