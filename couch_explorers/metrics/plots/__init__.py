"""Seven figures of a review, each a `Panel`: the drawing, and the caption that reads it.

from couch_explorers.metrics import plots

plots.age(frame)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import plot_style
from couch_explorers.metrics.plots import charts
from couch_explorers.metrics.plots.figure import make_panel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from couch_explorers.metrics.plots.figure import Panel


def time_to_picture(frame: pd.DataFrame) -> Panel:
    """How long people waited for a picture on both paths, by percentiles, against the objectives."""
    return make_panel(frame, charts.TIME_TO_PICTURE)


def age(frame: pd.DataFrame, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """How long the oldest job had waited, against the alarm's threshold, and when the alarm was in ALARM."""
    return make_panel(frame, charts.AGE, width_pt)


def backlog(frame: pd.DataFrame) -> Panel:
    """How many jobs waited and were worked on, and how many dead-letter messages there were."""
    return make_panel(frame, charts.BACKLOG)


def flow(frame: pd.DataFrame) -> Panel:
    """How many jobs were sent, against how many were done."""
    return make_panel(frame, charts.FLOW)


def duration(frame: pd.DataFrame, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """How long worker and API function ran, by percentiles, against their time-outs."""
    return make_panel(frame, charts.DURATION, width_pt)


def failures(frame: pd.DataFrame) -> Panel:
    """Which errors there were, which jobs failed and why, which were postponed."""
    return make_panel(frame, charts.FAILURES)


def latency(frame: pd.DataFrame) -> Panel:
    """How long the API took to answer, how many requests there were, what it failed and refused."""
    return make_panel(frame, charts.LATENCY)


# In the order in which a page shows them.
PANELS = {
    "time_to_picture": time_to_picture,
    "age": age,
    "backlog": backlog,
    "flow": flow,
    "duration": duration,
    "failures": failures,
    "latency": latency,
}


def save(frame: pd.DataFrame, folder: Path | str, formats: Iterable[str] = ("svg", "png")) -> list[Path]:
    """Write all seven figures into a folder, as `Panel.save` does; give the paths."""
    formats = [formats] if isinstance(formats, str) else [*formats]
    return [path for make in PANELS.values() for path in make(frame).save(folder, formats)]
