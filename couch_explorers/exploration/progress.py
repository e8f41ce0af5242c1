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
    """How far the work is; both may be called from any thread."""

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""

    def note(self, text: str) -> None:
        """Print a line of its own."""


@contextmanager
def track(total: int, label: str, tell: Callable[[int, int], None] | None = None) -> Iterator[Progress]:
    """Show the progress of `total` steps on standard error, as tqdm's bar or, for anyone who reads it later, as lines.

    Args:
        total: how many steps there are.
        label: stands before them.
        tell: is called with (done, total) at the beginning and with each step, and nothing is printed then.

    """
    if tell is not None:
        yield StepCounter(total, tell)
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
    """Calls `tell(done, total)` with each step, for anyone who shows the progress otherwise; lines of its own are printed."""

    def __init__(self, total: int, tell: Callable[[int, int], None]) -> None:
        self._total, self._tell, self._done = total, tell, 0
        self._lock = threading.Lock()
        tell(0, total)

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""
        with self._lock:
            self._done += n
            self._tell(self._done, self._total)

    def note(self, text: str) -> None:
        """Print a line of its own."""
        print_line(text)


def print_line(text: str) -> None:
    """Print a line on standard error, where the progress stands."""
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
    """A line at the beginning, one each few seconds in between, and one at the end."""

    def __init__(
        self,
        total: int,
        label: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = print_line,
    ) -> None:
        self._total, self._label, self._clock, self._tell = total, label, clock, tell
        self._done = 0
        self._begin = self._last = clock()
        self._lock = threading.Lock()
        tell(f"{label}: {total} to do")

    def step(self, n: int = 1) -> None:
        """Count `n` more as done."""
        with self._lock:
            self._done += n
            if self._clock() - self._last >= LINE_EVERY_S and self._done < self._total:
                self._line()

    def note(self, text: str) -> None:
        """Print a line of its own."""
        with self._lock:
            self._tell(text)

    def end(self) -> None:
        """Print the last line."""
        with self._lock:
            self._line()

    def _line(self) -> None:
        self._last = self._clock()
        took = self._last - self._begin
        left = took / self._done * (self._total - self._done) if self._done else 0.0
        to_go = f", about {formatting.rough_duration(left)} to go" if 0 < self._done < self._total else ""
        self._tell(f"{self._label}: {self._done} of {self._total} in {formatting.duration(took)}{to_go}")


def is_watched() -> bool:
    """Tell whether a bar can be drawn: in a terminal, or in a notebook that somebody works in."""
    # What `couch run` starts is read later, and a bar would be a heap of half lines.
    if os.environ.get(RUN_VARIABLE):
        return False
    return _in_kernel() or sys.stderr.isatty()


def _tqdm_class() -> Any:
    # tqdm.auto decides once in a process, when it is first imported, which may have been by somebody else.
    if _in_kernel():
        from tqdm.notebook import tqdm  # noqa: PLC0415 - loads the widgets
    else:
        from tqdm import tqdm  # noqa: PLC0415 - only for anyone who watches
    return tqdm


def _in_kernel() -> bool:
    # Only a kernel has loaded IPython before, so that nobody else pays for the import.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
