"""The figures of other notebooks at the width of print: the review's age and duration, and the beta of `capacity_planning`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting, plot_style
from couch_explorers.capacity import plots as capacity_plots
from couch_explorers.capacity import scenarios
from couch_explorers.capacity.alarm_advice import System
from couch_explorers.figures import provenance
from couch_explorers.figures.figure import FigureError, RenderedFigure
from couch_explorers.metrics import model, plots, resampling, series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.review_data import STACK, no_data_reason
from couch_explorers.objective import QUEUE_OBJECTIVE
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey

BETA, BETA_TITLE = "beta", "The beta on both paths"
# The defaults of the notebook `capacity_planning`, and its seed.
USERS, MINUTES, QUOTA, SEED = 1000, 5.0, 30.0, 7

# If nothing was measured, the system has to be used first.
REMEDIES = {SeriesState.DENIED: "allow it", SeriesState.PARTIAL: "try again in a minute"}


def age(frame: pd.DataFrame) -> RenderedFigure:
    """Draw the age of the oldest message with its alarm; raises FigureError if nothing was measured."""
    if resampling.resample(frame, series.AGE).empty:
        raise FigureError(lacking(model.context_of(frame), series.AGE))
    return RenderedFigure(plots.age(frame, plot_style.PRINT_WIDTH_PT), provenance.measured(frame, compared=True))


def duration(frame: pd.DataFrame) -> RenderedFigure:
    """Draw the Lambdas' durations with their timeouts; raises FigureError if neither ran."""
    keys = [series.duration(resource, "Maximum") for resource in series.FUNCTIONS]
    empty = [key for key in keys if resampling.resample(frame, key).empty]
    missing = lacking(model.context_of(frame), *empty)
    if len(empty) == len(keys):
        raise FigureError(missing)
    return RenderedFigure(
        plots.duration(frame, plot_style.PRINT_WIDTH_PT), provenance.measured(frame, compared=True), missing
    )


def beta() -> RenderedFigure:
    """Draw how many people have their picture over time, through the queue and the API, by the capacity model."""
    system = System()
    result = scenarios.run_beta(USERS, MINUTES, system, quota=QUOTA, rng=np.random.default_rng(SEED))
    assumed = f"{system.concurrency} workers, {system.picture_s:g} s a picture, a quota of {QUOTA:g} images a minute"
    panel = capacity_plots.beta(result, QUEUE_OBJECTIVE, plot_style.PRINT_WIDTH_PT)
    return RenderedFigure(panel, provenance.modelled(assumed, SEED))


def lacking(facts: Context, *keys: SeriesKey) -> str:
    """Return why series have no points, and what to do about it; empty for no series."""
    gone = [key for key in keys if facts.state(key) is SeriesState.MISSING]
    others = [key for key in keys if key not in gone]
    sentences = dict.fromkeys(f"{not_deployed(STACK[key[0]], facts.target)}." for key in gone)
    reasons = dict.fromkeys(no_data_reason(facts, key) for key in others)
    remedies = dict.fromkeys(REMEDIES.get(facts.state(key), _work(facts)) for key in others)
    return " ".join(filter(None, (*sentences, formatting.sentence(*reasons, *remedies))))


def _work(facts: Context) -> str:
    """Return how to produce data to measure."""
    hours = "ask for more hours (`-p hours 168`)"
    target = "" if facts.target == "local" else f" --target {facts.target}"
    paint = f"give it work and wait two minutes: `couch run smoke_test{target}`"
    past = ", or write a synthetic week: `couch seed-metrics`" if facts.target == "local" else ""
    return f"{hours}, or {paint}{past}"
