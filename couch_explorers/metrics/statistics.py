"""Statistics derived from CloudWatch's: rates, shares, drain time, the worst percentile.

All are pure functions of a frame of `metrics.fetch`. NaN means unknown: denied, missing, or a division by zero.
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
    """Return the sum of a series: 0 if nothing was measured, NaN if it is denied or missing."""
    if model.context_of(frame).state(key, window) in NOT_KNOWN:
        return math.nan
    return float(model.points(frame, key, window).sum())


def highest(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> float:
    """Return the highest value of a series; NaN if there is none."""
    return float(model.points(frame, key, window).max())


def recent(frame: pd.DataFrame, key: SeriesKey, seconds: float, window: str = "now") -> pd.Series:
    """Return the points of the last `seconds` of a window, or of its last period if that is longer."""
    context = model.context_of(frame)
    span = timedelta(seconds=max(seconds, context.period_s))
    points = model.points(frame, key, window)
    return points[points.index >= context.window(window).end - span]


def share(part: float, whole: float) -> float:
    """Divide; NaN if the divisor is 0."""
    return part / whole if whole else math.nan


def throttle_share(frame: pd.DataFrame, resource: str, window: str = "now") -> float:
    """Return the share of throttled calls of a function; these are not invocations, so the total is the sum of both."""
    throttled = total(frame, series.throttles(resource), window)
    return share(throttled, throttled + total(frame, series.invocations(resource), window))


class Flow(StrEnum):
    """The trend of a backlog."""

    EMPTY = "empty"
    DRAINING = "draining"
    NOT_DRAINING = "not draining"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Drain:
    """The backlog at a window's end: jobs waiting, its trend, and seconds until it is empty (None unless it drains).

    `persists` says whether jobs were waiting at each count of the last minutes; `wait_s` is how long a new job waits at the
    rate of the last minutes: inf if nothing is processed.
    """

    visible: float
    flow: Flow
    seconds: float | None = None
    persists: bool = False
    wait_s: float = 0.0


def drain(frame: pd.DataFrame, window: str = "now") -> Drain:
    """Compute how the backlog drains: visible ÷ (deleted - sent per second) over the last five minutes with counts.

    The formula is that of cdk-monitoring-constructs, lib/monitoring/aws-sqs/SqsQueueMetricFactory, metricTimeToDrain.
    """
    visible = model.points(frame, series.VISIBLE, window)
    waiting = float(visible.iloc[-1]) if len(visible) else 0.0
    if waiting == 0:
        return Drain(0.0, Flow.EMPTY)
    context = model.context_of(frame)
    if any(context.state(key, window) in NOT_KNOWN for key in (series.SENT, series.DELETED)):
        return Drain(waiting, Flow.UNKNOWN)
    length_s = max(DRAIN_S, context.period_s)
    end = visible.index[-1] + timedelta(seconds=context.period_s)

    def last_minutes(points: pd.Series) -> pd.Series:
        return points[(points.index >= end - timedelta(seconds=length_s)) & (points.index < end)]

    counted = last_minutes(visible)
    sent, deleted = (
        float(last_minutes(model.points(frame, key, window)).sum()) for key in (series.SENT, series.DELETED)
    )
    rate = (deleted - sent) / length_s
    # Two counts are too few: the first jobs of an idle queue are counted before they are processed.
    persists = float(counted.min()) > 0 and len(counted) >= min(MIN_BACKLOG_COUNTS, length_s // context.period_s)
    wait_s = waiting * length_s / deleted if deleted else math.inf
    if rate > 0:
        return Drain(waiting, Flow.DRAINING, waiting / rate, persists, wait_s)
    return Drain(waiting, Flow.NOT_DRAINING, None, persists, wait_s)


@dataclass(frozen=True)
class Percentile:
    """The worst period of a percentile with enough samples: its value (None if no period has enough), time and samples.

    Without a value, `samples` is the most that one period has; NaN if they were not counted.
    """

    value: float | None
    start: datetime | None
    end: datetime | None
    samples: float


def worst_percentile(
    frame: pd.DataFrame, key: SeriesKey, window: str = "now", *, since: datetime | None = None
) -> Percentile:
    """Find the worst period of a percentile among those with enough samples (`thresholds.MIN_SAMPLES`).

    Args:
        frame: the points.
        key: the percentile; milliseconds stay milliseconds.
        window: the name of the window.
        since: only periods that begin then or later are considered.

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
    sufficient = curve.keep(measured & (samples >= MIN_SAMPLES.get(key[2], 1)))
    if sufficient.empty:
        return Percentile(None, None, None, most)
    start, end = sufficient.highest_at
    index = int(np.flatnonzero(sufficient.points == sufficient.highest)[-1])
    return Percentile(sufficient.highest, start, end, float(samples[index]))


def share_of_timeout(context: Context, resource: str, duration_ms: float) -> float:
    """Return a duration as a share of a function's timeout; NaN if the timeout is unknown."""
    function = context.function(resource)
    return share(duration_ms / 1000, function.timeout_s) if function else math.nan


def log_of(context: Context, resource: str) -> LogSummary | None:
    """Return the summary of a function's log, if it was read."""
    return next((log for log in context.logs if log.resource == resource), None)


def cold_start_share(context: Context, resource: str) -> float:
    """Return the share of a function's runs with a cold start, from its log; NaN if unknown."""
    log = log_of(context, resource)
    return share(log.cold_starts, log.reports) if log and log.cold_starts is not None else math.nan


def memory_share(context: Context, resource: str) -> float:
    """Return the highest memory used as a share of the function's, from its log; NaN if unknown."""
    log, function = log_of(context, resource), context.function(resource)
    if log is None or function is None or log.highest_memory_mb is None:
        return math.nan
    return share(log.highest_memory_mb, function.memory_mb)


def is_in_alarm(context: Context, alarm: Alarm) -> bool:
    """Check whether an alarm is in state ALARM: now, or at the end of a window in the past."""
    end = context.window().end
    if context.fetched - end <= timedelta(seconds=RECENT_S):
        return alarm.state == "ALARM"
    return any(until >= end for _, until in alarm.alarm_intervals)


def open_interval(context: Context, alarm: Alarm) -> tuple[datetime, datetime] | None:
    """Return the interval in ALARM that has not ended; None if there is none, or if it began after the window."""
    last = alarm.alarm_intervals[-1] if alarm.alarm_intervals else None
    is_open = last is not None and last[1] >= context.window().end and is_in_alarm(context, alarm)
    return last if is_open else None


def past_intervals(context: Context, alarm: Alarm) -> tuple[tuple[datetime, datetime], ...]:
    """Return the intervals in ALARM that have ended."""
    return alarm.alarm_intervals[:-1] if open_interval(context, alarm) else alarm.alarm_intervals
