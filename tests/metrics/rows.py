"""Single rows of a review, and series that have values only at their end."""

from types import SimpleNamespace

from couch_explorers.metrics.review import CHECKS
from couch_explorers.metrics.review_data import ReviewData


def row_of(frame, check):
    """Make one check of a frame and give its row as a review has it: `.verdict`, `.value`, `.reason` and the others."""
    finding = CHECKS[check](ReviewData(frame))
    return SimpleNamespace(**finding.record(), caption=finding.caption)


def lately(*values, minutes=1440):
    """A series that has only the given values, one a minute, up to the window's end."""
    return dict(enumerate(values, start=minutes - len(values)))
