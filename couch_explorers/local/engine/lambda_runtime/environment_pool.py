"""Keeps the execution environments of one function version: warm ones are used again, idle and old ones end."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from couch_explorers.local.engine.lambda_runtime.execution_environment import ExecutionEnvironment

# Seconds after which an idle environment ends. AWS gives no figure; it keeps them for some minutes.
KEEP_ALIVE_S = 600.0
# Seconds after which an environment is not used again: AWS replaces them every few hours, and the role's credentials last twelve.
MAX_AGE_S = 4 * 3600.0
# Seconds between two looks for idle environments.
LOOK_S = 30.0


@dataclass(eq=False)
class _Kept:
    environment: ExecutionEnvironment
    provisioned: bool
    made_at: float = field(default_factory=time.monotonic)
    idle_since: float = field(default_factory=time.monotonic)

    def expired(self, now: float) -> bool:
        """Whether it has been idle for too long or is too old."""
        idle = now - self.idle_since > KEEP_ALIVE_S and not self.provisioned
        return idle or now - self.made_at > MAX_AGE_S


class EnvironmentPool:
    """The environments of one version. `create` makes one, which starts its process when it is first used."""

    def __init__(self, create: Callable[[str], ExecutionEnvironment]) -> None:
        self._create = create
        self._lock = threading.Lock()
        self._idle: list[_Kept] = []
        self._busy: set[_Kept] = set()
        self._stopped = False
        _pools.add(self)
        _start_looking()

    @contextmanager
    def environment(self, *, provisioned: bool = False) -> Iterator[ExecutionEnvironment]:
        """An environment for one invocation: the one that was used last, or a new one."""
        with self._lock:
            kept = next((each for each in reversed(self._idle) if each.provisioned == provisioned), None)
            if kept:
                self._idle.remove(kept)
            else:
                kept = self._make(provisioned=provisioned)
            self._busy.add(kept)
        reusable = False
        try:
            yield kept.environment
            reusable = True
        finally:
            kept.idle_since = time.monotonic()
            with self._lock:
                self._busy.discard(kept)
                reusable = reusable and not self._stopped and not kept.expired(kept.idle_since)
                if reusable:
                    self._idle.append(kept)
            if not reusable:
                kept.environment.stop()

    def provision(self, count: int) -> bool:
        """Hold `count` started environments ready; False when one of them did not start."""
        with self._lock:
            provisioned = [each for each in (*self._idle, *self._busy) if each.provisioned]
            surplus = [each for each in self._idle if each.provisioned][: max(0, len(provisioned) - count)]
            self._idle = [each for each in self._idle if each not in surplus]
        for each in surplus:
            each.environment.stop()
        started = True
        for _ in range(count - len(provisioned)):
            kept = self._make(provisioned=True)
            started = kept.environment.prepare() and started
            with self._lock:
                self._idle.append(kept)
        return started

    def stop(self) -> None:
        """End idle environments now and the others when their invocation is over."""
        with self._lock:
            self._stopped = True
            idle, self._idle = self._idle, []
        for kept in idle:
            kept.environment.stop()

    def kill(self) -> None:
        """End all environments, whatever they do."""
        self.stop()
        with self._lock:
            busy = tuple(self._busy)
        for kept in busy:
            kept.environment.stop()

    def end_expired(self) -> None:
        """End the environments that nobody has used for a while."""
        now = time.monotonic()
        with self._lock:
            expired = [kept for kept in self._idle if kept.expired(now)]
            self._idle = [kept for kept in self._idle if kept not in expired]
        for kept in expired:
            kept.environment.stop()

    def _make(self, *, provisioned: bool) -> _Kept:
        return _Kept(self._create("provisioned-concurrency" if provisioned else "on-demand"), provisioned)


_pools: weakref.WeakSet[EnvironmentPool] = weakref.WeakSet()
_looking = threading.Lock()


def _start_looking() -> None:
    """Start the one thread that ends idle environments, unless it runs."""
    if _looking.acquire(blocking=False):
        threading.Thread(target=_look, name="lambda-keep-alive", daemon=True).start()


def _look() -> None:
    while True:
        time.sleep(LOOK_S)
        for pool in tuple(_pools):
            pool.end_expired()


def kill_all() -> None:
    """End every environment of this process."""
    for pool in tuple(_pools):
        pool.kill()
