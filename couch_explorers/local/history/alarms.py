"""When the alarms would have rung in a simulated history: the transitions that CloudWatch would have written down."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from couch_explorers.aws.alarms import GREATER
from couch_explorers.local.cloudwatch import alarm_history
from couch_explorers.local.cloudwatch.alarm_evaluation import Point, Rule, judge
from couch_explorers.local.cloudwatch.store import MINUTE_S
from couch_explorers.local.stacks import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.local.history.recorder import Recorder

AGE, DEAD_LETTERS, WORKER_ERRORS, FAILED_JOBS = "oldest-message-age", "dead-letters", "worker-errors", "failed-jobs"


class Transition(NamedTuple):
    """A change of an alarm's state: when (Unix time), from what to what, and why in CloudWatch's words."""

    time_s: float
    old: str
    new: str
    reason: str


def default_thresholds(candidate: str) -> dict[str, float]:
    """The thresholds that a local deployment has by default."""
    return {
        AGE: float(Settings(candidate).oldest_message_age_s),
        DEAD_LETTERS: 0.0,
        WORKER_ERRORS: 0.0,
        FAILED_JOBS: 0.0,
    }


def transitions(
    recorder: Recorder, candidate: str, thresholds: Mapping[str, float], *, end_s: int, worker_timeout_s: float
) -> dict[str, list[Transition]]:
    """Every alarm's transitions by its whole name; an alarm that still rings at the end is put out there."""
    return {
        name: _of_one(rule, _values(recorder, rule), end_s)
        for name, rule in _rules(candidate, thresholds, worker_timeout_s).items()
    }


def _rules(candidate: str, thresholds: Mapping[str, float], worker_timeout_s: float) -> dict[str, Rule]:
    """The alarms of infra/alarms.tf, by their whole names."""
    stem = Settings(candidate).stem
    # Errors are looked for as far back as a time-out's start may lie.
    errors_periods = math.ceil(worker_timeout_s / MINUTE_S) + 2
    watched = {
        AGE: ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": f"{stem}-jobs"}, "Maximum", 1),
        DEAD_LETTERS: (
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": f"{stem}-jobs-dead-letter"}, "Maximum", 1,
        ),
        WORKER_ERRORS: ("AWS/Lambda", "Errors", {"FunctionName": f"{stem}-worker"}, "Sum", errors_periods),
        FAILED_JOBS: ("CouchExplorers", "FailedJobs", {"service": f"{stem}-worker"}, "Sum", 1),
    }  # fmt: skip
    return {
        f"{stem}-{short_name}": Rule(
            namespace, metric, dimensions, statistic, unit=None, period_s=MINUTE_S, periods=periods, to_alarm=1, m_of_n=True,
            comparison=GREATER, threshold=thresholds[short_name], missing="notBreaching",
        )
        for short_name, (namespace, metric, dimensions, statistic, periods) in watched.items()
    }  # fmt: skip


def _values(recorder: Recorder, rule: Rule) -> dict[int, float]:
    line = recorder.line(rule.namespace, rule.metric, rule.dimensions)
    return line.maxima() if rule.statistic == "Maximum" else line.sums()


def _of_one(rule: Rule, values: Mapping[int, float], end_s: int) -> list[Transition]:
    """Judge each minute's end as the live alarms do; only where a breach is in sight can anything change."""
    breaches = [minute_s for minute_s, value in values.items() if rule.breaches(value)]
    evaluated_at = {
        minute_s + MINUTE_S * later for minute_s in breaches for later in range(1, rule.evaluation_range + 2)
    }
    found: list[Transition] = []
    state: str = "OK"
    for now_s in sorted(time_s for time_s in evaluated_at if time_s <= end_s):
        starts = range(now_s - rule.evaluation_range * MINUTE_S, now_s, MINUTE_S)
        judgement = judge(rule, [Point(start_s, _as_float(values.get(start_s))) for start_s in starts])
        if judgement.state and judgement.state != state:
            found.append(Transition(now_s, state, judgement.state, alarm_history.state_reason(rule, judgement)))
            state = judgement.state
    if state == "ALARM":
        found.append(Transition(end_s, "ALARM", "OK", "The written history ends here."))
    return found


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)
