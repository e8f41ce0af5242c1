"""From CloudWatch to a frame, verdicts and figures, as `notebooks/metric_review.ipynb` shows them."""

from couch_explorers.metrics.cloudwatch import fetch, fetch_hours
from couch_explorers.metrics.model import context_of as facts_of
from couch_explorers.metrics.review import review, save, show
from couch_explorers.metrics.summary import conclude

__all__ = ["conclude", "facts_of", "fetch", "fetch_hours", "review", "save", "show"]
