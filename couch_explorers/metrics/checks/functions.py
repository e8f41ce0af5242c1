"""The checks of a Lambda function: errors, duration compared with its timeout, throttles, memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import context, resampling, series, statistics, thresholds
from couch_explorers.metrics.findings import RUN_AGAIN, SHARE, Finding, format_change, verdict
from couch_explorers.metrics.model import PARTS, WORKER
from couch_explorers.metrics.review_data import DENIED, IDLE, MISSING
from couch_explorers.metrics.thresholds import (
    FUNCTION_ERRORS,
    FUNCTION_THROTTLES,
    LONGEST_RUN,
    MEMORY,
    SLOW_RUNS,
    SLOWER,
)

if TYPE_CHECKING:
    from couch_explorers.metrics.review_data import ReviewData
    from couch_explorers.metrics.statistics import Percentile

ALARMS = {WORKER: "worker-errors"}
P95: Literal["p95"] = "p95"


def check_name(resource: str, what: str) -> str:
    """Return the name of a function's check: "worker errors", "API function errors"."""
    return f"{resource.replace('api', 'API')} {what}"


def errors(data: ReviewData, resource: str) -> Finding:
    """Judge crashes and timeouts: BAD if one happened in the last minutes. A failed job is not a function error."""
    check, key = check_name(resource, "errors"), series.errors(resource)
    name = check.removesuffix("s")
    caption = data.count_clause(key, name, check)
    if row := data.no_data_row(check, key, series.invocations(resource), caption=caption):
        return row
    line = data.line(ALARMS.get(resource, ""), FUNCTION_ERRORS)
    count, runs = data.total(key), data.total(series.invocations(resource))
    latest = data.recent(key)
    summary = f"{formatting.number(count)} of {formatting.count(runs, 'run')} ended in an error{f' ({formatting.percent(count / runs)})' if runs else ''}" if count else (
        f"none in {formatting.count(runs, 'run')}" if runs else "none: nothing ran"
    )  # fmt: skip
    last = data.points(key)[data.points(key) > 0]
    row = Finding(
        check,
        verdict(bad=len(latest) > 0 and line.is_breached_by(float(latest.max())), warn=count > 0),
        formatting.sentences(summary, f"the last began {data.at(last.index[-1].to_pydatetime())}" if len(last) else ""),
        count, "errors", line.value, data.total_before(key),
        f'Search {data.log(resource)} for "Task timed out" and "Traceback".', caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def throttles(data: ReviewData, resource: str) -> Finding:
    """Judge the calls throttled for lack of concurrency: on the queue each uses up a receive, on the API it fails a request."""
    check, key = check_name(resource, "throttles"), series.throttles(resource)
    if row := data.no_data_row(check, key):
        return row
    count = data.total(key)
    share = statistics.throttle_share(data.frame, resource)
    line = FUNCTION_THROTTLES.warn
    advice = "; maximum_concurrency must stay below it" if resource == WORKER else ""
    row = Finding(
        check,
        verdict(bad=float(data.recent(key).sum()) > line, warn=count > line),
        formatting.sentences(f"{formatting.count(count, 'call')} refused{'' if math.isnan(share) else f' ({formatting.percent(share)})'}") if count else "None.",
        count, "calls", line, data.total_before(key),
        f"The account's concurrency is used up: see what else runs, or reserve some for this function{advice}.",
    )  # fmt: skip
    return data.with_partial_data(row, key)


def duration(data: ReviewData, resource: str) -> Finding:
    """Judge the longest run and the p95 by the function's timeout, and the p95 by the previous window.

    Without a run there is no verdict: OK would imply that the next one is fast.
    """
    check, key = check_name(resource, "duration"), series.duration(resource, "Maximum")
    caption = _duration_caption(data, resource)
    if row := data.no_data_row(check, key, caption=caption):
        return row
    values = data.points(key)
    if values.empty and data.total(series.invocations(resource)) > 0:
        summary = "Runs were counted, but CloudWatch gave no duration."
        return Finding(check, Verdict.NO_DATA, summary, action=RUN_AGAIN, caption=caption)
    level = data.level(key)
    if level.peak is None:
        return Finding(check, Verdict.NO_DATA, f"{IDLE}: {PARTS[resource]} did not run.", caption=caption)
    longest = level.peak.value
    worst = data.percentile(series.duration(resource, P95))
    before = level.previous / 1000
    summary = level.at_most(_milliseconds)
    function = data.context.function(resource)
    if function is None:
        error_note = data.context.error_notes.get(context.GET_FUNCTION, "")
        reason = formatting.sentences(
            summary, f"{DENIED if error_note else MISSING}: the time-out, by which it is judged, is not known"
        )
        return Finding(
            check, Verdict.NO_DATA, reason, longest / 1000, "s", before=before, action=error_note, caption=caption
        )
    p95_before = data.percentile_before(series.duration(resource, P95))
    slow, slower = _p95(data, resource, worst, p95_before)
    latest = data.recent(key)
    latest_share = statistics.share_of_timeout(data.context, resource, float(latest.max()) if len(latest) else 0.0)
    share = statistics.share_of_timeout(data.context, resource, longest)
    row = Finding(
        check,
        verdict(bad=latest_share > LONGEST_RUN.warn, warn=share > LONGEST_RUN.warn or slow or slower),
        formatting.sentences(
            f"{summary}, {formatting.ratio(longest / 1000, function.timeout_s, f'the time-out of {formatting.seconds(function.timeout_s)}')}",
            describe_percentile(data, worst, p95_before, "run"),
        ),
        longest / 1000, "s", LONGEST_RUN.warn * function.timeout_s, before,
        f"See what takes so long: {data.log(resource)}; the model may be slow, or the time-out too short.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def _milliseconds(value: float) -> str:
    return formatting.seconds(value / 1000)


def _duration_caption(data: ReviewData, resource: str) -> str:
    """Describe the median, the worst p95 and the longest run, compared with the timeout and the previous window."""
    runs, key = series.invocations(resource), series.duration(resource, "Maximum")
    median = resampling.with_min_samples(data.frame, series.duration(resource, "p50"), runs).scaled(1 / 1000)
    level = data.level(key)
    if median.empty and level.peak is None:
        return f"{PARTS[resource]}'s duration: {data.why_no_data(key)}"
    parts = []
    if not median.empty:
        low, high = formatting.number(median.lowest), formatting.number(median.highest)
        parts.append(f"median {low} s" if low == high else f"median {low} to {high} s")
    worst, before = (
        data.percentile(series.duration(resource, P95)),
        data.percentile_before(series.duration(resource, P95)),
    )
    if worst.value is not None and worst.start is not None and worst.end is not None:
        then = "" if before is None else f"; {data.context.previous_name} {_milliseconds(before)}"
        parts.append(f"p95 at most {_milliseconds(worst.value)} ({data.format_period(worst.start, worst.end)}{then})")
    if level.peak:
        parts.append(f"longest run {_milliseconds(level.peak.value)} ({level.peak.when})")
        if function := data.context.function(resource):
            limit = f"its time-out of {formatting.seconds(function.timeout_s)}"
            parts.append(formatting.ratio(level.peak.value / 1000, function.timeout_s, limit))
    parts.append(data.partial_note(key, series.duration(resource, P95)))
    return f"{PARTS[resource]}: {', '.join(filter(None, parts))}"


def _p95(data: ReviewData, resource: str, worst: Percentile, before: float | None) -> tuple[bool, bool]:
    """Return whether the p95 comes near the timeout, and whether it grew; neither with too few samples."""
    if worst.value is None:
        return False, False
    slow = statistics.share_of_timeout(data.context, resource, worst.value) > SLOW_RUNS.warn
    return slow, before is not None and worst.value > SLOWER.warn * before


def describe_percentile(data: ReviewData, worst: Percentile, before: float | None, of: str) -> str:
    """Describe the worst p95, its time and its change; or that there are too few samples."""
    minimum = thresholds.MIN_SAMPLES[P95]
    if worst.value is None or worst.start is None or worst.end is None:
        if math.isnan(worst.samples):
            return f"no p95: how many {of}s there were is not known, and {minimum} are needed"
        length = formatting.per_period(data.context.percentile_period_s)
        few = f"no p95: {formatting.count(worst.samples, of)} {length} at most, and {minimum} are needed"
        return few if worst.samples else ""
    changed = "" if before is None else format_change(worst.value, before)
    than = data.context.previous_name
    against = f", {'as' if changed == 'same' else f'{changed} against'} {than}" if changed else ""
    when = data.format_period(worst.start, worst.end)
    return (
        f"p95 at most {formatting.seconds(worst.value / 1000)} ({when}, {formatting.count(worst.samples, of)}){against}"
    )


def memory(data: ReviewData, resource: str) -> Finding:
    """Judge the memory by the function's REPORT lines, which also have the cold starts."""
    check = check_name(resource, "memory")
    log = statistics.log_of(data.context, resource)
    function = data.context.function(resource)
    if log is None or function is None:
        return _no_memory(data, resource, check)
    if not log.reports and data.total(series.invocations(resource)) > 0:
        synthetic_note = ": synthetic hours have none" if data.context.synthetic else ""
        return Finding(
            check,
            Verdict.NO_DATA,
            formatting.sentences(f"runs were counted, but the log has no REPORT line of them{synthetic_note}"),
        )
    if not log.reports:
        return Finding(check, Verdict.NO_DATA, f"{IDLE}: {PARTS[resource]} did not run.")
    cold = _cold_starts(data, resource)
    share = statistics.memory_share(data.context, resource)
    if math.isnan(share):
        return Finding(check, Verdict.NO_DATA, formatting.sentences("no REPORT line contains the memory used", cold))
    used = f"at most {formatting.number(log.highest_memory_mb or 0)} of {formatting.number(function.memory_mb)} MB"
    partly = "" if log.complete else f"of the first {formatting.number(log.reports)} runs only"
    return Finding(
        check,
        verdict(bad=False, warn=share > MEMORY.warn),
        formatting.sentences(f"{used} ({formatting.percent(share)})", cold, partly),
        100 * share, SHARE, 100 * MEMORY.warn,
        action="Give the function more memory: beyond it a run is killed.",
    )  # fmt: skip


def _cold_starts(data: ReviewData, resource: str) -> str:
    log = statistics.log_of(data.context, resource)
    share = statistics.cold_start_share(data.context, resource)
    if log is None or math.isnan(share):
        return ""
    longest = f", the longest in {formatting.seconds(log.longest_init_ms / 1000)}" if log.longest_init_ms else ""
    return f"{formatting.number(log.cold_starts or 0)} of {formatting.count(log.reports, 'run')} began cold ({formatting.percent(share)}){longest}"


def _no_memory(data: ReviewData, resource: str, check: str) -> Finding:
    actions = (context.FILTER_LOG_EVENTS, context.GET_FUNCTION)
    error_note = next(
        (data.context.error_notes[action] for action in actions if action in data.context.error_notes), ""
    )
    if error_note:
        return Finding(
            check,
            Verdict.NO_DATA,
            f"{DENIED}: log or limits of {PARTS[resource]} could not be read.",
            action=error_note,
        )
    return Finding(
        check, Verdict.NO_DATA, f"{MISSING}: {PARTS[resource]} is not deployed.", action=data.deploy(resource)
    )
