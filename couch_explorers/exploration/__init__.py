"""Prompt exploration: which prompt, model, seed and size give the picture we want, at what price, and which did we like."""

from couch_explorers.exploration.again import again
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.conclusion import conclude
from couch_explorers.exploration.planning.sweep import Sweep
from couch_explorers.exploration.rating.ratings import merge, rate, ratings
from couch_explorers.exploration.rating.widgets import rating_panel
from couch_explorers.exploration.rating.winners import best
from couch_explorers.exploration.running.results import load
from couch_explorers.exploration.showing.comparison import compare
from couch_explorers.exploration.showing.gallery import gallery
from couch_explorers.exploration.showing.sheet import contact_sheet

__all__ = [
    "ExplorationError", "Sweep", "again", "best", "compare", "conclude", "contact_sheet", "gallery", "load", "merge", "rate",
    "rating_panel", "ratings",
]  # fmt: skip
