"""The API's checks: answers that failed, requests that were refused, and how long people waited."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import series, statistics, thresholds
from couch_explorers.metrics.checks.functions import P95, describe_percentile
from couch_explorers.metrics.findings import SHARE, Finding, verdict
from couch_explorers.metrics.model import API_FUNCTION
from couch_explorers.metrics.review_data import IDLE
from couch_explorers.metrics.thresholds import API_FAILURES, API_REFUSALS, LATENCY, MIN_COUNT

if TYPE_CHECKING:
    from couch_explorers.metrics.model import SeriesKey
    from couch_explorers.metrics.review_data import ReviewData

ERRORS_CHECK, REFUSALS_CHECK, LATENCY_CHECK = "API errors (5xx)", "API refusals (4xx)", "API latency"


def errors(reading: ReviewData) -> Finding:
    """Judge the answers 5xx: WARN for any, BAD where of the last minutes' requests, a handful at least, one in twenty failed."""
    if row := reading.unanswered(ERRORS_CHECK, series.API_5XX, series.API_COUNT):
        return row
    count, asked = reading.total(series.API_5XX), reading.total(series.API_COUNT)
    late, lately = (float(reading.recent(key).sum()) for key in (series.API_5XX, series.API_COUNT))
    bad = API_FAILURES.bad is not None and lately >= MIN_COUNT and late / lately > API_FAILURES.bad
    row = Finding(
        ERRORS_CHECK,
        verdict(bad=bad, warn=count > API_FAILURES.warn),
        formatting.sentences(_counted(count, asked, "failed"), f"{formatting.number(late)} of {formatting.count(lately, 'request')} in the last minutes" if late else ""),
        count, "answers", API_FAILURES.warn, reading.total_before(series.API_5XX),
        f"Read their reasons in {reading.log(API_FUNCTION)}; 504 is a model that was too slow: the queue carries such jobs.",
    )  # fmt: skip
    return reading.believed(row, series.API_5XX, series.API_COUNT)


def refusals(reading: ReviewData) -> Finding:
    """Judge the share of answers 4xx; never BAD, for it is the caller who has to change something."""
    if row := reading.unanswered(REFUSALS_CHECK, series.API_4XX, series.API_COUNT):
        return row
    count, asked = reading.total(series.API_4XX), reading.total(series.API_COUNT)
    share = statistics.share(count, asked)
    row = Finding(
        REFUSALS_CHECK,
        verdict(bad=False, warn=count >= MIN_COUNT and share > API_REFUSALS.warn),
        formatting.sentences(_counted(count, asked, "were refused")),
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * API_REFUSALS.warn, _share_before(reading, series.API_4XX),
        "See who asks for what: 400 a job that breaks a rule, 403 and 404 a wrong address, 429 more than the stage lets through.",
    )  # fmt: skip
    return reading.believed(row, series.API_4XX, series.API_COUNT)


def latency(reading: ReviewData) -> Finding:
    """Judge the p95 by what ends a request: API Gateway's 29 s, or the function's time-out where that is shorter."""
    key = series.api_latency(P95)
    if row := reading.unanswered(LATENCY_CHECK, key, series.API_COUNT):
        return row
    worst = statistics.worst_percentile(reading.frame, key)
    before = reading.percentile_before(key)
    if worst.value is None:
        few = describe_percentile(reading, worst, before, "request")
        return Finding(LATENCY_CHECK, Verdict.NO_DATA, formatting.sentences(few) if few else f"{IDLE}: nobody asked.")
    function = reading.facts.function(API_FUNCTION)
    waits_s = min(thresholds.API_GATEWAY_TIMEOUT_S, function.timeout_s if function else math.inf)
    share = worst.value / 1000 / waits_s
    row = Finding(
        LATENCY_CHECK,
        verdict(bad=_is_late(reading, key, waits_s), warn=share > LATENCY.warn),
        formatting.sentences(f"{describe_percentile(reading, worst, before, 'request')}; {formatting.percent(share)} of the {formatting.seconds(waits_s)} after which people get an error"),
        worst.value / 1000, "s", LATENCY.warn * waits_s, math.nan if before is None else before / 1000,
        "Send what need not be there at once through the queue, or choose a quicker model.",
    )  # fmt: skip
    return reading.believed(row, key)


def _is_late(reading: ReviewData, key: SeriesKey, waits_s: float) -> bool:
    """Whether the last period that carries a percentile comes as near to the limit as makes requests fail."""
    begin = reading.end - timedelta(seconds=reading.facts.percentile_period_s)
    late = statistics.worst_percentile(reading.frame, key, since=begin)
    return LATENCY.bad is not None and late.value is not None and late.value / 1000 > LATENCY.bad * waits_s


def _counted(count: float, asked: float, what: str) -> str:
    if not asked:
        return "none: nobody asked"
    if not count:
        return f"none of {formatting.count(asked, 'request')}"
    return f"{formatting.number(count)} of {formatting.count(asked, 'request')} {what} ({formatting.percent(count / asked)})"


def _share_before(reading: ReviewData, key: SeriesKey) -> float:
    count, asked = reading.total_before(key), reading.total_before(series.API_COUNT)
    return 100 * count / asked if asked else count
