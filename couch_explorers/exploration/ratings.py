"""Ratings of pictures (keep or reject, stars, a note), in an append-only JSON Lines file, so that no rating is lost.

Each line is an object `{"id", "at", "by"}` with those of `verdict`, `stars` and `note` that were given; null clears a field.
A picture's rating is read field by field: the latest line with the field counts. The answer of a blind comparison is a line,
too: `{"duel": [id, id], "won", "at", "by"}`; all of them count. Two files are merged as the union of their lines.
"""

from __future__ import annotations

import getpass
import json
import operator
import warnings
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias

from couch_explorers.core.errors import shown
from couch_explorers.core.jobs import ID_PATTERN, canonical_json
from couch_explorers.exploration import json_lines
from couch_explorers.exploration.grid import cell_view, cell_views
from couch_explorers.exploration.results import Status, context_of
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    # One picture: its id, a row of a sweep's result, or a number in one.
    PictureName: TypeAlias = str | SupportsIndex | Mapping[str, Any] | pd.Series
    from couch_explorers.exploration.grid import CellView


VERDICTS = ("keep", "reject")
MAX_STARS = 5
RATING_FIELDS = ("verdict", "stars", "note")
PAIR = 2


class BrokenRatingWarning(UserWarning):
    """A line of a ratings file cannot be read; the warning names the file and the line's number."""


@dataclass(frozen=True)
class Rating:
    """A picture's current rating: `stars` are 0 to 5; unset fields are None, or an empty note; `at` and `by` are the last line's."""

    id: str
    verdict: str | None = None
    stars: int | None = None
    note: str = ""
    at: datetime | None = None
    by: str = ""

    @property
    def is_set(self) -> bool:
        """Whether any field is set."""
        return self.verdict is not None or self.stars is not None or bool(self.note)


@dataclass(frozen=True)
class Duel:
    """The answer of a blind comparison: of two pictures, shown left and right, `won` is the better one."""

    left: str
    right: str
    won: str
    at: datetime
    by: str = ""

    @property
    def lost(self) -> str:
        """The other picture."""
        return self.right if self.won == self.left else self.left


@dataclass(frozen=True, order=True)
class _Entry:
    """One line, ordered by time; lines of the same time are ordered by their text, so that the order is the same everywhere."""

    at: datetime
    text: str
    id: str = field(compare=False)
    by: str = field(compare=False)
    fields: Mapping[str, Any] = field(compare=False)
    duel: Duel | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RatingsFile:
    """A ratings file, which need not exist yet. Several programs may append to it at once.

    Reading warns of each invalid line with a BrokenRatingWarning, and uses the others.
    """

    path: Path

    def current(self) -> dict[str, Rating]:
        """Return the current ratings by picture id, in the order of their last change.

        Raises ExplorationError for a file that cannot be read.
        """
        found: dict[str, Rating] = {}
        for line in sorted(_read_entries(self.path)):
            if line.duel is not None:
                continue
            found[line.id] = _apply(found.pop(line.id, Rating(line.id)), line)
        return found

    def add(self, picture_id: str, values: Mapping[str, Any], by: str) -> Rating:
        """Append a line, on disk when this returns, and return the picture's rating.

        Raises ExplorationError for an invalid value, and if the file cannot be written.
        """
        for name, value in values.items():
            if problem := _invalid_reason(name, value):
                raise ExplorationError(problem)
        with json_lines.locked(self.path, "rating"):
            before = self.current().get(picture_id, Rating(picture_id))
            now = datetime.now(UTC)
            if before.at is not None and before.at >= now:
                # A colleague's clock was ahead, or this one was set back: the new rating must count all the same.
                now = before.at + timedelta(microseconds=1)
            text = canonical_json({"id": picture_id, **values, "at": _time_text(now), "by": by})
            json_lines.append(self.path, [text])
        return _apply(before, _Entry(now, text, picture_id, by, values))

    def duels(self) -> list[Duel]:
        """Return all answers of blind comparisons, oldest first; raises ExplorationError for a file that cannot be read."""
        return [line.duel for line in sorted(_read_entries(self.path)) if line.duel is not None]

    def add_duel(self, left: str, right: str, won: str, by: str) -> Duel:
        """Append the answer of a blind comparison, on disk when this returns.

        Args:
            left: the id of the picture that was shown on the left.
            right: the id of the other one.
            won: the id of the better one.
            by: the user's name.

        Raises:
            ExplorationError: the winner is neither of them, they are the same, or the file cannot be written.

        """
        if left == right or won not in (left, right):
            raise ExplorationError(
                f"{shown(won)} cannot win between {shown(left)} and {shown(right)}: name one of two pictures."
            )
        duel = Duel(left, right, won, datetime.now(UTC), by)
        text = canonical_json({"duel": [left, right], "won": won, "at": _time_text(duel.at), "by": by})
        with json_lines.locked(self.path, "answer"):
            json_lines.append(self.path, [text])
        return duel

    def merge(self, other: Path) -> int:
        """Append the lines of another file that are missing here, and return their number; the latest line counts.

        Raises ExplorationError for a file that cannot be read or has no ratings.
        """
        if not other.is_file():
            raise ExplorationError(f"There is no file {other}: name the ratings file to merge.")
        theirs, broken = _parse_file(other)
        if broken and not theirs:
            raise ExplorationError(f"{other} holds no ratings: name a file of JSON lines such as {self.path}.")
        _warn(broken)
        with json_lines.locked(self.path, "rating"):
            known = {line.text for line in _read_entries(self.path)}
            new = sorted({line for line in theirs if line.text not in known})
            json_lines.append(self.path, [line.text for line in new])
        return len(new)


