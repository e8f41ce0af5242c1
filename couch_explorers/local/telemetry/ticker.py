"""What happens at each full minute: every source publishes the minute that has ended, then the alarms look.

Between the minutes there is a shorter beat: what was counted so far is written, and the alarms on seconds look.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch.store import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("couch.local")

# Seconds after the full minute: what ended with the minute has been counted by then.
AFTER_S = 0.2
# Who wakes later than this (a laptop that slept) finds another state than the minute's: it stays a gap.
LATE_S = 20
HOUR_S = 3600
BEAT_S = 5


class Ticker:
    """Calls the sources once a minute, the alarms after them, and the broom once an hour.

    `sources` are called with (start of the minute that has ended, now), `evaluate`, `expire` and `beat` with now, all in
    Unix time; `beat` every five seconds between the minutes.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[int, float], object]],
        evaluate: Callable[[float], object],
        expire: Callable[[float], object],
        clock: Callable[[], float] = time.time,
        beat: Callable[[float], object] | None = None,
    ) -> None:
        self._beat = beat
        self._sources = dict(sources)
        self._evaluate = evaluate
        self._expire = expire
        self._clock = clock
        self._expired_s = clock()
        self._done_s = int(clock() // MINUTE_S) * MINUTE_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="couch-metrics-minute", daemon=True)

    def start(self) -> None:
        """Tick from now on, in a thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Tick no more; waits for a tick that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def tick(self) -> bool:
        """Do what is due now; whether anything was. A minute is done once; one that was slept through never."""
        now_s = self._clock()
        begun_s = int(now_s // MINUTE_S) * MINUTE_S
        if begun_s <= self._done_s:
            return False
        self._done_s = begun_s
        if now_s - begun_s <= LATE_S:
            for name, publish in self._sources.items():
                self._try(f"The metrics of {name}", lambda publish=publish: publish(begun_s - MINUTE_S, now_s))  # type: ignore[misc]
        else:
            logger.warning("Woke %.0f s after the full minute: its metrics stay a gap", now_s - begun_s)
        self._try("The alarms", lambda: self._evaluate(now_s))
        if now_s - self._expired_s >= HOUR_S:
            self._expired_s = now_s
            self._try("What is too old", lambda: self._expire(now_s))
        return True

    def next_in_s(self) -> float:
        """How many seconds until the next tick or beat is due."""
        every_s = BEAT_S if self._beat else MINUTE_S
        return every_s - self._clock() % every_s + AFTER_S

    def _run(self) -> None:
        while not self._stop.wait(self.next_in_s()):
            if not self.tick() and self._beat:
                self._try("What was counted so far", lambda: self._beat(self._clock()))  # type: ignore[misc]

    @staticmethod
    def _try(what: str, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception:
            # The others have their minute all the same, and this one the next.
            logger.exception("%s could not be dealt with this minute", what)
