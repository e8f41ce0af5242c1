"""The artists of a chart: lines with gaps, thresholds, labels at the right end, and rows of counts.

A line stops at each gap, an isolated point between two gaps is a dot, thresholds are dashed and labelled. Count rows are small
bars, one row per series: a measured zero has a thin line, a gap has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import blended_transform_factory

from couch_explorers import formatting, plot_style
from couch_explorers.metrics import model, resampling
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.resampling import MAX_POINTS
from couch_explorers.metrics.review_data import no_data_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes
    from matplotlib.typing import LineStyleType
    from numpy.typing import NDArray

    from couch_explorers.metrics.resampling import Curve

    Numbers = NDArray[np.float64]
    from collections.abc import Sequence

    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey

# Room above the highest point, as a fraction of the scale.
HEADROOM = 1.08
MAX_TICKS = 5
MAX_STAIRS = 400
# A step shorter than this needs a dot to be seen.
SHORTEST_STEP_PT = 4.0


@dataclass(frozen=True)
class LineStyle:
    """The style of a line."""

    colour: str
    width: float = 1.5
    dashes: LineStyleType = plot_style.SOLID
    order: float = 3.0

    def lighter(self) -> LineStyle:
        """Return the style for the compared window, behind all others."""
        return replace(self, colour=plot_style.BEFORE, width=1.1, order=2.0)


NOW = LineStyle(plot_style.BLUE, 1.6)
BEFORE = NOW.lighter()
THRESHOLD = LineStyle(plot_style.ALARM, 1.2, plot_style.DASHED, 2.5)


def draw_line(ax: Axes, curve: Curve, style: LineStyle) -> None:
    """Draw instantaneous values: straight from point to point."""
    times, points = decimated(curve.middles, curve.points)
    ax.plot(times, points, color=style.colour, linewidth=style.width, linestyle=style.dashes, zorder=style.order)
    _dots(ax, curve, style, isolated_points(curve.points))


def decimated(times: Numbers, points: Numbers) -> tuple[Numbers, Numbers]:
    """Thin out a line of very many points: keep the lowest, the highest and a gap of each narrow interval."""
    if len(points) <= MAX_POINTS:
        return times, points
    kept = set[int]()
    for interval in np.array_split(np.arange(len(points)), MAX_POINTS // 3):
        gaps = np.isnan(points[interval])
        kept |= {int(position) for position in interval[gaps][:1]}
        if not gaps.all():
            kept |= {int(interval[np.nanargmin(points[interval])]), int(interval[np.nanargmax(points[interval])])}
    positions = sorted(kept)
    return times[positions], points[positions]


def draw_steps(ax: Axes, curve: Curve, style: LineStyle) -> None:
    """Draw values that hold for a whole period: as stairs, or as a line if the stairs would be too narrow."""
    if len(curve.points) > MAX_STAIRS:
        draw_line(ax, curve, style)
        return
    ax.stairs(
        curve.points,
        curve.edges,
        baseline=None,
        color=style.colour,
        linewidth=style.width,
        linestyle=style.dashes,
        zorder=style.order,
    )
    length = curve.window.length.total_seconds()
    if curve.period_s * plot_style.width_of(ax) / length < SHORTEST_STEP_PT:
        _dots(ax, curve, style, isolated_points(curve.points))


def draw_area(ax: Axes, curve: Curve, style: LineStyle) -> None:
    """Draw values that hold for a whole period as a pale filled area."""
    if not curve.empty:
        ax.stairs(curve.points, curve.edges, baseline=0, fill=True, color=style.colour, linewidth=0, zorder=style.order)


def isolated_points(points: Numbers) -> NDArray[np.bool_]:
    """Find the points that have a gap, or the window's edge, on both sides."""
    gap = np.concatenate(([True], np.isnan(points), [True]))
    found: NDArray[np.bool_] = ~gap[1:-1] & gap[:-2] & gap[2:]
    return found


def draw_threshold(labels: LineLabels, value: float, text: str) -> None:
    """Draw a labelled threshold; one above the scale is labelled at the upper edge, with an arrow."""
    top = labels.ax.get_ylim()[1]
    if value > top:
        labels.add(f"↑ {text}", top, THRESHOLD)
        return
    line = labels.ax.axhline(value, color=THRESHOLD.colour, linewidth=THRESHOLD.width, zorder=THRESHOLD.order)
    line.set_linestyle(THRESHOLD.dashes)
    labels.add(text, value, THRESHOLD)


def set_scale(
    ax: Axes,
    curves: Iterable[Curve | None],
    *limits: float,
    unit: str,
    limit: float | None = None,
    far_above: float = np.inf,
    whole: bool = False,
) -> None:
    """Scale the axis from 0 to include all curves and `limits`; `whole` for integer values.

    A `limit` more than `far_above` times as high as all of them stays outside.
    """
    highest = [curve.highest for curve in curves if curve is not None and not curve.empty]
    top = max([*highest, *limits, 0.0])
    if limit is not None and (limit <= top * far_above or not highest):
        top = max(top, limit)
    ax.set_ylabel(unit)
    if not highest and not top:
        ax.set_ylim(0, 1)
        ax.set_yticks([])
        return
    top = top * HEADROOM or 1.0
    ax.set_ylim(0, max(top, HEADROOM) if whole else top)
    ax.yaxis.set_major_locator(MaxNLocator(MAX_TICKS, integer=whole, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: formatting.number(value)))


