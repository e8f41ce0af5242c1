"""The seven figures of a review, each a `Panel`: the drawing and its caption.

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
    """Plot the time to picture on both paths, by percentiles, with the objectives."""
    return make_panel(frame, charts.TIME_TO_PICTURE)


def age(frame: pd.DataFrame, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """Plot the age of the oldest job, with the alarm's threshold, and when it was in ALARM."""
    return make_panel(frame, charts.AGE, width_pt)


def backlog(frame: pd.DataFrame) -> Panel:
    """Plot the waiting jobs, the jobs in flight, and the dead-letter messages."""
    return make_panel(frame, charts.BACKLOG)


def flow(frame: pd.DataFrame) -> Panel:
    """Plot the jobs sent and done."""
    return make_panel(frame, charts.FLOW)


def duration(frame: pd.DataFrame, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """Plot the durations of the worker and the API function, by percentiles, with their timeouts."""
    return make_panel(frame, charts.DURATION, width_pt)


def failures(frame: pd.DataFrame) -> Panel:
    """Plot function errors, failed jobs by reason, and postponed jobs."""
    return make_panel(frame, charts.FAILURES)


def latency(frame: pd.DataFrame) -> Panel:
    """Plot the API's latency, and its requests, failures and refusals."""
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
    """Save all seven figures to a folder, like `Panel.save`; return the paths."""
    formats = [formats] if isinstance(formats, str) else [*formats]
    return [path for make in PANELS.values() for path in make(frame).save(folder, formats)]
