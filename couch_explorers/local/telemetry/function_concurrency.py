"""How many invocations ran at the same time, by function and minute.

ConcurrentExecutions: "Concurrency metrics" in https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.local.telemetry.retention import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Level:
    """How many run now, and the most that ran at once in the minute that began at `minute_s`."""

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
        """Give and forget the minutes that have ended: (start of the minute, key, the most at once), none with zero."""
        with self._lock:
            for key in list(self._levels):
                if not self._level(key).most:
                    del self._levels[key]
            taken, self._ended = self._ended, []
        return taken

    def _level(self, key: str) -> Level:
        """The level of this minute; the one before is put down if anything ran in it.

        Minutes between the two passed while nobody looked (a laptop asleep): nothing is known of them.
        """
        minute_s = int(self._clock() // MINUTE_S) * MINUTE_S
        level = self._levels.setdefault(key, Level(minute_s))
        if level.minute_s < minute_s:
            if level.most:
                self._ended.append((level.minute_s, key, level.most))
            level.minute_s = minute_s
            level.most = level.running
        return level
