"""The review's own figures at the width of print: the age of the oldest message, and how long the Lambdas run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.figures import provenance
from couch_explorers.figures.figure import FigureError, RenderedFigure
from couch_explorers.metrics import model, plots, resampling, series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.review_data import STACK, no_data_reason
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey

# Where nothing was measured only work helps.
REMEDIES = {SeriesState.DENIED: "allow it", SeriesState.PARTIAL: "try again in a minute"}


def age(frame: pd.DataFrame) -> RenderedFigure:
    """Draw the age of the oldest message with its alarm; FigureError where nothing was measured."""
    if resampling.resample(frame, series.AGE).empty:
        raise FigureError(lacking(model.context_of(frame), series.AGE))
    return RenderedFigure(plots.age(frame, style.PRINT_WIDTH_PT), provenance.measured(frame, compared=True))


def duration(frame: pd.DataFrame) -> RenderedFigure:
    """Draw how long the Lambdas ran, against their time-outs; FigureError where neither ran."""
    keys = [series.duration(resource, "Maximum") for resource in series.FUNCTIONS]
    empty = [key for key in keys if resampling.resample(frame, key).empty]
    missing = lacking(model.context_of(frame), *empty)
    if len(empty) == len(keys):
        raise FigureError(missing)
    return RenderedFigure(
        plots.duration(frame, style.PRINT_WIDTH_PT), provenance.measured(frame, compared=True), missing
    )


def lacking(facts: Context, *keys: SeriesKey) -> str:
    """Say why series have no points, and what to do so that they have; empty for no series."""
    gone = [key for key in keys if facts.state(key) is SeriesState.MISSING]
    others = [key for key in keys if key not in gone]
    told = dict.fromkeys(f"{not_deployed(STACK[key[0]], facts.target)}." for key in gone)
    reasons = dict.fromkeys(no_data_reason(facts, key) for key in others)
    remedies = dict.fromkeys(REMEDIES.get(facts.state(key), _work(facts)) for key in others)
    return " ".join(filter(None, (*told, formatting.sentence(*reasons, *remedies))))


def _work(facts: Context) -> str:
    """Say how to get something to measure."""
    hours = "ask for more hours (`-p hours 168`)"
    target = "" if facts.target == "local" else f" --target {facts.target}"
    paint = f"give it work and wait two minutes: `couch run smoke_test{target}`"
    past = ", or write a synthetic week: `couch seed-metrics`" if facts.target == "local" else ""
    return f"{hours}, or {paint}{past}"
