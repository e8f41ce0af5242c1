"""The cells of a result frame as a grid: which axis makes the rows, which the columns, which the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models
from couch_explorers.core.errors import GenerationError
from couch_explorers.exploration import results
from couch_explorers.exploration.prompt_templates import VariableValue
from couch_explorers.exploration.results import COLUMNS, WITH_PICTURE, Status
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd


SQUARE = (1, 1)
MISSING_FILE = "The picture's file is gone: run the sweep again, what was paid comes from the bucket."


@dataclass(frozen=True)
class CellView:
    """One cell of a sweep and what became of it; `path` is None where it has no picture.

    `template` is the text that the prompt was made from, None where there was none, and `variables` are what filled it.
    """

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
    template: str | None = None
    variables: tuple[VariableValue, ...] = ()

    @property
    def prompt_or_template(self) -> str:
        """The template where there is one, which further cells share, else the prompt."""
        return self.prompt if self.template is None else self.template

    def variable(self, name: str) -> VariableValue | None:
        """The cell's value for a variable, None where its prompt does not name it."""
        return next((value for value in self.variables if value.variable == name), None)

    @property
    def model_name(self) -> str:
        """The model's name for people, its id where it is not known."""
        known = image_models.MODELS.get(self.model)
        return known.name if known is not None else self.model


def cell_views(frame: pd.DataFrame) -> list[CellView]:
    """Read the cells of a result frame in its order; raises ExplorationError for any other frame, or one without rows."""
    _check_columns(getattr(frame, "columns", ()))
    if not len(frame):
        raise ExplorationError("The frame has no rows: run a sweep, or choose less strictly.")
    home = Home.current().path
    variables = results.variable_names(frame.columns)
    wanted = [*COLUMNS, *results.template_columns(variables)]
    _check_columns(frame.columns, wanted)
    return [_cell_view(row, home, variables) for row in frame[wanted].to_dict("records")]


def cell_view(row: Mapping[str, Any] | pd.Series) -> CellView:
    """Read one row of a result frame; raises ExplorationError for any other row."""
    variables = results.variable_names(row.keys())
    wanted = [*COLUMNS, *results.template_columns(variables)]
    _check_columns(row.keys(), wanted)
    return _cell_view({name: row[name] for name in wanted}, Home.current().path, variables)


def _check_columns(names: Iterable[str], wanted: Sequence[str] = COLUMNS) -> None:
    there = set(names)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise ExplorationError(
            f"There is no column {', '.join(missing)}: give what Sweep.run or results.load gave back.",
        )


def _cell_view(row: Mapping[str, Any], home: Path, variables: Sequence[str]) -> CellView:
    given: dict[str, Any] = {name: None if _is_missing(value) else value for name, value in row.items()}
    try:
        status = Status(given["status"])
    except ValueError as error:
        raise ExplorationError(
            f"Cell {given['number']} has the status {given['status']!r}: give what Sweep.run gave back, not a plan.",
        ) from error
    path = home / str(given["path"]) if given["path"] is not None and status in WITH_PICTURE else None
    return CellView(
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
        template=None if not variables or given[results.TEMPLATE] is None else str(given[results.TEMPLATE]),
        variables=tuple(
            VariableValue(name, str(value), str(given[f"{results.VARIABLE_TEXT}{name}"] or ""))
            for name in variables
            if (value := given[f"{results.VARIABLE}{name}"]) is not None
        ),
    )


def _is_missing(value: object) -> bool:
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


