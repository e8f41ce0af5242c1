"""A beta of 1,000 users on both paths, by the capacity model: what the notebook `capacity_planning` shows first."""

from __future__ import annotations

import numpy as np

from couch_explorers.capacity import plots, scenarios
from couch_explorers.capacity.alarm_advice import System
from couch_explorers.figures import provenance
from couch_explorers.figures.figure import RenderedFigure
from couch_explorers.metrics.plots import style
from couch_explorers.objective import QUEUE_OBJECTIVE

NAME, TITLE = "beta", "The beta on both paths"
# The notebook's own defaults, and its seed.
USERS, MINUTES, QUOTA, SEED = 1000, 5.0, 30.0, 7


def make() -> RenderedFigure:
    """Draw how many people have their picture over time, by the queue and by the API."""
    system = System()
    result = scenarios.run_beta(USERS, MINUTES, system, quota=QUOTA, rng=np.random.default_rng(SEED))
    assumed = f"{system.concurrency} workers, {system.picture_s:g} s a picture, a quota of {QUOTA:g} images a minute"
    return RenderedFigure(plots.beta(result, QUEUE_OBJECTIVE, style.PRINT_WIDTH_PT), provenance.modelled(assumed, SEED))
