"""The file that holds what people think of the pictures: lines are only ever added, so nobody's rating is lost.

One JSON object a line: `{"id", "at", "by"}` and, of `verdict`, `stars` and `note`, those that were said; null takes one
back. What holds for a picture is read field by field: the last line by time that names the field. Two files are merged
by uniting their lines.
"""

from __future__ import annotations

import getpass
import json
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from couch_explorers.core.errors import shown
from couch_explorers.core.jobs import ID_PATTERN, canonical_json
from couch_explorers.exploration.cells import ExplorationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

VERDICTS = ("keep", "reject")
MOST_STARS = 5
SAYINGS = ("verdict", "stars", "note")

# Adding a line takes a millisecond: whoever holds the lock for this long hangs.
LOCK_TIMEOUT_S = 10.0


class BrokenRatingWarning(UserWarning):
    """A line of a ratings file cannot be read; the warning names the file and the line's number."""


@dataclass(frozen=True)
class Rating:
    """What holds for a picture: `stars` are 0 to 5; None, or an empty note, where nobody said; `at` and `by` are the last line's."""

    id: str
    verdict: str | None = None
    stars: int | None = None
    note: str = ""
    at: datetime | None = None
    by: str = ""

    @property
    def said(self) -> bool:
        """Whether anything is said that was not taken back."""
        return self.verdict is not None or self.stars is not None or bool(self.note)


@dataclass(frozen=True, order=True)
class _Line:
    """One line; the order is that of time. Lines of one instant stand in the order of their texts, the same everywhere."""

    at: datetime
    text: str
    id: str = field(compare=False)
    by: str = field(compare=False)
    sayings: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Sidecar:
    """A ratings file, which need not be there yet. Several programs may add to it at once.

    A line that cannot be read is told by a BrokenRatingWarning whenever the file is read, and the others are used.
    """

    path: Path

    def current(self) -> dict[str, Rating]:
        """What holds, by the picture's id; the picture that was rated last comes last.

        Raises ExplorationError for a file that cannot be read.
        """
        found: dict[str, Rating] = {}
        for line in sorted(_read(self.path)):
            found[line.id] = _after(found.pop(line.id, Rating(line.id)), line)
        return found

    def add(self, picture_id: str, sayings: Mapping[str, Any], by: str) -> Rating:
        """Add a line, in the file when this returns, and give back what holds then for the picture.

        Raises ExplorationError for a value that no rating has, and where the file cannot be written.
        """
        for name, value in sayings.items():
            if complaint := _complaint(name, value):
                raise ExplorationError(complaint)
        with _locked(self.path):
            before = self.current().get(picture_id, Rating(picture_id))
            now = datetime.now(UTC)
            if before.at is not None and before.at >= now:
                # A colleague's clock was ahead, or this one was set back: what is said now holds all the same.
                now = before.at + timedelta(microseconds=1)
            at = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
            text = canonical_json({"id": picture_id, **sayings, "at": at, "by": by})
            _append(self.path, [text])
        return _after(before, _Line(now, text, picture_id, by, sayings))

    def merge(self, other: Path) -> int:
        """Add the lines of another file that are not here yet and count them; whose line is later by time holds.

        Raises ExplorationError for a file that cannot be read or holds no ratings.
        """
        if not other.is_file():
            raise ExplorationError(f"There is no file {other}: name the ratings file to merge.")
        theirs, broken = _lines(other)
        if broken and not theirs:
            raise ExplorationError(f"{other} holds no ratings: name a file of JSON lines such as {self.path}.")
        _warn(broken)
        with _locked(self.path):
            known = {line.text for line in _read(self.path)}
            new = sorted({line for line in theirs if line.text not in known})
            _append(self.path, [line.text for line in new])
        return len(new)


def user() -> str:
    """The name of whoever rates, empty where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container's user may have a number and no name.
        return ""


def _after(before: Rating, line: _Line) -> Rating:
    """What holds for a picture once the line is added."""
    said: dict[str, Any] = {name: value or "" if name == "note" else value for name, value in line.sayings.items()}
    return replace(before, **said, at=line.at, by=line.by)


def _read(path: Path) -> list[_Line]:
    """The lines of a file in its order, none where there is no file; warns of those that cannot be read."""
    lines, broken = _lines(path)
    _warn(broken)
    return lines


def _lines(path: Path) -> tuple[list[_Line], list[str]]:
    """The lines of a file, and a sentence for each that is no rating; raises ExplorationError for no readable file."""
    try:
        rows = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ExplorationError(f"The ratings in {path} cannot be read: {error.strerror or error}.") from error
    lines, broken = [], []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            lines.append(_parsed(row))
        except (ValueError, RecursionError) as error:
            broken.append(f"Line {number} of {path} is no rating and is left out: {error} Mend or delete the line.")
    return lines, broken


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        # Told as if by whoever called the sidecar.
        warnings.warn(sentence, BrokenRatingWarning, stacklevel=4)


def _parsed(row: bytes) -> _Line:
    """Read one line; raises ValueError with a sentence."""
    try:
        value = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON.") from error
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object.")  # noqa: TRY004 - the line is wrong, not the caller's types
    picture_id, by = value.get("id"), value.get("by", "")
    if not isinstance(picture_id, str) or not ID_PATTERN.fullmatch(picture_id):
        raise ValueError(f"its id is {shown(picture_id)}.")
    if not isinstance(by, str):
        raise ValueError(f'its "by" is {shown(by)}.')  # noqa: TRY004 - likewise
    sayings = {name: value[name] for name in SAYINGS if name in value}
    for name, saying in sayings.items():
        if complaint := _complaint(name, saying):
            raise ValueError(complaint)
    try:
        at = datetime.fromisoformat(value["at"])
    except (KeyError, TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f'its "at" is {shown(value.get("at"))}, no time with a zone.')
    return _Line(at.astimezone(UTC), canonical_json(value), picture_id, by, sayings)


def _complaint(name: str, value: Any) -> str:
    """Say what is wrong with a saying; empty where nothing is. None is always right: it takes the saying back."""
    if value is None:
        return ""
    if name == "verdict" and value not in VERDICTS:
        return (
            f"The verdict {shown(value)} is unknown: say {' or '.join(map(shown, VERDICTS))}, or None to take it back."
        )
    if name == "stars" and not _is_star_count(value):
        return f"{shown(value)} stars cannot be given: give a whole number from 0 to {MOST_STARS}, or None to take them back."
    if name == "note" and not isinstance(value, str):
        return f"The note must be a text, not {shown(value)}."
    return ""


def _is_star_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_STARS


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file for oneself; raises ExplorationError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise ExplorationError(
            f"Another program has held {path} for {LOCK_TIMEOUT_S:.0f} s: end it, then rate again."
        ) from error
    except OSError as error:
        raise ExplorationError(
            f"The rating is not kept, {path} cannot be written: {error.strerror or error}. Make it writable, then rate again."
        ) from error


def _append(path: Path, texts: Sequence[str]) -> None:
    """Add lines in one write; the caller holds the lock."""
    if not texts:
        return
    # Half a character pair, which a browser may send, is written as JSON's own escape.
    data = "".join(f"{text}\n" for text in texts).encode(errors="backslashreplace")
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                # A line that was cut off by a crash must not take the next one with it.
                data = b"\n" + data
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