# A prompt's value is its name and its text, before variables are filled in: two runs may have given one name to two texts.
_AXIS_VALUES: dict[str, Callable[[CellView], Any]] = {
    "prompt": lambda tile: (tile.prompt_name, tile.prompt_or_template),
    "model": lambda tile: tile.model,
    "size": lambda tile: tile.size,
    "cfg_scale": lambda tile: tile.cfg_scale,
    "negative_prompt": lambda tile: tile.negative_prompt,
    "seed": lambda tile: tile.seed,
}
# The bare value, to stand behind the axis' name.
_AXIS_TEXTS: dict[str, Callable[[CellView], str]] = {
    "prompt": lambda tile: tile.prompt_name,
    "model": lambda tile: tile.model_name,
    "size": lambda tile: tile.size.replace("x", f" {TIMES} "),
    "cfg_scale": lambda tile: "default" if tile.cfg_scale is None else f"{tile.cfg_scale:g}",
    "negative_prompt": lambda tile: "none" if tile.negative_prompt is None else f"“{tile.negative_prompt}”",
    "seed": lambda tile: str(tile.seed),
}
# What stands before the value where it would not explain itself.
_AXIS_PREFIXES = {"cfg_scale": "cfg ", "negative_prompt": "without ", "seed": "seed "}
# The axes that every sweep has; each variable is one more.
AXES = tuple(_AXIS_VALUES)
# Among axes with equally many values, the first named here goes to the columns.
COLUMN_ORDER = ("seed", "size", "cfg_scale", "negative_prompt", "model", "prompt")
# A sweep fills its grid; where less of it is filled, the cells are a selection, and their pictures follow each other.
MIN_FILLED = 0.75


@dataclass(frozen=True)
class Arrangement:
    """Names of axes by place; `shared` have one value in all cells. Without rows the pictures follow each other."""

    rows: str | None
    columns: str | None
    groups: tuple[str, ...]
    shared: tuple[str, ...]
    axes: tuple[str, ...] = AXES

    @property
    def varying(self) -> tuple[str, ...]:
        """The axes that a cell's label tells, in the order of a sweep."""
        return tuple(name for name in self.axes if name not in self.shared)


@dataclass(frozen=True)
class GridRow:
    """Cells that stand side by side under one heading; None where the grid has a gap. `head` is any cell of the row."""

    head: CellView
    cells: tuple[CellView | None, ...]


@dataclass(frozen=True)
class GridGroup:
    """Rows that share the values of the group axes. `head` is any cell of the group."""

    head: CellView
    rows: tuple[GridRow, ...]


def axes_of(tiles: Iterable[CellView]) -> tuple[str, ...]:
    """List the axes of cells in the order of a sweep: the variables stand behind the prompt that they fill."""
    named = dict.fromkeys(value.variable for tile in tiles for value in tile.variables)
    return (AXES[0], *named, *AXES[1:])


def axis_name(axis: str) -> str:
    """Name an axis for people: "cfg_scale" is "cfg scale"."""
    return axis.replace("_", " ")


def axis_value(axis: str, tile: CellView) -> Hashable:
    """A cell's value on an axis, to compare by; of a variable its name and its text, None where it has none."""
    value: Hashable = _AXIS_VALUES[axis](tile) if axis in _AXIS_VALUES else tile.variable(axis)
    return value


def axis_text(axis: str, tile: CellView) -> str:
    """Write a cell's bare value on an axis, like "42"; of a variable the value's name."""
    if axis in _AXIS_TEXTS:
        return _AXIS_TEXTS[axis](tile)
    value = tile.variable(axis)
    return "none" if value is None else value.name


def axis_label(axis: str, tile: CellView) -> str:
    """Write a cell's value on an axis so that it explains itself, like "seed 42"."""
    if axis not in _AXIS_TEXTS:
        return f"{axis_name(axis)}: {axis_text(axis, tile)}"
    if axis == "negative_prompt" and tile.negative_prompt is None:
        return "no negative prompt"
    return _AXIS_PREFIXES.get(axis, "") + _AXIS_TEXTS[axis](tile)


def first_per_value(axis: str, tiles: Iterable[CellView]) -> list[CellView]:
    """One cell for each value of an axis, in the order in which the values appear."""
    found: dict[Hashable, CellView] = {}
    for tile in tiles:
        found.setdefault(axis_value(axis, tile), tile)
    return list(found.values())


