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

# Whose matter a reason is (couch_explorers.core.errors): a job that breaks a rule fails again, no matter who is woken.
CLIENT_REASONS = errors.client_reasons()
ACTIONS = {
    "AccessDenied": "Give the worker the right to its models (model_arns in infra/).",
    "ModelRetired": "Choose a model that still works (model_arns in infra/).",
    "SubscriptionPending": "Agree to the model once for this account (CONTRIBUTING, first use of a model).",
    "PaymentMethod": "Give the account a payment method that AWS Marketplace takes.",
    "Throttled": "Ask for more of the model's quota, or lower maximum_concurrency.",
}
OTHER_REASONS = "other reasons"
# Rarer reasons are counted together, in the table, in the caption and in the figure.
MAX_REASONS = 6
ALLOW_DEAD_LETTERS_FIRST = "Allow reading the dead-letter queue first: without it the age proves nothing."


def age(data: ReviewData) -> Finding:
    """Judge how long the oldest job waited: BAD while it waits too long, WARN where one did, or where dead-letter messages lie.

    A job that was received three times does not count as old any more, so that a low age proves nothing while jobs fail
    (SQS developer guide, "Available CloudWatch metrics for Amazon SQS", ApproximateAgeOfOldestMessage). No age at all is
    good news, unlike no duration: SQS measures a queue that holds messages each minute, so silence means an empty queue.
    """
    line = data.context.line(AGE_ALARM)
    caption = _age_caption(data, line)
    if row := data.no_data_row(AGE_CHECK, series.AGE, caption=caption):
        return row
    letters, lie = _describe_dead_letters(data)
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
    row = _judge_age(data, row, line, letters, lie=bool(lie))
    if row.verdict is Verdict.OK and lie is None:
        row = replace(row, verdict=Verdict.NO_DATA, action=ALLOW_DEAD_LETTERS_FIRST)
    return data.with_partial_data(row, series.AGE)


