"""Reports the invocations of functions to those that subscribe: `observers.subscribe(observer)`, once, when the engine starts.

Every invocation is reported once, however it was made: by Invoke, asynchronously (each attempt counts, as AWS counts) or by an event
source mapping. A throttled request has the outcome "throttle" and no duration. Observers are called on the thread that serves the
invocation and delay its answer, so they should only take note. An observer that raises is logged and does not disturb the function.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

logger = logging.getLogger(__name__)

Outcome = Literal["ok", "error", "timeout", "throttle"]


@dataclass(frozen=True)
class InvocationRecord:
    """One invocation, as AWS's metrics describe it."""

    function_name: str
    # The version or alias that the caller named, or None.
    qualifier: str | None
    account: str
    region: str
    request_id: str
    # Unix time, seconds: when the invocation began. AWS stamps Invocations, Errors and Duration with it.
    started_at: float
    outcome: Outcome
    duration_ms: float = 0.0


class Observer(Protocol):
    """Takes note of invocations."""

    def began(self, function_arn: str) -> None:
        """Note that an invocation of a function (its unqualified ARN) has begun to run."""

    def ended(self, function_arn: str) -> None:
        """Note that an invocation has ended."""

    def invoked(self, record: InvocationRecord) -> None:
        """Note one finished or throttled invocation."""


_observers: list[Observer] = []


def subscribe(observer: Observer) -> None:
    """Report all invocations to `observer` from now on."""
    _observers.append(observer)


@contextmanager
def running(function_arn: str) -> Iterator[None]:
    """Report to every observer when an invocation of a function begins and ends."""
    _notify(lambda observer: observer.began(function_arn), function_arn)
    try:
        yield
    finally:
        _notify(lambda observer: observer.ended(function_arn), function_arn)


def notify_invoked(record: InvocationRecord) -> None:
    """Report one invocation to every observer."""
    _notify(lambda observer: observer.invoked(record), f"{record.function_name} ({record.request_id})")


def _notify(call: Callable[[Observer], None], what: str) -> None:
    for observer in tuple(_observers):
        try:
            call(observer)
        except Exception:
            logger.exception("%r could not note an invocation of %s", observer, what)
