"""The checks of the jobs: which failed for good and why, and how many deliveries were put off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers.metrics import derived, series, words
from couch_explorers.metrics.facts import WORKER
from couch_explorers.metrics.review_rows import SHARE, Row, text, verdict
from couch_explorers.metrics.thresholds import FAILED_JOBS, LEAST_COUNTED, PUT_OFF

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from couch_explorers.metrics.facts import SeriesKey
    from couch_explorers.metrics.reading import Reading

FAILED, PUT_OFF_CHECK = "failed jobs", "jobs put off"
ALARM = "failed-jobs"

# Whose matter a reason is (couch_explorers.core.errors): a job that breaks a rule fails again, whoever is woken for it.
SENDERS = frozenset({"InvalidRequest", "UnknownModel", "ContentFiltered", "Conflict"})
OURS = {
    "AccessDenied": "Give the worker the right to its models (model_arns in infra/).",
    "ModelRetired": "Choose a model that still works (model_arns in infra/).",
    "SubscriptionPending": "Agree to the model once for this account (CONTRIBUTING, first use of a model).",
    "PaymentMethod": "Give the account a payment method that AWS Marketplace takes.",
    "Throttled": "Ask for more of the model's quota, or lower maximum_concurrency.",
}
OTHER = "other reasons"
REASONS_SHOWN = 4


def failed(reading: Reading) -> Row:
    """Judge the jobs that failed for good: BAD where some did in the last minutes and it is ours to mend."""
    key = series.FAILED_JOBS
    if row := reading.unanswered(FAILED, key):
        return row
    line = reading.line(ALARM, FAILED_JOBS)
    count = reading.total(key)
    reasons = _reasons(reading, key, reading.points)
    # The alarm counts by the minute: so does this.
    late = reading.recent(key)
    is_late = len(late) > 0 and line.is_crossed(float(late.max()))
    said = text(
        f"{words.count(count, 'job')} failed for good{_share(reading, count)}{_listed(reasons)}",
        f"the last {reading.at(late.index[-1].to_pydatetime())}" if is_late else "",
    )
    # Whom it concerns now is told by what failed now, not by what failed last night.
    is_ours = any(name not in SENDERS for name in _reasons(reading, key, reading.recent))
    row = Row(
        FAILED,
        verdict(bad=is_late and is_ours, warn=count > 0),
        said if count else "None.",
        count, "jobs", line.value, reading.total_before(key),
        _action(reading, reasons),
    )  # fmt: skip
    return reading.believed(row, key)


def _reasons(reading: Reading, key: SeriesKey, points: Callable[[SeriesKey], pd.Series]) -> dict[str, float]:
    """Count the failed jobs by reason, the most frequent first; what CloudWatch does not list yet comes last.

    `points` says which points of a series are counted.
    """
    totals = {name: float(points(series.failed_jobs(name)).sum()) for name in series.reasons(reading.facts)}
    found = {name: number for name, number in totals.items() if number > 0}
    told = dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))
    rest = float(points(key).sum()) - sum(told.values())
    return told | ({OTHER: rest} if rest > 0 else {})


def _listed(reasons: dict[str, float]) -> str:
    shown = [f"{words.number(number)} {name}" for name, number in list(reasons.items())[:REASONS_SHOWN]]
    more = len(reasons) - REASONS_SHOWN
    return f": {words.join([*shown, *([f'{more} more reasons'] if more > 0 else [])])}" if shown else ""


def _share(reading: Reading, count: float) -> str:
    """Say how many of the jobs that ended those are."""
    ended = count + reading.total(series.pictures(WORKER))
    return f" ({words.percent(count / ended)} of those that ended)" if count and ended > count else ""


def _action(reading: Reading, reasons: dict[str, float]) -> str:
    mend = [OURS[name] for name in reasons if name in OURS]
    if reasons and all(name in SENDERS for name in reasons):
        mend.append("The senders' own: their <id>.error.json tells them.")
    return " ".join(
        [*mend, f"Each job's story: {reading.command('job ID')}; all of them: {reading.command('redrive --dry-run')}."]
    )


def put_off(reading: Reading) -> Row:
    """Judge the deliveries that were put off because the model was throttled or failed: each makes somebody wait.

    The worker's own metric: the throttles of an image model are counted in the model's region, and not as this function's.
    """
    key = series.POSTPONED_JOBS
    if row := reading.unanswered(PUT_OFF_CHECK, key):
        return row
    count = reading.total(key)
    share = derived.share(count, count + reading.total(series.pictures(WORKER)))
    before = _share_before(reading)
    line = words.percent(PUT_OFF.warn)
    row = Row(
        PUT_OFF_CHECK,
        verdict(bad=False, warn=count >= LEAST_COUNTED and share > PUT_OFF.warn),
        text(f"{words.count(count, 'delivery', 'deliveries')} put off ({words.percent(share)}; {line} is the line)") if count else "None.",
        0.0 if math.isnan(share) else 100 * share, SHARE, 100 * PUT_OFF.warn, before,
        f"See the reasons in {reading.log(WORKER)} (\"Job postponed\"); the model's quota may be too small.",
    )  # fmt: skip
    return reading.believed(row, key)


def _share_before(reading: Reading) -> float:
    count = reading.total_before(series.POSTPONED_JOBS)
    share = derived.share(count, count + reading.total_before(series.pictures(WORKER)))
    return 100 * share if count else count
