"""A row of a result frame as sheets and galleries show it: what was asked, what became of it, where its picture lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models
from couch_explorers.core.errors import GenerationError
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import COLUMNS, WITH_PICTURE, Status
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd

SQUARE = (1, 1)
MISSING = "The picture's file is gone: run the sweep again, what was paid comes from the bucket."


@dataclass(frozen=True)
class Tile:
    """One cell of a sweep and what became of it; `path` is None where it has no picture."""

    number: int
    prompt_name: str
    prompt: str
    model: str
    seed: int
    size: str
    cfg_scale: float | None
    negative_prompt: str | None
    status: Status
    reason: str
    usd: float
    path: Path | None
    picture_size: tuple[int, int]
    id: str

    @property
    def model_name(self) -> str:
        """The model's name for people, its id where it is not known."""
        known = image_models.MODELS.get(self.model)
        return known.name if known is not None else self.model


def tiles_of(frame: pd.DataFrame) -> list[Tile]:
    """Read the cells of a result frame in its order; raises ExplorationError for any other frame, or one without rows."""
    _check_columns(getattr(frame, "columns", ()))
    if not len(frame):
        raise ExplorationError("The frame has no rows: run a sweep, or choose less strictly.")
    home = Home.current().path
    return [_tile(row, home) for row in frame[list(COLUMNS)].to_dict("records")]


def tile_of(row: Mapping[str, Any] | pd.Series) -> Tile:
    """Read one row of a result frame; raises ExplorationError for any other row."""
    _check_columns(row.keys())
    return _tile({name: row[name] for name in COLUMNS}, Home.current().path)


def _check_columns(names: Iterable[str]) -> None:
    there = set(names)
    missing = [name for name in COLUMNS if name not in there]
    if missing:
        raise ExplorationError(
            f"There is no column {', '.join(missing)}: give what Sweep.run or results.load gave back."
        )


def _tile(row: Mapping[str, Any], home: Path) -> Tile:
    given: dict[str, Any] = {name: None if _absent(value) else value for name, value in row.items()}
    try:
        status = Status(given["status"])
    except ValueError as error:
        raise ExplorationError(
            f"Cell {given['number']} has the status {given['status']!r}: give what Sweep.run gave back, not a plan."
        ) from error
    path = home / str(given["path"]) if given["path"] is not None and status in WITH_PICTURE else None
    return Tile(
        number=int(given["number"]),
        prompt_name=str(given["prompt_name"]),
        prompt=str(given["prompt"]),
        model=str(given["model"]),
        seed=int(given["seed"]),
        size=str(given["size"]),
        cfg_scale=None if given["cfg_scale"] is None else float(given["cfg_scale"]),
        negative_prompt=None if given["negative_prompt"] is None else str(given["negative_prompt"]),
        status=status,
        reason=str(given["reason"] or ""),
        usd=float(given["usd"] or 0.0),
        path=path,
        picture_size=_picture_size(given),
        id=str(given["id"] or ""),
    )


def _absent(value: object) -> bool:
    """Tell None, NaN and pandas' NA from a value, whatever the column's type made of them."""
    # Only NaN differs from itself; NA answers neither yes nor no.
    return value is None or type(value).__name__ == "NAType" or value != value  # noqa: PLR0124


def _picture_size(given: dict[str, Any]) -> tuple[int, int]:
    """The picture's own size, else the one that the model would have painted, in pixels."""
    if given["width"] and given["height"]:
        return int(given["width"]), int(given["height"])
    try:
        return image_models.get(str(given["model"])).picture_size(str(given["size"]))
    except GenerationError:
        return SQUARE
