"""Reports invocations of functions and requests to REST APIs to those that subscribe: telemetry, once, when the engine starts.

An invocation is reported once, however it was made: by Invoke, asynchronously (each attempt counts, as AWS counts) or by an event source
mapping. A throttled one has the outcome "throttle" and no duration. A request is reported even where the gateway itself has refused it.
Observers are called on the thread that serves the caller and delay its response, so they should only take note. An observer that raises
is logged, and disturbs neither the caller nor other observers.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger("couch.local")

Outcome = Literal["ok", "error", "timeout", "throttle"]


@dataclass(frozen=True)
class InvocationRecord:
    """One invocation of a function, as AWS's metrics describe it."""

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


@dataclass(frozen=True)
class StageRequest:
    """One request to a deployed stage of a REST API, and how it was answered."""

    region: str
    api_id: str
    api_name: str
    stage: str
    status: int
    # Unix time, seconds: when the request came.
    time_s: float
    latency_ms: float
    # None where no integration was called.
    integration_latency_ms: float | None


class Observer(Protocol):
    """Takes note of what functions and APIs do."""

    def began(self, function_arn: str) -> None:
        """Note that an invocation of a function (its unqualified ARN) has begun to run."""

    def ended(self, function_arn: str) -> None:
        """Note that an invocation has ended."""

    def invoked(self, record: InvocationRecord) -> None:
        """Note one finished or throttled invocation."""

    def requested(self, request: StageRequest) -> None:
        """Note one answered request to an API."""


subscribed: list[Observer] = []


def subscribe(observer: Observer) -> None:
    """Report everything to `observer` from now on."""
    subscribed.append(observer)


@contextmanager
def running(function_arn: str) -> Iterator[None]:
    """Report when an invocation of a function begins and ends."""
    _notify(lambda observer: observer.began(function_arn), function_arn)
    try:
        yield
    finally:
        _notify(lambda observer: observer.ended(function_arn), function_arn)


def notify_invoked(record: InvocationRecord) -> None:
    """Report one invocation."""
    _notify(lambda observer: observer.invoked(record), f"{record.function_name} ({record.request_id})")


def notify_requested(request: StageRequest) -> None:
    """Report one request to an API."""
    _notify(lambda observer: observer.requested(request), request.api_id)


def _notify(call: Callable[[Observer], None], what: str) -> None:
    for observer in tuple(subscribed):
        try:
            call(observer)
        except Exception:
            logger.exception("%r could not take note of %s", observer, what)
