"""The check of how long jobs wait, by the age alarm's own threshold and never without the dead letters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict
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
ALLOW_DEAD_LETTERS_FIRST = "Let the dead letters be seen first: without them an age proves nothing."


def age(reading: ReviewData) -> Finding:
    """Judge how long the oldest job waited: BAD while it waits too long, WARN where one did, or where dead letters lie.

    A job that was received three times does not count as old any more, so that a low age proves nothing while jobs fail
    (SQS developer guide, "Available CloudWatch metrics for Amazon SQS", ApproximateAgeOfOldestMessage). No age at all is
    good news, unlike no duration: SQS measures a queue that holds messages each minute, so silence means an empty queue.
    """
    if row := reading.unanswered(AGE_CHECK, series.AGE):
        return row
    line = reading.facts.line(AGE_ALARM)
    letters, lie = _describe_dead_letters(reading)
    row = Finding(
        AGE_CHECK, Verdict.OK, "", 0.0, "s", line.value if line else math.nan, reading.highest_before(series.AGE)
    )
    row = _judge_age(reading, row, line, letters, lie=bool(lie))
    if row.verdict is Verdict.OK and lie is None:
        row = replace(row, verdict=Verdict.NO_DATA, action=ALLOW_DEAD_LETTERS_FIRST)
    return reading.believed(row, series.AGE)


def _judge_age(reading: ReviewData, row: Finding, line: Threshold | None, letters: str, *, lie: bool) -> Finding:
    if reading.points(series.AGE).empty:
        counted = reading.points(series.VISIBLE)
        if len(counted) and counted.max() > 0:
            said = formatting.sentences("SQS counted jobs in the queue but gave no age", letters)
            return replace(row, verdict=Verdict.NO_DATA, value=math.nan, reason=said, action=RUN_AGAIN)
        said = formatting.sentences("no job waited: SQS gives no age for a queue that is empty and at rest", letters)
        return replace(row, verdict=verdict(bad=False, warn=lie), reason=said, action=_age_action(reading, lie=lie))
    highest, moment = reading.peak(series.AGE)
    end = reading.latest_said(series.AGE, " s")
    said = formatting.sentences(
        f"at most {formatting.seconds(highest)} ({reading.at(moment)}){_age_ratio(line, highest)}; {end}", letters
    )
    row = replace(row, value=highest, reason=said)
    if line is None:
        why = reading.facts.unanswered.get(context.DESCRIBE_ALARMS)
        action = why or f"Deploy the alarm that says from when on that is too long: {reading.deploy(QUEUE)}"
        return replace(row, verdict=Verdict.WARN if lie else Verdict.NO_DATA, action=action)
    late = line.is_crossed(highest)
    found = verdict(bad=line.is_crossed(reading.latest(series.AGE)), warn=late or lie)
    return replace(row, verdict=found, action=_age_action(reading, lie=lie and not late))


def _describe_dead_letters(reading: ReviewData) -> tuple[str, float | None]:
    """Say the depth of the dead letters, and give it; None where it is not known."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := reading.unanswered("dead letters", key):
        return f"dead letters not known ({row.reason.partition(':')[0].lower()})", None
    now = reading.latest(key)
    letters = formatting.count(now, "dead letter")
    return f"{letters}{', which do not count as waiting' if now else ''}", now


def _age_ratio(line: Threshold | None, highest: float) -> str:
    if line is None:
        return ", and no alarm says from when on that is too long"
    said = formatting.ratio(highest, line.value, f"the alarm's {formatting.seconds(line.value)}")
    return f", {said}" if said else ""


def _age_action(reading: ReviewData, *, lie: bool) -> str:
    if lie:
        return f"Look at the dead letters: {reading.command('redrive --dry-run')}."
    function = reading.facts.function(WORKER)
    bound = f" ({function.maximum_concurrency})" if function and function.maximum_concurrency else ""
    return f"Look for throttling in {reading.log(WORKER)}; within the model's quota raise maximum_concurrency{bound}."


DEAD_LETTERS_CHECK, BACKLOG_CHECK = "dead letters", "backlog"
DEAD_LETTERS_ALARM = "dead-letters"


