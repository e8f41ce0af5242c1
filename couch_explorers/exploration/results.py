"""The outcome of each cell, the frame of a run, and the saved runs: a folder each, with `run.json` and `results.csv`."""

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
    """How a cell ended."""

    MADE = "made"  # asked for in this run, and paid
    CACHED = "cached"  # there already, here or in the bucket; not paid
    SAME = "same"  # another cell of this sweep asks for the same picture
    REFUSED = "refused"  # the model does not take it; never sent
    FILTERED = "filtered"  # a content filter withheld it
    THROTTLED = "throttled"  # the model was asked too often, retries included
    FAILED = "failed"  # anything else
    STOPPED = "stopped"  # the run was not started, or interrupted before the answer was there


# Those that have a picture.
WITH_PICTURE = (Status.MADE, Status.CACHED, Status.SAME)

# The columns of a sweep's result, in this order; that of a sweep with variables has those of `columns_of` besides.
COLUMNS = (
    "number", "prompt_name", "prompt", "model", "seed", "size", "cfg_scale", "negative_prompt",
    "status", "reason", "seconds", "usd", "path", "key", "width", "height", "id",
)  # fmt: skip
# The prompt's template, and for each variable the name of its value and the text that stands in the prompt; all three are
# missing where the prompt had no template or that does not name the variable.
TEMPLATE, VARIABLE, VARIABLE_TEXT = "template", "variables.", "texts."


def variable_names(columns: Iterable[str]) -> list[str]:
    """Tell the variables of a frame by its columns, in their order."""
    return [name.removeprefix(VARIABLE) for name in columns if str(name).startswith(VARIABLE)]


def template_columns(variables: Iterable[str]) -> tuple[str, ...]:
    """Name the columns that a plan or a result with these variables has besides: none where there are none."""
    named = tuple(variables)
    return (*(TEMPLATE for _ in named[:1]), *(f"{kind}{name}" for name in named for kind in (VARIABLE, VARIABLE_TEXT)))


class Templated(Protocol):
    """What was made from a template: a cell, or the view of one."""

    @property
    def template(self) -> str | None:
        """The template, None where there was none."""

    @property
    def variables(self) -> tuple[VariableValue, ...]:
        """What was filled in."""


def template_values(cell: Templated, variables: Sequence[str]) -> tuple[str | None, ...]:
    """Give a cell's values for `template_columns`, None where there is none."""
    if not variables:
        return ()
    found = {value.variable: (value.name, value.text) for value in cell.variables}
    return (cell.template, *(part for name in variables for part in found.get(name, (None, None))))


def variables_of(cells: Iterable[Templated]) -> list[str]:
    """List the variables that cells have a value for, in the order in which they appear."""
    return list(dict.fromkeys(value.variable for cell in cells for value in cell.variables))


@dataclass(frozen=True)
class RunContext:
    """What is true of all rows of a run's frame: its `context`.

    `target` is where its pictures were made, "" where that is not known; `run` is the folder of the saved run, None for one that
    was not saved; `unstarted` says why a run was not started, "" where it was.
    """

    target: str = ""
    run: Path | None = None
    title: str = ""
    purpose: str = ""
    unstarted: str = ""


def context_of(result: object) -> RunContext:
    """Give the context of a run's frame, or of a part of it; the default for any other object."""
    found = getattr(result, "context", None)
    return found if isinstance(found, RunContext) else RunContext()


@dataclass(frozen=True)
class Outcome:
    """How the cell of this number ended.

    `reason` is one sentence wherever there is no picture; `seconds` are the cell's own, from asking to having; `usd` is
    what was paid for it in this run; `path` is the picture here, `key` the one in the bucket, None where it is not there.
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
# The columns that are no text; nullable whole numbers where a cell may have none.
DTYPES = {
    "number": "int64",
    "seed": "int64",
    "cfg_scale": "float64",
    "seconds": "float64",
    "usd": "float64",
    "width": "Int64",
    "height": "Int64",
}
# Texts that a cell may lack; everywhere else an empty text is an empty text.
NULLABLE = ("negative_prompt", "path", "key", TEMPLATE)
MAX_SLUG_CHARACTERS = 40
STOPPED_REASON = "The run was stopped before the picture was there: run again to go on."


def columns_of(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Name the columns of a result of these cells: COLUMNS, and those of the variables behind them."""
    return (*COLUMNS, *template_columns(variables_of(cells)))


def result_rows(cells: Sequence[Cell], outcomes: Mapping[int, Outcome]) -> list[ResultRow]:
    """Make the rows of a sweep's result, one row a cell in the order given.

    Args:
        cells: of one sweep.
        outcomes: by the cell's number; a cell without one was stopped.

    Returns:
        The values of `columns_of(cells)`, None for what is not there.

    """
    variables = variables_of(cells)
    return [(*_result_row(cell, outcomes.get(cell.number)), *template_values(cell, variables)) for cell in cells]


