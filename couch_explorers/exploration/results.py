"""The outcome of each cell, the frame of a run, and saved runs: one folder each, with `run.json` and `results.csv`."""

from __future__ import annotations

import csv
import io
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from couch_explorers import paths
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.files import read_json, write_json, write_whole
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from couch_explorers.exploration.frames import RunFrame
    from couch_explorers.exploration.prompt_templates import VariableValue
    from couch_explorers.exploration.sweep_spec import Cell


class Status(StrEnum):
    """The outcome of a cell."""

    MADE = "made"  # generated in this run, and paid for
    CACHED = "cached"  # already existed, locally or in the bucket; not paid for
    SAME = "same"  # another cell of this sweep requests the same picture
    REFUSED = "refused"  # the model does not accept it; never sent
    FILTERED = "filtered"  # a content filter withheld it
    THROTTLED = "throttled"  # the model was throttled, after retries
    FAILED = "failed"  # anything else
    STOPPED = "stopped"  # the run was not started, or was interrupted before the result


# The statuses of cells with a picture.
WITH_PICTURE = (Status.MADE, Status.CACHED, Status.SAME)

# The columns of a sweep's result, in this order; a sweep with variables has more, see `columns_of`.
COLUMNS = (
    "number", "prompt_name", "prompt", "model", "seed", "size", "cfg_scale", "negative_prompt",
    "status", "reason", "seconds", "usd", "path", "key", "width", "height", "id",
)  # fmt: skip
# The prompt's template, and for each variable its value's name and its text in the prompt; all three are missing if the prompt
# had no template, or if that does not name the variable.
TEMPLATE, VARIABLE, VARIABLE_TEXT = "template", "variables.", "texts."


def variable_names(columns: Iterable[str]) -> list[str]:
    """Return the variables of a frame by its columns, in order."""
    return [name.removeprefix(VARIABLE) for name in columns if str(name).startswith(VARIABLE)]


def template_columns(variables: Iterable[str]) -> tuple[str, ...]:
    """Return the additional columns of a plan or a result with these variables: none without variables."""
    named = tuple(variables)
    return (*(TEMPLATE for _ in named[:1]), *(f"{kind}{name}" for name in named for kind in (VARIABLE, VARIABLE_TEXT)))


class Templated(Protocol):
    """Something made from a template: a cell, or its view."""

    @property
    def template(self) -> str | None:
        """The template, None if there was none."""

    @property
    def variables(self) -> tuple[VariableValue, ...]:
        """The values that were filled in."""


def template_values(cell: Templated, variables: Sequence[str]) -> tuple[str | None, ...]:
    """Return a cell's values for `template_columns`, None for missing ones."""
    if not variables:
        return ()
    found = {value.variable: (value.name, value.text) for value in cell.variables}
    return (cell.template, *(part for name in variables for part in found.get(name, (None, None))))


def variables_of(cells: Iterable[Templated]) -> list[str]:
    """List the variables of some cells, in order of appearance."""
    return list(dict.fromkeys(value.variable for cell in cells for value in cell.variables))


@dataclass(frozen=True)
class RunContext:
    """The values common to all rows of a run's frame: its `context`.

    `target` is where its pictures were made, "" if unknown; `run` is the folder of the saved run, None if it was not saved;
    `unstarted` says why a run was not started, "" if it was.
    """

    target: str = ""
    run: Path | None = None
    title: str = ""
    purpose: str = ""
    unstarted: str = ""


def context_of(result: object) -> RunContext:
    """Return the context of a run's frame, or of a part of it; the default for any other object."""
    found = getattr(result, "context", None)
    return found if isinstance(found, RunContext) else RunContext()


@dataclass(frozen=True)
class Outcome:
    """The outcome of the cell with this number.

    `reason` is one sentence if there is no picture; `seconds` is the cell's own time, from request to result; `usd` is what
    was paid for it in this run; `path` is the local picture, `key` the one in the bucket, None if it is not there.
    """

    number: int
    status: Status
    reason: str = ""
    seconds: float | None = None
    usd: float = 0.0
    path: Path | None = None
    key: str | None = None
    width: int | None = None
    height: int | None = None


ResultRow = tuple[Any, ...]
PATH, STATUS, USD = (COLUMNS.index(name) for name in ("path", "status", "usd"))

