"""One invocation of a function as it happens: when its handler began and ended, its start-up, and its memory.

MiniStack 1.5.33 times an invocation from its dispatch to the end of reading its log: unpacking, start-up and up to a
quarter of a second of waiting for log lines are in it. Lambda's Duration is the handler's alone:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html ("Performance metrics").
"""

from __future__ import annotations

import functools
import math
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEBIBYTE = 1024 * 1024
PROCESSES = "/proc"
PEAK_FIELD = "VmHWM:"  # proc(5): the peak of the resident set, in kB


@dataclass
class Run:
    """What is known of an invocation; times in seconds on the monotonic clock, durations in milliseconds."""

    began_s: float = field(default_factory=perf_counter)
    ended_s: float | None = None
    init_ms: float | None = None
    peak_mb: int | None = None

    def duration_ms(self, timeout_s: float) -> float:
        """How long the handler ran, at most its time-out, as Lambda says it. Until now, if nobody noticed its end."""
        ended_s = perf_counter() if self.ended_s is None else self.ended_s
        return round(min(ended_s - self.began_s, timeout_s) * 1000, 2)

    def end(self, process: Any) -> None:
        """Note that the handler has ended in its process. What comes after the first end is not its time."""
        if self.ended_s is None:
            self.ended_s = perf_counter()
            self.peak_mb = peak_memory_mb(process.pid) if process is not None else None


_current: ContextVar[Run | None] = ContextVar("couch_function_run", default=None)


@contextmanager
def measuring() -> Iterator[Run]:
    """Measure the invocation that this thread is about to make."""
    run = Run()
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)


def current() -> Run | None:
    """The invocation that this thread makes, if any."""
    return _current.get()


def peak_memory_mb(process_id: int) -> int | None:
    """The most memory that a process has held in MB, rounded up; None where it cannot be known.

    Where there is no /proc (macOS) it is what the process holds now, which a warm worker keeps.
    """
    if Path(PROCESSES).is_dir():
        with suppress(OSError, ValueError):
            for line in Path(f"{PROCESSES}/{process_id}/status").read_text("utf-8").splitlines():
                if line.startswith(PEAK_FIELD):
                    return math.ceil(int(line.split()[1]) / 1024)
        return None
    import psutil  # noqa: PLC0415 - only where there is no /proc

    with suppress(psutil.Error):
        held: int = psutil.Process(process_id).memory_info().rss
        return math.ceil(held / MEBIBYTE)
    return None


def mend() -> None:
    """Let MiniStack's worker processes tell the current run when they start, when the handler begins and when it ends."""
    from ministack.core import lambda_runtime  # noqa: PLC0415 - reads its settings from the environment on import

    worker = lambda_runtime.Worker
    invoke: Callable[..., dict[str, Any]] = worker.invoke
    spawn: Callable[[Any], None] = worker._spawn  # noqa: SLF001 - the pinned release has no public seam
    read_stderr: Callable[[Any], None] = worker._read_stderr  # noqa: SLF001
    drain: Callable[..., str] = worker._drain_stderr_bounded  # noqa: SLF001
    signal: Callable[[Any], None] = lambda_runtime._signal  # noqa: SLF001

    @functools.wraps(invoke)
    def timed_invoke(self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        if run := current():
            run.began_s = perf_counter()
        return invoke(self, *arguments, **named)

    @functools.wraps(spawn)
    def timed_spawn(self: Any) -> None:
        self.couch_started_s = perf_counter()
        spawn(self)
        if run := current():
            run.began_s = perf_counter()
            run.init_ms = round((run.began_s - self.couch_started_s) * 1000, 2)

    @functools.wraps(read_stderr)
    def noticed_read_stderr(self: Any) -> None:
        # The first thing that a new process gets: unpacking the code is over, and no part of Init Duration.
        self.couch_started_s = perf_counter()
        read_stderr(self)

    @functools.wraps(drain)
    def noticed_drain(self: Any, *arguments: Any, **named: Any) -> str:
        if run := current():
            run.end(self._proc)
        return drain(self, *arguments, **named)

    @functools.wraps(signal)
    def noticed_signal(process: Any) -> None:
        # Timed out, or failed: the process is about to be ended, so its memory is read first.
        if process is not None and (run := current()):
            run.end(process)
        signal(process)

    worker.invoke = timed_invoke
    worker._spawn = timed_spawn  # noqa: SLF001
    worker._read_stderr = noticed_read_stderr  # noqa: SLF001
    worker._drain_stderr_bounded = noticed_drain  # noqa: SLF001
    lambda_runtime._signal = noticed_signal  # noqa: SLF001
