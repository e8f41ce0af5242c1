"""Ratings of pictures (keep or reject, stars, a note), in a JSON Lines file that is only ever appended to, so that no rating is lost.

Each line is an object `{"id", "at", "by"}` with those of `verdict`, `stars` and `note` that were given; null takes one
back. A picture's rating is read field by field: the latest line that names the field counts. An answer of a blind comparison is
a line, too: `{"duel": [id, id], "won", "at", "by"}`, of which each counts. Two files are merged by uniting their lines.
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


@dataclass(frozen=True)
class Duel:
    """An answer of a blind comparison: of these two pictures, left and right as they were shown, `won` is the better one."""

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
    """One line; the order is that of time. Lines of one instant stand in the order of their texts, the same everywhere."""

    at: datetime
    text: str
    id: str = field(compare=False)
    by: str = field(compare=False)
    sayings: Mapping[str, Any] = field(compare=False)
    duel: Duel | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RatingsFile:
    """A ratings file, which need not be there yet. Several programs may add to it at once.

    A line that cannot be read is told by a BrokenRatingWarning whenever the file is read, and the others are used.
    """

    path: Path

    def current(self) -> dict[str, Rating]:
        """What holds, by the picture's id; the picture that was rated last comes last.

        Raises ExplorationError for a file that cannot be read.
        """
        found: dict[str, Rating] = {}
        for line in sorted(_read_entries(self.path)):
            if line.duel is not None:
                continue
            found[line.id] = _apply(found.pop(line.id, Rating(line.id)), line)
        return found

    def add(self, picture_id: str, sayings: Mapping[str, Any], by: str) -> Rating:
        """Add a line, in the file when this returns, and give back what holds then for the picture.

        Raises ExplorationError for a value that no rating has, and where the file cannot be written.
        """
        for name, value in sayings.items():
            if complaint := _invalid_reason(name, value):
                raise ExplorationError(complaint)
        with json_lines.locked(self.path, "rating"):
            before = self.current().get(picture_id, Rating(picture_id))
            now = datetime.now(UTC)
            if before.at is not None and before.at >= now:
                # A colleague's clock was ahead, or this one was set back: what is said now holds all the same.
                now = before.at + timedelta(microseconds=1)
            text = canonical_json({"id": picture_id, **sayings, "at": _time_text(now), "by": by})
            json_lines.append(self.path, [text])
        return _apply(before, _Entry(now, text, picture_id, by, sayings))

    def duels(self) -> list[Duel]:
        """All answers of blind comparisons, the oldest first; raises ExplorationError for a file that cannot be read."""
        return [line.duel for line in sorted(_read_entries(self.path)) if line.duel is not None]

    def add_duel(self, left: str, right: str, won: str, by: str) -> Duel:
        """Add an answer of a blind comparison, in the file when this returns.

        Args:
            left: the id of the picture that was shown on the left.
            right: that of the other one.
            won: the better one's.
            by: who says so.

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
        """Add the lines of another file that are not here yet and count them; whose line is later by time holds.

        Raises ExplorationError for a file that cannot be read or holds no ratings.
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
    """The name of the person who rates, empty where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container's user may have a number and no name.
        return ""


def _apply(before: Rating, line: _Entry) -> Rating:
    """What holds for a picture once the line is added."""
    said: dict[str, Any] = {name: value or "" if name == "note" else value for name, value in line.sayings.items()}
    return replace(before, **said, at=line.at, by=line.by)


def _read_entries(path: Path) -> list[_Entry]:
    """The lines of a file in its order, none where there is no file; warns of those that cannot be read."""
    lines, broken = _parse_file(path)
    _warn(broken)
    return lines


