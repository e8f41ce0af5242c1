"""How the objective of each path was met: the share attained in a window, the burn rates, and what is left of the error budget.

The share is good of all valid requests. A picture has a time, so the percentile rank of `TimeToPicture` tells good from late;
what ended without a picture has none, so it is counted from the failures, and jobs that wait for longer than the objective from
the depth of the queue. In a complete outage the share therefore falls to 0, where the percentile rank alone would have no value.
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
# How a sentence names what people asked for on each path.
REQUESTS = {WORKER: "job", API_FUNCTION: "request"}
# SQS counts once a minute, and CloudWatch may be some minutes behind: an older depth says nothing about the end of a window.
DEPTH_IS_CURRENT = timedelta(minutes=10)


@dataclass(frozen=True)
class Burn:
    """A burn rate alert, and how fast the error budget burned over its two windows; NaN for a window without requests."""

    alert: BurnAlert
    long: float
    short: float
    requests: float  # valid ones of the long window

    def is_alerting(self, min_requests: int) -> bool:
        """Whether both windows burn faster than the alert's rate, on requests enough to tell."""
        return self.requests >= min_requests and min(self.long, self.short) > self.alert.rate


@dataclass(frozen=True)
class ObjectiveReport:
    """How a path met its objective; `attained` is of the window now, `month` of the error budget's, None where it is not known."""

    objective: Objective
    attained: Attainment
    before: Attainment | None
    month: Attainment | None
    burns: tuple[Burn, ...]

    @property
    def budget_left(self) -> float:
        """The share of the error budget that is left, negative where it is overdrawn; NaN where nothing is known."""
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
    facts = model.context_of(frame)
    answered = {window.name for window in facts.objective_windows}
    return ObjectiveReport(
        objective=objective_of(facts, resource),
        attained=attainment(frame, resource),
        before=attainment(frame, resource, compared) if compared else None,
        month=attainment(frame, resource, "budget") if "budget" in answered else None,
        burns=tuple(_burn(frame, resource, alert) for alert in BURN_ALERTS) if "burn" in answered else (),
    )


def objective_of(facts: Context, resource: str) -> Objective:
    """Give the objective of a path: what its function says, or the stack's default."""
    return facts.objectives.get(resource, series.OBJECTIVES[resource])


def attainment(frame: pd.DataFrame, resource: str, window: str = "now", since: datetime | None = None) -> Attainment:
    """Count what became of a path's requests in a window, or in the part of it since a time.

    Of the queue, `failed` are permanent failures and jobs that SQS moved to the dead-letter queue after crashes; `overdue` are
    those that waited for longer than the objective at the window's end. Of the API, `failed` are the answers 5XX, and 4XX beside
    those that are the client's to change. API Gateway's own refusals count, too, of which CloudWatch does not tell a throttled
    request (429) from a wrong path.
    """
    part = _Part(frame, window, since)
    objective = objective_of(part.facts, resource)
    made = part.points(series.time_to_picture(resource, "SampleCount"))
    rank = part.points(series.within_objective(resource, objective)).reindex(made.index).fillna(0.0)
    good = float((made * rank).sum()) / 100
    excluded = sum(part.total(key) for key in series.excluded(resource))
    late = max(0.0, float(made.sum()) - good)
    if resource == API_FUNCTION:
        refused = max(0.0, part.total(series.API_4XX) - excluded)
        return Attainment(good, late, part.total(series.API_5XX) + refused, 0.0, excluded)
    given_up = part.total(series.FAILED_JOBS)
    # The worker moves what it gives up on; what rises beside that was moved by SQS, after crashes of which no metric tells.
    crashed = max(0.0, part.rises(series.DEAD_LETTERS_VISIBLE) - given_up)
    return Attainment(good, late, max(0.0, given_up - excluded) + crashed, part.overdue(objective), excluded)


class _Part:
    """The points of a window since a time."""

    def __init__(self, frame: pd.DataFrame, window: str, since: datetime | None) -> None:
        self.frame, self.window, self.since = frame, window, since
        self.facts = model.context_of(frame)

    def points(self, key: SeriesKey) -> pd.Series:
        found = model.points(self.frame, key, self.window)
        return found if self.since is None else found[found.index >= self.since]

    def total(self, key: SeriesKey) -> float:
        return float(self.points(key).sum())

    def rises(self, key: SeriesKey) -> float:
        """By how much a depth rose, all rises together; what lay there before the first point is none."""
        values = self.points(key).to_numpy()
        return float(np.clip(np.diff(values), 0, None).sum()) if len(values) else 0.0

    def overdue(self, objective: Objective) -> float:
        """Jobs in the queue at the window's end beside those sent within the objective, which may still make it.

        The windows of the error budget end where the window now does, and that one is measured most finely.
        """
        name = self.window if self.window in {window.name for window in self.facts.windows} else "now"
        end = self.facts.window(name).end
        visible, in_flight = (model.points(self.frame, key, name) for key in (series.VISIBLE, series.IN_FLIGHT))
        if visible.empty or end - visible.index[-1] > max(DEPTH_IS_CURRENT, timedelta(seconds=2 * self.facts.period_s)):
            return 0.0
        measured = visible.index[-1]
        waiting = float(visible.iloc[-1]) + float(in_flight.get(measured, 0.0))
        sent = model.points(self.frame, series.SENT, name)
        lately = timedelta(seconds=max(objective.seconds, self.facts.period_s))
        counted = measured + timedelta(seconds=self.facts.period_s)
        return max(0.0, waiting - float(sent[sent.index >= counted - lately].sum()))


def _burn(frame: pd.DataFrame, resource: str, alert: BurnAlert) -> Burn:
    facts = model.context_of(frame)
    objective, end = objective_of(facts, resource), facts.window("burn").end
    long, short = (
        attainment(frame, resource, "burn", end - timedelta(seconds=seconds))
        for seconds in (alert.long_s, alert.short_s)
    )
    return Burn(alert, objective.burn_rate(long.share), objective.burn_rate(short.share), long.valid)
