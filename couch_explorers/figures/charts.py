"""Charts as wide as printed text, drawn in points from the upper left corner: rows of numbers as bars or dots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from couch_explorers import plot_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.typing import LineStyleType

WIDTH_PT = plot_style.PRINT_WIDTH_PT
# The margin: lines at the edge would lose half their width.
EDGE_PT = 2.0
# Smaller text is hard to read on paper.
SMALLEST_SIZE = 7.0
# From one line of text to the next, as a multiple of the letters' size.
LEADING = 1.24
# From the middle of a line of text to its baseline, as a multiple of the letters' size.
_DROP = 0.36
ARROW_HEAD_PT = 5.5

Point = tuple[float, float]
Side = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Canvas:
    """A figure to draw on; use it inside `with plot_style.sheet():`."""

    figure: Figure
    ax: Axes
    height_pt: float

    def text(self, at: Point, text: str, size: float = SMALLEST_SIZE, side: Side = "left", **style: Any) -> None:
        """Write one line whose middle is at this height."""
        style = {"color": plot_style.INK} | style
        self.ax.text(at[0], at[1] + _DROP * size, text, fontsize=size, ha=side, va="baseline", zorder=4, **style)

    def line(
        self, points: Sequence[Point], colour: str, width: float = 1.0, dashes: LineStyleType = plot_style.SOLID
    ) -> None:
        """Draw straight from point to point."""
        across, down = zip(*points, strict=True)
        self.ax.add_line(Line2D(across, down, color=colour, linewidth=width, linestyle=dashes, zorder=2))

    def arrow(
        self, points: Sequence[Point], colour: str, width: float = 1.0, dashes: LineStyleType = plot_style.SOLID
    ) -> None:
        """Draw an arrow from point to point. Its head is solid, whatever the dashes of its line."""
        (x, y), end = points[-2:]
        length = math.dist((x, y), end)
        # Where the line stops: dashes under the head would make its edge uneven.
        back = tuple(to - (to - start) / length * ARROW_HEAD_PT for start, to in zip((x, y), end, strict=True))
        self.line([*points[:-1], (back[0], back[1])], colour, width, dashes)
        head = {"arrowstyle": "-|>,head_length=1,head_width=0.5", "mutation_scale": ARROW_HEAD_PT, "linewidth": 0}
        self.ax.annotate("", end, (back[0], back[1]), arrowprops=head | {"color": colour, "shrinkA": 0, "shrinkB": 0})

    def dot(self, at: Point, radius: float, colour: str) -> None:
        """Draw a filled circle around a point."""
        self.ax.add_patch(Circle(at, radius, facecolor=colour, edgecolor="none", zorder=3))

    def bar(self, at: Point, width: float, height: float, **style: Any) -> None:
        """Draw a rectangle from its upper left corner."""
        self.ax.add_patch(Rectangle(at, width, height, **({"linewidth": 0, "zorder": 2} | style)))

    def card(self, at: Point, width: float, height: float, radius: float = 3.0, **style: Any) -> None:
        """Draw a rectangle with round corners from its upper left corner."""
        box = f"round,pad=0,rounding_size={radius}"
        self.ax.add_patch(FancyBboxPatch(at, width, height, boxstyle=box, **({"zorder": 3} | style)))


def blank(height_pt: float, width_pt: float = WIDTH_PT) -> Canvas:
    """Return an empty canvas of this size in points."""
    figure = Figure(figsize=(width_pt / plot_style.POINTS_AN_INCH, height_pt / plot_style.POINTS_AN_INCH))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(0, width_pt)
    ax.set_ylim(height_pt, 0)
    return Canvas(figure, ax, height_pt)


# In points: where names end and marks begin, where marks end, where values end, where what stands beside them begins.
MARKS_AT_PT, MARKS_END_PT, VALUES_END_PT, BESIDE_AT_PT = 122.0, WIDTH_PT - 118.0, WIDTH_PT - 66.0, WIDTH_PT - 60.0
ROW_PT, TITLE_PT, BETWEEN_PT, AXIS_PT, APART_PT = 14.0, 17.0, 9.0, 18.0, 6.0
TITLE_SIZE, TEXT_SIZE = 8.5, 7.5
BAR_PT, CAP_PT, DOT_PT = 7.5, 2.2, 2.6


@dataclass(frozen=True)
class Row:
    """A number and its text; NaN is unknown, and `text` then says why.

    `low` and `high` are the measured range, `limit` is the budget.
    """

    name: str
    value: float
    text: str
    beside: str = ""
    low: float = math.nan
    high: float = math.nan
    limit: float = math.nan
    colour: str = plot_style.BLUE


@dataclass(frozen=True)
class Group:
    """Related rows under a title."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Scale:
    """A scale from numbers to horizontal points; logarithmic from `low` on, which is then at the left."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the horizontal position of a number."""
        if self.logarithmic:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return MARKS_AT_PT + part * (MARKS_END_PT - MARKS_AT_PT)

    @property
    def exponents(self) -> range:
        """The powers of ten on a logarithmic scale."""
        return range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)

    @classmethod
    def linear(cls, rows: Sequence[Row]) -> Scale:
        """Return a scale from 0 that includes all values of the rows."""
        shown = [number for row in rows for number in (row.value, row.high, row.limit) if not math.isnan(number)]
        return cls(0.0, max(shown, default=1.0) or 1.0)

    @classmethod
    def decades(cls, values: Sequence[float]) -> Scale:
        """Return a logarithmic scale of whole decades that includes these positive numbers."""
        exponents = [math.log10(value) for value in values] or [0.0]
        low = math.floor(min(exponents))
        return cls(10.0**low, 10.0 ** max(math.ceil(max(exponents)), low + 1), logarithmic=True)


