"""The checks of the queue and its jobs: how long jobs wait, dead-letter messages, backlog, failed and postponed jobs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.core import errors
from couch_explorers.metrics import context, series, statistics
from couch_explorers.metrics.findings import RUN_AGAIN, SHARE, Finding, verdict
from couch_explorers.metrics.model import QUEUE, WORKER, SeriesState
from couch_explorers.metrics.review_data import DENIED, MISSING
from couch_explorers.metrics.statistics import Flow
from couch_explorers.metrics.thresholds import DEAD_LETTER_DEPTH, FAILED_JOBS, MIN_COUNT, PASSING_S, POSTPONED

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from couch_explorers.metrics.model import SeriesKey, Threshold
    from couch_explorers.metrics.review_data import ReviewData
    from couch_explorers.metrics.statistics import Drain

AGE_CHECK, AGE_ALARM = "oldest job waiting", "oldest-message-age"
DEAD_LETTERS_CHECK, BACKLOG_CHECK = "dead-letter queue", "backlog"
DEAD_LETTERS_ALARM = "dead-letters"
FAILED_JOBS_CHECK, POSTPONED_CHECK = "failed jobs", "postponed jobs"
FAILED_JOBS_ALARM = "failed-jobs"

# Reasons that are the client's to fix (couch_explorers.core.errors): such a job fails again, no matter who is paged.
CLIENT_REASONS = errors.client_reasons()
ACTIONS = {
    "AccessDenied": "Give the worker the right to its models (model_arns in infra/).",
    "ModelRetired": "Choose a model that still works (model_arns in infra/).",
    "SubscriptionPending": "Agree to the model once for this account (CONTRIBUTING, first use of a model).",
    "PaymentMethod": "Give the account a payment method that AWS Marketplace takes.",
    "Throttled": "Ask for more of the model's quota, or lower maximum_concurrency.",
}
OTHER_REASONS = "other reasons"
# Rarer reasons are combined, in the table, the caption and the figure.
MAX_REASONS = 6
ALLOW_DEAD_LETTERS_FIRST = "Allow reading the dead-letter queue first: without it the age proves nothing."


def age(data: ReviewData) -> Finding:
    """Judge how long the oldest job waited: BAD while it waits too long, WARN if one did, or if there are dead-letter messages.

    A job that was received three times no longer counts, so that a low age proves nothing while jobs fail (SQS developer guide,
    "Available CloudWatch metrics for Amazon SQS", ApproximateAgeOfOldestMessage). No age at all is good, unlike no duration:
    SQS measures a queue with messages each minute, so that no data means an empty queue.
    """
    line = data.context.line(AGE_ALARM)
    caption = _age_caption(data, line)
    if row := data.no_data_row(AGE_CHECK, series.AGE, caption=caption):
        return row
    depth_clause, depth = _describe_dead_letters(data)
    row = Finding(
        AGE_CHECK,
        Verdict.OK,
        "",
        0.0,
        "s",
        line.value if line else math.nan,
        data.level(series.AGE).previous,
        caption=caption,
    )
    row = _judge_age(data, row, line, depth_clause, has_dead_letters=bool(depth))
    if row.verdict is Verdict.OK and depth is None:
        row = replace(row, verdict=Verdict.NO_DATA, action=ALLOW_DEAD_LETTERS_FIRST)
    return data.with_partial_data(row, series.AGE)


def _judge_age(
    data: ReviewData, row: Finding, line: Threshold | None, depth_clause: str, *, has_dead_letters: bool
) -> Finding:
    level = data.level(series.AGE)
    if level.peak is None or level.latest is None:
        visible = data.points(series.VISIBLE)
        if len(visible) and visible.max() > 0:
            reason = formatting.sentences("SQS counted jobs in the queue but gave no age", depth_clause)
            return replace(row, verdict=Verdict.NO_DATA, value=math.nan, reason=reason, action=RUN_AGAIN)
        reason = formatting.sentences(
            "no job waited: SQS gives no age for a queue that is empty and at rest", depth_clause
        )
        return replace(
            row,
            verdict=verdict(bad=False, warn=has_dead_letters),
            reason=reason,
            action=_age_action(data, has_dead_letters=has_dead_letters),
        )
    highest = level.peak.value
    end = level.latest.clause(formatting.seconds)
    reason = formatting.sentences(
        f"{level.at_most(formatting.seconds)}{_age_ratio(line, highest)}; {end}", depth_clause
    )
    row = replace(row, value=highest, reason=reason)
    if line is None:
        why = data.context.error_notes.get(context.DESCRIBE_ALARMS)
        action = why or f"Deploy the alarm that says from when on that is too long: {data.deploy(QUEUE)}"
        return replace(row, verdict=Verdict.WARN if has_dead_letters else Verdict.NO_DATA, action=action)
    late = line.is_breached_by(highest)
    found = verdict(bad=line.is_breached_by(level.latest.value), warn=late or has_dead_letters)
    return replace(row, verdict=found, action=_age_action(data, has_dead_letters=has_dead_letters and not late))


def _age_caption(data: ReviewData, line: Threshold | None) -> str:
    level = data.level(series.AGE)
    if level.peak is None or level.latest is None:
        return f"age of the oldest job: {data.why_no_data(series.AGE)}"
    highest = formatting.seconds(level.peak.value)
    ratio = (
        formatting.ratio(level.peak.value, line.value, f"its alarm's {formatting.seconds(line.value)}") if line else ""
    )
    when = ", ".join(filter(None, (level.peak.when, ratio)))
    return "; ".join(
        filter(
            None,
            (
                f"the oldest job had waited at most {highest} ({when}), {level.latest.clause(formatting.seconds)}",
                data.previous_clause(level, formatting.seconds),
            ),
        )
    )


def _describe_dead_letters(data: ReviewData) -> tuple[str, float | None]:
    """Describe the depth of the dead-letter queue, and return it; None if unknown."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := data.no_data_row("dead-letter queue", key):
        return f"dead-letter queue not known ({row.reason.partition(':')[0].lower()})", None
    now = data.latest(key)
    messages = formatting.count(now, "dead-letter message")
    return f"{messages}{', which do not count as waiting' if now else ''}", now


