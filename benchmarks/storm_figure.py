"""Draws the figure of a fault storm from its saved series: pictures over time, what waits, and when the local cloud was gone.

`python benchmarks/storm_figure.py` draws it again from `results/storm.csv`, into `docs/fault-storm.svg`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers import plot_style
from couch_explorers.files import write_whole
from couch_explorers.metrics.plots.artists import avoid_overlap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
SERIES = ROOT / "benchmarks" / "results" / "storm.csv"
TARGET = ROOT / "docs" / "fault-storm.svg"
HEIGHT_PT = 300.0
# A row of words, and the least space between two words in it.
ROW_PT, GAP_PX = 12.0, 6.0
# The share of the width up to which an event's words fit around its line.
LAST_CENTERED = 0.95

Line = tuple[str, str, str, object]
# Series, words beside its end, colour, dashes.
UPPER: tuple[Line, ...] = (
    ("own sent", "sent", plot_style.SOFT, plot_style.DOTTED),
    ("own pictures", "this worker", plot_style.BLUE, plot_style.SOLID),
    ("exam pictures", "exam's worker", plot_style.VERMILLION, plot_style.DASHED),
)
LOWER: tuple[Line, ...] = (
    ("own waiting", "waiting", plot_style.BLUE, plot_style.SOLID),
    ("own dead", "dead-letter queue", plot_style.INK, plot_style.SOLID),
    ("exam waiting", "exam's: waiting", plot_style.VERMILLION, plot_style.DASHED),
)
EVENTS = {
    "kill": "cloud killed",
    "stop": "cloud stopped",
    "deploy begins": "deploy",
    "redrive": "redrive",
}


def read(file: Path) -> tuple[dict[str, list[tuple[float, int]]], list[tuple[float, str]]]:
    """Read the saved series, and the events, each with its second."""
    series: dict[str, list[tuple[float, int]]] = defaultdict(list)
    events = []
    with file.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            if row["count"]:
                series[row["series"]].append((float(row["seconds"]), int(row["count"])))
            elif row["series"] in EVENTS:
                events.append((float(row["seconds"]), EVENTS[row["series"]]))
    return series, events


def draw(file: Path) -> Figure:
    """Draw both panels; use it inside of `with plot_style.sheet():`."""
    series, events = read(file)
    figure = Figure(figsize=(plot_style.WIDTH_PT / 72, HEIGHT_PT / 72))
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.subplots_adjust(left=0.08, right=0.82, top=0.86, bottom=0.13, hspace=0.16)
    _lines(upper, series, UPPER)
    _lines(lower, series, LOWER)
    upper.set_ylabel("pictures")
    lower.set_ylabel("messages")
    lower.set_xlabel("seconds since the first message")
    last = max(seconds for points in series.values() for seconds, _ in points)
    upper.set_xlim(0, last)
    for seconds, _ in events:
        for axes in (upper, lower):
            axes.axvline(seconds, color=plot_style.ALARM, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    _name_events(upper, events, last)
    return figure


def _name_events(axes: Axes, events: list[tuple[float, str]], last: float) -> None:
    """Write the events above their lines: each in the lowest of as many rows as it takes that none lies on another."""
    rows: list[float] = []
    for seconds, words in sorted(events):
        label = axes.annotate(
            words,
            (seconds, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 0),
            textcoords="offset points",
            # The names of the lines begin right of the axes.
            ha="center" if seconds < LAST_CENTERED * last else "right",
            color=plot_style.ALARM,
            fontsize=plot_style.SMALL_SIZE,
        )
        box = label.get_window_extent()
        row = next((number for number, end in enumerate(rows) if end < box.x0), len(rows))
        rows[row : row + 1] = [box.x1 + GAP_PX]
        label.set_position((0, 4 + row * ROW_PT))


def _lines(axes: Axes, series: dict[str, list[tuple[float, int]]], lines: tuple[Line, ...]) -> None:
    """Draw lines with their names at the right edge, which keep apart from each other."""
    ends = []
    for name, words, colour, dashes in lines:
        points = sorted(series.get(name, []))
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, linewidth=1.6, zorder=3)
        ends.append((points[-1][1], words, colour))
    axes.set_ylim(bottom=0)
    ends.sort()
    low, high = axes.get_ylim()
    room = axes.get_window_extent().height * 72 / axes.figure.dpi
    wished = [(value - low) / (high - low) * room for value, _, _ in ends]
    places = avoid_overlap(wished, [ROW_PT] * len(ends), room)
    for place, (_, words, colour) in zip(places, ends, strict=True):
        axes.annotate(
            words,
            (1, place / room),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=plot_style.SMALL_SIZE,
        )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=plot_style.RULE, linewidth=0.6)


def save(file: Path = SERIES, target: Path = TARGET) -> Path:
    """Draw the figure of a saved series as SVG, the same bytes for the same series."""
    with plot_style.sheet():
        figure = draw(file)
        output = StringIO()
        figure.savefig(output, format="svg", metadata={"Date": None})
    write_whole(target, "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n")
    return target


if __name__ == "__main__":
    print(save().relative_to(ROOT))
