"""Draw curves: a line stops at each gap, a lone point between two gaps is a dot, thresholds are dashed and named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from couch_explorers.metrics import words
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.curves import MOST_POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.typing import LineStyleType
    from numpy.typing import NDArray

    from couch_explorers.metrics.plots.curves import Curve
    from couch_explorers.metrics.plots.labels import Labels

    Numbers = NDArray[np.float64]

# Room above the highest point, as a part of the scale.
HEADROOM = 1.08
MOST_TICKS = 5
MOST_STAIRS = 400
# A step shorter than this needs a dot to be seen.
SHORTEST_STEP_PT = 4.0


@dataclass(frozen=True)
class Look:
    """How a line is drawn."""

    colour: str
    width: float = 1.5
    dashes: LineStyleType = style.SOLID
    order: float = 3.0

    def lighter(self) -> Look:
        """The same for the window that is compared with, behind all others."""
        return replace(self, colour=style.BEFORE, width=1.1, order=2.0)


NOW = Look(style.BLUE, 1.6)
BEFORE = NOW.lighter()
THRESHOLD = Look(style.ALARM, 1.2, style.DASHED, 2.5)


def line(ax: Axes, curve: Curve, look: Look) -> None:
    """Draw values that were read at moments: straight from point to point."""
    times, points = thinned(curve.middles, curve.points)
    ax.plot(times, points, color=look.colour, linewidth=look.width, linestyle=look.dashes, zorder=look.order)
    _dots(ax, curve, look, lone(curve.points))


def thinned(times: Numbers, points: Numbers) -> tuple[Numbers, Numbers]:
    """Leave out what a line of very many points does not show: of each narrow stretch its lowest, its highest and a gap stay."""
    if len(points) <= MOST_POINTS:
        return times, points
    kept = set[int]()
    for stretch in np.array_split(np.arange(len(points)), MOST_POINTS // 3):
        gaps = np.isnan(points[stretch])
        kept |= {int(place) for place in stretch[gaps][:1]}
        if not gaps.all():
            kept |= {int(stretch[np.nanargmin(points[stretch])]), int(stretch[np.nanargmax(points[stretch])])}
    places = sorted(kept)
    return times[places], points[places]


def steps(ax: Axes, curve: Curve, look: Look) -> None:
    """Draw values that each hold for a whole period: as stairs, or where these are too narrow to be seen as a line."""
    if len(curve.points) > MOST_STAIRS:
        line(ax, curve, look)
        return
    ax.stairs(
        curve.points,
        curve.edges,
        baseline=None,
        color=look.colour,
        linewidth=look.width,
        linestyle=look.dashes,
        zorder=look.order,
    )
    length = curve.window.length.total_seconds()
    if curve.period_s * style.width_of(ax) / length < SHORTEST_STEP_PT:
        _dots(ax, curve, look, lone(curve.points))


def area(ax: Axes, curve: Curve, look: Look) -> None:
    """Draw values that each hold for a whole period: as a pale ground under stairs."""
    if not curve.empty:
        ax.stairs(curve.points, curve.edges, baseline=0, fill=True, color=look.colour, linewidth=0, zorder=look.order)


def lone(points: Numbers) -> NDArray[np.bool_]:
    """Find the points that have a gap, or the window's edge, on both sides."""
    gap = np.concatenate(([True], np.isnan(points), [True]))
    found: NDArray[np.bool_] = ~gap[1:-1] & gap[:-2] & gap[2:]
    return found


def threshold(labels: Labels, value: float, text: str) -> None:
    """Draw a limit with its name; one that lies above the scale is named at its upper edge, with an arrow."""
    top = labels.ax.get_ylim()[1]
    if value > top:
        labels.add(f"↑ {text}", top, THRESHOLD)
        return
    line = labels.ax.axhline(value, color=THRESHOLD.colour, linewidth=THRESHOLD.width, zorder=THRESHOLD.order)
    line.set_linestyle(THRESHOLD.dashes)
    labels.add(text, value, THRESHOLD)


def scale(
    ax: Axes,
    curves: Iterable[Curve | None],
    *limits: float,
    unit: str,
    limit: float | None = None,
    far_above: float = np.inf,
    whole: bool = False,
) -> None:
    """Let the axis begin at 0 and hold all curves and `limits`; `whole` where there are no halves.

    A `limit` that is more than `far_above` times as high as all of them stays outside.
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
    ax.yaxis.set_major_locator(MaxNLocator(MOST_TICKS, integer=whole, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: words.number(value)))


def _dots(ax: Axes, curve: Curve, look: Look, where: NDArray[np.bool_]) -> None:
    if where.any():
        ax.plot(
            curve.middles[where],
            curve.points[where],
            linestyle="none",
            marker="o",
            markersize=look.width + 1.2,
            color=look.colour,
            zorder=look.order,
        )
