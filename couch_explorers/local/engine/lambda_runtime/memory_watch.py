"""Samples the memory of running functions: the peak of their whole process groups, and whether one exceeds its limit."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from couch_explorers.local.engine.lambda_runtime.process_group import ProcessGroup

# Seconds between two samples: a function that grows beyond its limit is found within it.
INTERVAL_S = 0.2


class MemoryWatch:
    """A process group's memory, sampled while the watch is entered; `exceeded` is called once it holds more than `limit` bytes."""

    def __init__(self, group: ProcessGroup, limit: int, exceeded: Callable[[], None]) -> None:
        self.group = group
        self.limit = limit
        self._exceeded = exceeded
        self._peak = 0

    def __enter__(self) -> None:
        _sampler.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _sampler.remove(self)

    def sample(self) -> None:
        """Take one measurement."""
        memory = self.group.memory()
        self._peak = max(self._peak, memory)
        if memory > self.limit:
            self._exceeded()

    def peak(self) -> int:
        """Bytes at the highest so far, at most the limit: no more than that is ever granted on AWS."""
        self._peak = max(self._peak, self.group.peak_memory())
        return min(self._peak, self.limit)


class _Sampler:
    """One thread for all watches; it sleeps while no function runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: set[MemoryWatch] = set()
        self._thread: threading.Thread | None = None

    def add(self, watch: MemoryWatch) -> None:
        with self._changed:
            self._watches.add(watch)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lambda-memory", daemon=True)
                self._thread.start()

    def remove(self, watch: MemoryWatch) -> None:
        with self._changed:
            self._watches.discard(watch)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._watches)
                watches = tuple(self._watches)
            for watch in watches:
                watch.sample()
            time.sleep(INTERVAL_S)


_sampler = _Sampler()
