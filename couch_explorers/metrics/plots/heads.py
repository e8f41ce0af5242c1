"""The title line of axes: what is shown, then statistic, period and time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.metrics import words
from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from couch_explorers.metrics.facts import Facts

# In points: from what stands above the axes to the foot of the title, between its two halves, and from line to line.
RISE_PT, BETWEEN_PT, LINE_PT = 6.0, 9.0, 13.0


def write(ax: Axes, title: str, told: str, rows_pt: float) -> None:
    """Write a title over the rows that stand above the axes; `told` goes into lines of its own where it is too long."""
    title_pt = style.text_width(title, style.TITLE_SIZE, bold=True) + BETWEEN_PT
    foot_pt = rows_pt + RISE_PT
    room = style.width_of(ax) + style.RIGHT_PT - style.EDGE_PT
    beside = title_pt + style.text_width(told, style.TEXT_SIZE) <= room
    below = told if beside else style.broken(told, room, style.TEXT_SIZE)
    ax.set_title(title, loc="left", pad=foot_pt if beside else foot_pt + LINE_PT * (1 + below.count("\n")))
    ax.annotate(
        below,
        (0, 1),
        xytext=(title_pt if beside else 0, foot_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        va="baseline",
        fontsize=style.TEXT_SIZE,
        color=style.SOFT,
        annotation_clip=False,
    )


def statistic(facts: Facts, *told: tuple[str, float], beside: str = "") -> str:
    """Say what the numbers are: "Maximum of each minute, Europe/Oslo"."""
    parts = words.join(f"{name.lower()} of {words.period(period_s)}" for name, period_s in told)
    return f"{parts[:1].upper()}{parts[1:]}{beside}, {facts.timezone}"
