"""The pictures that people liked best, with everything needed to make them again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers import paths
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.rating.ratings import current, picture_id, target_of
from couch_explorers.exploration.showing.tiles import tiles_of
from couch_explorers.paths import PROJECT_ROOT, Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from couch_explorers.exploration.rating.sidecar import Rating
    from couch_explorers.exploration.rating.winners_frame import Winners
    from couch_explorers.exploration.showing.tiles import Tile

COLUMNS = (
    "number", "prompt_name", "prompt", "model", "seed", "size", "cfg_scale", "negative_prompt",
    "verdict", "stars", "note", "command", "paint_command", "path", "key", "id",
)  # fmt: skip


def best(frame: pd.DataFrame, n: int = 3) -> Winners:
    """Find the `n` best of a sweep's result: those kept first, then by their stars, then in the order of the sweep.

    A rejected picture is never among them, nor one that is neither kept nor has a star: where nobody has rated, the frame
    is empty and a notebook says how to rate. Columns are those of the request, verdict, stars, note, path, key, id, and
    two lines for a shell: `command` makes the very picture again from its file, or asks for it where the file is gone;
    `paint_command` asks for it without the file, to be given away. Raises ExplorationError for a frame that is no sweep's
    result and an `n` below 1.
    """
    from couch_explorers.exploration.rating import winners_frame  # noqa: PLC0415 - it brings pandas, which takes half a second

    if n < 1:
        raise ExplorationError(f"{n} winners cannot be shown: ask for 1 or more.")
    target = target_of(frame)
    said = current(target)
    liked: dict[str, tuple[Any, ...]] = {}
    for tile, key in zip(tiles_of(frame), frame["key"], strict=True):
        rating = said.get(picture_id(tile)) if tile.path is not None else None
        if rating is not None and _liked(rating):
            # Two cells may have come to one picture: it is one winner.
            liked.setdefault(rating.id, (rating, tile, key))
    order = sorted(liked.values(), key=lambda found: (found[0].verdict != "keep", -(found[0].stars or 0)))
    rows = [_row(rating, tile, key, target) for rating, tile, key in order[:n]]
    return winners_frame.make(rows, COLUMNS, frame.attrs)


def again_command(path: Path, options: Sequence[str] = ()) -> str:
    """Write the line for a shell that makes a picture again from its file.

    A file of the project is named as seen from its folder, and found from whatever folder the line is typed in.
    """
    home = Home.current().path
    elsewhere = "" if home == PROJECT_ROOT / ".couch" else f"COUCH_HOME={shlex.quote(paths.display(home))} "
    return elsewhere + shlex.join(["couch", "reproduce", paths.display(path), *options])


def paint_command(tile: Tile, options: Sequence[str] = ()) -> str:
    """Write the line for a shell that asks for a cell's picture without its file, on whatever machine."""
    words = ["couch", "paint", "--model", tile.model, "--seed", str(tile.seed), "--size", tile.size]
    if tile.cfg_scale is not None:
        words += ["--cfg-scale", f"{tile.cfg_scale:g}"]
    if tile.negative_prompt is not None:
        words += ["--negative-prompt", tile.negative_prompt]
    # The mark keeps a prompt that begins with a dash from being read as an option.
    return shlex.join([*words, *options, *(["--"] if tile.prompt.startswith("-") else []), tile.prompt])


def _where(target: str, key: object) -> list[str]:
    """The options that name the target: its pictures lie under the candidate's number."""
    if target == "local":
        return []
    return ["--target", target, *(["--candidate", key.partition("/")[0]] if isinstance(key, str) else [])]


def _liked(rating: Rating) -> bool:
    return rating.verdict == "keep" or (rating.verdict is None and bool(rating.stars))


def _row(rating: Rating, tile: Tile, key: object, target: str) -> list[Any]:
    path, where = Path(str(tile.path)), _where(target, key)
    values = {
        **vars(tile),
        **{name: getattr(rating, name) for name in ("verdict", "stars", "note", "id")},
        "command": again_command(path, where) if path.is_file() else paint_command(tile, where),
        "paint_command": paint_command(tile, where),
        "path": str(path),
        "key": key,
    }
    return [values[name] for name in COLUMNS]
