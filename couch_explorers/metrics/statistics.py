"""Figures that CloudWatch does not give, made from those it gives: rates, shares, drain time, the worst percentile.

All are pure functions of a frame of `metrics.fetch`. NaN stands for "not known": denied, missing, or nothing to divide by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.metrics import model, resampling, series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.thresholds import DRAIN_S, MIN_BACKLOG_COUNTS, MIN_SAMPLES, RECENT_S

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from couch_explorers.metrics.model import Alarm, Context, LogSummary, SeriesKey

NOT_KNOWN = (SeriesState.DENIED, SeriesState.MISSING)


def total(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> float:
    """Sum up a series: 0 where nothing was measured, NaN where it could not be asked for."""
    if model.context_of(frame).state(key, window) in NOT_KNOWN:
        return math.nan
    return float(model.points(frame, key, window).sum())


def highest(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> float:
    """Give the highest value of a series; NaN where there is none."""
    return float(model.points(frame, key, window).max())


def recent(frame: pd.DataFrame, key: SeriesKey, seconds: float, window: str = "now") -> pd.Series:
    """Give the points of the last `seconds` of a window; of its last period where that is longer."""
    facts = model.context_of(frame)
    span = timedelta(seconds=max(seconds, facts.period_s))
    points = model.points(frame, key, window)
    return points[points.index >= facts.window(window).end - span]


def share(part: float, whole: float) -> float:
    """Divide; NaN where there is nothing to divide by."""
    return part / whole if whole else math.nan


def throttle_share(frame: pd.DataFrame, resource: str, window: str = "now") -> float:
    """Give the share of calls to a function that were throttled: such a call is no invocation, so both make up the whole."""
    throttled = total(frame, series.throttles(resource), window)
    return share(throttled, throttled + total(frame, series.invocations(resource), window))


class Flow(StrEnum):
    """Where a backlog goes."""

    EMPTY = "empty"
    DRAINING = "draining"
    NOT_DRAINING = "not draining"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Drain:
    """The backlog at a window's end: jobs waiting, how it flows, and seconds until it is empty (None unless it drains).

    `stands` tells whether jobs waited at each count of the last minutes; `wait_s` is how long a job waits that comes now,
    at the pace of the last minutes: inf where nothing is served.
    """

    visible: float
    flow: Flow
    seconds: float | None = None
    stands: bool = False
    wait_s: float = 0.0


def drain(frame: pd.DataFrame, window: str = "now") -> Drain:
    """Tell how the backlog drains: visible ÷ (deleted - sent a second) over the last five minutes that were counted.

    The formula is that of cdk-monitoring-constructs, lib/monitoring/aws-sqs/SqsQueueMetricFactory, metricTimeToDrain.
    """
    visible = model.points(frame, series.VISIBLE, window)
    waiting = float(visible.iloc[-1]) if len(visible) else 0.0
    if waiting == 0:
        return Drain(0.0, Flow.EMPTY)
    facts = model.context_of(frame)
    if any(facts.state(key, window) in NOT_KNOWN for key in (series.SENT, series.DELETED)):
        return Drain(waiting, Flow.UNKNOWN)
    length_s = max(DRAIN_S, facts.period_s)
    end = visible.index[-1] + timedelta(seconds=facts.period_s)

    def lately(points: pd.Series) -> pd.Series:
        return points[(points.index >= end - timedelta(seconds=length_s)) & (points.index < end)]

    counted = lately(visible)
    sent, deleted = (float(lately(model.points(frame, key, window)).sum()) for key in (series.SENT, series.DELETED))
    rate = (deleted - sent) / length_s
    # Two counts are too few: the first jobs of a queue at rest are counted before they are served.
    stands = float(counted.min()) > 0 and len(counted) >= min(MIN_BACKLOG_COUNTS, length_s // facts.period_s)
    wait_s = waiting * length_s / deleted if deleted else math.inf
    if rate > 0:
        return Drain(waiting, Flow.DRAINING, waiting / rate, stands, wait_s)
    return Drain(waiting, Flow.NOT_DRAINING, None, stands, wait_s)


@dataclass(frozen=True)
class Percentile:
    """The worst period of a percentile that has enough samples: value (None: no period has), when, and of how many.

    Without a value, `samples` tells the most that one period has; NaN where they were not counted.
    """

    value: float | None
    start: datetime | None
    end: datetime | None
    samples: float


def worst_percentile(
    frame: pd.DataFrame, key: SeriesKey, window: str = "now", *, since: datetime | None = None
) -> Percentile:
    """Find the worst period of a percentile among those whose samples carry it (`thresholds.MIN_SAMPLES`).

    Args:
        frame: the points.
        key: the percentile; milliseconds stay milliseconds.
        window: which window is looked at.
        since: only periods are looked at that begin then or later.

    """
    curve = resampling.resample(frame, key, window)
    measured = ~np.isnan(curve.points)
    if since is not None:
        first = (since - curve.window.start).total_seconds()
        measured &= curve.edges[:-1] >= first
    counted = resampling.resample(frame, series.samples_of(key), window)
    if counted.empty and measured.any():
        return Percentile(None, None, None, math.nan)
    samples = resampling.samples_per_period(curve, counted)
    most = float(samples[measured].max()) if measured.any() else 0.0
    carried = curve.keep(measured & (samples >= MIN_SAMPLES.get(key[2], 1)))
    if carried.empty:
        return Percentile(None, None, None, most)
    start, end = carried.highest_at
    place = int(np.flatnonzero(carried.points == carried.highest)[-1])
    return Percentile(carried.highest, start, end, float(samples[place]))


def share_of_timeout(facts: Context, resource: str, duration_ms: float) -> float:
    """Give a duration as share of a function's time-out; NaN where the time-out is not known."""
    function = facts.function(resource)
    return share(duration_ms / 1000, function.timeout_s) if function else math.nan


def log_of(facts: Context, resource: str) -> LogSummary | None:
    """Give what a function's log says, if it was read."""
    return next((log for log in facts.logs if log.resource == resource), None)


def cold_start_share(facts: Context, resource: str) -> float:
    """Give the share of a function's runs that began with a cold start, by its log; NaN where the log does not tell."""
    log = log_of(facts, resource)
    return share(log.cold_starts, log.reports) if log and log.cold_starts is not None else math.nan


def memory_share(facts: Context, resource: str) -> float:
    """Give the highest memory used as share of the function's, by its log; NaN where the log does not tell."""
    log, function = log_of(facts, resource), facts.function(resource)
    if log is None or function is None or log.highest_memory_mb is None:
        return math.nan
    return share(log.highest_memory_mb, function.memory_mb)


def is_in_alarm(context: Context, alarm: Alarm) -> bool:
    """Tell whether an alarm is in state ALARM: now, or at the end of a window that lies further back."""
    end = context.window().end
    if context.fetched - end <= timedelta(seconds=RECENT_S):
        return alarm.state == "ALARM"
    return any(until >= end for _, until in alarm.alarm_intervals)


def open_interval(context: Context, alarm: Alarm) -> tuple[datetime, datetime] | None:
    """Give the interval in ALARM that has not ended; None where there is none, or where it began after the window."""
    last = alarm.alarm_intervals[-1] if alarm.alarm_intervals else None
    is_open = last is not None and last[1] >= context.window().end and is_in_alarm(context, alarm)
    return last if is_open else None


def past_intervals(context: Context, alarm: Alarm) -> tuple[tuple[datetime, datetime], ...]:
    """Give the intervals in ALARM that have ended."""
    return alarm.alarm_intervals[:-1] if open_interval(context, alarm) else alarm.alarm_intervals
