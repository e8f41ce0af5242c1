"""The cells of a result frame as a grid: which axis becomes the rows, the columns and the groups."""

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
    """One cell of a sweep and its outcome; `path` is None if it has no picture.

    `template` is the template that the prompt was made from, None if there was none; `variables` are the values filled in.
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
        """The template if there is one, which other cells share; else the prompt."""
        return self.prompt if self.template is None else self.template

    def variable(self, name: str) -> VariableValue | None:
        """Return the cell's value for a variable, None if its prompt does not name it."""
        return next((value for value in self.variables if value.variable == name), None)

    @property
    def model_name(self) -> str:
        """The model's display name; its id if the model is unknown."""
        known = image_models.MODELS.get(self.model)
        return known.name if known is not None else self.model


def cell_views(frame: pd.DataFrame) -> list[CellView]:
    """Read the cells of a result frame in its order; raises ExplorationError for any other frame, or one without rows."""
    _check_columns(getattr(frame, "columns", ()))
    if not len(frame):
        raise ExplorationError("The frame has no rows: run a sweep, or filter less strictly.")
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
    existing = set(names)
    missing = [name for name in wanted if name not in existing]
    if missing:
        raise ExplorationError(
            f"There is no column {', '.join(missing)}: pass what Sweep.run or results.load returned.",
        )


def _cell_view(row: Mapping[str, Any], home: Path, variables: Sequence[str]) -> CellView:
    values: dict[str, Any] = {name: None if _is_missing(value) else value for name, value in row.items()}
    try:
        status = Status(values["status"])
    except ValueError as error:
        raise ExplorationError(
            f"Cell {values['number']} has the status {values['status']!r}: pass what Sweep.run returned, not a plan.",
        ) from error
    path = home / str(values["path"]) if values["path"] is not None and status in WITH_PICTURE else None
    return CellView(
        number=int(values["number"]),
        prompt_name=str(values["prompt_name"]),
        prompt=str(values["prompt"]),
        model=str(values["model"]),
        seed=int(values["seed"]),
        size=str(values["size"]),
        cfg_scale=None if values["cfg_scale"] is None else float(values["cfg_scale"]),
        negative_prompt=None if values["negative_prompt"] is None else str(values["negative_prompt"]),
        status=status,
        reason=str(values["reason"] or ""),
        usd=float(values["usd"] or 0.0),
        path=path,
        picture_size=_picture_size(values),
        id=str(values["id"] or ""),
        template=None if not variables or values[results.TEMPLATE] is None else str(values[results.TEMPLATE]),
        variables=tuple(
            VariableValue(name, str(value), str(values[f"{results.VARIABLE_TEXT}{name}"] or ""))
            for name in variables
            if (value := values[f"{results.VARIABLE}{name}"]) is not None
        ),
    )


def _is_missing(value: object) -> bool:
    """Check for None, NaN and pandas' NA, whichever the column's type uses."""
    # Only NaN differs from itself; NA is neither equal nor unequal.
    return value is None or type(value).__name__ == "NAType" or value != value  # noqa: PLR0124


def _picture_size(values: dict[str, Any]) -> tuple[int, int]:
    """Return the picture's size in pixels; without a picture, the size that the model would have made."""
    if values["width"] and values["height"]:
        return int(values["width"]), int(values["height"])
    try:
        return image_models.get(str(values["model"])).picture_size(str(values["size"]))
    except GenerationError:
        return SQUARE


