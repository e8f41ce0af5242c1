"""CloudWatch to frame, to verdicts, to figures: what `notebooks/metric_review.ipynb` shows."""

from couch_explorers.metrics.conclusion import conclude
from couch_explorers.metrics.facts import of as facts_of
from couch_explorers.metrics.fetching import fetch, fetch_hours
from couch_explorers.metrics.review_display import show
from couch_explorers.metrics.reviewing import review
from couch_explorers.metrics.saving import save

__all__ = ["conclude", "facts_of", "fetch", "fetch_hours", "review", "save", "show"]