def _judge_age(data: ReviewData, row: Finding, line: Threshold | None, letters: str, *, lie: bool) -> Finding:
    level = data.level(series.AGE)
    if level.peak is None or level.latest is None:
        counted = data.points(series.VISIBLE)
        if len(counted) and counted.max() > 0:
            said = formatting.sentences("SQS counted jobs in the queue but gave no age", letters)
            return replace(row, verdict=Verdict.NO_DATA, value=math.nan, reason=said, action=RUN_AGAIN)
        said = formatting.sentences("no job waited: SQS gives no age for a queue that is empty and at rest", letters)
        return replace(row, verdict=verdict(bad=False, warn=lie), reason=said, action=_age_action(data, lie=lie))
    highest = level.peak.value
    end = level.latest.clause(formatting.seconds)
    said = formatting.sentences(f"{level.at_most(formatting.seconds)}{_age_ratio(line, highest)}; {end}", letters)
    row = replace(row, value=highest, reason=said)
    if line is None:
        why = data.context.error_notes.get(context.DESCRIBE_ALARMS)
        action = why or f"Deploy the alarm that says from when on that is too long: {data.deploy(QUEUE)}"
        return replace(row, verdict=Verdict.WARN if lie else Verdict.NO_DATA, action=action)
    late = line.is_breached_by(highest)
    found = verdict(bad=line.is_breached_by(level.latest.value), warn=late or lie)
    return replace(row, verdict=found, action=_age_action(data, lie=lie and not late))


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
    """Say the depth of the dead-letter queue, and give it; None where it is not known."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := data.no_data_row("dead-letter queue", key):
        return f"dead-letter queue not known ({row.reason.partition(':')[0].lower()})", None
    now = data.latest(key)
    letters = formatting.count(now, "dead-letter message")
    return f"{letters}{', which do not count as waiting' if now else ''}", now


def _age_ratio(line: Threshold | None, highest: float) -> str:
    if line is None:
        return ", and no alarm says from when on that is too long"
    said = formatting.ratio(highest, line.value, f"the alarm's {formatting.seconds(line.value)}")
    return f", {said}" if said else ""


def _age_action(data: ReviewData, *, lie: bool) -> str:
    if lie:
        return f"Look at the dead-letter queue: {data.command('redrive --dry-run')}."
    function = data.context.function(WORKER)
    bound = f" ({function.maximum_concurrency})" if function and function.maximum_concurrency else ""
    return f"Look for throttling in {data.log(WORKER)}; within the model's quota raise maximum_concurrency{bound}."


def dead_letters(data: ReviewData) -> Finding:
    """Judge what goes to the dead-letter queue: BAD while more lie there than its alarm allows, WARN where any lay."""
    key = series.DEAD_LETTERS_VISIBLE
    level = data.level(key)
    caption = f"dead-letter queue: {level.depth() or data.why_no_data(key)}"
    if row := data.no_data_row(DEAD_LETTERS_CHECK, key, caption=caption):
        return row
    line = data.line(DEAD_LETTERS_ALARM, DEAD_LETTER_DEPTH)
    now, highest = data.latest(key), _highest(data, key)
    see = (
        f"See each one's reason: {data.command('redrive --dry-run')}; without --dry-run it sends back what may succeed."
    )
    row = Finding(
        DEAD_LETTERS_CHECK,
        verdict(bad=line.is_breached_by(now), warn=highest > 0),
        formatting.sentences(level.depth()) if highest else "None.",
        highest, "jobs", line.value, _highest_before(data, key),
        see if now else "None lies there any more: see that they were sent back, not thrown away.",
        caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def backlog(data: ReviewData) -> Finding:
    """Judge whether jobs that wait at the end get fewer, by the drain time; BAD where they do not.

    The line is the age alarm's: what takes longer to drain makes it ring. It is one of seconds, not of jobs: the reason tells it.
    What the queue hands on within a minute is no backlog: SQS counts once a minute what is just passing through.
    """
    key = series.VISIBLE
    level = data.level(key)
    caption = f"backlog: {data.why_no_data(key)}"
    if level.peak:
        caption = "; ".join(filter(None, (f"jobs that waited: {level.depth()}", data.previous_clause(level))))
    if row := data.no_data_row(BACKLOG_CHECK, key, caption=caption):
        return row
    drain = statistics.drain(data.frame)
    # SQS counts a queue that holds messages each minute: where jobs waited long ago, nobody has counted since.
    is_stale = drain.visible > 0 and level.latest is not None and not level.latest.is_current
    if is_stale:
        found, how = Verdict.NO_DATA, "; whether they still wait is not known"
    else:
        found, how = _flow(data, drain, data.context.line(AGE_ALARM))
    highest = _highest(data, key)
    end = f"{level.latest.clause()}{how}" if level.latest else ""
    at_hand = f" and {data.command('faults')}" if data.context.target == "local" else ""
    row = Finding(
        BACKLOG_CHECK, found, formatting.sentences(f"{level.at_most()}; {end}") if highest else "No job waited.",
        highest, "jobs", before=_highest_before(data, key),
        action=RUN_AGAIN if is_stale else f"See whether the worker runs and what it says: {data.log(WORKER)}{at_hand}.",
        caption=caption,
    )  # fmt: skip
    return data.with_partial_data(row, key, series.SENT, series.DELETED)


def _flow(data: ReviewData, drain: Drain, patience: Threshold | None) -> tuple[Verdict, str]:
    """Judge a backlog by how long a job may wait before the age alarm rings."""
    if drain.flow is Flow.EMPTY:
        return Verdict.OK, ""
    if drain.flow is Flow.UNKNOWN:
        is_denied = data.state(series.SENT, series.DELETED) is SeriesState.DENIED
        return (
            Verdict.NO_DATA,
            f"; {DENIED if is_denied else MISSING}: whether it drains, since sent and deleted are not known",
        )
    if not drain.stands or drain.wait_s <= PASSING_S:
        return Verdict.OK, ", passing through"
    if drain.seconds is None:
        why = "no more are deleted than sent" if drain.wait_s < math.inf else "none is deleted"
        return Verdict.BAD, f", not draining: {why}"
    told = f", draining in {formatting.seconds(round(drain.seconds))}"
    if patience is None:
        return Verdict.OK, told
    line = formatting.ratio(
        drain.seconds, patience.value, f"the {formatting.seconds(patience.value)} that a job may wait"
    )
    return verdict(bad=False, warn=patience.is_breached_by(drain.seconds)), f"{told}, {line}"


def _highest(data: ReviewData, key: SeriesKey) -> float:
    """The highest depth now: 0 where none was measured, for SQS measures a queue that holds messages each minute."""
    peak = data.level(key).peak
    return peak.value if peak else 0.0


def _highest_before(data: ReviewData, key: SeriesKey) -> float:
    """The same of the window compared with; NaN where it is not known."""
    highest = data.level(key).previous
    return data.total_before(key) if math.isnan(highest) else highest


def failed_jobs(data: ReviewData) -> Finding:
    """Judge the jobs that failed for good: BAD where some did in the last minutes and we can fix it."""
    key = series.FAILED_JOBS
    reasons = _reasons(data, key, data.points)
    detail = formatting.join(_by_reason(reasons))
    caption = data.count_clause(key, "job failed for good", "jobs failed for good", detail=detail)
    if row := data.no_data_row(FAILED_JOBS_CHECK, key, caption=caption):
        return row
    line = data.line(FAILED_JOBS_ALARM, FAILED_JOBS)
    count = data.tally(key).total
    # The alarm counts by the minute: so does this.
    late = data.recent(key)
    is_late = len(late) > 0 and line.is_breached_by(float(late.max()))
    said = formatting.sentences(
        f"{formatting.count(count, 'job')} failed for good{_share(data, count)}{f': {detail}' if detail else ''}",
        f"the last {data.at(late.index[-1].to_pydatetime())}" if is_late else "",
    )
    # Whom it concerns now is told by what failed now, not by what failed last night.
    is_ours = any(name not in CLIENT_REASONS for name in _reasons(data, key, data.recent))
    row = Finding(
        FAILED_JOBS_CHECK,
        verdict(bad=is_late and is_ours, warn=count > 0),
        said if count else "None.",
        count, "jobs", line.value, data.tally(key).previous,
        _failed_jobs_action(data, reasons), caption,
    )  # fmt: skip
    return data.with_partial_data(row, key)


def _reasons(data: ReviewData, key: SeriesKey, points: Callable[[SeriesKey], pd.Series]) -> dict[str, float]:
    """Count the failed jobs by reason, the most frequent first; what CloudWatch does not list yet comes last.

    `points` says which points of a series are counted.
    """
    totals = {name: float(points(series.failed_jobs(name)).sum()) for name in series.reasons(data.context)}
    found = {name: number for name, number in totals.items() if number > 0}
    told = dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
    rest = float(points(key).sum()) - sum(told.values())
    return told | ({OTHER_REASONS: rest} if rest > 0 else {})


def _by_reason(reasons: dict[str, float]) -> list[str]:
    """List the counts by reason, those of rare and unlisted reasons in one."""
    shown = [(name, count) for name, count in reasons.items() if name != OTHER_REASONS][:MAX_REASONS]
    rest = sum(reasons.values()) - sum(count for _, count in shown)
    return [
        f"{formatting.number(count)} {name}" for name, count in [*shown, *([(OTHER_REASONS, rest)] if rest else [])]
    ]


def _share(data: ReviewData, count: float) -> str:
    """Say how many of the jobs that ended those are."""
    ended = count + data.total(series.pictures(WORKER))
    return f" ({formatting.percent(count / ended)} of those that ended)" if count and ended > count else ""


def _failed_jobs_action(data: ReviewData, reasons: dict[str, float]) -> str:
    fix = [ACTIONS[name] for name in reasons if name in ACTIONS]
    if reasons and all(name in CLIENT_REASONS for name in reasons):
        fix.append("The senders' own: each one's <id>.error.json says why.")
    return " ".join(
        [*fix, f"Each job's story: {data.command('job ID')}; all of them: {data.command('redrive --dry-run')}."]
    )


def postponed_jobs(data: ReviewData) -> Finding:
    """Judge the deliveries that were postponed because the model was throttled or failed: each makes somebody wait.

    The worker's own metric: the throttles of an image model are counted in the model's region, and not as this function's.
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