def current_user() -> str:
    """Return the current user's name, empty if the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container's user may have an id but no name.
        return ""


def _apply(before: Rating, line: _Entry) -> Rating:
    """Return a rating with a line applied to it."""
    changes: dict[str, Any] = {name: value or "" if name == "note" else value for name, value in line.fields.items()}
    return replace(before, **changes, at=line.at, by=line.by)


def _read_entries(path: Path) -> list[_Entry]:
    """Read the lines of a file in order, none if there is no file; warns of invalid ones."""
    lines, broken = _parse_file(path)
    _warn(broken)
    return lines


def _parse_file(path: Path) -> tuple[list[_Entry], list[str]]:
    """Read the lines of a file, and a sentence for each invalid one; raises ExplorationError if it cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ExplorationError(f"The ratings in {path} cannot be read: {error.strerror or error}.") from error
    lines, broken = json_lines.parse(data, _parse_entry)
    return lines, [
        f"Line {number} of {path} is no rating and is left out: {error} Fix or delete the line."
        for number, error in broken.items()
    ]


def _time_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        # Attributed to the caller of the RatingsFile's method.
        warnings.warn(sentence, BrokenRatingWarning, stacklevel=4)


def _parse_entry(row: bytes) -> _Entry:
    """Parse one line; raises ValueError with a sentence."""
    try:
        value = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON.") from error
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object.")  # noqa: TRY004 - the line is wrong, not the caller's types
    picture_id, by = value.get("id"), value.get("by", "")
    pair = value.get("duel")
    if pair is not None:
        picture_id = ""
    elif not isinstance(picture_id, str) or not ID_PATTERN.fullmatch(picture_id):
        raise ValueError(f"its id is {shown(picture_id)}.")
    if not isinstance(by, str):
        raise ValueError(f'its "by" is {shown(by)}.')  # noqa: TRY004 - likewise
    values = {name: value[name] for name in RATING_FIELDS if name in value}
    for name, field_value in values.items():
        if problem := _invalid_reason(name, field_value):
            raise ValueError(problem)
    try:
        at = datetime.fromisoformat(value["at"])
    except (KeyError, TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f'its "at" is {shown(value.get("at"))}, no time with a zone.')
    at = at.astimezone(UTC)
    duel = None if pair is None else _parse_duel(pair, value.get("won"), at, by)
    return _Entry(at, canonical_json(value), picture_id, by, values, duel)


def _parse_duel(pair: Any, won: Any, at: datetime, by: str) -> Duel:
    """Parse the answer of a blind comparison; raises ValueError with a sentence."""
    names = pair if isinstance(pair, list) else []
    valid = [name for name in names if isinstance(name, str) and ID_PATTERN.fullmatch(name)]
    if len(names) != PAIR or len(set(valid)) != PAIR:
        raise ValueError(f'its "duel" is {shown(pair)}, not two pictures.')
    if won not in names:
        raise ValueError(f'its "won" is {shown(won)}, neither of the two.')
    return Duel(names[0], names[1], won, at, by)


def _invalid_reason(name: str, value: Any) -> str:
    """Return what is wrong with a field's value; empty if nothing is. None is always valid: it clears the field."""
    if value is None:
        return ""
    if name == "verdict" and value not in VERDICTS:
        return f"The verdict {shown(value)} is unknown: use {' or '.join(map(shown, VERDICTS))}, or None to clear it."
    if name == "stars" and not _is_star_count(value):
        return (
            f"{shown(value)} stars cannot be given: give a whole number from 0 to {MAX_STARS}, or None to clear them."
        )
    if name == "note" and not isinstance(value, str):
        return f"The note must be a text, not {shown(value)}."
    return ""


def _is_star_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_STARS


RATING_COLUMNS = ("id", *RATING_FIELDS, "at", "by")


class Unset(Enum):
    """The default of a field that a rating leaves unchanged; None clears it."""

    UNSAID = "unsaid"


UNSET: Final = Unset.UNSAID


