"""The API's checks: failed responses, refused requests, and latency."""

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
    """Judge 5xx responses: WARN for any, BAD if more than one in twenty of the last minutes' requests failed."""
    caption = data.count_clause(series.API_5XX, "failed with 5XX", "failed with 5XX", none="none")
    if row := data.no_data_row(ERRORS_CHECK, series.API_5XX, series.API_COUNT, caption=caption):
        return row
    count, requests = data.total(series.API_5XX), data.total(series.API_COUNT)
    recent_failures, recent_requests = (float(data.recent(key).sum()) for key in (series.API_5XX, series.API_COUNT))
    bad = (
        API_FAILURES.bad is not None
        and recent_requests >= MIN_COUNT
        and recent_failures / recent_requests > API_FAILURES.bad
    )
    row = Finding(
        ERRORS_CHECK,
        verdict(bad=bad, warn=count > API_FAILURES.warn),
        formatting.sentences(_counted(count, requests, "failed"), f"{formatting.number(recent_failures)} of {formatting.count(recent_requests, 'request')} in the last minutes" if recent_failures else ""),
        count, "answers", API_FAILURES.warn, data.total_before(series.API_5XX),
        f"Read their reasons in {data.log(API_FUNCTION)}; 504 is a model that was too slow: the queue carries such jobs.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, series.API_5XX, series.API_COUNT)


def refusals(data: ReviewData) -> Finding:
    """Judge the share of 4xx responses; never BAD, because the caller has to change something."""
    caption = data.count_clause(series.API_4XX, "was refused with 4XX", "were refused with 4XX", none="none")
    if row := data.no_data_row(REFUSALS_CHECK, series.API_4XX, series.API_COUNT, caption=caption):
        return row
    count, requests = data.total(series.API_4XX), data.total(series.API_COUNT)
    share = statistics.share(count, requests)
    row = Finding(
        REFUSALS_CHECK,
        verdict(bad=False, warn=count >= MIN_COUNT and share > API_REFUSALS.warn),
        formatting.sentences(_counted(count, requests, "were refused")),
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * API_REFUSALS.warn, _share_before(data, series.API_4XX),
        "See who asks for what: 400 a job that breaks a rule, 403 and 404 a wrong address, 429 more than the stage lets through.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, series.API_4XX, series.API_COUNT)


def latency(data: ReviewData) -> Finding:
    """Judge the p95 by the limit of a request: API Gateway's 29 s, or the function's timeout if that is shorter."""
    key = series.api_latency(P95)
    caption = _latency_caption(data)
    if row := data.no_data_row(LATENCY_CHECK, key, series.API_COUNT, caption=caption):
        return row
    worst = data.percentile(key)
    before = data.percentile_before(key)
    if worst.value is None:
        too_few = describe_percentile(data, worst, before, "request")
        reason = formatting.sentences(too_few) if too_few else f"{IDLE}: no requests."
        return Finding(LATENCY_CHECK, Verdict.NO_DATA, reason, caption=caption)
    limit = response_limit(data.context)
    limit_s = limit.seconds
    share = worst.value / 1000 / limit_s
    row = Finding(
        LATENCY_CHECK,
        verdict(bad=_is_late(data, key, limit_s), warn=share > LATENCY.warn),
        formatting.sentences(f"{describe_percentile(data, worst, before, 'request')}; {formatting.ratio(worst.value / 1000, limit.seconds, limit.name)}"),
        worst.value / 1000, "s", LATENCY.warn * limit_s, math.nan if before is None else before / 1000,
        "Send what need not be there at once through the queue, or choose a quicker model.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


class ResponseLimit(NamedTuple):
    """The seconds after which a caller gets an error; the limit's name in a sentence, and as a label."""

    seconds: float
    name: str
    label: str


def response_limit(context: Context) -> ResponseLimit:
    """Return API Gateway's limit, or its function's timeout if that is shorter."""
    function = context.function(API_FUNCTION)
    is_function = function is not None and function.timeout_s < thresholds.API_GATEWAY_TIMEOUT_S
    limit_s = function.timeout_s if function and is_function else thresholds.API_GATEWAY_TIMEOUT_S
    limit = formatting.seconds(limit_s)
    label = f"{'function' if is_function else 'gateway'} ends at {limit}"
    return ResponseLimit(limit_s, f"the {limit} after which people get an error", label)


def _latency_caption(data: ReviewData) -> str:
    """Describe the number of requests and their p95, compared with the limit and the previous window."""
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


def _is_late(data: ReviewData, key: SeriesKey, limit_s: float) -> bool:
    """Check whether the last period with enough samples is so near to the limit that requests fail."""
    start = data.end - timedelta(seconds=data.context.percentile_period_s)
    latest = statistics.worst_percentile(data.frame, key, since=start)
    return LATENCY.bad is not None and latest.value is not None and latest.value / 1000 > LATENCY.bad * limit_s


def _counted(count: float, requests: float, what: str) -> str:
    if not requests:
        # CloudWatch may count a response a minute before its request.
        return f"{formatting.number(count)} {what}" if count else "none: no requests"
    if not count:
        return f"none of {formatting.count(requests, 'request')}"
    return f"{formatting.number(count)} of {formatting.count(requests, 'request')} {what} ({formatting.percent(count / requests)})"


def _share_before(data: ReviewData, key: SeriesKey) -> float:
    count, requests = data.total_before(key), data.total_before(series.API_COUNT)
    return 100 * count / requests if requests else count
