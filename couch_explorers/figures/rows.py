"""Rows of numbers, each with its name at the left, its mark in the middle and its value at the right, in groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.figures import canvas
from couch_explorers.figures.canvas import EDGE_PT, WIDTH_PT
from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from couch_explorers.figures.canvas import Canvas

# In points: where names end and marks begin, where marks end, where values end, where what stands beside them begins.
MARKS_AT_PT, MARKS_END_PT, VALUES_END_PT, BESIDE_AT_PT = 122.0, WIDTH_PT - 118.0, WIDTH_PT - 66.0, WIDTH_PT - 60.0
ROW_PT, TITLE_PT, BETWEEN_PT, AXIS_PT, APART_PT = 14.0, 17.0, 9.0, 18.0, 6.0
TITLE_SIZE, TEXT_SIZE = 8.5, 7.5
BAR_PT, CAP_PT, DOT_PT = 7.5, 2.2, 2.6


@dataclass(frozen=True)
class Row:
    """A number and how it is told; NaN is not known, and then `told` says why.

    `low` and `high` are the range of what was measured, `limit` is what was promised.
    """

    name: str
    value: float
    told: str
    beside: str = ""
    low: float = math.nan
    high: float = math.nan
    limit: float = math.nan
    colour: str = style.BLUE


@dataclass(frozen=True)
class Group:
    """Rows that belong together, under a title."""

    title: str
    rows: tuple[Row, ...]
    told: str = ""


@dataclass(frozen=True)
class Scale:
    """From numbers to points across; logarithmic from `low` on, which then lies at the left."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """How far across a number lies."""
        if self.logarithmic:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return MARKS_AT_PT + part * (MARKS_END_PT - MARKS_AT_PT)

    @property
    def exponents(self) -> range:
        """The powers of ten that a logarithmic scale holds."""
        return range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)

    @classmethod
    def linear(cls, rows: Sequence[Row]) -> Scale:
        """A scale from 0 that holds all that rows show."""
        shown = [number for row in rows for number in (row.value, row.high, row.limit) if not math.isnan(number)]
        return cls(0.0, max(shown, default=1.0) or 1.0)

    @classmethod
    def decades(cls, values: Sequence[float]) -> Scale:
        """A logarithmic scale of whole decades that holds these numbers, which are above 0."""
        exponents = [math.log10(value) for value in values] or [0.0]
        low = math.floor(min(exponents))
        return cls(10.0**low, 10.0 ** max(math.ceil(max(exponents)), low + 1), logarithmic=True)


def bars(groups: Sequence[Group]) -> Figure:
    """Draw numbers as bars from 0, each group on a scale of its own, with the range and the limit of each."""
    with style.sheet():
        sheet = canvas.blank(_height(groups))
        y = EDGE_PT
        for group in groups:
            scale = Scale.linear(group.rows)
            for row, middle in _headed(sheet, group, y):
                _bar(sheet, row, middle, scale)
            y += _group_height(group) + BETWEEN_PT
    return sheet.figure


def dots(groups: Sequence[Group], unit: str) -> Figure:
    """Draw numbers as dots on one logarithmic scale, whose decades are named below."""
    known = [row.value for group in groups for row in group.rows if row.value > 0]
    scale = Scale.decades(known)
    with style.sheet():
        sheet = canvas.blank(_height(groups) + AXIS_PT)
        y = EDGE_PT
        for group in groups:
            first, last = y + TITLE_PT, y + _group_height(group)
            for exponent in scale.exponents:
                at = scale.at(10.0**exponent)
                sheet.line([(at, first), (at, last)], style.RULE, 0.7)
            for row, middle in _headed(sheet, group, y):
                _dot(sheet, row, middle, scale)
            y = last + BETWEEN_PT
        below = y - BETWEEN_PT + AXIS_PT / 2
        for at, name in _named(scale):
            sheet.text((at, below), name, side="center", color=style.SOFT)
        sheet.text((BESIDE_AT_PT, below), f"{unit}, log scale", color=style.SOFT)
    return sheet.figure


def _named(scale: Scale) -> list[tuple[float, str]]:
    """Name the decades of a scale: each, or as many of them as have room."""
    names = {exponent: f"{10.0**exponent:,.{max(0, -exponent)}f}" for exponent in scale.exponents}
    widest = max(style.text_width(name, canvas.SMALLEST_SIZE) for name in names.values()) + APART_PT
    each = math.ceil(widest * (len(names) - 1) / (MARKS_END_PT - MARKS_AT_PT))
    return [(scale.at(10.0**exponent), name) for exponent, name in names.items() if exponent % each == 0]


def _height(groups: Sequence[Group]) -> float:
    return 2 * EDGE_PT + sum(_group_height(group) for group in groups) + BETWEEN_PT * (len(groups) - 1)


def _group_height(group: Group) -> float:
    return TITLE_PT + ROW_PT * len(group.rows)


def _headed(sheet: Canvas, group: Group, y: float) -> list[tuple[Row, float]]:
    """Write a group's title and the words of its rows; give each row with the height of its middle."""
    sheet.text((EDGE_PT, y + TITLE_PT / 2 - 1), group.title, TITLE_SIZE, weight="bold")
    told_at = EDGE_PT + style.text_width(group.title, TITLE_SIZE, bold=True) + 8
    sheet.text((told_at, y + TITLE_PT / 2 - 1), group.told, TEXT_SIZE, color=style.SOFT)
    placed = [(row, y + TITLE_PT + ROW_PT * (place + 0.5)) for place, row in enumerate(group.rows)]
    for row, middle in placed:
        sheet.text((MARKS_AT_PT - 7, middle), row.name, TEXT_SIZE, "right")
        if math.isnan(row.value):
            sheet.text((MARKS_AT_PT, middle), row.told, TEXT_SIZE, color=style.SOFT)
            continue
        sheet.text((VALUES_END_PT, middle), row.told, TEXT_SIZE, "right", weight="bold")
        sheet.text((BESIDE_AT_PT, middle), row.beside, canvas.SMALLEST_SIZE, color=style.SOFT)
    return placed


def _bar(sheet: Canvas, row: Row, y: float, scale: Scale) -> None:
    sheet.line([(MARKS_AT_PT, y - ROW_PT / 2), (MARKS_AT_PT, y + ROW_PT / 2)], style.FRAME, 0.7)
    if math.isnan(row.value):
        return
    sheet.bar((MARKS_AT_PT, y - BAR_PT / 2), scale.at(row.value) - MARKS_AT_PT, BAR_PT, facecolor=row.colour)
    if row.high > row.low:
        low, high = scale.at(row.low), scale.at(row.high)
        sheet.line([(low, y), (high, y)], style.INK, 0.9)
        for end in (low, high):
            sheet.line([(end, y - CAP_PT), (end, y + CAP_PT)], style.INK, 0.9)
    if not math.isnan(row.limit):
        at = scale.at(row.limit)
        sheet.line([(at, y - ROW_PT / 2 + 1), (at, y + ROW_PT / 2 - 1)], style.ALARM, 1.3, style.DOTTED)


def _dot(sheet: Canvas, row: Row, y: float, scale: Scale) -> None:
    if not row.value > 0:
        return
    at = scale.at(row.value)
    sheet.line([(MARKS_AT_PT, y), (at, y)], style.BEFORE, 0.8)
    sheet.dot((at, y), DOT_PT, row.colour)
