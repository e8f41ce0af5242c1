"""Tells whoever subscribes about every invocation and every log line of every function.

Telemetry subscribes once, when the engine starts:

    observers.subscribe(observer)      # an `Observer`

`invoked` comes once for each invocation, however it was made: by Invoke, asynchronously (each attempt of it counts, as AWS counts)
or by an event source mapping; a throttled request comes with the outcome "throttle" and no duration. `logged` comes with the log
lines in the order in which the function wrote them, a fraction of a second later, whether or not CloudWatch Logs could store them.

`invoked` is called on the thread that served the invocation and delays its answer, `logged` on the one that delivers all logs: an
observer only notes what it was told. One that raises is reported in the engine's log and does not disturb the function.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

logger = logging.getLogger(__name__)

Outcome = Literal["ok", "error", "timeout", "throttle"]
Source = Literal["invoke", "asynchronous", "event source mapping"]


@dataclass(frozen=True)
class InvocationRecord:
    """One invocation, as AWS's metrics and the REPORT line describe it."""

    function_name: str
    # Of the version that ran; it ends with the version or `$LATEST`.
    function_arn: str
    version: str
    # What the caller named beside the function: a version, an alias or None.
    qualifier: str | None
    account: str
    region: str
    request_id: str
    source: Source
    # Unix time, seconds: when the invocation began. AWS stamps Invocations, Errors and Duration with it.
    started_at: float
    outcome: Outcome
    duration_ms: float = 0.0
    billed_ms: int = 0
    # None for an invocation of a warm environment.
    init_ms: float | None = None
    memory_size_mb: int = 0
    max_memory_mb: int = 0
    # Invocations of the function that ran when this one began, itself included.
    concurrency: int = 1
    # Such as "KeyError" or "Sandbox.Timedout", where the outcome is an error or a time-out.
    error_type: str | None = None


@dataclass(frozen=True)
class LogEvent:
    """One event of a log stream."""

    # Unix time, milliseconds.
    timestamp_ms: int
    message: str


@dataclass(frozen=True)
class LogBatch:
    """What one execution environment wrote, in its order."""

    function_name: str
    account: str
    region: str
    log_group: str
    log_stream: str
    # The role by whose rights the events reach CloudWatch Logs.
    role_arn: str
    events: tuple[LogEvent, ...] = field(default=())


class Observer(Protocol):
    """Whoever wants to know of invocations and log lines."""

    def began(self, function_arn: str) -> None:
        """Note that an invocation of a function (its unqualified ARN) begins to run."""

    def ended(self, function_arn: str) -> None:
        """Note that an invocation runs no more."""

    def invoked(self, record: InvocationRecord) -> None:
        """Note one finished or throttled invocation."""

    def logged(self, batch: LogBatch) -> None:
        """Note what a function wrote."""


_observers: list[Observer] = []


def subscribe(observer: Observer) -> Callable[[], None]:
    """Tell `observer` from now on; returns the function that ends it."""
    _observers.append(observer)
    return lambda: _observers.remove(observer)


@contextmanager
def running(function_arn: str) -> Iterator[None]:
    """Tell every observer that an invocation of a function begins, and that it ends."""
    _notify_running("began", function_arn)
    try:
        yield
    finally:
        _notify_running("ended", function_arn)


def _notify_running(what: Literal["began", "ended"], function_arn: str) -> None:
    for observer in tuple(_observers):
        try:
            getattr(observer, what)(function_arn)
        except Exception:
            logger.exception("%r could not note that an invocation of %s %s", observer, function_arn, what)


def notify_invoked(record: InvocationRecord) -> None:
    """Tell every observer of one invocation."""
    for observer in tuple(_observers):
        try:
            observer.invoked(record)
        except Exception:
            logger.exception(
                "%r could not note the invocation %s of %s", observer, record.request_id, record.function_name
            )


def notify_logged(batch: LogBatch) -> None:
    """Tell every observer of a function's log lines."""
    for observer in tuple(_observers):
        try:
            observer.logged(batch)
        except Exception:
            logger.exception("%r could not note log lines of %s", observer, batch.function_name)
