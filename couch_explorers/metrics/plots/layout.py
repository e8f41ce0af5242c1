"""One figure of several axes under each other, as high as what they hold, all with the same time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import words
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

# In points: at the upper and lower edge, and between what belongs to two axes.
EDGE_PT, BETWEEN_PT = 5.0, 15.0
# Anything: axes are measured at it, and it changes nothing in points.
MEASURED_AT_DPI = 72.0


@dataclass(frozen=True)
class Part:
    """One set of axes: how it is drawn, and its height in points without title and labels."""

    draw: Callable[[pd.DataFrame, Axes], Axes]
    height_pt: float


class Chart(Protocol):
    """What a module of `charts` has."""

    TITLE: str
    KIND: str

    def read(self, frame: pd.DataFrame) -> str:
        """Say in one sentence what the figure shows."""


def panel(
    frame: pd.DataFrame, name: str, chart: Chart, parts: Sequence[Part], width_pt: float = style.WIDTH_PT
) -> Panel:
    """Draw the parts of a chart under each other, `width_pt` points wide in all, and put its sentence beside them."""
    with style.sheet():
        figure = Figure(figsize=(1, 1), dpi=MEASURED_AT_DPI)
        FigureCanvasAgg(figure)
        _stack(figure, frame, parts, width_pt)
    sentence = chart.read(frame)
    return Panel(name, chart.TITLE, sentence, f"{chart.KIND}, {_stretch(frame)}. {sentence}", figure)


def _stack(figure: Figure, frame: pd.DataFrame, parts: Sequence[Part], width_pt: float) -> None:
    """Draw each part at its size, measure what stands out above and below, then move all to their places."""
    height = sum(part.height_pt for part in parts)
    left, across = style.LEFT_PT / width_pt, (width_pt - style.LEFT_PT - style.RIGHT_PT) / width_pt
    figure.set_size_inches(width_pt / style.POINTS_AN_INCH, height / style.POINTS_AN_INCH)
    drawn = []
    for place, part in enumerate(parts):
        ax = figure.add_axes((left, 0, across, part.height_pt / height))
        part.draw(frame, ax)
        if place < len(parts) - 1:
            ax.tick_params(axis="x", which="both", labelbottom=False)
        drawn.append((ax, part.height_pt, *_overhang(ax)))
    height = 2 * EDGE_PT + BETWEEN_PT * (len(parts) - 1) + sum(own + above + below for _, own, above, below in drawn)
    figure.set_size_inches(width_pt / style.POINTS_AN_INCH, height / style.POINTS_AN_INCH)
    top = height - EDGE_PT
    for ax, own, above, below in drawn:
        bottom = top - above - own
        ax.set_position((left, bottom / height, across, own / height))
        top = bottom - below - BETWEEN_PT


def _overhang(ax: Axes) -> tuple[float, float]:
    """Measure in points how far titles and labels stand out above and below axes."""
    box = ax.get_tightbbox()
    if box is None:
        return 0.0, 0.0
    return max(0.0, float(box.y1 - ax.bbox.y1)), max(0.0, float(ax.bbox.y0 - box.y0))


def _stretch(frame: pd.DataFrame) -> str:
    """Name the window for an alternative text."""
    facts = known.of(frame)
    start, end = (time.astimezone(facts.zone) for time in (facts.window().start, facts.window().end))
    return f"{words.day(start)} {start:%H:%M} to {words.day(end)} {end:%H:%M} {facts.timezone}"
