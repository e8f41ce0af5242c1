"""The API's checks: answers that failed, requests that were refused, and how long people waited."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import series, statistics, thresholds
from couch_explorers.metrics.checks.functions import P95, describe_percentile
from couch_explorers.metrics.findings import SHARE, Finding, verdict
from couch_explorers.metrics.model import API_FUNCTION
from couch_explorers.metrics.review_data import IDLE
from couch_explorers.metrics.thresholds import API_FAILURES, API_REFUSALS, LATENCY, MIN_COUNT

if TYPE_CHECKING:
    from couch_explorers.metrics.model import Context, SeriesKey
    from couch_explorers.metrics.review_data import ReviewData

ERRORS_CHECK, REFUSALS_CHECK, LATENCY_CHECK = "API errors (5xx)", "API refusals (4xx)", "API latency"


def errors(data: ReviewData) -> Finding:
    """Judge the answers 5xx: WARN for any, BAD where of the last minutes' requests, a handful at least, one in twenty failed."""
    caption = data.count_clause(series.API_5XX, "failed with 5XX", "failed with 5XX", none="none")
    if row := data.no_data_row(ERRORS_CHECK, series.API_5XX, series.API_COUNT, caption=caption):
        return row
    count, asked = data.total(series.API_5XX), data.total(series.API_COUNT)
    late, lately = (float(data.recent(key).sum()) for key in (series.API_5XX, series.API_COUNT))
    bad = API_FAILURES.bad is not None and lately >= MIN_COUNT and late / lately > API_FAILURES.bad
    row = Finding(
        ERRORS_CHECK,
        verdict(bad=bad, warn=count > API_FAILURES.warn),
        formatting.sentences(_counted(count, asked, "failed"), f"{formatting.number(late)} of {formatting.count(lately, 'request')} in the last minutes" if late else ""),
        count, "answers", API_FAILURES.warn, data.total_before(series.API_5XX),
        f"Read their reasons in {data.log(API_FUNCTION)}; 504 is a model that was too slow: the queue carries such jobs.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, series.API_5XX, series.API_COUNT)


def refusals(data: ReviewData) -> Finding:
    """Judge the share of answers 4xx; never BAD, for it is the caller who has to change something."""
    caption = data.count_clause(series.API_4XX, "was refused with 4XX", "were refused with 4XX", none="none")
    if row := data.no_data_row(REFUSALS_CHECK, series.API_4XX, series.API_COUNT, caption=caption):
        return row
    count, asked = data.total(series.API_4XX), data.total(series.API_COUNT)
    share = statistics.share(count, asked)
    row = Finding(
        REFUSALS_CHECK,
        verdict(bad=False, warn=count >= MIN_COUNT and share > API_REFUSALS.warn),
        formatting.sentences(_counted(count, asked, "were refused")),
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * API_REFUSALS.warn, _share_before(data, series.API_4XX),
        "See who asks for what: 400 a job that breaks a rule, 403 and 404 a wrong address, 429 more than the stage lets through.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, series.API_4XX, series.API_COUNT)


def latency(data: ReviewData) -> Finding:
    """Judge the p95 by what ends a request: API Gateway's 29 s, or the function's time-out where that is shorter."""
    key = series.api_latency(P95)
    caption = _latency_caption(data)
    if row := data.no_data_row(LATENCY_CHECK, key, series.API_COUNT, caption=caption):
        return row
    worst = data.percentile(key)
    before = data.percentile_before(key)
    if worst.value is None:
        few = describe_percentile(data, worst, before, "request")
        said = formatting.sentences(few) if few else f"{IDLE}: no requests."
        return Finding(LATENCY_CHECK, Verdict.NO_DATA, said, caption=caption)
    limit = response_limit(data.context)
    waits_s = limit.seconds
    share = worst.value / 1000 / waits_s
    row = Finding(
        LATENCY_CHECK,
        verdict(bad=_is_late(data, key, waits_s), warn=share > LATENCY.warn),
        formatting.sentences(f"{describe_percentile(data, worst, before, 'request')}; {formatting.ratio(worst.value / 1000, limit.seconds, limit.name)}"),
        worst.value / 1000, "s", LATENCY.warn * waits_s, math.nan if before is None else before / 1000,
        "Send what need not be there at once through the queue, or choose a quicker model.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


class ResponseLimit(NamedTuple):
    """After how many seconds a caller gets an error; what that limit is called in a sentence, and beside a line."""

    seconds: float
    name: str
    label: str


def response_limit(context: Context) -> ResponseLimit:
    """Give API Gateway's limit, or its function's time-out where that is shorter."""
    function = context.function(API_FUNCTION)
    is_function = function is not None and function.timeout_s < thresholds.API_GATEWAY_TIMEOUT_S
    limit_s = function.timeout_s if function and is_function else thresholds.API_GATEWAY_TIMEOUT_S
    limit = formatting.seconds(limit_s)
    label = f"{'function' if is_function else 'gateway'} ends at {limit}"
    return ResponseLimit(limit_s, f"the {limit} after which people get an error", label)


def _latency_caption(data: ReviewData) -> str:
    """Say how many requests there were and how slow, against the limit and the window before."""
    key = series.api_latency(P95)
    worst, before = data.percentile(key), data.percentile_before(key)
    if data.curve(series.API_COUNT).empty and worst.value is None:
        return f"API requests: {data.why_no_data(series.API_COUNT)}"
    slow = "too few at a time for a 95th percentile"
    if worst.value is not None and worst.start is not None and worst.end is not None:
        seconds, limit = worst.value / 1000, response_limit(data.context)
        ratio = formatting.ratio(seconds, limit.seconds, limit.name)
        slow = f"p95 at most {formatting.seconds(seconds)} ({data.format_period(worst.start, worst.end)}), {ratio}"
    then = "" if before is None else f"; {data.context.previous_name} at most {formatting.seconds(before / 1000)}"
    return f"{formatting.count(data.tally(series.API_COUNT).total, 'request')}, {slow}{then}"


def _is_late(data: ReviewData, key: SeriesKey, waits_s: float) -> bool:
    """Whether the last period that carries a percentile comes as near to the limit as makes requests fail."""
    begin = data.end - timedelta(seconds=data.context.percentile_period_s)
    late = statistics.worst_percentile(data.frame, key, since=begin)
    return LATENCY.bad is not None and late.value is not None and late.value / 1000 > LATENCY.bad * waits_s


def _counted(count: float, asked: float, what: str) -> str:
    if not asked:
        # CloudWatch may count an answer a minute before its request.
        return f"{formatting.number(count)} {what}" if count else "none: no requests"
    if not count:
        return f"none of {formatting.count(asked, 'request')}"
    return f"{formatting.number(count)} of {formatting.count(asked, 'request')} {what} ({formatting.percent(count / asked)})"


def _share_before(data: ReviewData, key: SeriesKey) -> float:
    count, asked = data.total_before(key), data.total_before(series.API_COUNT)
    return 100 * count / asked if asked else count
