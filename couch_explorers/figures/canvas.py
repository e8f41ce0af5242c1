"""A figure as wide as printed text, drawn in points from its upper left corner, as one would on paper."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle

from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.typing import LineStyleType

WIDTH_PT = style.PRINT_WIDTH_PT
# Around everything: lines at the edge would lose half of their width.
EDGE_PT = 2.0
# What is smaller cannot be read on paper without effort.
SMALLEST_SIZE = 7.0
# From one line of text to the next, as a multiple of the letters' size.
LEADING = 1.24
# From the middle of a line of text to its baseline, as a multiple of the letters' size.
_DROP = 0.36
# Inside of a word that is too long for a line, one may break behind these.
_PIECES = re.compile(r"[^-:/._]*[-:/._]+|[^-:/._]+")

Point = tuple[float, float]
Side = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Canvas:
    """A figure and the means to draw on it; use it inside of `with style.sheet():`."""

    figure: Figure
    ax: Axes
    height_pt: float

    def text(self, at: Point, text: str, size: float = SMALLEST_SIZE, side: Side = "left", **look: Any) -> None:
        """Write one line whose middle is at this height."""
        look = {"color": style.INK} | look
        self.ax.text(at[0], at[1] + _DROP * size, text, fontsize=size, ha=side, va="baseline", zorder=4, **look)

    def line(
        self, points: Sequence[Point], colour: str, width: float = 1.0, dashes: LineStyleType = style.SOLID
    ) -> None:
        """Draw straight from point to point."""
        across, down = zip(*points, strict=True)
        self.ax.add_line(Line2D(across, down, color=colour, linewidth=width, linestyle=dashes, zorder=2))

    def shape(self, points: Sequence[Point], colour: str) -> None:
        """Fill what lies between these points."""
        self.ax.add_patch(Polygon(points, closed=True, facecolor=colour, edgecolor="none", zorder=3))

    def dot(self, at: Point, radius: float, colour: str) -> None:
        """Draw a filled circle around a point."""
        self.ax.add_patch(Circle(at, radius, facecolor=colour, edgecolor="none", zorder=3))

    def bar(self, at: Point, width: float, height: float, **look: Any) -> None:
        """Draw a rectangle from its upper left corner."""
        self.ax.add_patch(Rectangle(at, width, height, **({"linewidth": 0, "zorder": 2} | look)))

    def card(self, at: Point, width: float, height: float, radius: float = 3.0, **look: Any) -> None:
        """Draw a rectangle with round corners from its upper left corner."""
        box = f"round,pad=0,rounding_size={radius}"
        self.ax.add_patch(FancyBboxPatch(at, width, height, boxstyle=box, **({"zorder": 3} | look)))


def blank(height_pt: float, width_pt: float = WIDTH_PT) -> Canvas:
    """Give an empty canvas of this size in points."""
    figure = Figure(figsize=(width_pt / style.POINTS_AN_INCH, height_pt / style.POINTS_AN_INCH))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(0, width_pt)
    ax.set_ylim(height_pt, 0)
    return Canvas(figure, ax, height_pt)


def wrapped(text: str, width_pt: float, size: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines that fit: at blanks, and a longer word behind its hyphens and the like, or anywhere.

    A no-break space keeps together what belongs together.
    """
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        for piece, glue in _pieces(word, width_pt, size, bold=bold):
            longer = f"{lines[-1]}{glue}{piece}" if lines else piece
            if lines and style.text_width(longer, size, bold=bold) <= width_pt:
                lines[-1] = longer
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, width_pt: float, size: float, *, bold: bool) -> list[tuple[str, str]]:
    """Cut a word that no line holds; each piece with what parts it from the one before."""
    if style.text_width(word, size, bold=bold) <= width_pt:
        return [(word, " ")]
    found: list[tuple[str, str]] = []
    for piece in _PIECES.findall(word):
        fits = style.text_width(piece, size, bold=bold) <= width_pt
        parts = [piece] if fits else list(piece)
        found += [(part, "" if found or place else " ") for place, part in enumerate(parts)]
    return found