def _dots(ax: Axes, curve: Curve, style: LineStyle, where: NDArray[np.bool_]) -> None:
    if where.any():
        ax.plot(
            curve.middles[where],
            curve.points[where],
            linestyle="none",
            marker="o",
            markersize=style.width + 1.2,
            color=style.colour,
            zorder=style.order,
        )


# In points: from the axes to the line sample, its length, from the axes to the label, and the label's line height.
SAMPLE_AT_PT, SAMPLE_PT, WORDS_AT_PT, LABEL_LINE_PT = 5.0, 14.0, 22.0, 11.5


@dataclass(frozen=True)
class _Label:
    text: str
    value: float
    style: LineStyle

    @property
    def height_pt(self) -> float:
        return LABEL_LINE_PT * (1 + self.text.count("\n"))


@dataclass
class LineLabels:
    """The labels at the right edge of one set of axes; `place` writes them once all are known and the scale is set."""

    ax: Axes
    _labels: list[_Label] = field(default_factory=list)

    def add(self, text: str, value: float, style: LineStyle) -> None:
        """Add the label of a line that ends at a value; ignored for NaN."""
        if not np.isnan(value):
            room = plot_style.RIGHT_PT - WORDS_AT_PT - plot_style.EDGE_PT
            self._labels.append(_Label(plot_style.wrap(text, room, plot_style.SMALL_SIZE), value, style))

    def place(self) -> None:
        """Write the labels as near to their values as they fit."""
        if not self._labels:
            return
        height = plot_style.height_of(self.ax)
        low, high = self.ax.get_ylim()
        ordered = sorted(self._labels, key=lambda label: label.value)
        targets = [(min(max(label.value, low), high) - low) / (high - low) * height for label in ordered]
        for label, middle in zip(
            ordered, avoid_overlap(targets, [label.height_pt for label in ordered], height), strict=True
        ):
            self._write(label, middle / height)

    def _write(self, label: _Label, fraction: float) -> None:
        inch = 1 / plot_style.POINTS_AN_INCH
        across = self.ax.figure.dpi_scale_trans + plot_style.corner(self.ax, 1, 0)
        sample = Line2D(
            [SAMPLE_AT_PT * inch, (SAMPLE_AT_PT + SAMPLE_PT) * inch],
            [fraction, fraction],
            color=label.style.colour,
            linewidth=label.style.width,
            linestyle=label.style.dashes,
            clip_on=False,
        )
        sample.set_transform(blended_transform_factory(across, self.ax.transAxes))
        self.ax.add_artist(sample)
        self.ax.annotate(
            label.text,
            (1, fraction),
            xytext=(WORDS_AT_PT, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=plot_style.SMALL_SIZE,
            color=plot_style.INK,
            linespacing=1.1,
            annotation_clip=False,
        )


def avoid_overlap(targets: Sequence[float], heights: Sequence[float], room: float) -> list[float]:
    """Move ascending centres as little as possible, so that items of these heights do not overlap within 0 to `room`.

    If they do not all fit, they still do not overlap, and extend beyond the upper end.
    """
    # Blocks of touching items: each is at the mean of its items' targets (isotonic regression).
    tops = np.cumsum(heights)
    offsets = tops - np.asarray(heights) / 2
    blocks: list[list[float]] = []
    for target, offset in zip(targets, offsets, strict=True):
        blocks.append([target - offset])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    # The lowest centre may be on the axis; above the axes is other text.
    lowest, highest = -heights[0] / 2, room - float(tops[-1])
    starts = [float(np.mean(block)) for block in blocks for _ in block]
    return [max(lowest, min(start, highest)) + float(offset) for start, offset in zip(starts, offsets, strict=True)]


def previous_label(context: Context) -> str:
    """Return the label of the compared window: "day before"."""
    return context.previous_name.removeprefix("the ")


def plot_with_previous(
    labels: LineLabels,
    context: Context,
    now: Curve,
    before: Curve | None,
    name: str,
    drawn: Callable[[Axes, Curve, LineStyle], None],
) -> None:
    """Draw a curve over that of the previous window, and label both."""
    if before is not None:
        drawn(labels.ax, before, BEFORE)
        labels.add(previous_label(context), before.latest, BEFORE)
    drawn(labels.ax, now, NOW)
    labels.add(name, now.latest, NOW)


# In points: the height of a row and of its bars; a bar for a count above 0 has a minimum height.
ROW_PT, BAR_PT, SHORTEST_BAR_PT = 34.0, 14.0, 2.5
NAME_AT_PT = 21.0
# Rows have no scale: the title says what their numbers are.
COUNT_STATISTIC = "Count, sum"
# Line height of the totals.
TOTAL_LINE_PT = 10.5
TOTAL_AT_PT = 8.0


@dataclass(frozen=True)
class CountRow:
    """A row of counts: its name, its counts now and before, and why there are none.

    Rows of one `group` share a scale.
    """

    name: str
    now: Curve
    before: Curve | None = None
    colour: str = plot_style.VERMILLION
    group: str = ""
    nothing: str = ""

    @property
    def everything(self) -> float:
        """The total of both windows."""
        return self.now.total + (self.before.total if self.before else 0.0)


def count_row(
    frame: pd.DataFrame,
    key: SeriesKey,
    name: str,
    period_s: int,
    *,
    colour: str = plot_style.VERMILLION,
    group: str = "",
) -> CountRow:
    """Create the row of one series."""
    context = model.context_of(frame)
    now = resampling.resample(frame, key, period_s=period_s)
    unknown = context.state(key) in {SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL}
    nothing = no_data_reason(context, key) if now.empty and unknown else ""
    return CountRow(name, now, resampling.resample_counts_before(frame, key, period_s=period_s), colour, group, nothing)


def count_rows_height_pt(rows: int) -> float:
    """Return the height of axes with this many rows, in points."""
    return ROW_PT * max(rows, 1)


def draw_count_rows(ax: Axes, context: Context, rows: Sequence[CountRow]) -> None:
    """Draw the rows, the first one on top."""
    ax.set_ylim(0, len(rows) * ROW_PT)
    ax.set_yticks([])
    tops = {group: _top([row for row in rows if row.group == group]) for group in {row.group for row in rows}}
    for number, row in enumerate(rows, start=1):
        foot = (len(rows) - number) * ROW_PT
        ax.axhline(foot, color=plot_style.RULE, linewidth=0.7, zorder=1)
        _bars(ax, row, foot, tops[row.group])
        _write_row_text(ax, context, row, foot)


def _top(rows: Sequence[CountRow]) -> float:
    highest = [
        curve.highest for row in rows for curve in (row.now, row.before) if curve is not None and not curve.empty
    ]
    return max([*highest, 1.0])


def _bars(ax: Axes, row: CountRow, foot: float, top: float) -> None:
    if row.before is not None and not row.before.empty:
        heights = foot + np.nan_to_num(row.before.points) / top * BAR_PT
        ax.stairs(heights, row.before.edges, baseline=foot, color=plot_style.BEFORE, linewidth=0.9, zorder=2)
    measured = np.where(np.isnan(row.now.points), np.nan, foot)
    ax.stairs(measured, row.now.edges, baseline=None, color=plot_style.FRAME, linewidth=0.9, zorder=2.2)
    some = np.nan_to_num(row.now.points) > 0
    heights = np.maximum(row.now.points[some] / top * BAR_PT, SHORTEST_BAR_PT)
    starts, widths = row.now.edges[:-1][some], np.diff(row.now.edges)[some]
    ax.bar(starts, heights, widths, bottom=foot, align="edge", color=row.colour, linewidth=0, zorder=3)


def _write_row_text(ax: Axes, context: Context, row: CountRow, foot: float) -> None:
    """Write the name and the peak above the bars, and the totals to their right."""
    above = foot + NAME_AT_PT
    ax.text(0, above, row.name, va="center", fontsize=plot_style.SMALL_SIZE, color=plot_style.INK, zorder=4)
    note = row.nothing if row.now.empty else _peak(context, row.now)
    ax.annotate(
        note,
        (0, above),
        xytext=(plot_style.text_width(row.name, plot_style.SMALL_SIZE) + 7, 0),
        textcoords="offset points",
        va="center",
        fontsize=plot_style.SMALL_SIZE,
        color=plot_style.SOFT,
        zorder=4,
    )
    total = formatting.DASH if row.nothing else formatting.number(row.now.total)
    _total(ax, total, foot + NAME_AT_PT - TOTAL_LINE_PT, bold=True)
    if row.before is not None:
        number = formatting.number(row.before.total)
        before = f"{previous_label(context)} {number}"
        if (
            TOTAL_AT_PT + plot_style.text_width(before, plot_style.SMALL_SIZE)
            > plot_style.RIGHT_PT - plot_style.EDGE_PT
        ):
            before = f"before {number}"
        _total(ax, before, foot + NAME_AT_PT - 2 * TOTAL_LINE_PT, bold=False)


def _total(ax: Axes, text: str, y: float, *, bold: bool) -> None:
    ax.annotate(
        text,
        (1, y),
        xytext=(TOTAL_AT_PT, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="baseline",
        fontsize=plot_style.SMALL_SIZE,
        fontweight="bold" if bold else "normal",
        color=plot_style.INK if bold else plot_style.SOFT,
        annotation_clip=False,
    )


def _peak(context: Context, curve: Curve) -> str:
    if curve.highest == curve.total:
        return context.format_interval(*curve.highest_at) if curve.total else ""
    return (
        f"at most {formatting.number(curve.highest)}, {context.format_interval(*curve.highest_at)}"
        if curve.highest > 1
        else ""
    )
