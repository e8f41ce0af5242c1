"""Why a series has no points: CloudWatch's five answers, each in other words, since each asks for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.metrics.model import PARTS, SeriesState
from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context, SeriesKey

# In points, between such a text and the edges of its axes.
EDGE_PT = 20.0


def why(facts: Context, key: SeriesKey) -> str:
    """Say in a clause, without a full stop, why a series has no points."""
    part = PARTS.get(key[0], key[0])
    return {
        SeriesState.DENIED: f"not known, these credentials may not ask CloudWatch about {part} (cloudwatch:GetMetricData)",
        SeriesState.MISSING: f"nothing to show, {part} is not deployed",
        SeriesState.PARTIAL: f"not known, CloudWatch's answer about {part} was cut short and held no points",
        SeriesState.IDLE: f"nothing was measured, {part} was idle",
        SeriesState.COMPLETE: f"nothing was measured, {part} was idle",
    }[facts.state(key)]


def note(facts: Context, *keys: SeriesKey) -> str:
    """Say so where CloudWatch gave only a part of the points; empty otherwise."""
    partial = any(facts.state(key) is SeriesState.PARTIAL for key in keys)
    return "CloudWatch gave only a part of the points" if partial else ""


def write(ax: Axes, text: str) -> None:
    """Write into axes without data why there is none."""
    ax.text(
        0.5,
        0.5,
        style.wrap(f"{text[:1].upper()}{text[1:]}.", style.width_of(ax) - 2 * EDGE_PT, style.TEXT_SIZE),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=style.TEXT_SIZE,
        color=style.SOFT,
        bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 3},
        linespacing=1.4,
    )
