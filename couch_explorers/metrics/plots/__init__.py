"""Six figures of a review, each a `Panel`: the drawing, and the sentence that reads it.

from couch_explorers.metrics import plots

plots.age(frame)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.metrics.plots import charts, layout, style
from couch_explorers.metrics.plots.layout import Part

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from couch_explorers.metrics.plots.panel import Panel


def age(frame: pd.DataFrame, width_pt: float = style.WIDTH_PT) -> Panel:
    """How long the oldest job had waited, against the alarm's threshold, and when the alarm rang."""
    return layout.panel(frame, "age", charts.age, [Part(charts.age.draw, charts.age.HEIGHT_PT)], width_pt)


def backlog(frame: pd.DataFrame) -> Panel:
    """How many jobs waited and were worked on, and how many dead letters there were."""
    chart = charts.backlog
    parts = [Part(chart.draw, chart.HEIGHT_PT), Part(chart.draw_dead_letters, chart.LETTERS_HEIGHT_PT)]
    return layout.panel(frame, "backlog", chart, parts)


def flow(frame: pd.DataFrame) -> Panel:
    """How many jobs were sent, against how many were done."""
    return layout.panel(frame, "flow", charts.flow, [Part(charts.flow.draw, charts.flow.HEIGHT_PT)])


def duration(frame: pd.DataFrame, width_pt: float = style.WIDTH_PT) -> Panel:
    """How long worker and API function ran, by percentiles, against their time-outs."""
    chart = charts.duration
    parts = [Part(chart.draw, chart.HEIGHT_PT), Part(chart.draw_api_function, chart.API_HEIGHT_PT)]
    return layout.panel(frame, "duration", chart, parts, width_pt)


def failures(frame: pd.DataFrame) -> Panel:
    """Which errors there were, which jobs failed and why, which were put off."""
    return layout.panel(
        frame, "failures", charts.failures, [Part(charts.failures.draw, charts.failures.height_pt(frame))]
    )


def latency(frame: pd.DataFrame) -> Panel:
    """How long the API took to answer, how much it was asked, what it failed and refused."""
    chart = charts.latency
    parts = [Part(chart.draw, chart.HEIGHT_PT), Part(chart.draw_counts, chart.COUNTS_HEIGHT_PT)]
    return layout.panel(frame, "latency", chart, parts)


# In the order in which a page shows them.
PANELS = {"age": age, "backlog": backlog, "flow": flow, "duration": duration, "failures": failures, "latency": latency}


def save(frame: pd.DataFrame, folder: Path | str, formats: Iterable[str] = ("svg", "png")) -> list[Path]:
    """Write all six figures into a folder, as `Panel.save` does; give the paths."""
    formats = [formats] if isinstance(formats, str) else [*formats]
    return [path for make in PANELS.values() for path in make(frame).save(folder, formats)]
