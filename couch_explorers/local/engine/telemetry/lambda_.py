"""Measures functions: each invocation once, whichever way it came, and how many run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.local.engine.lambda_runtime import observers
from couch_explorers.local.telemetry import lambda_ as metrics

if TYPE_CHECKING:
    from couch_explorers.local.engine.lambda_runtime.observers import InvocationRecord, LogBatch
    from couch_explorers.local.telemetry.lambda_ import Concurrency
    from couch_explorers.local.telemetry.recorder import Recorder


def attach(recorder: Recorder, concurrency: Concurrency) -> None:
    """Be told of every invocation from now on."""
    observers.subscribe(FunctionMeter(recorder, concurrency))


class FunctionMeter:
    """Turns what the functions' runtime tells into metrics."""

    def __init__(self, recorder: Recorder, concurrency: Concurrency) -> None:
        self._recorder = recorder
        self._concurrency = concurrency

    def began(self, function_arn: str) -> None:
        """Count an invocation in, by its function and its account."""
        for key in _keys(function_arn):
            self._concurrency.began(key)

    def ended(self, function_arn: str) -> None:
        """Count an invocation out."""
        for key in _keys(function_arn):
            self._concurrency.ended(key)

    def invoked(self, record: InvocationRecord) -> None:
        """Record an invocation that has ended, or was refused."""
        arn = f"arn:aws:lambda:{record.region}:{record.account}:function:{record.function_name}"
        if record.qualifier:
            arn += f":{record.qualifier}"
        if record.outcome == "throttle":
            samples = metrics.throttle(arn, record.started_at)
        else:
            samples = metrics.invocation(arn, record.started_at, record.duration_ms, failed=record.outcome != "ok")
        self._recorder.record(samples, record.region)

    def logged(self, batch: LogBatch) -> None:
        """Nothing: embedded metrics are read where log events are stored, whoever wrote them."""


def _keys(function_arn: str) -> tuple[str, str]:
    """A function's keys for `metrics.publish_concurrency`: its account's region, and itself."""
    _, _, _, region, account, _, function = function_arn.split(":")
    return f"{account}:{region}", f"{account}:{region}:{function}"
