"""Attainment of the objective of each path: the share attained in a window, the burn rates, and the error budget left.

The share is good of all valid requests. The percentile rank of `TimeToPicture` separates good pictures from late ones. Requests
without a picture have no time: they are counted from the failures, and overdue jobs from the depth of the queue. In a complete
outage the share therefore falls to 0, where the percentile rank alone would have no value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.objective import BURN_ALERTS, Attainment

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey
    from couch_explorers.objective import BurnAlert, Objective

PATHS = (WORKER, API_FUNCTION)
# The name of a request on each path, in a sentence.
REQUESTS = {WORKER: "job", API_FUNCTION: "request"}
# SQS counts once a minute, and CloudWatch may lag some minutes: an older depth says nothing about a window's end.
DEPTH_IS_CURRENT = timedelta(minutes=10)


@dataclass(frozen=True)
class Burn:
    """A burn rate alert, and how fast the error budget burned over its two windows; NaN for a window without requests."""

    alert: BurnAlert
    long: float
    short: float
    requests: float  # valid requests of the long window

    def is_alerting(self, min_requests: int) -> bool:
        """Check whether both windows burn faster than the alert's rate, with enough requests to judge."""
        return self.requests >= min_requests and min(self.long, self.short) > self.alert.rate


@dataclass(frozen=True)
class ObjectiveReport:
    """A path's attainment: `attained` in the window now, `month` in the error budget's window, None if unknown."""

    objective: Objective
    attained: Attainment
    before: Attainment | None
    month: Attainment | None
    burns: tuple[Burn, ...]

    @property
    def budget_left(self) -> float:
        """The share of the error budget that is left, negative if overdrawn; NaN if unknown."""
        return math.nan if self.month is None else self.objective.budget_left(self.month.share)


def report(frame: pd.DataFrame, resource: str, compared: str | None = None) -> ObjectiveReport:
    """Report on the path of the worker or of the API's function.

    Args:
        frame: Points of `metrics.fetch`, with its context.
        resource: `WORKER` or `API_FUNCTION`.
        compared: The window to compare with.

    Raises:
        ValueError: The frame has no context.

    """
    context = model.context_of(frame)
    answered = {window.name for window in context.objective_windows}
    return ObjectiveReport(
        objective=objective_of(context, resource),
        attained=attainment(frame, resource),
        before=attainment(frame, resource, compared) if compared else None,
        month=attainment(frame, resource, "budget") if "budget" in answered else None,
        burns=tuple(_burn(frame, resource, alert) for alert in BURN_ALERTS) if "burn" in answered else (),
    )


def objective_of(context: Context, resource: str) -> Objective:
    """Return the objective of a path: its function's, or the stack's default."""
    return context.objectives.get(resource, series.OBJECTIVES[resource])


def attainment(frame: pd.DataFrame, resource: str, window: str = "now", since: datetime | None = None) -> Attainment:
    """Count the outcomes of a path's requests in a window, or in the part of it since a time.

    For the queue, `failed` counts permanent failures and jobs that SQS moved to the dead-letter queue after crashes; `overdue`
    those that had waited longer than the objective at the window's end. For the API, `failed` counts 5XX responses, and 4XX
    ones that are not the client's errors. This includes API Gateway's own 4XX, where CloudWatch does not distinguish a
    throttled request (429) from a wrong path.
    """
    part = _Part(frame, window, since)
    objective = objective_of(part.context, resource)
    made = part.points(series.time_to_picture(resource, "SampleCount"))
    rank = part.points(series.within_objective(resource, objective)).reindex(made.index).fillna(0.0)
    good = float((made * rank).sum()) / 100
    excluded = sum(part.total(key) for key in series.excluded(resource))
    late = max(0.0, float(made.sum()) - good)
    if resource == API_FUNCTION:
        refused = max(0.0, part.total(series.API_4XX) - excluded)
        return Attainment(good, late, part.total(series.API_5XX) + refused, 0.0, excluded)
    given_up = part.total(series.FAILED_JOBS)
    # The worker moves jobs that it gives up on; any further rise was moved by SQS, after crashes that no metric counts.
    crashed = max(0.0, part.rises(series.DEAD_LETTERS_VISIBLE) - given_up)
    return Attainment(good, late, max(0.0, given_up - excluded) + crashed, part.overdue(objective), excluded)


class _Part:
    """The points of a window since a time."""

    def __init__(self, frame: pd.DataFrame, window: str, since: datetime | None) -> None:
        self.frame, self.window, self.since = frame, window, since
        self.context = model.context_of(frame)

    def points(self, key: SeriesKey) -> pd.Series:
        found = model.points(self.frame, key, self.window)
        return found if self.since is None else found[found.index >= self.since]

    def total(self, key: SeriesKey) -> float:
        return float(self.points(key).sum())

    def rises(self, key: SeriesKey) -> float:
        """Return the sum of all rises of a depth, not counting the messages before the first point."""
        values = self.points(key).to_numpy()
        return float(np.clip(np.diff(values), 0, None).sum()) if len(values) else 0.0

    def overdue(self, objective: Objective) -> float:
        """Return the jobs in the queue at the window's end, except those sent within the objective, which may still meet it.

        The error budget's windows end with the window now, which has the finest periods.
        """
        name = self.window if self.window in {window.name for window in self.context.windows} else "now"
        end = self.context.window(name).end
        visible, in_flight = (model.points(self.frame, key, name) for key in (series.VISIBLE, series.IN_FLIGHT))
        if visible.empty or end - visible.index[-1] > max(
            DEPTH_IS_CURRENT, timedelta(seconds=2 * self.context.period_s)
        ):
            return 0.0
        measured = visible.index[-1]
        waiting = float(visible.iloc[-1]) + float(in_flight.get(measured, 0.0))
        sent = model.points(self.frame, series.SENT, name)
        lately = timedelta(seconds=max(objective.seconds, self.context.period_s))
        counted = measured + timedelta(seconds=self.context.period_s)
        return max(0.0, waiting - float(sent[sent.index >= counted - lately].sum()))


def _burn(frame: pd.DataFrame, resource: str, alert: BurnAlert) -> Burn:
    context = model.context_of(frame)
    objective, end = objective_of(context, resource), context.window("burn").end
    long, short = (
        attainment(frame, resource, "burn", end - timedelta(seconds=seconds))
        for seconds in (alert.long_s, alert.short_s)
    )
    return Burn(alert, objective.burn_rate(long.share), objective.burn_rate(short.share), long.valid)