def _age_ratio(line: Threshold | None, highest: float) -> str:
    if line is None:
        return ", and no alarm says from when on that is too long"
    ratio = formatting.ratio(highest, line.value, f"the alarm's {formatting.seconds(line.value)}")
    return f", {ratio}" if ratio else ""


def _age_action(data: ReviewData, *, has_dead_letters: bool) -> str:
    if has_dead_letters:
        return f"Look at the dead-letter queue: {data.command('redrive --dry-run')}."
    function = data.context.function(WORKER)
    bound = f" ({function.maximum_concurrency})" if function and function.maximum_concurrency else ""
    return f"Look for throttling in {data.log(WORKER)}; within the model's quota raise maximum_concurrency{bound}."


def dead_letters(data: ReviewData) -> Finding:
    """Judge the dead-letter queue: BAD while it has more messages than its alarm allows, WARN if it had any."""
    key = series.DEAD_LETTERS_VISIBLE
    level = data.level(key)
    caption = f"dead-letter queue: {level.depth() or data.why_no_data(key)}"
    if row := data.no_data_row(DEAD_LETTERS_CHECK, key, caption=caption):
        return row
    line = data.line(DEAD_LETTERS_ALARM, DEAD_LETTER_DEPTH)
    now, highest = data.latest(key), _highest(data, key)
    see_reasons = (
        f"See each one's reason: {data.command('redrive --dry-run')}; without --dry-run it sends back what may succeed."
    )
    row = Finding(
        DEAD_LETTERS_CHECK,
        verdict(bad=line.is_breached_by(now), warn=highest > 0),
        formatting.sentences(level.depth()) if highest else "None.",
        highest, "jobs", line.value, _highest_before(data, key),
        see_reasons if now else "None lies there any more: see that they were sent back, not thrown away.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def backlog(data: ReviewData) -> Finding:
    """Judge the backlog at the end by its drain time; BAD if it does not drain.

    The threshold is the age alarm's: a longer drain time would trigger it. It is in seconds, not jobs, so the reason states it.
    Jobs that the queue delivers within a minute are not a backlog: SQS counts once a minute what is passing through.
    """
    key = series.VISIBLE
    level = data.level(key)
    caption = f"backlog: {data.why_no_data(key)}"
    if level.peak:
        caption = "; ".join(filter(None, (f"jobs that waited: {level.depth()}", data.previous_clause(level))))
    if row := data.no_data_row(BACKLOG_CHECK, key, caption=caption):
        return row
    drain = statistics.drain(data.frame)
    # SQS counts a queue with messages each minute: if the last count is old, later counts are missing.
    is_stale = drain.visible > 0 and level.latest is not None and not level.latest.is_current
    if is_stale:
        found, trend = Verdict.NO_DATA, "; whether they still wait is not known"
    else:
        found, trend = _flow(data, drain, data.context.line(AGE_ALARM))
    highest = _highest(data, key)
    end = f"{level.latest.clause()}{trend}" if level.latest else ""
    faults_hint = f" and {data.command('faults')}" if data.context.target == "local" else ""
    row = Finding(
        BACKLOG_CHECK, found, formatting.sentences(f"{level.at_most()}; {end}") if highest else "No job waited.",
        highest, "jobs", before=_highest_before(data, key),
        action=RUN_AGAIN if is_stale else f"See whether the worker runs and what it says: {data.log(WORKER)}{faults_hint}.",
        caption=caption,
    )  # fmt: skip
    return data.with_partial_data(row, key, series.SENT, series.DELETED)


def _flow(data: ReviewData, drain: Drain, max_age: Threshold | None) -> tuple[Verdict, str]:
    """Judge a backlog by how long a job may wait before the age alarm triggers."""
    if drain.flow is Flow.EMPTY:
        return Verdict.OK, ""
    if drain.flow is Flow.UNKNOWN:
        is_denied = data.state(series.SENT, series.DELETED) is SeriesState.DENIED
        return (
            Verdict.NO_DATA,
            f"; {DENIED if is_denied else MISSING}: whether it drains, since sent and deleted are not known",
        )
    if not drain.persists or drain.wait_s <= PASSING_S:
        return Verdict.OK, ", passing through"
    if drain.seconds is None:
        why = "no more are deleted than sent" if drain.wait_s < math.inf else "none is deleted"
        return Verdict.BAD, f", not draining: {why}"
    draining = f", draining in {formatting.seconds(round(drain.seconds))}"
    if max_age is None:
        return Verdict.OK, draining
    line = formatting.ratio(
        drain.seconds, max_age.value, f"the {formatting.seconds(max_age.value)} that a job may wait"
    )
    return verdict(bad=False, warn=max_age.is_breached_by(drain.seconds)), f"{draining}, {line}"


def _highest(data: ReviewData, key: SeriesKey) -> float:
    """Return the highest depth now: 0 if none was measured, because SQS measures a queue with messages each minute."""
    peak = data.level(key).peak
    return peak.value if peak else 0.0


def _highest_before(data: ReviewData, key: SeriesKey) -> float:
    """Return the highest depth of the compared window; NaN if unknown."""
    highest = data.level(key).previous
    return data.total_before(key) if math.isnan(highest) else highest


def failed_jobs(data: ReviewData) -> Finding:
    """Judge the permanently failed jobs: BAD if some failed in the last minutes for a reason that we can fix."""
    key = series.FAILED_JOBS
    reasons = _reasons(data, key, data.points)
    detail = formatting.join(_by_reason(reasons))
    caption = data.count_clause(key, "job failed for good", "jobs failed for good", detail=detail)
    if row := data.no_data_row(FAILED_JOBS_CHECK, key, caption=caption):
        return row
    line = data.line(FAILED_JOBS_ALARM, FAILED_JOBS)
    count = data.tally(key).total
    # By the minute, like the alarm.
    latest = data.recent(key)
    is_recent = len(latest) > 0 and line.is_breached_by(float(latest.max()))
    reason = formatting.sentences(
        f"{formatting.count(count, 'job')} failed for good{_share(data, count)}{f': {detail}' if detail else ''}",
        f"the last {data.at(latest.index[-1].to_pydatetime())}" if is_recent else "",
    )
    # Recent failures decide who has to act, not those of last night.
    is_ours = any(name not in CLIENT_REASONS for name in _reasons(data, key, data.recent))
    row = Finding(
        FAILED_JOBS_CHECK,
        verdict(bad=is_recent and is_ours, warn=count > 0),
        reason if count else "None.",
        count, "jobs", line.value, data.tally(key).previous,
        _failed_jobs_action(data, reasons), caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def _reasons(data: ReviewData, key: SeriesKey, points: Callable[[SeriesKey], pd.Series]) -> dict[str, float]:
    """Count the failed jobs by reason, most frequent first; those that CloudWatch does not list yet come last.

    `points` selects the points of a series to count.
    """
    totals = {name: float(points(series.failed_jobs(name)).sum()) for name in series.reasons(data.context)}
    found = {name: number for name, number in totals.items() if number > 0}
    by_count = dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
    rest = float(points(key).sum()) - sum(by_count.values())
    return by_count | ({OTHER_REASONS: rest} if rest > 0 else {})


def _by_reason(reasons: dict[str, float]) -> list[str]:
    """List the counts by reason, with rare and unlisted reasons combined."""
    shown = [(name, count) for name, count in reasons.items() if name != OTHER_REASONS][:MAX_REASONS]
    rest = sum(reasons.values()) - sum(count for _, count in shown)
    return [
        f"{formatting.number(count)} {name}" for name, count in [*shown, *([(OTHER_REASONS, rest)] if rest else [])]
    ]


def _share(data: ReviewData, count: float) -> str:
    """Describe the share of a count in all jobs that ended."""
    ended = count + data.total(series.pictures(WORKER))
    return f" ({formatting.percent(count / ended)} of those that ended)" if count and ended > count else ""


def _failed_jobs_action(data: ReviewData, reasons: dict[str, float]) -> str:
    fix = [ACTIONS[name] for name in reasons if name in ACTIONS]
    if reasons and all(name in CLIENT_REASONS for name in reasons):
        fix.append("The senders' own: each one's <id>.error.json says why.")
    return " ".join(
        [*fix, f"Each job's timeline: {data.command('job ID')}; all of them: {data.command('redrive --dry-run')}."]
    )


def postponed_jobs(data: ReviewData) -> Finding:
    """Judge the deliveries that were postponed because the model was throttled or failed: each makes a user wait.

    This is the worker's own metric: a model's throttles are counted in the model's region, not as this function's.
    """
    key = series.POSTPONED_JOBS
    caption = data.count_clause(key, "job was postponed", "jobs were postponed")
    if row := data.no_data_row(POSTPONED_CHECK, key, caption=caption):
        return row
    count = data.tally(key).total
    share = statistics.share(count, count + data.total(series.pictures(WORKER)))
    before = _share_before(data)
    line = formatting.percent(POSTPONED.warn)
    row = Finding(
        POSTPONED_CHECK,
        verdict(bad=False, warn=count >= MIN_COUNT and share > POSTPONED.warn),
        formatting.sentences(f"{formatting.count(count, 'delivery', 'deliveries')} postponed ({formatting.percent(share)}; threshold {line})") if count else "None.",
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * POSTPONED.warn, before,
        f"See the reasons in {data.log(WORKER)} (\"Job postponed\"); the model's quota may be too small.", caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def _share_before(data: ReviewData) -> float:
    count = data.total_before(series.POSTPONED_JOBS)
    share = statistics.share(count, count + data.total_before(series.pictures(WORKER)))
    return 100 * share if count else count