def to_frame(cells: Sequence[Cell], outcomes: Mapping[int, Outcome], context: RunContext = RunContext()) -> RunFrame:
    """Make the result of a sweep: the columns of `columns_of`, one row a cell in the order given; see `result_rows`.

    `seconds` and `usd` are the cell's own, `path` is a file here, `key` one in the bucket, `width` and `height` are pixels;
    what is not there is missing (NaN, NA).
    """
    from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - it brings pandas, which not every caller needs

    columns = columns_of(cells)
    values = RunFrame(result_rows(cells, outcomes), columns=list(columns))
    frame: RunFrame = values.astype({name: DTYPES.get(name, "str") for name in columns})
    frame.context = context
    return frame


def new_run_folder(target: str, title: str, started: datetime) -> Path:
    """Name the folder of a run that begins now: time in UTC, title, and four digits that tell twins apart."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_CHARACTERS].strip("-")
    parts = (started.astimezone(UTC).strftime("%Y%m%d-%H%M%S"), slug, secrets.token_hex(2))
    return Home.current().runs(target) / "-".join(filter(None, parts))


# What a spreadsheet takes for a formula or cuts off, and an apostrophe before it: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def escape_formula(value: str) -> str:
    """Write a text for a CSV file so that a spreadsheet shows it instead of running it: with an apostrophe before a formula."""
    return f"'{value}" if _FORMULA.match(value) else value


def unescape_formula(cell: str) -> str:
    """Read a text that `escape_formula` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def save_run(
    found: Iterable[ResultRow],
    folder: Path,
    run: Mapping[str, Any],
    columns: Sequence[str] = COLUMNS,
) -> Path:
    """Save a result's rows as `folder/results.csv` and what is to be known of the run as `folder/run.json`.

    Args:
        found: what `result_rows` returned. Paths are written relative to the home folder, which may move.
        folder: the run's own; made where it is not there.
        run: plain values, among them "title", "purpose", "target" and "started" (ISO, UTC).
        columns: the names of the rows' values, `columns_of` the cells.

    Returns:
        The folder.

    Raises:
        ExplorationError: the folder cannot be written.

    """
    home = Home.current().path
    table = io.StringIO()
    # Not by the frame: who interrupts a run does not want to wait for its library.
    # All texts in quotes: Python 3.11 leaves them out around a carriage return, at which a row would end.
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    for row in found:
        plain = (*row[:PATH], _relative_path(row[PATH], home), *row[PATH + 1 :])
        writer.writerow([escape_formula(value) if isinstance(value, str) else value for value in plain])
    try:
        # A lone half of a character pair, which no file in UTF-8 can hold, comes only with a refused cell.
        write_whole(folder / RESULTS_FILE, table.getvalue().encode("utf-8", "backslashreplace"))
        # Last, because it makes the folder a run.
        write_json(folder / RUN_FILE, dict(run))
    except OSError as error:
        raise ExplorationError(
            f"The run could not be saved in {folder} ({error.strerror}); its pictures are in the cache. "
            "Make room or give the right to write there, and run again: what is there costs nothing.",
        ) from error
    return folder


def load(folder: str | Path) -> RunFrame:
    """Read a saved run as the frame that `Sweep.run` gave; `folder` may be named as seen from the project's folder.

    Raises ExplorationError for a folder that is no run.
    """
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - likewise

    folder = paths.resolve(folder)
    info = RunInfo.read(folder)
    try:
        columns = tuple(pd.read_csv(folder / RESULTS_FILE, nrows=0, encoding="utf-8").columns)
        # An empty text may be a variable's value; only its name tells whether there is one.
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
    """List the saved runs of a target, newest first; a folder that holds no whole run is left out."""
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

    `started` is UTC, `seconds` the whole run's; `requests` counts the cells, `pictures` those that have one, `made` those
    that were paid for in this run, `usd` what they cost.
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
        """Read what `save` wrote; raises ExplorationError for a folder that is no run."""
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
                # Runs saved before there were templates have none.
                variables={name: dict(values) for name, values in run["axes"].get("variables", {}).items()},
            )
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise ExplorationError(f"{folder} is no saved run: results.runs() lists those there are.") from error

    def frame(self) -> RunFrame:
        """Read the run's rows: see `load`."""
        return load(self.folder)


def run_totals(found: Iterable[ResultRow]) -> dict[str, Any]:
    """Count a result's rows: requests, pictures, made (paid for in this run), and usd."""
    ends = [(Status(row[STATUS]), row[USD]) for row in found]
    return {
        "requests": len(ends),
        "pictures": sum(status in WITH_PICTURE for status, _ in ends),
        "made": sum(status is Status.MADE for status, _ in ends),
        "usd": round(sum(usd for _, usd in ends), 4),
    }


def _result_row(cell: Cell, outcome: Outcome | None) -> ResultRow:
    asked = (cell.number, cell.prompt_name, cell.prompt, cell.model, cell.seed, cell.size, cell.cfg_scale)
    ended = outcome or Outcome(cell.number, Status.STOPPED, STOPPED_REASON)
    path = None if ended.path is None else str(ended.path)
    told = (str(ended.status), ended.reason, ended.seconds, ended.usd, path, ended.key, ended.width, ended.height)
    return (*asked, cell.negative_prompt, *told, cell.id)


def _relative_path(path: object, home: Path) -> object:
    """A path as it is written: below the home folder without it, elsewhere whole; missing stays missing."""
    if isinstance(path, str) and Path(path).is_relative_to(home):
        return Path(path).relative_to(home).as_posix()
    return path