def dead_letters(reading: ReviewData) -> Finding:
    """Judge what lies in the dead-letter queue: BAD while more lie there than its alarm allows, WARN where any lay."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := reading.unanswered(DEAD_LETTERS_CHECK, key):
        return row
    line = reading.line(DEAD_LETTERS_ALARM, DEAD_LETTER_DEPTH)
    now, highest = reading.latest(key), _highest(reading, key)
    see = f"See each one's reason: {reading.command('redrive --dry-run')}; without --dry-run it sends back what may succeed."
    row = Finding(
        DEAD_LETTERS_CHECK,
        verdict(bad=line.is_crossed(now), warn=highest > 0),
        formatting.sentences(f"{_at_most(reading, key)}, {reading.latest_said(key)}") if highest else "None.",
        highest, "jobs", line.value, _highest_before(reading, key),
        see if now else "None lies there any more: see that they were sent back, not thrown away.",
    )  # fmt: skip
    return reading.believed(row, key)


def backlog(reading: ReviewData) -> Finding:
    """Judge whether jobs that wait at the end get fewer, by the drain time; BAD where they do not.

    The line is the age alarm's: what takes longer to drain makes it ring. It is one of seconds, not of jobs: the reason tells it.
    What the queue hands on within a minute is no backlog: SQS counts once a minute what is just passing through.
    """
    key = series.VISIBLE
    if row := reading.unanswered(BACKLOG_CHECK, key):
        return row
    drain = statistics.drain(reading.frame)
    # SQS counts a queue that holds messages each minute: where jobs waited long ago, nobody has counted since.
    is_stale = drain.visible > 0 and reading.is_stale(key)
    if is_stale:
        found, how = Verdict.NO_DATA, "; whether they still wait is not known"
    else:
        found, how = _flow(reading, drain, reading.facts.line(AGE_ALARM))
    highest = _highest(reading, key)
    end = f"{reading.latest_said(key)}{how}" if highest else ""
    at_hand = f" and {reading.command('faults')}" if reading.facts.target == "local" else ""
    row = Finding(
        BACKLOG_CHECK, found, formatting.sentences(f"{_at_most(reading, key)}; {end}") if highest else "No job waited.",
        highest, "jobs", before=_highest_before(reading, key),
        action=RUN_AGAIN if is_stale else f"See whether the worker runs and what it says: {reading.log(WORKER)}{at_hand}.",
    )  # fmt: skip
    return reading.believed(row, key, series.SENT, series.DELETED)


def _flow(reading: ReviewData, drain: Drain, patience: Threshold | None) -> tuple[Verdict, str]:
    """Judge a backlog by how long a job may wait before the age alarm rings."""
    if drain.flow is Flow.EMPTY:
        return Verdict.OK, ""
    if drain.flow is Flow.UNKNOWN:
        is_denied = reading.state(series.SENT, series.DELETED) is SeriesState.DENIED
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
    return verdict(bad=False, warn=patience.is_crossed(drain.seconds)), f"{told}, {line}"


def _highest(reading: ReviewData, key: SeriesKey) -> float:
    """The highest depth now: 0 where none was measured, for SQS measures a queue that holds messages each minute."""
    return float(reading.points(key).max()) if len(reading.points(key)) else 0.0


def _highest_before(reading: ReviewData, key: SeriesKey) -> float:
    """The same of the window compared with; NaN where it is not known."""
    highest = reading.highest_before(key)
    return reading.total_before(key) if math.isnan(highest) else highest


def _at_most(reading: ReviewData, key: SeriesKey) -> str:
    highest, moment = reading.peak(key)
    return f"at most {formatting.number(highest)} ({reading.at(moment)})"


FAILED_JOBS_CHECK, POSTPONED_CHECK = "failed jobs", "jobs put off"
FAILED_JOBS_ALARM = "failed-jobs"

# Whose matter a reason is (couch_explorers.core.errors): a job that breaks a rule fails again, whoever is woken for it.
SENDER_REASONS = frozenset({"InvalidRequest", "UnknownModel", "ContentFiltered", "Conflict"})
ACTIONS = {
    "AccessDenied": "Give the worker the right to its models (model_arns in infra/).",
    "ModelRetired": "Choose a model that still works (model_arns in infra/).",
    "SubscriptionPending": "Agree to the model once for this account (CONTRIBUTING, first use of a model).",
    "PaymentMethod": "Give the account a payment method that AWS Marketplace takes.",
    "Throttled": "Ask for more of the model's quota, or lower maximum_concurrency.",
}
OTHER_REASONS = "other reasons"
REASONS_SHOWN = 4


def failed_jobs(reading: ReviewData) -> Finding:
    """Judge the jobs that failed for good: BAD where some did in the last minutes and it is ours to mend."""
    key = series.FAILED_JOBS
    if row := reading.unanswered(FAILED_JOBS_CHECK, key):
        return row
    line = reading.line(FAILED_JOBS_ALARM, FAILED_JOBS)
    count = reading.total(key)
    reasons = _reasons(reading, key, reading.points)
    # The alarm counts by the minute: so does this.
    late = reading.recent(key)
    is_late = len(late) > 0 and line.is_crossed(float(late.max()))
    said = formatting.sentences(
        f"{formatting.count(count, 'job')} failed for good{_share(reading, count)}{_listed(reasons)}",
        f"the last {reading.at(late.index[-1].to_pydatetime())}" if is_late else "",
    )
    # Whom it concerns now is told by what failed now, not by what failed last night.
    is_ours = any(name not in SENDER_REASONS for name in _reasons(reading, key, reading.recent))
    row = Finding(
        FAILED_JOBS_CHECK,
        verdict(bad=is_late and is_ours, warn=count > 0),
        said if count else "None.",
        count, "jobs", line.value, reading.total_before(key),
        _failed_jobs_action(reading, reasons),
    )  # fmt: skip
    return reading.believed(row, key)


def _reasons(reading: ReviewData, key: SeriesKey, points: Callable[[SeriesKey], pd.Series]) -> dict[str, float]:
    """Count the failed jobs by reason, the most frequent first; what CloudWatch does not list yet comes last.

    `points` says which points of a series are counted.
    """
    totals = {name: float(points(series.failed_jobs(name)).sum()) for name in series.reasons(reading.facts)}
    found = {name: number for name, number in totals.items() if number > 0}
    told = dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
    rest = float(points(key).sum()) - sum(told.values())
    return told | ({OTHER_REASONS: rest} if rest > 0 else {})


def _listed(reasons: dict[str, float]) -> str:
    shown = [f"{formatting.number(number)} {name}" for name, number in list(reasons.items())[:REASONS_SHOWN]]
    more = len(reasons) - REASONS_SHOWN
    return f": {formatting.join([*shown, *([f'{more} more reasons'] if more > 0 else [])])}" if shown else ""


def _share(reading: ReviewData, count: float) -> str:
    """Say how many of the jobs that ended those are."""
    ended = count + reading.total(series.pictures(WORKER))
    return f" ({formatting.percent(count / ended)} of those that ended)" if count and ended > count else ""


def _failed_jobs_action(reading: ReviewData, reasons: dict[str, float]) -> str:
    mend = [ACTIONS[name] for name in reasons if name in ACTIONS]
    if reasons and all(name in SENDER_REASONS for name in reasons):
        mend.append("The senders' own: their <id>.error.json tells them.")
    return " ".join(
        [*mend, f"Each job's story: {reading.command('job ID')}; all of them: {reading.command('redrive --dry-run')}."]
    )


def postponed_jobs(reading: ReviewData) -> Finding:
    """Judge the deliveries that were put off because the model was throttled or failed: each makes somebody wait.

    The worker's own metric: the throttles of an image model are counted in the model's region, and not as this function's.
    """
    key = series.POSTPONED_JOBS
    if row := reading.unanswered(POSTPONED_CHECK, key):
        return row
    count = reading.total(key)
    share = statistics.share(count, count + reading.total(series.pictures(WORKER)))
    before = _share_before(reading)
    line = formatting.percent(POSTPONED.warn)
    row = Finding(
        POSTPONED_CHECK,
        verdict(bad=False, warn=count >= MIN_COUNT and share > POSTPONED.warn),
        formatting.sentences(f"{formatting.count(count, 'delivery', 'deliveries')} put off ({formatting.percent(share)}; {line} is the line)") if count else "None.",
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * POSTPONED.warn, before,
        f"See the reasons in {reading.log(WORKER)} (\"Job postponed\"); the model's quota may be too small.",
    )  # fmt: skip
    return reading.believed(row, key)


def _share_before(reading: ReviewData) -> float:
    count = reading.total_before(series.POSTPONED_JOBS)
    share = statistics.share(count, count + reading.total_before(series.pictures(WORKER)))
    return 100 * share if count else count
