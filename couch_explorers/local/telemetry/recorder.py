"""Queues samples, and writes them to the metric store in a thread: no request or invocation waits for the disk."""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from couch_explorers.aws import REGION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.local.cloudwatch.store import MetricStore, Sample

logger = logging.getLogger("couch.local")

FLUSH_S = 30.0
MOST_AT_ONCE = 5_000  # samples a transaction

Waiting = tuple[str, tuple["Sample", ...]]


class Recorder:
    """Writes samples in the order of their arrival; recording neither blocks nor raises."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store
        self._waiting: SimpleQueue[Waiting | threading.Event | None] = SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._write_all, name="couch-metrics-recorder", daemon=True)
        self._thread.start()

    def record(self, samples: Iterable[Sample], region: str = REGION) -> None:
        """Have samples of a region written soon; after `stop` they are dropped."""
        if not self._stopped and (taken := tuple(samples)):
            self._waiting.put((region, taken))

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Wait until everything that was recorded before is written; False if that took too long."""
        if self._stopped:
            return True
        written = threading.Event()
        self._waiting.put(written)
        return written.wait(timeout_s)

    def stop(self) -> None:
        """Write what is waiting, and end."""
        if not self._stopped:
            self._stopped = True
            self._waiting.put(None)
            self._thread.join(FLUSH_S)

    def _write_all(self) -> None:
        ended = False
        while not ended:
            by_region: dict[str, list[Sample]] = {}
            written: list[threading.Event] = []
            taken = 0
            item = self._waiting.get()
            while True:
                if item is None:
                    ended = True
                elif isinstance(item, threading.Event):
                    written.append(item)
                else:
                    by_region.setdefault(item[0], []).extend(item[1])
                    taken += len(item[1])
                if ended or taken >= MOST_AT_ONCE:
                    break
                try:
                    item = self._waiting.get_nowait()
                except Empty:
                    break
            for region, samples in by_region.items():
                self._write(region, samples)
            for event in written:
                event.set()

    def _write(self, region: str, samples: list[Sample]) -> None:
        try:
            self._store.add(*samples, region=region)
        except Exception:
            # The next minute is measured all the same.
            logger.exception("%d metric samples could not be written", len(samples))