RUN_FILE, RESULTS_FILE = "run.json", "results.csv"
# The columns that are not text; nullable integers where a cell may have no value.
DTYPES = {
    "number": "int64",
    "seed": "int64",
    "cfg_scale": "float64",
    "seconds": "float64",
    "usd": "float64",
    "width": "Int64",
    "height": "Int64",
}
# Texts that may be missing; everywhere else, an empty text is an empty text.
NULLABLE = ("negative_prompt", "path", "key", TEMPLATE)
MAX_SLUG_CHARACTERS = 40
STOPPED_REASON = "The run was stopped before the picture was there: run again to go on."


def columns_of(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return the columns of a result of these cells: COLUMNS, and those of their variables."""
    return (*COLUMNS, *template_columns(variables_of(cells)))


def result_rows(cells: Sequence[Cell], outcomes: Mapping[int, Outcome]) -> list[ResultRow]:
    """Return the rows of a sweep's result, one per cell in the given order.

    Args:
        cells: the cells of one sweep.
        outcomes: by the cell's number; a cell without one was stopped.

    Returns:
        The values of `columns_of(cells)`, None for missing ones.

    """
    variables = variables_of(cells)
    return [(*_result_row(cell, outcomes.get(cell.number)), *template_values(cell, variables)) for cell in cells]


def to_frame(cells: Sequence[Cell], outcomes: Mapping[int, Outcome], context: RunContext = RunContext()) -> RunFrame:
    """Return the result of a sweep: the columns of `columns_of`, one row per cell in the given order; see `result_rows`.

    `seconds` and `usd` are the cell's own, `path` is a local file, `key` an object in the bucket, `width` and `height` are in
    pixels; missing values are NaN or NA.
    """
    from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - imports pandas, which not every caller needs

    columns = columns_of(cells)
    values = RunFrame(result_rows(cells, outcomes), columns=list(columns))
    frame: RunFrame = values.astype({name: DTYPES.get(name, "str") for name in columns})
    frame.context = context
    return frame


def new_run_folder(target: str, title: str, started: datetime) -> Path:
    """Return the folder of a new run: time in UTC, title, and four random digits to keep names unique."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARACTERS].strip("-")
    parts = (started.astimezone(UTC).strftime("%Y%m%d-%H%M%S"), slug, secrets.token_hex(2))
    return Home.current().runs(target) / "-".join(filter(None, parts))


# What a spreadsheet interprets as a formula or truncates, and an apostrophe before it: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def escape_formula(value: str) -> str:
    """Prefix a formula with an apostrophe, so that a spreadsheet shows the CSV file's text instead of running it."""
    return f"'{value}" if _FORMULA.match(value) else value


def unescape_formula(cell: str) -> str:
    """Undo `escape_formula`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def save_run(
    found: Iterable[ResultRow],
    folder: Path,
    run: Mapping[str, Any],
    columns: Sequence[str] = COLUMNS,
) -> Path:
    """Save a result's rows as `folder/results.csv` and the run's properties as `folder/run.json`.

    Args:
        found: what `result_rows` returned. Paths are written relative to the home folder, which may move.
        folder: the run's folder; created if missing.
        run: plain values, among them "title", "purpose", "target" and "started" (ISO, UTC).
        columns: the names of the rows' values, `columns_of` the cells.

    Returns:
        The folder.

    Raises:
        ExplorationError: the folder cannot be written.

    """
    home = Home.current().path
    table = io.StringIO()
    # Without pandas, so that interrupting a run does not have to wait for its import.
    # All texts in quotes: Python 3.11 does not quote a carriage return, which would end the row.
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    for row in found:
        plain = (*row[:PATH], _relative_path(row[PATH], home), *row[PATH + 1 :])
        writer.writerow([escape_formula(value) if isinstance(value, str) else value for value in plain])
    try:
        # A lone surrogate, which UTF-8 cannot encode, occurs only in a refused cell.
        write_whole(folder / RESULTS_FILE, table.getvalue().encode("utf-8", "backslashreplace"))
        # Last, because this file marks the folder as a run.
        write_json(folder / RUN_FILE, dict(run))
    except OSError as error:
        raise ExplorationError(
            f"The run could not be saved in {folder} ({error.strerror}); its pictures are in the cache. "
            "Make room or give the right to write there, and run again: what is there costs nothing.",
        ) from error
    return folder


def load(folder: str | Path) -> RunFrame:
    """Read a saved run as the frame that `Sweep.run` returned; `folder` may be relative to the project's folder.

    Raises ExplorationError for a folder that is not a run.
    """
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - likewise

    folder = paths.resolve(folder)
    info = RunInfo.read(folder)
    try:
        columns = tuple(pd.read_csv(folder / RESULTS_FILE, nrows=0, encoding="utf-8").columns)
        # A variable's text may be empty; only a missing name means that there is no value.
        nullable = [name for name in columns if name in NULLABLE or name.startswith(VARIABLE)]
        read = pd.read_csv(
            folder / RESULTS_FILE,
            dtype={name: DTYPES.get(name, "str") for name in columns},
            # "NA" and "null" are prompts like any other.
            keep_default_na=False,
            na_values={name: [""] for name in (*DTYPES, *nullable)},
            encoding="utf-8",
        )
    except (OSError, ValueError) as error:
        raise ExplorationError(f"{folder / RESULTS_FILE} cannot be read ({error}): remove the folder.") from error
    variables = variable_names(columns)
    if columns != (*COLUMNS, *template_columns(variables)):
        raise ExplorationError(
            f"{folder / RESULTS_FILE} lacks columns or has others than a sweep's: remove the folder.",
        )
    for name in (name for name in columns if name not in DTYPES):
        read[name] = read[name].map(unescape_formula, na_action="ignore").astype("str")
    for name in variables:
        read.loc[read[f"{VARIABLE}{name}"].isna(), f"{VARIABLE_TEXT}{name}"] = None
    home = Home.current().path
    read["path"] = pd.Series(
        [str(home / path) if isinstance(path, str) else None for path in read["path"]],
        dtype="str",
        index=read.index,
    )
    frame = RunFrame(read)
    frame.context = RunContext(info.target, folder, info.title, info.purpose)
    return frame


def runs(target: str = "local") -> list[RunInfo]:
    """List the saved runs of a target, newest first; folders without a complete run are left out."""
    found = []
    for folder in Home.current().runs(target).glob("*/"):
        try:
            found.append(RunInfo.read(folder))
        except ExplorationError:
            continue
    return sorted(found, key=lambda run: (run.started, run.folder.name), reverse=True)


@dataclass(frozen=True)
class RunInfo:
    """A saved run without its rows.

    `started` is UTC, `seconds` the duration of the run; `requests` is the number of cells, `pictures` of those with one,
    `made` of those paid for in this run, `usd` their cost.
    """

    folder: Path
    title: str
    purpose: str
    target: str
    via: str
    started: datetime
    seconds: float
    requests: int
    pictures: int
    made: int
    usd: float
    prompts: dict[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    variables: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> RunInfo:
        """Read what `save_run` wrote; raises ExplorationError for a folder that is not a run."""
        try:
            run: dict[str, Any] = read_json(folder / RUN_FILE) or {}
            return cls(
                folder=folder,
                title=run["title"],
                purpose=run["purpose"],
                target=run["target"],
                via=run["via"],
                started=datetime.fromisoformat(run["started"]),
                seconds=float(run["seconds"]),
                **{name: run["totals"][name] for name in ("requests", "pictures", "made", "usd")},
                prompts=dict(run["axes"]["prompts"]),
                models=tuple(run["axes"]["models"]),
                # Runs saved before templates existed have none.
                variables={name: dict(values) for name, values in run["axes"].get("variables", {}).items()},
            )
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise ExplorationError(f"{folder} is no saved run: results.runs() lists those there are.") from error

    def frame(self) -> RunFrame:
        """Read the run's rows: see `load`."""
        return load(self.folder)


def run_totals(found: Iterable[ResultRow]) -> dict[str, Any]:
    """Count a result's rows: requests, pictures, made (paid for in this run), and usd."""
    outcomes = [(Status(row[STATUS]), row[USD]) for row in found]
    return {
        "requests": len(outcomes),
        "pictures": sum(status in WITH_PICTURE for status, _ in outcomes),
        "made": sum(status is Status.MADE for status, _ in outcomes),
        "usd": round(sum(usd for _, usd in outcomes), 4),
    }


def _result_row(cell: Cell, outcome: Outcome | None) -> ResultRow:
    request = (cell.number, cell.prompt_name, cell.prompt, cell.model, cell.seed, cell.size, cell.cfg_scale)
    ended = outcome or Outcome(cell.number, Status.STOPPED, STOPPED_REASON)
    path = None if ended.path is None else str(ended.path)
    result = (str(ended.status), ended.reason, ended.seconds, ended.usd, path, ended.key, ended.width, ended.height)
    return (*request, cell.negative_prompt, *result, cell.id)


def _relative_path(path: object, home: Path) -> object:
    """Return a path relative to the home folder if it is below it; any other value unchanged."""
    if isinstance(path, str) and Path(path).is_relative_to(home):
        return Path(path).relative_to(home).as_posix()
    return path
