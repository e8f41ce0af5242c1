"""The captions of the figures: one sentence each, built from the checks' findings, so that no caption contradicts the table."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting
from couch_explorers.metrics import resampling, series
from couch_explorers.metrics.checks import api, functions, objective, queue
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.review import findings_of

if TYPE_CHECKING:
    from couch_explorers.metrics.model import SeriesKey
    from couch_explorers.metrics.resampling import Curve
    from couch_explorers.metrics.review_data import ReviewData

# The alarms of the figure of failures.
FAILURE_ALARMS = (functions.ALARMS[WORKER], queue.FAILED_JOBS_ALARM)
# From this share on, two windows count as measured for the same time.
NEARLY_ALL = 0.9


def time_to_picture(data: ReviewData) -> str:
    """Describe for both paths the share within the objective, the error budget left, and how fast it burns."""
    keys = {
        resource: [series.time_to_picture(resource, statistic) for statistic in series.TIME_PERCENTILES]
        for resource in (WORKER, API_FUNCTION)
    }
    left_out = [
        resampling.missing_percentiles(
            data.frame, percentiles, series.time_to_picture(resource, "SampleCount"), "pictures"
        )
        for resource, percentiles in keys.items()
    ]
    return formatting.sentence(
        _captions(data, *objective.CHECK_NAMES.values()),
        *(objective.budget_clause(data, resource) for resource in keys),
        data.alarm_clause(objective.ALARM),
        max(left_out, key=len),
        data.partial_note(*chain.from_iterable(keys.values())),
    )


def age(data: ReviewData) -> str:
    """Describe the highest age and its time, compared with the threshold and the previous window; and the dead-letter queue.

    The age alone is misleading: a job that was received three times no longer counts (SQS developer guide, "Available CloudWatch
    metrics for Amazon SQS", ApproximateAgeOfOldestMessage).
    """
    depth = data.level(series.DEAD_LETTERS_VISIBLE).depth()
    return formatting.sentence(
        _captions(data, queue.AGE_CHECK),
        data.alarm_clause(queue.AGE_ALARM) if data.level(series.AGE).peak else "",
        f"dead-letter queue: {depth}" if depth else "",
        data.partial_note(series.AGE),
    )


def backlog(data: ReviewData) -> str:
    """Describe the backlog's peak and end, compared with the previous window; and the dead-letter queue."""
    return formatting.sentence(
        _captions(data, queue.BACKLOG_CHECK, queue.DEAD_LETTERS_CHECK),
        data.alarm_clause(queue.DEAD_LETTERS_ALARM, "their alarm"),
        data.partial_note(series.VISIBLE, series.DEAD_LETTERS_VISIBLE),
    )


def flow(data: ReviewData) -> str:
    """Describe how many jobs were sent and done, compared with the previous window, and when the backlog grew fastest."""
    period_s = resampling.coarser_period_s(data.context, resampling.MAX_STEPS)
    sent, done = data.curve(series.SENT, period_s), data.curve(series.DELETED, period_s)
    if sent.empty and done.empty:
        return formatting.sentence(f"jobs sent and done: {data.why_no_data(series.SENT)}")
    return formatting.sentence(
        _flow_total(data, series.SENT, "sent") + _sent_before(data, sent),
        _flow_total(data, series.DELETED, "done"),
        _surplus(data, sent, done),
        data.partial_note(series.SENT, series.DELETED),
    )


def duration(data: ReviewData) -> str:
    """Describe both functions' median, worst p95 and longest run, compared with the timeout and the previous window."""
    statistics: tuple[series.DurationStatistic, ...] = ("p95", "p99")
    left_out = [
        resampling.missing_percentiles(
            data.frame, [series.duration(each, statistic) for statistic in statistics], series.invocations(each), "runs"
        )
        for each in (WORKER, API_FUNCTION)
    ]
    checks = (functions.check_name(each, "duration") for each in (WORKER, API_FUNCTION))
    return formatting.sentence(_captions(data, *checks), max(left_out, key=len))


def failures(data: ReviewData) -> str:
    """Describe failed jobs with reasons, postponed jobs and function errors, compared with the previous window."""
    return formatting.sentence(
        _captions(
            data,
            queue.FAILED_JOBS_CHECK,
            queue.POSTPONED_CHECK,
            functions.check_name(WORKER, "errors"),
            functions.check_name(API_FUNCTION, "errors"),
        ),
        *(data.alarm_clause(alarm, f"the alarm {alarm}") for alarm in FAILURE_ALARMS),
        data.partial_note(series.FAILED_JOBS, series.errors(WORKER), series.errors(API_FUNCTION)),
    )


def latency(data: ReviewData) -> str:
    """Describe the requests, their latency, failures and refusals, compared with the limit and the previous window."""
    key, counted = series.api_latency("p95"), series.API_COUNT
    if data.curve(counted).empty and data.percentile(key).value is None:
        return formatting.sentence(_captions(data, api.LATENCY_CHECK))
    keys = [series.api_latency(statistic) for statistic in series.LATENCY_STATISTICS]
    return formatting.sentence(
        _captions(data, api.LATENCY_CHECK, api.ERRORS_CHECK, api.REFUSALS_CHECK),
        resampling.missing_percentiles(data.frame, keys, counted, "requests"),
        data.partial_note(counted, *keys),
    )


# By figure, in the order in which a page shows them.
CAPTIONS = {
    "time_to_picture": time_to_picture,
    "age": age,
    "backlog": backlog,
    "flow": flow,
    "duration": duration,
    "failures": failures,
    "latency": latency,
}


def _captions(data: ReviewData, *checks: str) -> str:
    """Join the caption clauses of some checks."""
    return "; ".join(filter(None, (findings_of(data)[check].caption for check in checks)))


def _flow_total(data: ReviewData, key: SeriesKey, what: str) -> str:
    if data.is_unknown(key):
        return f"jobs {what}: {data.why_no_data(key)}"
    return f"{formatting.count(data.tally(key).total, 'job')} {what}"


def _sent_before(data: ReviewData, sent: Curve) -> str:
    """Describe how many were sent in the previous window, and for how long it was measured if that was shorter."""
    before = resampling.resample_before(data.frame, series.SENT, period_s=sent.period_s)
    previous = data.tally(series.SENT).previous
    if before is None or np.isnan(previous) or sent.empty:
        return ""
    number = f"{data.context.previous_name} {formatting.number(previous)}"
    measured = int((~np.isnan(before.points)).sum()) / max(1, int((~np.isnan(sent.points)).sum()))
    partly = "" if measured >= NEARLY_ALL else f", but measured for {formatting.percent(measured)} of the time only"
    return f" ({number}{partly})"


def _surplus(data: ReviewData, sent: Curve, done: Curve) -> str:
    """Describe when the backlog grew fastest."""
    surplus = sent.points - done.points
    if np.isnan(surplus).all():
        return ""
    if np.nanmax(surplus) <= 0:
        return "always done as fast as sent"
    index = int(np.nanargmax(surplus))
    more = formatting.number(float(surplus[index]))
    return f"the backlog grew most {data.context.format_interval(*sent.at(index))}, with {more} more sent than done"
