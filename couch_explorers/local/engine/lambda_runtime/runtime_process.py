"""A function's runtime as a process: started, ready, invoked, failed, gone or killed."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from couch_explorers.local.engine.lambda_runtime.log_pipe import LogPipe
from couch_explorers.local.engine.lambda_runtime.memory_watch import MemoryWatch
from couch_explorers.local.engine.lambda_runtime.observers import LogEvent
from couch_explorers.local.engine.lambda_runtime.process_group import ProcessGroup
from couch_explorers.local.engine.lambda_runtime.runtime_api import Invocation, RuntimeApi


class Ending(Enum):
    """How a phase of the runtime came to its end."""

    READY = auto()  # the runtime asks for an event
    RESPONSE = auto()
    ERROR = auto()  # reported by the runtime
    EXIT = auto()
    OUT_OF_MEMORY = auto()
    TIMEOUT = auto()
    STOPPED = auto()
    GONE = auto()  # the process had ended before the event reached it


@dataclass(frozen=True)
class PhaseEnd:
    """What ended a phase: the payload that the runtime gave or the exit code of its process."""

    ending: Ending
    payload: bytes = b""
    error_type: str = ""
    exit_code: int = 0


class RuntimeProcess:
    """One process group with its Runtime API. Starts when it is made; use it from one thread at a time, `stop` from any."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        memory_limit: int,
        take_log: Callable[[LogEvent], None],
    ) -> None:
        self._changed = threading.Condition()
        self._end: PhaseEnd | None = None
        self._gone: PhaseEnd | None = None
        self._pending: Invocation | None = None
        self._running: str | None = None
        self._killed_as: Ending | None = None
        self._api = RuntimeApi(self)
        self._group = ProcessGroup(command, {**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address}, folder)
        self._logs = LogPipe(self._group.output, take_log)
        self._watch = MemoryWatch(self._group, memory_limit, self._out_of_memory)
        threading.Thread(target=self._wait_for_exit, name=f"lambda-process-{self._group.id}", daemon=True).start()

    @property
    def usable(self) -> bool:
        """Whether another invocation may be sent."""
        return self._gone is None and self._killed_as is None

    def wait_until_ready(self, timeout_s: float) -> PhaseEnd:
        """Wait for the end of the init phase; a time-out kills the process."""
        return self._finish_phase(timeout_s)

    def invoke(self, invocation: Invocation, timeout_s: float) -> PhaseEnd:
        """Send one event and wait for what comes of it; a time-out kills the process."""
        with self._changed:
            self._end = self._gone
            self._pending = invocation
            self._changed.notify_all()
        end = self._finish_phase(timeout_s)
        never_sent = self._pending is invocation
        return PhaseEnd(Ending.GONE) if never_sent and end.ending is Ending.EXIT else end

    def peak_memory(self) -> int:
        """Bytes that the process group held at the highest, since its start."""
        return self._watch.peak()

    def stop(self) -> None:
        """Kill the process group; whoever waits for it is told."""
        self._kill(Ending.STOPPED)

    # Called by the Runtime API.

    def next_invocation(self) -> Invocation | None:
        """Wait for the next event; the first call says that the runtime is ready."""
        with self._changed:
            if self._running is None:
                self._finish(PhaseEnd(Ending.READY))
            self._running = None
            self._changed.wait_for(lambda: self._pending or self._gone or self._killed_as)
            invocation, self._pending = self._pending, None
            if self._gone or self._killed_as or invocation is None:
                return None
            self._running = invocation.request_id
            return invocation

    def responded(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's result."""
        return self._take(request_id, PhaseEnd(Ending.RESPONSE, payload))

    def failed(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's error."""
        return self._take(request_id, PhaseEnd(Ending.ERROR, payload))

    def init_failed(self, payload: bytes, error_type: str) -> None:
        """Take the error that keeps the runtime from starting."""
        with self._changed:
            self._finish(PhaseEnd(Ending.ERROR, payload, error_type))

    def _take(self, request_id: str, end: PhaseEnd) -> bool:
        with self._changed:
            if self._running != request_id or self._end is not None:
                return False
            self._finish(end)
            return True

    def _finish(self, end: PhaseEnd) -> None:
        if self._end is None:
            self._end = end
            self._changed.notify_all()

    def _finish_phase(self, timeout_s: float) -> PhaseEnd:
        with self._watch, self._changed:
            ended = self._changed.wait_for(lambda: self._end, timeout_s)
        if not ended:
            self._kill(Ending.TIMEOUT)
            with self._changed:
                self._changed.wait_for(lambda: self._end)
        self._logs.drain(final_line=True)
        assert self._end is not None
        return self._end

    def _wait_for_exit(self) -> None:
        code = self._group.wait()
        with self._changed:
            ending = self._killed_as or Ending.EXIT
            self._gone = PhaseEnd(ending, exit_code=code)
            self._finish(self._gone)
            self._changed.notify_all()
        self._group.kill()  # what the process has started does not outlive it
        self._api.stop()

    def _out_of_memory(self) -> None:
        self._kill(Ending.OUT_OF_MEMORY)

    def _kill(self, reason: Ending) -> None:
        with self._changed:
            self._killed_as = self._killed_as or reason
            self._changed.notify_all()
        self._group.kill()
