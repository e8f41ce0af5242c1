"""Saved benchmark runs (`benchmarks/results/`), and the figure of the Java client from one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from couch_explorers import formatting, plot_style
from couch_explorers.figures import charts, provenance
from couch_explorers.figures.charts import Group, Row
from couch_explorers.figures.figure import FigureError, RenderedFigure
from couch_explorers.files import read_json
from couch_explorers.metrics.plots.figure import Panel
from couch_explorers.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = PROJECT_ROOT / "benchmarks" / "results"
UNKNOWN_COMMIT = "unknown"


@dataclass(frozen=True)
class Measured:
    """One figure of a run; `unit` is empty for a ratio, `budget` None if there is none."""

    title: str
    unit: str
    minimum: float
    median: float
    maximum: float
    budget: float | None = None


@dataclass(frozen=True)
class SavedRun:
    """A run of a benchmark: when (UTC), at which commit (empty where it is not known), how often, on what, and its figures."""

    benchmark: str
    measured: datetime
    commit: str
    runs: int
    machine: Mapping[str, Any]
    figures: Mapping[str, Measured]

    @property
    def machine_text(self) -> str:
        """The machine, as a clause."""
        info = self.machine
        parts = [
            str(info.get("cpu") or "a processor that is not known"),
            f"{info['cores']} cores" if info.get("cores") else "",
            f"{info['memory_gb']} GB" if info.get("memory_gb") else "",
            str(info.get("system") or ""),
        ]
        return ", ".join(filter(None, parts))


def command(benchmark: str) -> str:
    """Return the command that creates a saved run."""
    return f"`.venv/bin/python benchmarks/{benchmark}.py --save`"


def read(benchmark: str, folder: Path | None = None) -> SavedRun:
    """Read the saved run of a benchmark; FigureError says which command makes one where there is none that can be read.

    Without a folder it is looked for where benchmarks keep them.
    """
    path = (folder or FOLDER) / f"{benchmark}.json"
    found = read_json(path)
    if found is None:
        what = "holds no JSON" if path.exists() else "is not there"
        raise FigureError(f"The saved run {path.name} {what}: make it with {command(benchmark)}.")
    try:
        return SavedRun(
            benchmark=str(found["benchmark"]),
            measured=datetime.fromisoformat(found["measured"]),
            commit="" if found["commit"] == UNKNOWN_COMMIT else str(found["commit"]),
            runs=int(found["runs"]),
            machine=dict(found["machine"]),
            figures={str(key): _figure(value) for key, value in found["figures"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise FigureError(
            f"The saved run {path.name} is invalid ({problem}): make it again with {command(benchmark)}."
        ) from error


def _figure(value: Mapping[str, Any]) -> Measured:
    budget = value.get("budget")
    return Measured(
        title=str(value["title"]),
        unit=str(value["unit"]),
        minimum=float(value["minimum"]),
        median=float(value["median"]),
        maximum=float(value["maximum"]),
        budget=None if budget is None else float(budget),
    )


NAME, TITLE = "client", "Size and start-up of the Java client"
BENCHMARK = "java_client"

# Each group's title, and the name of each of its figures; of one in brackets a run may do without.
GROUPS: dict[str, dict[str, str]] = {
    "From the start to the message's id": {
        "exam.to_id": "client like the exam's",
        "jar.to_id": "this client, as a jar",
        "image.to_id": "this client, its image",
    },
    "The same, as a part of the exam client's time": {
        "jar.part_of_exam": "this client, as a jar",
        "image.part_of_exam": "this client, its image",
    },
    "Peak memory": {
        "exam.peak_memory": "client like the exam's",
        "jar.peak_memory": "this client, as a jar",
        "image.peak_memory": "this client, its image",
    },
    "Size": {
        "exam.jar_size": "exam client's jar",
        "jar.jar_size": "this client's jar",
        "image.plain_size": "image above its base",
        "image.compressed_size": "the same, compressed",
    },
}
OPTIONAL = {"jar.part_of_exam"}
COLOURS = {"exam": plot_style.BEFORE, "jar": plot_style.SKY, "image": plot_style.BLUE}


def make(folder: Path | None = None) -> RenderedFigure:
    """Draw the saved run of the client's benchmark; raises FigureError without a saved run, or if nothing can be drawn."""
    run = read(BENCHMARK, folder)
    groups = [group for title, names in GROUPS.items() if (group := _group(title, names, run)).rows]
    if not groups:
        raise FigureError(f"The saved run holds none of the figures: make it again with {command(BENCHMARK)}.")
    sentence = _sentence(run)
    kind = "Bars of time, memory and size of the Java client and of a client like the exam's"
    panel = Panel(NAME, TITLE, sentence, f"{kind}. {sentence}", charts.bars(groups))
    return RenderedFigure(panel, provenance.saved(run), _missing(run))


def _group(title: str, names: dict[str, str], run: SavedRun) -> Group:
    found = {key: run.figures[key] for key in names if key in run.figures}
    ranged = any(figure.maximum > figure.minimum for figure in found.values())
    note = f"median and range of {formatting.count(run.runs, 'run')}" if ranged else ""
    return Group(title, tuple(_row(key, names[key], figure) for key, figure in found.items()), note)


def _row(key: str, name: str, figure: Measured) -> Row:
    budget = figure.budget
    return Row(
        name,
        figure.median,
        _amount(figure.median, figure.unit),
        "" if budget is None else f"budget {_amount(budget, figure.unit)}",
        low=figure.minimum,
        high=figure.maximum,
        limit=math.nan if budget is None else budget,
        colour=COLOURS[key.partition(".")[0]],
    )


def _amount(value: float, unit: str) -> str:
    return f"{formatting.number(value)} {unit}".strip()


def _sentence(run: SavedRun) -> str:
    """Describe the figure: duration, memory and size of the image and of the exam's client."""
    found = run.figures
    clauses = [
        _against(
            run, "to_id", "from its start to the message's id the image takes {image}, a client like the exam's {exam}"
        ),
        _against(run, "peak_memory", "at most it needs {image} of memory, that one {exam}"),
    ]
    if sizes := [found[key] for key in ("jar.jar_size", "exam.jar_size") if key in found]:
        clauses.append("their jars have " + formatting.join(_amount(size.median, size.unit) for size in sizes))
    over = [figure.title for figure in found.values() if figure.budget is not None and figure.median > figure.budget]
    within = "every budget is kept" if not over else f"over budget: {formatting.join(over)}"
    return formatting.sentence(*filter(None, clauses), within)


def _against(run: SavedRun, what: str, text: str) -> str:
    pair = {contender: run.figures.get(f"{contender}.{what}") for contender in ("image", "exam")}
    if None in pair.values():
        return ""
    return text.format(
        **{contender: _amount(figure.median, figure.unit) for contender, figure in pair.items() if figure}
    )


def _missing(run: SavedRun) -> str:
    wanted = [key for names in GROUPS.values() for key in names if key not in OPTIONAL]
    lacking = [key for key in wanted if key not in run.figures]
    if not lacking:
        return ""
    return f"Not in the saved run: {formatting.join(lacking)}. To measure them: {command(BENCHMARK)}."
