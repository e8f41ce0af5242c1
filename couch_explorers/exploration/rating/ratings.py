"""What people think of the pictures: keep or reject, stars, a note; said once, found again after every re-run."""

from __future__ import annotations

import operator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias

from couch_explorers.core.errors import shown
from couch_explorers.core.jobs import ID_PATTERN
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.rating.sidecar import SAYINGS, BrokenRatingWarning, Rating, Sidecar, user
from couch_explorers.exploration.showing.tiles import tile_of, tiles_of
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from couch_explorers.exploration.showing.tiles import Tile

    # One picture: its id, a row of a sweep's result, or a number in one.
    PictureName: TypeAlias = str | SupportsIndex | Mapping[str, Any] | pd.Series

__all__ = ["UNSAID", "BrokenRatingWarning", "Rating", "current", "merge", "rate", "ratings"]

COLUMNS = ("id", *SAYINGS, "at", "by")


class Unsaid(Enum):
    """The default of what a rating leaves as it was; None takes it back."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID


def rate(
    picture: PictureName,
    frame: pd.DataFrame | None = None,
    *,
    verdict: str | Unsaid | None = UNSAID,
    stars: int | Unsaid | None = UNSAID,
    note: str | Unsaid | None = UNSAID,
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
    sayings = {name: value for name, value in given.items() if not isinstance(value, Unsaid)}
    if not sayings:
        raise ExplorationError(
            'Nothing is said of the picture: give verdict="keep" or "reject", stars=0 to 5, or a note.'
        )
    if isinstance(stars, SupportsIndex) and not isinstance(stars, bool):
        # A number out of a frame or an array is one of NumPy's.
        sayings["stars"] = operator.index(stars)
    target = target or target_of(picture if frame is None else frame)
    return sidecar(target).add(_id_of(picture, frame, target), sayings, user() if by is None else by)


def ratings(target: str = "local") -> pd.DataFrame:
    """What holds for each rated picture: columns id, verdict, stars, note, at (UTC), by; the last rated comes first.

    Pictures of which everything was taken back are left out; the history stays in the file, `Home.ratings(target)`. A
    line that cannot be read is told by a BrokenRatingWarning, and the others are used.
    """
    import pandas as pd  # noqa: PLC0415 - who only says something does not pay for it

    rows = [[getattr(rating, name) for name in COLUMNS] for rating in reversed(current(target).values())]
    texts = dict.fromkeys(("id", "verdict", "note", "by"), "str")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({**texts, "stars": "Int64", "at": "datetime64[us, UTC]"})


def current(target: str = "local") -> dict[str, Rating]:
    """What holds for each rated picture, by its id; raises ExplorationError for a file that cannot be read."""
    return {name: rating for name, rating in sidecar(target).current().items() if rating.said}


def merge(other: Path | str, target: str = "local") -> int:
    """Take over another ratings file, such as a colleague's or another machine's, and count the lines that were new.

    Whose line is later by time holds, whichever file was merged first. Raises ExplorationError for a file that is not
    there or holds no ratings.
    """
    return sidecar(target).merge(Path(other))


def sidecar(target: str) -> Sidecar:
    """The ratings of a target's pictures; raises ExplorationError for a target that is none."""
    from couch_explorers.workspace import TARGETS  # noqa: PLC0415 - it brings boto3, which takes its time

    if target not in TARGETS:
        raise ExplorationError(f"There is no target {shown(target)}: use one of {', '.join(TARGETS)}.")
    return Sidecar(Home.current().ratings(target))


def target_of(result: object) -> str:
    """Where the pictures of a sweep's result, or of a row of it, were made; "local" where it does not say."""
    return str(getattr(result, "attrs", {}).get("target") or "local")


def picture_id(tile: Tile) -> str:
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
        return picture_id(tile_of(picture))
    if frame is None:
        raise ExplorationError(
            f"{shown(picture)} of which sweep? Give its result too: rate({shown(picture)}, pictures, …)."
        )
    tiles = tiles_of(frame)
    for tile in tiles:
        if picture in (tile.number, tile.id):
            return picture_id(tile)
    raise ExplorationError(
        f"The sweep has no picture {shown(picture)}: give a number from 1 to {len(tiles)}, or an id of its column id."
    )


def _id_of_file(name: str, target: str) -> str:
    if ID_PATTERN.fullmatch(name) and (Home.current().images(target) / f"{name}.png").is_file():
        return name
    if name in sidecar(target).current():
        return name
    raise ExplorationError(f"No picture {shown(name)} is here: give an id of a sweep's column id.")
