"""The metrics of functions: of each invocation, and of how many ran at once in a minute.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Dimensions: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch.store import MINUTE_S, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from couch_explorers.local.telemetry.recorder import Recorder

NAMESPACE = "AWS/Lambda"


def invocation(arn: str, started_s: float, duration_ms: float, *, failed: bool) -> Iterator[Sample]:
    """The metrics of an invocation that ran, a failure or not, all stamped with the time at which it was invoked.

    `arn` ends with the requested version or alias, if any.
    """
    for dimensions in _dimensions(arn):
        for metric, value in (("Invocations", 1), ("Errors", int(failed)), ("Throttles", 0)):
            yield Sample.of(NAMESPACE, metric, value, time_s=started_s, dimensions=dimensions)
        yield Sample.of(
            NAMESPACE, "Duration", duration_ms, time_s=started_s, unit="Milliseconds", dimensions=dimensions
        )


def throttle(arn: str, now_s: float) -> Iterator[Sample]:
    """The metric of an invocation that was refused for want of concurrency: "Invocations aren't recorded" for it."""
    for dimensions in _dimensions(arn):
        yield Sample.of(NAMESPACE, "Throttles", 1, time_s=now_s, dimensions=dimensions)


def publish_concurrency(recorder: Recorder, concurrency: Concurrency) -> None:
    """Record how many invocations ran at once in the minutes that have ended.

    The concurrency's keys are `account:region` and `account:region:function`.
    """
    for minute_s, key, most in concurrency.take():
        _account_id, region, *function = key.split(":")
        dimensions = {"FunctionName": function[0]} if function else {}
        sample = Sample.of(NAMESPACE, "ConcurrentExecutions", most, time_s=minute_s, dimensions=dimensions)
        recorder.record((sample,), region)


def _dimensions(arn: str) -> tuple[Mapping[str, str], ...]:
    """Return the dimensions: by function, by requested version or alias, and across all functions."""
    resource = arn.partition(":function:")[2].removesuffix(":$LATEST")
    return {"FunctionName": resource.split(":")[0]}, {"FunctionName": resource.split(":")[0], "Resource": resource}, {}


@dataclass
class Level:
    """The number running now, and the maximum at once in the minute that began at `minute_s`."""

    minute_s: int
    running: int = 0
    most: int = 0


class Concurrency:
    """Follows what runs, by any key (a function, an account); safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[str, Level] = {}
        self._ended: list[tuple[int, str, int]] = []

    def began(self, key: str) -> None:
        """Count an invocation in."""
        with self._lock:
            level = self._level(key)
            level.running += 1
            level.most = max(level.most, level.running)

    def ended(self, key: str) -> None:
        """Count an invocation out."""
        with self._lock:
            level = self._level(key)
            level.running = max(0, level.running - 1)

    def take(self) -> list[tuple[int, str, int]]:
        """Return and clear the minutes that have ended: (start of the minute, key, the most at once), without zeros."""
        with self._lock:
            for key in list(self._levels):
                if not self._level(key).most:
                    del self._levels[key]
            taken, self._ended = self._ended, []
        return taken

    def _level(self, key: str) -> Level:
        """The level of this minute; the one before is recorded if anything ran in it.

        Of minutes between the two, in which the machine slept, nothing is known.
        """
        minute_s = int(self._clock() // MINUTE_S) * MINUTE_S
        level = self._levels.setdefault(key, Level(minute_s))
        if level.minute_s < minute_s:
            if level.most:
                self._ended.append((level.minute_s, key, level.most))
            level.minute_s = minute_s
            level.most = level.running
        return level