# A prompt's value is its name and its template: two runs may have used one name for two texts.
_AXIS_VALUES: dict[str, Callable[[CellView], Any]] = {
    "prompt": lambda tile: (tile.prompt_name, tile.prompt_or_template),
    "model": lambda tile: tile.model,
    "size": lambda tile: tile.size,
    "cfg_scale": lambda tile: tile.cfg_scale,
    "negative_prompt": lambda tile: tile.negative_prompt,
    "seed": lambda tile: tile.seed,
}
# The bare value, to be shown after the axis' name.
_AXIS_TEXTS: dict[str, Callable[[CellView], str]] = {
    "prompt": lambda tile: tile.prompt_name,
    "model": lambda tile: tile.model_name,
    "size": lambda tile: tile.size.replace("x", f" {TIMES} "),
    "cfg_scale": lambda tile: "default" if tile.cfg_scale is None else f"{tile.cfg_scale:g}",
    "negative_prompt": lambda tile: "none" if tile.negative_prompt is None else f"“{tile.negative_prompt}”",
    "seed": lambda tile: str(tile.seed),
}
# Prefixes of values that would not be clear by themselves.
_AXIS_PREFIXES = {"cfg_scale": "cfg ", "negative_prompt": "without ", "seed": "seed "}
# The axes of every sweep; each variable adds one.
AXES = tuple(_AXIS_VALUES)
# Among axes with equally many values, the first one here becomes the columns.
COLUMN_ORDER = ("seed", "size", "cfg_scale", "negative_prompt", "model", "prompt")
# A sweep fills its grid; if less is filled, the cells are a selection, and their pictures are laid out one after another.
MIN_FILLED = 0.75


@dataclass(frozen=True)
class Arrangement:
    """Axis names by position; `shared` axes have one value in all cells. Without rows, pictures are laid out in sequence."""

    rows: str | None
    columns: str | None
    groups: tuple[str, ...]
    shared: tuple[str, ...]
    axes: tuple[str, ...] = AXES

    @property
    def varying(self) -> tuple[str, ...]:
        """The axes that a cell's label shows, in the order of a sweep."""
        return tuple(name for name in self.axes if name not in self.shared)


@dataclass(frozen=True)
class GridRow:
    """Cells side by side under one heading; None for a gap in the grid. `head` is any cell of the row."""

    head: CellView
    cells: tuple[CellView | None, ...]


@dataclass(frozen=True)
class GridGroup:
    """Rows that share the values of the group axes. `head` is any cell of the group."""

    head: CellView
    rows: tuple[GridRow, ...]


def axes_of(tiles: Iterable[CellView]) -> tuple[str, ...]:
    """List the axes of cells in the order of a sweep: variables come after the prompt."""
    named = dict.fromkeys(value.variable for tile in tiles for value in tile.variables)
    return (AXES[0], *named, *AXES[1:])


def axis_name(axis: str) -> str:
    """Return the display name of an axis: "cfg scale" for "cfg_scale"."""
    return axis.replace("_", " ")


def axis_value(axis: str, tile: CellView) -> Hashable:
    """Return a cell's value on an axis, for comparisons; None for a variable that the cell does not have."""
    value: Hashable = _AXIS_VALUES[axis](tile) if axis in _AXIS_VALUES else tile.variable(axis)
    return value


def axis_text(axis: str, tile: CellView) -> str:
    """Return a cell's bare value on an axis, like "42"; for a variable, the value's name."""
    if axis in _AXIS_TEXTS:
        return _AXIS_TEXTS[axis](tile)
    value = tile.variable(axis)
    return "none" if value is None else value.name


def axis_label(axis: str, tile: CellView) -> str:
    """Return a cell's value on an axis as a self-explanatory label, like "seed 42"."""
    if axis not in _AXIS_TEXTS:
        return f"{axis_name(axis)}: {axis_text(axis, tile)}"
    if axis == "negative_prompt" and tile.negative_prompt is None:
        return "no negative prompt"
    return _AXIS_PREFIXES.get(axis, "") + _AXIS_TEXTS[axis](tile)


def first_per_value(axis: str, tiles: Iterable[CellView]) -> list[CellView]:
    """Return one cell for each value of an axis, in order of appearance."""
    found: dict[Hashable, CellView] = {}
    for tile in tiles:
        found.setdefault(axis_value(axis, tile), tile)
    return list(found.values())