def _parse_file(path: Path) -> tuple[list[_Entry], list[str]]:
    """The lines of a file, and a sentence for each that is no rating; raises ExplorationError for no readable file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ExplorationError(f"The ratings in {path} cannot be read: {error.strerror or error}.") from error
    lines, broken = json_lines.parse(data, _parse_entry)
    return lines, [
        f"Line {number} of {path} is no rating and is left out: {error} Mend or delete the line."
        for number, error in broken.items()
    ]


def _time_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        # Told as if by the caller of the sidecar.
        warnings.warn(sentence, BrokenRatingWarning, stacklevel=4)


def _parse_entry(row: bytes) -> _Entry:
    """Read one line; raises ValueError with a sentence."""
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
    sayings = {name: value[name] for name in RATING_FIELDS if name in value}
    for name, saying in sayings.items():
        if complaint := _invalid_reason(name, saying):
            raise ValueError(complaint)
    try:
        at = datetime.fromisoformat(value["at"])
    except (KeyError, TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f'its "at" is {shown(value.get("at"))}, no time with a zone.')
    at = at.astimezone(UTC)
    duel = None if pair is None else _parse_duel(pair, value.get("won"), at, by)
    return _Entry(at, canonical_json(value), picture_id, by, sayings, duel)


def _parse_duel(pair: Any, won: Any, at: datetime, by: str) -> Duel:
    """Read the pictures of a blind comparison; raises ValueError with a sentence."""
    names = pair if isinstance(pair, list) else []
    valid = [name for name in names if isinstance(name, str) and ID_PATTERN.fullmatch(name)]
    if len(names) != PAIR or len(set(valid)) != PAIR:
        raise ValueError(f'its "duel" is {shown(pair)}, not two pictures.')
    if won not in names:
        raise ValueError(f'its "won" is {shown(won)}, neither of the two.')
    return Duel(names[0], names[1], won, at, by)


def _invalid_reason(name: str, value: Any) -> str:
    """Say what is wrong with a saying; empty where nothing is. None is always right: it takes the saying back."""
    if value is None:
        return ""
    if name == "verdict" and value not in VERDICTS:
        return (
            f"The verdict {shown(value)} is unknown: say {' or '.join(map(shown, VERDICTS))}, or None to take it back."
        )
    if name == "stars" and not _is_star_count(value):
        return f"{shown(value)} stars cannot be given: give a whole number from 0 to {MAX_STARS}, or None to take them back."
    if name == "note" and not isinstance(value, str):
        return f"The note must be a text, not {shown(value)}."
    return ""


def _is_star_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_STARS


RATING_COLUMNS = ("id", *RATING_FIELDS, "at", "by")


class Unset(Enum):
    """The default of what a rating leaves as it was; None takes it back."""

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
    """Say what you think of a picture, kept when this returns; gives back all that holds for it now.

    `picture` is an id, a row of a sweep's result, or, with the result as `frame`, the number of a cell. `verdict` is "keep"
    or "reject", `stars` 0 to 5; what is left out stays as it was, None takes it back. `target` is the result's where none is
    given, else "local"; `by` is the user's name. Several programs may rate at once. Raises ExplorationError for a value
    that no rating has, a picture that is not there, and a file that cannot be written.
    """
    given = {"verdict": verdict, "stars": stars, "note": note}
    sayings = {name: value for name, value in given.items() if not isinstance(value, Unset)}
    if not sayings:
        raise ExplorationError(
            'Nothing is said of the picture: give verdict="keep" or "reject", stars=0 to 5, or a note.',
        )
    if isinstance(stars, SupportsIndex) and not isinstance(stars, bool):
        # A number out of a frame or an array is one of NumPy's.
        sayings["stars"] = operator.index(stars)
    target = target or target_of(picture if frame is None else frame)
    return ratings_file(target).add(_id_of(picture, frame, target), sayings, current_user() if by is None else by)


def ratings(target: str = "local") -> pd.DataFrame:
    """What holds for each rated picture: columns id, verdict, stars, note, at (UTC), by; the last rated comes first.

    Pictures of which everything was taken back are left out; the history stays in the file, `Home.ratings(target)`. A
    line that cannot be read is told by a BrokenRatingWarning, and the others are used.
    """
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    rows = [[getattr(rating, name) for name in RATING_COLUMNS] for rating in reversed(current_ratings(target).values())]
    texts = dict.fromkeys(("id", "verdict", "note", "by"), "str")
    return pd.DataFrame(rows, columns=list(RATING_COLUMNS)).astype(
        {**texts, "stars": "Int64", "at": "datetime64[us, UTC]"},
    )


def current_ratings(target: str = "local") -> dict[str, Rating]:
    """What holds for each rated picture, by its id; raises ExplorationError for a file that cannot be read."""
    return {name: rating for name, rating in ratings_file(target).current().items() if rating.said}


def merge(other: Path | str, target: str = "local") -> int:
    """Take over another ratings file, such as a colleague's or another machine's, and count the lines that were new.

    Whose line is later by time holds, whichever file was merged first. Raises ExplorationError for a file that is not
    there or holds no ratings.
    """
    return ratings_file(target).merge(Path(other))


def ratings_file(target: str) -> RatingsFile:
    """The ratings of a target's pictures; raises ExplorationError for a target that is none."""
    from couch_explorers.workspace import TARGETS  # noqa: PLC0415 - it brings boto3, which takes its time

    if target not in TARGETS:
        raise ExplorationError(f"There is no target {shown(target)}: use one of {', '.join(TARGETS)}.")
    return RatingsFile(Home.current().ratings(target))


def target_of(result: object) -> str:
    """Where the pictures of a sweep's result, or of a row of it, were made; "local" where it does not say."""
    return context_of(result).target or "local"


def picture_id(tile: CellView) -> str:
    """The id under which a cell's picture is rated; raises ExplorationError for a cell without one."""
    if tile.path is None:
        reason = f"{tile.status}: {tile.reason}" if tile.reason else f"{tile.status}."
        raise ExplorationError(f"Cell {tile.number} has no picture to rate; {reason}")
    # Where another cell asked for the same picture in other words, this one shows that one's, under that one's id.
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


def count_sentence(said: Mapping[str, Rating], pictures: Mapping[str, Any]) -> str:
    """Say how many of the pictures were kept, rejected, and not rated."""
    if not pictures:
        return "There is no picture to rate."
    verdicts = [said[name].verdict for name in pictures if name in said]
    counts = {
        "kept": verdicts.count("keep"),
        "rejected": verdicts.count("reject"),
        "with stars or a note only": verdicts.count(None),
        "not rated": len(pictures) - len(verdicts),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}: {told}."
