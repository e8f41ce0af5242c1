"""A process with a group of its own: killed as a whole, measured as a whole, gone when this process is."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

REAPER = Path(__file__).with_name("orphan_reaper.py")


class ProcessGroup:
    """Started at once; everything that it writes goes into `output`, the descriptor of a pipe that the caller closes."""

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
        """The exit code of the group's first process, negative for a signal; waits for it."""
        return self._process.wait()

    def kill(self) -> None:
        """End every process of the group at once; a second call changes nothing, for another group may have the number by then."""
        if self._killed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.id, signal.SIGKILL)
        self._process.wait()
        self._killed = True
        _reaper.forget(self.id)

    def memory(self) -> int:
        """Bytes of memory that the group's processes hold now."""
        return sum(_resident(process) for process in _family(self.id))

    def peak_memory(self) -> int:
        """Bytes at the highest, as far as the system keeps it; what its processes hold now elsewhere."""
        return max(_high_water(self.id), self.memory())


class _Reaper:
    """The one program that outlives this process, for a moment, to kill what it has left behind."""

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
        # In a session of its own: what kills this process's group does not kill it.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)
        for group in self._groups:
            self._write(f"+{group}\n")

    def _write(self, line: str) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):  # it was killed; the next group starts another
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
