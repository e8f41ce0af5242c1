"""Rows of small bars, one a kind of thing that is counted: when how many, and at the right how many in all.

A measured zero has a fine line under it, a gap has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import words
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.metrics.plots import absent, chart, curves, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.facts import Facts, SeriesKey
    from couch_explorers.metrics.plots.curves import Curve

# In points: a row, of which its bars take this much; a bar that stands for something is at least this high.
ROW_PT, BAR_PT, SHORTEST_BAR_PT = 34.0, 14.0, 2.5
NAME_AT_PT = 21.0
# Rows have no scale beside them: the title line says what their numbers are.
STATISTIC = "Count, sum"
# From line to line of the totals.
LINE_PT = 10.5
TOTAL_AT_PT = 8.0


@dataclass(frozen=True)
class Row:
    """A kind of thing: its name, when how many, the same of the window before, and why there is nothing.

    Rows of one `group` have one scale.
    """

    name: str
    now: Curve
    before: Curve | None = None
    colour: str = style.VERMILLION
    group: str = ""
    nothing: str = ""

    @property
    def everything(self) -> float:
        """How many in both windows."""
        return self.now.total + (self.before.total if self.before else 0.0)


def row(
    frame: pd.DataFrame, key: SeriesKey, name: str, period_s: int, *, colour: str = style.VERMILLION, group: str = ""
) -> Row:
    """Make the row of one series."""
    facts = known.of(frame)
    now = curves.curve(frame, key, period_s=period_s)
    unknown = facts.state(key) in {SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL}
    nothing = absent.why(facts, key) if now.empty and unknown else ""
    return Row(name, now, curves.counted_before(frame, key, period_s=period_s), colour, group, nothing)


def height_pt(rows: int) -> float:
    """How high axes of so many rows are."""
    return ROW_PT * max(rows, 1)


def draw(ax: Axes, facts: Facts, rows: Sequence[Row]) -> None:
    """Draw the rows, the first on top."""
    ax.set_ylim(0, len(rows) * ROW_PT)
    ax.set_yticks([])
    tops = {group: _top([row for row in rows if row.group == group]) for group in {row.group for row in rows}}
    for place, row in enumerate(rows, start=1):
        foot = (len(rows) - place) * ROW_PT
        ax.axhline(foot, color=style.RULE, linewidth=0.7, zorder=1)
        _bars(ax, row, foot, tops[row.group])
        _words(ax, facts, row, foot)


def _top(rows: Sequence[Row]) -> float:
    highest = [
        curve.highest for row in rows for curve in (row.now, row.before) if curve is not None and not curve.empty
    ]
    return max([*highest, 1.0])


def _bars(ax: Axes, row: Row, foot: float, top: float) -> None:
    if row.before is not None and not row.before.empty:
        heights = foot + np.nan_to_num(row.before.points) / top * BAR_PT
        ax.stairs(heights, row.before.edges, baseline=foot, color=style.BEFORE, linewidth=0.9, zorder=2)
    measured = np.where(np.isnan(row.now.points), np.nan, foot)
    ax.stairs(measured, row.now.edges, baseline=None, color=style.FRAME, linewidth=0.9, zorder=2.2)
    some = np.nan_to_num(row.now.points) > 0
    heights = np.maximum(row.now.points[some] / top * BAR_PT, SHORTEST_BAR_PT)
    starts, widths = row.now.edges[:-1][some], np.diff(row.now.edges)[some]
    ax.bar(starts, heights, widths, bottom=foot, align="edge", color=row.colour, linewidth=0, zorder=3)


def _words(ax: Axes, facts: Facts, row: Row, foot: float) -> None:
    """Write name and peak above the bars, and the totals at their right."""
    above = foot + NAME_AT_PT
    ax.text(0, above, row.name, va="center", fontsize=style.SMALL_SIZE, color=style.INK, zorder=4)
    told = row.nothing if row.now.empty else _peak(facts, row.now)
    ax.annotate(
        told,
        (0, above),
        xytext=(style.text_width(row.name, style.SMALL_SIZE) + 7, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_SIZE,
        color=style.SOFT,
        zorder=4,
    )
    total = words.DASH if row.nothing else words.number(row.now.total)
    _total(ax, total, foot + NAME_AT_PT - LINE_PT, bold=True)
    if row.before is not None:
        number = words.number(row.before.total)
        before = f"{chart.before_label(facts)} {number}"
        if TOTAL_AT_PT + style.text_width(before, style.SMALL_SIZE) > style.RIGHT_PT - style.EDGE_PT:
            before = f"before {number}"
        _total(ax, before, foot + NAME_AT_PT - 2 * LINE_PT, bold=False)


def _total(ax: Axes, text: str, at: float, *, bold: bool) -> None:
    ax.annotate(
        text,
        (1, at),
        xytext=(TOTAL_AT_PT, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="baseline",
        fontsize=style.SMALL_SIZE,
        fontweight="bold" if bold else "normal",
        color=style.INK if bold else style.SOFT,
        annotation_clip=False,
    )


def _peak(facts: Facts, curve: Curve) -> str:
    if curve.highest == curve.total:
        return words.span(*curve.highest_at, facts) if curve.total else ""
    return f"at most {words.number(curve.highest)}, {words.span(*curve.highest_at, facts)}" if curve.highest > 1 else ""
