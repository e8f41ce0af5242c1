"""Progress of a sweep on standard error: tqdm's bar where a person watches, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from couch_explorers import formatting
from couch_explorers.checks import RUN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# Seconds between two plain lines.
LINE_EVERY_S = 5.0


class Progress(Protocol):
    """A progress display; both methods may be called from any thread."""

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""

    def note(self, text: str) -> None:
        """Print a separate line."""


@contextmanager
def track(total: int, label: str, on_step: Callable[[int, int], None] | None = None) -> Iterator[Progress]:
    """Show the progress of `total` steps on standard error: a tqdm bar, or lines where nobody watches.

    Args:
        total: the number of steps.
        label: the text before them.
        on_step: called with (done, total) at the start and after each step; then no progress is printed.

    """
    if on_step is not None:
        yield StepCounter(total, on_step)
        return
    if is_watched():
        with _tqdm_class()(total=total, desc=label, unit="picture") as bar:
            yield ProgressBar(bar)
        return
    lines = ProgressLines(total, label)
    try:
        yield lines
    finally:
        lines.end()


class StepCounter:
    """Calls `on_step(done, total)` after each step, for a caller with its own display; notes are printed."""

    def __init__(self, total: int, on_step: Callable[[int, int], None]) -> None:
        self._total, self._on_step, self._done = total, on_step, 0
        self._lock = threading.Lock()
        on_step(0, total)

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""
        with self._lock:
            self._done += n
            self._on_step(self._done, self._total)

    def note(self, text: str) -> None:
        """Print a separate line."""
        print_line(text)


def print_line(text: str) -> None:
    """Print a line on standard error, like the progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class ProgressBar:
    """tqdm's bar, for several threads."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._lock = threading.Lock()

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""
        with self._lock:
            self._bar.update(n)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        with self._lock:
            self._bar.write(text, file=sys.stderr)


class ProgressLines:
    """Plain lines: one at the start, one every few seconds, and one at the end."""

    def __init__(
        self,
        total: int,
        label: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = print_line,
    ) -> None:
        self._total, self._label, self._clock, self._write = total, label, clock, write
        self._done = 0
        self._begin = self._last = clock()
        self._lock = threading.Lock()
        write(f"{label}: {total} to do")

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""
        with self._lock:
            self._done += n
            if self._clock() - self._last >= LINE_EVERY_S and self._done < self._total:
                self._line()

    def note(self, text: str) -> None:
        """Print a separate line."""
        with self._lock:
            self._write(text)

    def end(self) -> None:
        """Print the last line."""
        with self._lock:
            self._line()

    def _line(self) -> None:
        self._last = self._clock()
        took = self._last - self._begin
        left = took / self._done * (self._total - self._done) if self._done else 0.0
        to_go = f", about {formatting.rough_duration(left)} to go" if 0 < self._done < self._total else ""
        self._write(f"{self._label}: {self._done} of {self._total} in {formatting.duration(took)}{to_go}")


def is_watched() -> bool:
    """Check whether somebody can see a bar: in a terminal, or in an interactive notebook."""
    # The output of `couch run` is read later, where a bar would be a mess of partial lines.
    if os.environ.get(RUN_VARIABLE):
        return False
    return _in_kernel() or sys.stderr.isatty()


def _tqdm_class() -> Any:
    # tqdm.auto decides once per process, on its first import, which may have been too early.
    if _in_kernel():
        from tqdm.notebook import tqdm  # noqa: PLC0415 - loads the widgets
    else:
        from tqdm import tqdm  # noqa: PLC0415 - only where a bar is shown
    return tqdm


def _in_kernel() -> bool:
    # In a kernel IPython is already loaded; nobody else has to pay for the import.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
