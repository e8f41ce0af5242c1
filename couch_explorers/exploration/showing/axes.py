"""What varies between the cells of a sheet: which axis goes to the rows, which to the columns, which makes groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.showing.typeface import TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from couch_explorers.exploration.showing.tiles import Tile

# A prompt's value is its name and its text: two runs may have given one name to two texts.
_VALUES: dict[str, Callable[[Tile], Any]] = {
    "prompt": lambda tile: (tile.prompt_name, tile.prompt),
    "model": lambda tile: tile.model,
    "size": lambda tile: tile.size,
    "cfg_scale": lambda tile: tile.cfg_scale,
    "negative_prompt": lambda tile: tile.negative_prompt,
    "seed": lambda tile: tile.seed,
}
# The bare value, to stand behind the axis' name.
_SHOWN: dict[str, Callable[[Tile], str]] = {
    "prompt": lambda tile: tile.prompt_name,
    "model": lambda tile: tile.model_name,
    "size": lambda tile: tile.size.replace("x", f" {TIMES} "),
    "cfg_scale": lambda tile: "default" if tile.cfg_scale is None else f"{tile.cfg_scale:g}",
    "negative_prompt": lambda tile: "none" if tile.negative_prompt is None else f"“{tile.negative_prompt}”",
    "seed": lambda tile: str(tile.seed),
}
# What stands before the value where it would not explain itself.
_MARKS = {"cfg_scale": "cfg ", "negative_prompt": "without ", "seed": "seed "}
AXES = tuple(_VALUES)
# Among axes with equally many values, the first named here goes to the columns.
COLUMN_ORDER = ("seed", "size", "cfg_scale", "negative_prompt", "model", "prompt")
# A sweep fills its grid; where less of it is filled, the cells are a selection, and their pictures follow each other.
LEAST_FILLED = 0.75


@dataclass(frozen=True)
class Arrangement:
    """Names of axes by place; `shared` have one value in all cells. Without rows the pictures follow each other."""

    rows: str | None
    columns: str | None
    groups: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def varying(self) -> tuple[str, ...]:
        """The axes that a cell's label tells, in the order of a sweep."""
        return tuple(name for name in AXES if name not in self.shared)


@dataclass(frozen=True)
class Row:
    """Cells that stand side by side under one heading; None where the grid has a gap. `head` is any cell of the row."""

    head: Tile
    cells: tuple[Tile | None, ...]


@dataclass(frozen=True)
class Group:
    """Rows that share the values of the group axes. `head` is any cell of the group."""

    head: Tile
    rows: tuple[Row, ...]


def name_of(axis: str) -> str:
    """Name an axis for people: "cfg_scale" is "cfg scale"."""
    return axis.replace("_", " ")


def value_of(axis: str, tile: Tile) -> Hashable:
    """A cell's value on an axis, to compare by."""
    value: Hashable = _VALUES[axis](tile)
    return value


def shown(axis: str, tile: Tile) -> str:
    """Write a cell's bare value on an axis, like "42"."""
    return _SHOWN[axis](tile)


def label(axis: str, tile: Tile) -> str:
    """Write a cell's value on an axis so that it explains itself, like "seed 42"."""
    if axis == "negative_prompt" and tile.negative_prompt is None:
        return "no negative prompt"
    return _MARKS.get(axis, "") + _SHOWN[axis](tile)


def first_of_each(axis: str, tiles: Iterable[Tile]) -> list[Tile]:
    """One cell for each value of an axis, in the order in which the values appear."""
    found: dict[Hashable, Tile] = {}
    for tile in tiles:
        found.setdefault(value_of(axis, tile), tile)
    return list(found.values())


def arrange(tiles: Sequence[Tile], rows: str | None = None, columns: str | None = None) -> Arrangement:
    """Choose the place of each axis that varies.

    The axis with most values goes to the columns, unless it is the prompt, whose name goes to the rows; further axes
    make groups. A single axis has no rows: its pictures follow each other. Raises ExplorationError for axes that are
    not known, or one in two places.
    """
    rows, columns = _known(rows, "rows"), _known(columns, "columns")
    if rows is not None and rows == columns:
        raise ExplorationError(f"The axis {rows} cannot be both rows and columns: give another one to either.")
    counts = {axis: len(first_of_each(axis, tiles)) for axis in AXES}
    free = [axis for axis in COLUMN_ORDER if counts[axis] > 1 and axis not in (rows, columns)]
    free.sort(key=lambda axis: -counts[axis])
    asked = rows is not None or columns is not None
    if rows is None and "prompt" in free and len(free) + (columns is not None) > 1:
        rows = "prompt"
        free.remove(rows)
    if columns is None and free:
        columns = free.pop(0)
    if rows is None and free:
        rows = free.pop(0)
    shared = tuple(axis for axis in AXES if counts[axis] == 1 and axis not in (rows, columns))
    arrangement = Arrangement(rows, columns, tuple(axis for axis in AXES if axis in free), shared)
    return arrangement if asked or not _sparse(tiles, arrangement, counts) else Arrangement(None, None, (), shared)


def grouped(tiles: Sequence[Tile], arrangement: Arrangement) -> list[Group]:
    """Lay the cells out as groups of rows; cells with equal values throughout get a row of their own each."""
    if arrangement.rows is None:
        return [Group(tiles[0], (Row(tiles[0], tuple(tiles)),))]
    groups: dict[Hashable, list[Tile]] = {}
    for tile in tiles:
        groups.setdefault(tuple(value_of(axis, tile) for axis in arrangement.groups), []).append(tile)
    return [Group(members[0], tuple(_rows(members, tiles, arrangement))) for members in groups.values()]


def _rows(members: Sequence[Tile], tiles: Sequence[Tile], arrangement: Arrangement) -> Iterable[Row]:
    across = arrangement.columns
    places = [value_of(across, tile) for tile in first_of_each(across, tiles)] if across else [None]
    rows: dict[Hashable, list[Tile]] = {}
    for tile in members:
        rows.setdefault(value_of(str(arrangement.rows), tile), []).append(tile)
    for row in rows.values():
        at: dict[Hashable, list[Tile]] = {}
        for tile in row:
            at.setdefault(value_of(across, tile) if across else None, []).append(tile)
        for layer in range(max(map(len, at.values()))):
            yield Row(row[0], tuple(at[place][layer] if len(at.get(place, ())) > layer else None for place in places))


def _known(axis: str | None, place: str) -> str | None:
    if axis is None:
        return None
    name = "prompt" if axis == "prompt_name" else axis
    if name not in _VALUES:
        raise ExplorationError(f"There is no axis {axis!r} for the {place}: use one of {', '.join(AXES)}.")
    return name


def _sparse(tiles: Sequence[Tile], arrangement: Arrangement, counts: dict[str, int]) -> bool:
    places = 1
    for axis in (arrangement.rows, arrangement.columns, *arrangement.groups):
        places *= counts[axis] if axis else 1
    return len(tiles) < LEAST_FILLED * places