def bars(groups: Sequence[Group]) -> Figure:
    """Draw numbers as bars from 0, each group on its own scale, with range and limit."""
    with plot_style.sheet():
        sheet = blank(_height(groups))
        y = EDGE_PT
        for group in groups:
            scale = Scale.linear(group.rows)
            for row, middle in _headed(sheet, group, y):
                _bar(sheet, row, middle, scale)
            y += _group_height(group) + BETWEEN_PT
    return sheet.figure


def dots(groups: Sequence[Group], unit: str) -> Figure:
    """Draw numbers as dots on one logarithmic scale, with its decades labelled below."""
    known = [row.value for group in groups for row in group.rows if row.value > 0]
    scale = Scale.decades(known)
    with plot_style.sheet():
        sheet = blank(_height(groups) + AXIS_PT)
        y = EDGE_PT
        for group in groups:
            first, last = y + TITLE_PT, y + _group_height(group)
            for exponent in scale.exponents:
                at = scale.at(10.0**exponent)
                sheet.line([(at, first), (at, last)], plot_style.RULE, 0.7)
            for row, middle in _headed(sheet, group, y):
                _dot(sheet, row, middle, scale)
            y = last + BETWEEN_PT
        below = y - BETWEEN_PT + AXIS_PT / 2
        for at, name in _named(scale):
            sheet.text((at, below), name, side="center", color=plot_style.SOFT)
        sheet.text((BESIDE_AT_PT, below), f"{unit}, log scale", color=plot_style.SOFT)
    return sheet.figure


def _named(scale: Scale) -> list[tuple[float, str]]:
    """Return the labels of a scale's decades, as many as fit."""
    names = {exponent: f"{10.0**exponent:,.{max(0, -exponent)}f}" for exponent in scale.exponents}
    widest = max(plot_style.text_width(name, SMALLEST_SIZE) for name in names.values()) + APART_PT
    each = math.ceil(widest * (len(names) - 1) / (MARKS_END_PT - MARKS_AT_PT))
    return [(scale.at(10.0**exponent), name) for exponent, name in names.items() if exponent % each == 0]


def _height(groups: Sequence[Group]) -> float:
    return 2 * EDGE_PT + sum(_group_height(group) for group in groups) + BETWEEN_PT * (len(groups) - 1)


def _group_height(group: Group) -> float:
    return TITLE_PT + ROW_PT * len(group.rows)


def _headed(sheet: Canvas, group: Group, y: float) -> list[tuple[Row, float]]:
    """Write a group's title and the texts of its rows; yield each row with the height of its centre."""
    sheet.text((EDGE_PT, y + TITLE_PT / 2 - 1), group.title, TITLE_SIZE, weight="bold")
    note_at = EDGE_PT + plot_style.text_width(group.title, TITLE_SIZE, bold=True) + 8
    sheet.text((note_at, y + TITLE_PT / 2 - 1), group.note, TEXT_SIZE, color=plot_style.SOFT)
    placed = [(row, y + TITLE_PT + ROW_PT * (place + 0.5)) for place, row in enumerate(group.rows)]
    for row, middle in placed:
        sheet.text((MARKS_AT_PT - 7, middle), row.name, TEXT_SIZE, "right")
        if math.isnan(row.value):
            sheet.text((MARKS_AT_PT, middle), row.text, TEXT_SIZE, color=plot_style.SOFT)
            continue
        sheet.text((VALUES_END_PT, middle), row.text, TEXT_SIZE, "right", weight="bold")
        sheet.text((BESIDE_AT_PT, middle), row.beside, SMALLEST_SIZE, color=plot_style.SOFT)
    return placed


def _bar(sheet: Canvas, row: Row, y: float, scale: Scale) -> None:
    sheet.line([(MARKS_AT_PT, y - ROW_PT / 2), (MARKS_AT_PT, y + ROW_PT / 2)], plot_style.FRAME, 0.7)
    if math.isnan(row.value):
        return
    sheet.bar((MARKS_AT_PT, y - BAR_PT / 2), scale.at(row.value) - MARKS_AT_PT, BAR_PT, facecolor=row.colour)
    if row.high > row.low:
        low, high = scale.at(row.low), scale.at(row.high)
        sheet.line([(low, y), (high, y)], plot_style.INK, 0.9)
        for end in (low, high):
            sheet.line([(end, y - CAP_PT), (end, y + CAP_PT)], plot_style.INK, 0.9)
    if not math.isnan(row.limit):
        at = scale.at(row.limit)
        sheet.line([(at, y - ROW_PT / 2 + 1), (at, y + ROW_PT / 2 - 1)], plot_style.ALARM, 1.3, plot_style.DOTTED)


def _dot(sheet: Canvas, row: Row, y: float, scale: Scale) -> None:
    if not row.value > 0:
        return
    at = scale.at(row.value)
    sheet.line([(MARKS_AT_PT, y), (at, y)], plot_style.BEFORE, 0.8)
    sheet.dot((at, y), DOT_PT, row.colour)
