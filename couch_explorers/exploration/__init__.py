"""Prompt exploration: which prompt, model, seed and size give the picture we want, at what price, and which did we like."""

from couch_explorers.exploration.agreement import agreement
from couch_explorers.exploration.comparison import compare
from couch_explorers.exploration.contact_sheet import contact_sheet
from couch_explorers.exploration.duel import duel
from couch_explorers.exploration.duel_ranking import ranking
from couch_explorers.exploration.form import explore
from couch_explorers.exploration.gallery import gallery
from couch_explorers.exploration.judge import judge, plan_judging
from couch_explorers.exploration.rating_panel import rating_panel
from couch_explorers.exploration.ratings import merge, rate, ratings
from couch_explorers.exploration.reproduce import reproduce
from couch_explorers.exploration.results import load
from couch_explorers.exploration.run_comparison import compare_runs
from couch_explorers.exploration.summary import conclude
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.winners import best

__all__ = [
    "ExplorationError",
    "Sweep",
    "agreement",
    "best",
    "compare",
    "compare_runs",
    "conclude",
    "contact_sheet",
    "duel",
    "explore",
    "gallery",
    "judge",
    "load",
    "merge",
    "plan_judging",
    "ranking",
    "rate",
    "rating_panel",
    "ratings",
    "reproduce",
]  # fmt: skip