def rate(
    picture: PictureName,
    frame: pd.DataFrame | None = None,
    *,
    verdict: str | Unset | None = UNSET,
    stars: int | Unset | None = UNSET,
    note: str | Unset | None = UNSET,
    target: str | None = None,
    by: str | None = None,
) -> Rating:
    """Rate a picture, on disk when this returns; return its rating.

    `picture` is an id, a row of a sweep's result, or, with the result as `frame`, the number of a cell. `verdict` is "keep"
    or "reject", `stars` 0 to 5; omitted fields stay unchanged, None clears a field. `target` defaults to the result's, or
    else "local"; `by` defaults to the user's name. Several programs may rate at once. Raises ExplorationError for an invalid
    value, an unknown picture, and a file that cannot be written.
    """
    given = {"verdict": verdict, "stars": stars, "note": note}
    values = {name: value for name, value in given.items() if not isinstance(value, Unset)}
    if not values:
        raise ExplorationError(
            'The rating is empty: give verdict="keep" or "reject", stars=0 to 5, or a note.',
        )
    if isinstance(stars, SupportsIndex) and not isinstance(stars, bool):
        # A number from a frame or an array has a NumPy type.
        values["stars"] = operator.index(stars)
    target = target or target_of(picture if frame is None else frame)
    return ratings_file(target).add(_id_of(picture, frame, target), values, current_user() if by is None else by)


def ratings(target: str = "local") -> pd.DataFrame:
    """Return the current ratings: columns id, verdict, stars, note, at (UTC), by; the last rated comes first.

    Pictures whose fields were all cleared are left out; the history stays in the file, `Home.ratings(target)`. An invalid
    line causes a BrokenRatingWarning, and the others are used.
    """
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    rows = [[getattr(rating, name) for name in RATING_COLUMNS] for rating in reversed(current_ratings(target).values())]
    texts = dict.fromkeys(("id", "verdict", "note", "by"), "str")
    return pd.DataFrame(rows, columns=list(RATING_COLUMNS)).astype(
        {**texts, "stars": "Int64", "at": "datetime64[us, UTC]"},
    )


def current_ratings(target: str = "local") -> dict[str, Rating]:
    """Return the current ratings by picture id; raises ExplorationError for a file that cannot be read."""
    return {name: rating for name, rating in ratings_file(target).current().items() if rating.is_set}


def merge(other: Path | str, target: str = "local") -> int:
    """Merge another ratings file, such as a colleague's or another machine's, and return the number of new lines.

    The latest line counts, whichever file was merged first. Raises ExplorationError for a file that does not exist or has
    no ratings.
    """
    return ratings_file(target).merge(Path(other))


def ratings_file(target: str) -> RatingsFile:
    """Return a target's ratings file; raises ExplorationError for an unknown target."""
    from couch_explorers.workspace import TARGETS  # noqa: PLC0415 - imports boto3, which is slow

    if target not in TARGETS:
        raise ExplorationError(f"There is no target {shown(target)}: use one of {', '.join(TARGETS)}.")
    return RatingsFile(Home.current().ratings(target))


def target_of(result: object) -> str:
    """Return the target of a sweep's result, or of a row of it; "local" if it does not say."""
    return context_of(result).target or "local"


def picture_id(tile: CellView) -> str:
    """Return the id under which a cell's picture is rated; raises ExplorationError for a cell without one."""
    if tile.path is None:
        reason = f"{tile.status}: {tile.reason}" if tile.reason else f"{tile.status}."
        raise ExplorationError(f"Cell {tile.number} has no picture to rate; {reason}")
    # A cell whose request equals another cell's shows that cell's picture, under that id.
    return tile.path.stem if tile.status is Status.SAME else tile.id


def _id_of(picture: PictureName, frame: pd.DataFrame | None, target: str) -> str:
    if isinstance(picture, str) and frame is None:
        return _id_of_file(picture, target)
    if hasattr(picture, "keys"):
        return picture_id(cell_view(picture))
    if frame is None:
        raise ExplorationError(
            f"{shown(picture)} of which sweep? Give its result too: rate({shown(picture)}, pictures, …).",
        )
    tiles = cell_views(frame)
    for tile in tiles:
        if picture in (tile.number, tile.id):
            return picture_id(tile)
    raise ExplorationError(
        f"The sweep has no picture {shown(picture)}: give a number from 1 to {len(tiles)}, or an id of its column id.",
    )


def _id_of_file(name: str, target: str) -> str:
    if ID_PATTERN.fullmatch(name) and (Home.current().images(target) / f"{name}.png").is_file():
        return name
    if name in ratings_file(target).current():
        return name
    raise ExplorationError(f"No picture {shown(name)} is here: give an id of a sweep's column id.")


def count_sentence(ratings: Mapping[str, Rating], pictures: Mapping[str, Any]) -> str:
    """Summarize how many of the pictures were kept, rejected, and not rated."""
    if not pictures:
        return "There is no picture to rate."
    verdicts = [ratings[name].verdict for name in pictures if name in ratings]
    counts = {
        "kept": verdicts.count("keep"),
        "rejected": verdicts.count("reject"),
        "with stars or a note only": verdicts.count(None),
        "not rated": len(pictures) - len(verdicts),
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}: {summary}."