def arrange(tiles: Sequence[CellView], rows: str | None = None, columns: str | None = None) -> Arrangement:
    """Choose the position of each axis that varies.

    The axis with the most values becomes the columns, unless it is the prompt, which becomes the rows; further axes
    become groups. A single axis has no rows: its pictures are laid out in sequence. Raises ExplorationError for an
    unknown axis, or one in two positions.
    """
    axes = axes_of(tiles)
    rows, columns = _known_axis(rows, "rows", axes), _known_axis(columns, "columns", axes)
    if rows is not None and rows == columns:
        raise ExplorationError(f"The axis {rows} cannot be both rows and columns: give another one to either.")
    counts = {axis: len(first_per_value(axis, tiles)) for axis in axes}
    # The last variable changes fastest, as in the sweep's order.
    variables = [axis for axis in reversed(axes) if axis not in COLUMN_ORDER]
    order = (*COLUMN_ORDER[:-1], *variables, COLUMN_ORDER[-1])
    free = [axis for axis in order if counts[axis] > 1 and axis not in (rows, columns)]
    free.sort(key=lambda axis: -counts[axis])
    explicit = rows is not None or columns is not None
    if rows is None and "prompt" in free and len(free) + (columns is not None) > 1:
        rows = "prompt"
        free.remove(rows)
    if columns is None and free:
        columns = free.pop(0)
    if rows is None and free:
        rows = free.pop(0)
    shared = tuple(axis for axis in axes if counts[axis] == 1 and axis not in (rows, columns))
    arrangement = Arrangement(rows, columns, tuple(axis for axis in axes if axis in free), shared, axes)
    sparse = not explicit and _is_sparse(tiles, arrangement, counts)
    return Arrangement(None, None, (), shared, axes) if sparse else arrangement


def group_cells(tiles: Sequence[CellView], arrangement: Arrangement) -> list[GridGroup]:
    """Lay the cells out as groups of rows; cells with identical values get separate rows."""
    if arrangement.rows is None:
        return [GridGroup(tiles[0], (GridRow(tiles[0], tuple(tiles)),))]
    groups: dict[Hashable, list[CellView]] = {}
    for tile in tiles:
        groups.setdefault(tuple(axis_value(axis, tile) for axis in arrangement.groups), []).append(tile)
    across = arrangement.columns
    column_values = [axis_value(across, tile) for tile in first_per_value(across, tiles)] if across else [None]
    return [
        GridGroup(members[0], tuple(_grid_rows(members, column_values, arrangement))) for members in groups.values()
    ]


def _grid_rows(
    members: Sequence[CellView], column_values: Sequence[Hashable], arrangement: Arrangement
) -> Iterable[GridRow]:
    across = arrangement.columns
    rows: dict[Hashable, list[CellView]] = {}
    for tile in members:
        rows.setdefault(axis_value(str(arrangement.rows), tile), []).append(tile)
    for row in rows.values():
        by_column: dict[Hashable, list[CellView]] = {}
        for tile in row:
            by_column.setdefault(axis_value(across, tile) if across else None, []).append(tile)
        for layer in range(max(map(len, by_column.values()))):
            yield GridRow(
                row[0],
                tuple(
                    by_column[value][layer] if len(by_column.get(value, ())) > layer else None
                    for value in column_values
                ),
            )


def _known_axis(axis: str | None, position: str, axes: Sequence[str]) -> str | None:
    if axis is None:
        return None
    name = "prompt" if axis == "prompt_name" else axis.removeprefix(results.VARIABLE)
    if name not in axes:
        raise ExplorationError(f"There is no axis {axis!r} for the {position}: use one of {', '.join(axes)}.")
    return name


def _is_sparse(tiles: Sequence[CellView], arrangement: Arrangement, counts: dict[str, int]) -> bool:
    places = 1
    for axis in (arrangement.rows, arrangement.columns, *arrangement.groups):
        places *= counts[axis] if axis else 1
    return len(tiles) < MIN_FILLED * places


TIMES = "\u00d7"  # the multiplication sign


def distinguishing_labels(tiles: Sequence[CellView]) -> list[str]:
    """Return labels that distinguish the cells: their values on the axes that vary, without the prompt."""
    varying = [axis for axis in arrange(tiles).varying if axis != "prompt"] if tiles else []
    return [" · ".join(axis_label(axis, tile) for axis in varying or ["seed"]) for tile in tiles]
