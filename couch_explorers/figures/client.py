"""Size and start-up of the Java client, against a client of the exam's shape: from the benchmark's saved run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.figures import rows, saved_run, sources
from couch_explorers.figures.errors import FigureError
from couch_explorers.figures.figure import Made
from couch_explorers.figures.rows import Group, Row
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    from pathlib import Path

    from couch_explorers.figures.saved_run import Measured, SavedRun

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
COLOURS = {"exam": style.BEFORE, "jar": style.SKY, "image": style.BLUE}


def make(folder: Path | None = None) -> Made:
    """Draw the saved run of the client's benchmark; FigureError where there is none, or nothing of it can be drawn."""
    run = saved_run.read(BENCHMARK, folder)
    groups = [group for title, names in GROUPS.items() if (group := _group(title, names, run)).rows]
    if not groups:
        raise FigureError(f"The saved run holds none of the figures: make it anew with {saved_run.command(BENCHMARK)}.")
    sentence = _sentence(run)
    kind = "Bars of time, memory and size of the Java client and of a client like the exam's"
    panel = Panel(NAME, TITLE, sentence, f"{kind}. {sentence}", rows.bars(groups))
    return Made(panel, sources.saved(run), _missing(run))


def _group(title: str, names: dict[str, str], run: SavedRun) -> Group:
    found = {key: run.figures[key] for key in names if key in run.figures}
    ranged = any(figure.maximum > figure.minimum for figure in found.values())
    told = f"median and range of {formatting.count(run.runs, 'run')}" if ranged else ""
    return Group(title, tuple(_row(key, names[key], figure) for key, figure in found.items()), told)


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
    """Read the figure: how long image and exam's client take, what part that is, and what they need."""
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
    pair = {who: run.figures.get(f"{who}.{what}") for who in ("image", "exam")}
    if None in pair.values():
        return ""
    return text.format(**{who: _amount(figure.median, figure.unit) for who, figure in pair.items() if figure})


def _missing(run: SavedRun) -> str:
    wanted = [key for names in GROUPS.values() for key in names if key not in OPTIONAL]
    lacking = [key for key in wanted if key not in run.figures]
    if not lacking:
        return ""
    return f"Not in the saved run: {formatting.join(lacking)}. To measure them: {saved_run.command(BENCHMARK)}."
