"""Six figures of a review, each a `Panel`: the drawing, and the sentence that reads it.

from couch_explorers.metrics import plots

plots.age(frame)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.metrics.plots import charts, figure, style
from couch_explorers.metrics.plots.figure import Subplot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from couch_explorers.metrics.plots.figure import Panel


def age(frame: pd.DataFrame, width_pt: float = style.WIDTH_PT) -> Panel:
    """How long the oldest job had waited, against the alarm's threshold, and when the alarm rang."""
    return figure.make_panel(frame, "age", charts.age, [Subplot(charts.age.draw, charts.age.HEIGHT_PT)], width_pt)


def backlog(frame: pd.DataFrame) -> Panel:
    """How many jobs waited and were worked on, and how many dead letters there were."""
    chart = charts.backlog
    parts = [Subplot(chart.draw, chart.HEIGHT_PT), Subplot(chart.draw_dead_letters, chart.LETTERS_HEIGHT_PT)]
    return figure.make_panel(frame, "backlog", chart, parts)


def flow(frame: pd.DataFrame) -> Panel:
    """How many jobs were sent, against how many were done."""
    return figure.make_panel(frame, "flow", charts.flow, [Subplot(charts.flow.draw, charts.flow.HEIGHT_PT)])


def duration(frame: pd.DataFrame, width_pt: float = style.WIDTH_PT) -> Panel:
    """How long worker and API function ran, by percentiles, against their time-outs."""
    chart = charts.duration
    parts = [Subplot(chart.draw, chart.HEIGHT_PT), Subplot(chart.draw_api_function, chart.API_HEIGHT_PT)]
    return figure.make_panel(frame, "duration", chart, parts, width_pt)


def failures(frame: pd.DataFrame) -> Panel:
    """Which errors there were, which jobs failed and why, which were put off."""
    return figure.make_panel(
        frame, "failures", charts.failures, [Subplot(charts.failures.draw, charts.failures.height_pt(frame))]
    )


def latency(frame: pd.DataFrame) -> Panel:
    """How long the API took to answer, how much it was asked, what it failed and refused."""
    chart = charts.latency
    parts = [Subplot(chart.draw, chart.HEIGHT_PT), Subplot(chart.draw_counts, chart.COUNTS_HEIGHT_PT)]
    return figure.make_panel(frame, "latency", chart, parts)


# In the order in which a page shows them.
PANELS = {"age": age, "backlog": backlog, "flow": flow, "duration": duration, "failures": failures, "latency": latency}


def save(frame: pd.DataFrame, folder: Path | str, formats: Iterable[str] = ("svg", "png")) -> list[Path]:
    """Write all six figures into a folder, as `Panel.save` does; give the paths."""
    formats = [formats] if isinstance(formats, str) else [*formats]
    return [path for make in PANELS.values() for path in make(frame).save(folder, formats)]
