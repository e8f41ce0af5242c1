"""A process with a group of its own: killed as a whole, its memory measured as a whole, gone when this process is."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

REAPER = Path(__file__).with_name("orphan_reaper.py")


class ProcessGroup:
    """Starts a command in a process group; all that it writes goes into `output`, the descriptor of a pipe that the caller closes."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> None:
        self.output, writer = os.pipe()
        try:
            # The function's logger writes framed records to the same pipe: one order for everything.
            # https://github.com/aws/aws-lambda-python-runtime-interface-client (FramedTelemetryLogSink)
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, "_LAMBDA_TELEMETRY_LOG_FD": str(writer)},
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=(writer,),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        self.id = self._process.pid
        self._killed = False
        _reaper.watch(self.id)

    def wait(self) -> int:
        """Wait for the group's first process and return its exit code, negative for a signal."""
        return self._process.wait()

    def kill(self) -> None:
        """Kill every process of the group. A second call does nothing: by then, another group may have the ID."""
        if self._killed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, signal.SIGKILL)
        self._process.wait()
        self._killed = True
        _reaper.forget(self.id)

    def memory(self) -> int:
        """Return the bytes of memory that the group's processes hold now."""
        return sum(_resident(process) for process in _family(self.id))

    def peak_memory(self) -> int:
        """Return the highest number of bytes so far where the system keeps it, else what the processes hold now."""
        return max(_high_water(self.id), self.memory())


class _Reaper:
    """The program that briefly outlives this process, to kill the groups that it has left behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._groups: set[int] = set()

    def watch(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            if self._process and self._process.poll() is None:
                self._write(f"+{group}\n")
            else:
                self._start()

    def forget(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            self._write(f"-{group}\n")

    def _start(self) -> None:
        command = [sys.executable, "-I", "-S", str(REAPER)]
        # In a session of its own, so that killing this process's group does not kill it.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)
        for group in self._groups:
            self._write(f"+{group}\n")

    def _write(self, line: str) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):  # it was killed; it is started again for the next group
                self._process.stdin.write(line)


_reaper = _Reaper()


if sys.platform == "linux":
    PAGE = os.sysconf("SC_PAGE_SIZE")

    def _family(process: int) -> Iterator[int]:
        """The process and all its descendants."""
        yield process
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - five times a second: half the time of pathlib's
                for child in _read(f"/proc/{process}/task/{thread}/children").split():
                    yield from _family(int(child))

    def _resident(process: int) -> int:
        try:
            return int(_read(f"/proc/{process}/statm").split()[1]) * PAGE
        except (OSError, IndexError):
            return 0  # it has ended

    def _high_water(process: int) -> int:
        try:
            _, _, after = _read(f"/proc/{process}/status").partition(b"VmHWM:")
        except OSError:
            return 0
        return int(after.split()[0]) * 1024 if after else 0

    def _read(file: str) -> bytes:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            return os.read(descriptor, 65_536)
        finally:
            os.close(descriptor)

else:
    import psutil

    def _family(process: int) -> Iterator[int]:
        """The process and all its descendants."""
        yield process
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(process).children(recursive=True))

    def _resident(process: int) -> int:
        try:
            return int(psutil.Process(process).memory_info().rss)
        except psutil.Error:
            return 0

    def _high_water(process: int) -> int:
        return _resident(process)


# --- memory -----------------------------------------------------------------------------------------------------------


# Seconds between two samples: a function that exceeds its limit is found within this time.
INTERVAL_S = 0.2


class MemoryWatch:
    """Samples a process group's memory within its `with` block; calls `exceeded` where it holds more than `limit` bytes."""

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
        """Measure once."""
        memory = self.group.memory()
        self._peak = max(self._peak, memory)
        if memory > self.limit:
            self._exceeded()

    def peak(self) -> int:
        """Return the highest number of bytes so far, at most the limit: AWS never grants more."""
        self._peak = max(self._peak, self.group.peak_memory())
        return min(self._peak, self.limit)


class _Sampler:
    """Samples all watches on one thread, which sleeps while no function runs."""

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
