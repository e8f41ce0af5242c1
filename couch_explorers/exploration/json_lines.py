"""JSON Lines files that several programs append to, so that nothing in them is lost."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout

from couch_explorers.exploration.sweep_spec import ExplorationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

# Appending a line takes a millisecond: a program that holds the lock this long hangs.
LOCK_TIMEOUT_S = 10.0


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Lock a file while lines are appended.

    Args:
        path: the file; its folder is created if missing.
        what: what a line holds, such as "rating", for the error message.

    Raises:
        ExplorationError: another program holds the lock for LOCK_TIMEOUT_S, or the file cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise ExplorationError(
            f"Another program has locked {path} for {LOCK_TIMEOUT_S:.0f} s: end it, then try again.",
        ) from error
    except OSError as error:
        raise ExplorationError(
            f"The {what} was not saved, {path} cannot be written: {error.strerror or error}. Make it writable, then try again.",
        ) from error


def parse(data: bytes, read: Callable[[bytes], T]) -> tuple[list[T], dict[int, Exception]]:
    """Parse each line that is not blank.

    Args:
        data: the content of a file.
        read: parses one line; raises ValueError or RecursionError if it is invalid.

    Returns:
        The parsed lines, in the file's order, and the errors of the others by line number, from 1.

    """
    lines: list[T] = []
    broken: dict[int, Exception] = {}
    for number, row in enumerate(data.split(b"\n"), start=1):
        if not row.strip():
            continue
        try:
            lines.append(read(row))
        except (ValueError, RecursionError) as error:
            broken[number] = error
    return lines, broken


def append(path: Path, texts: Sequence[str]) -> None:
    """Append lines in one write, on disk when this returns; the caller holds the lock.

    Raises:
        OSError: the file cannot be written.

    """
    if not texts:
        return
    # A lone surrogate, which a browser may send, is written as a JSON escape.
    data = "".join(f"{text}\n" for text in texts).encode(errors="backslashreplace")
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                # A line truncated by a crash must not corrupt the next one.
                data = b"\n" + data
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