def arrange(tiles: Sequence[CellView], rows: str | None = None, columns: str | None = None) -> Arrangement:
    """Choose the place of each axis that varies.

    The axis with most values goes to the columns, unless it is the prompt, whose name goes to the rows; further axes
    make groups. A single axis has no rows: its pictures follow each other. Raises ExplorationError for axes that are
    not known, or one in two places.
    """
    axes = axes_of(tiles)
    rows, columns = _known_axis(rows, "rows", axes), _known_axis(columns, "columns", axes)
    if rows is not None and rows == columns:
        raise ExplorationError(f"The axis {rows} cannot be both rows and columns: give another one to either.")
    counts = {axis: len(first_per_value(axis, tiles)) for axis in axes}
    # The last variable changes fastest, as it does in the sweep's order.
    variables = [axis for axis in reversed(axes) if axis not in COLUMN_ORDER]
    order = (*COLUMN_ORDER[:-1], *variables, COLUMN_ORDER[-1])
    free = [axis for axis in order if counts[axis] > 1 and axis not in (rows, columns)]
    free.sort(key=lambda axis: -counts[axis])
    asked = rows is not None or columns is not None
    if rows is None and "prompt" in free and len(free) + (columns is not None) > 1:
        rows = "prompt"
        free.remove(rows)
    if columns is None and free:
        columns = free.pop(0)
    if rows is None and free:
        rows = free.pop(0)
    shared = tuple(axis for axis in axes if counts[axis] == 1 and axis not in (rows, columns))
    arrangement = Arrangement(rows, columns, tuple(axis for axis in axes if axis in free), shared, axes)
    sparse = not asked and _is_sparse(tiles, arrangement, counts)
    return Arrangement(None, None, (), shared, axes) if sparse else arrangement


def group_cells(tiles: Sequence[CellView], arrangement: Arrangement) -> list[GridGroup]:
    """Lay the cells out as groups of rows; cells with equal values throughout get a row of their own each."""
    if arrangement.rows is None:
        return [GridGroup(tiles[0], (GridRow(tiles[0], tuple(tiles)),))]
    groups: dict[Hashable, list[CellView]] = {}
    for tile in tiles:
        groups.setdefault(tuple(axis_value(axis, tile) for axis in arrangement.groups), []).append(tile)
    across = arrangement.columns
    places = [axis_value(across, tile) for tile in first_per_value(across, tiles)] if across else [None]
    return [GridGroup(members[0], tuple(_grid_rows(members, places, arrangement))) for members in groups.values()]


def _grid_rows(members: Sequence[CellView], places: Sequence[Hashable], arrangement: Arrangement) -> Iterable[GridRow]:
    across = arrangement.columns
    rows: dict[Hashable, list[CellView]] = {}
    for tile in members:
        rows.setdefault(axis_value(str(arrangement.rows), tile), []).append(tile)
    for row in rows.values():
        at: dict[Hashable, list[CellView]] = {}
        for tile in row:
            at.setdefault(axis_value(across, tile) if across else None, []).append(tile)
        for layer in range(max(map(len, at.values()))):
            yield GridRow(
                row[0],
                tuple(at[place][layer] if len(at.get(place, ())) > layer else None for place in places),
            )


def _known_axis(axis: str | None, place: str, axes: Sequence[str]) -> str | None:
    if axis is None:
        return None
    name = "prompt" if axis == "prompt_name" else axis.removeprefix(results.VARIABLE)
    if name not in axes:
        raise ExplorationError(f"There is no axis {axis!r} for the {place}: use one of {', '.join(axes)}.")
    return name


def _is_sparse(tiles: Sequence[CellView], arrangement: Arrangement, counts: dict[str, int]) -> bool:
    places = 1
    for axis in (arrangement.rows, arrangement.columns, *arrangement.groups):
        places *= counts[axis] if axis else 1
    return len(tiles) < MIN_FILLED * places


TIMES = "\u00d7"  # the multiplication sign


def distinguishing_labels(tiles: Sequence[CellView]) -> list[str]:
    """Tell each cell from the others: its values on the axes that vary, without the prompt, which stands above."""
    varying = [axis for axis in arrange(tiles).varying if axis != "prompt"] if tiles else []
    return [" · ".join(axis_label(axis, tile) for axis in varying or ["seed"]) for tile in tiles]
