"""Writes a synthetic week into the metric store, so that a review has something to compare on its first day.

It is marked as synthetic in the data itself: `CouchExplorers/Local SyntheticHistory` is 1 in each minute that was written here,
`SyntheticDeploy` in the minute of the deploy, both with the dimension `candidate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from couch_explorers.aws.alarms import GREATER
from couch_explorers.local.cloudwatch.alarm_evaluation import Point, Rule, judge
from couch_explorers.local.cloudwatch.alarm_history import Transition, state_reason
from couch_explorers.local.cloudwatch.store import DAY_S, MINUTE_S, RETENTION_S
from couch_explorers.local.settings import WORKER_TIMEOUT_S, StackSettings
from couch_explorers.local.synthetic_metrics.scenario import Scenario, make_scenario
from couch_explorers.local.synthetic_metrics.simulation import QueueSimulation, SeriesRecorder, simulate_api

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore

    RecordTransitions = Callable[[str, Sequence[Transition]], object]

AGE, DEAD_LETTERS, WORKER_ERRORS, FAILED_JOBS = "oldest-message-age", "dead-letters", "worker-errors", "failed-jobs"


def default_thresholds(candidate: str) -> dict[str, float]:
    """The thresholds that a local deployment has by default."""
    return {
        AGE: float(StackSettings(candidate).oldest_message_age_s),
        DEAD_LETTERS: 0.0,
        WORKER_ERRORS: 0.0,
        FAILED_JOBS: 0.0,
    }


def alarm_transitions(
    recorder: SeriesRecorder, candidate: str, thresholds: Mapping[str, float], *, end_s: int, worker_timeout_s: float
) -> dict[str, list[Transition]]:
    """The transitions of every alarm, by its name; one that is still in ALARM at the end goes to OK there."""
    return {
        name: _transitions_of(rule, _values(recorder, rule), end_s)
        for name, rule in _rules(candidate, thresholds, worker_timeout_s).items()
    }


def _rules(candidate: str, thresholds: Mapping[str, float], worker_timeout_s: float) -> dict[str, Rule]:
    """The alarms of infra/alarms.tf, by name, but for the one on the time to picture.

    That one ignores periods of fewer than 200 pictures, of which a synthetic week has no other: it keeps its state.
    """
    stem = StackSettings(candidate).stem
    # An error counts at the start of its invocation, which may lie a time-out back.
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


def _values(recorder: SeriesRecorder, rule: Rule) -> dict[int, float]:
    series = recorder.metric(rule.namespace, rule.metric, rule.dimensions)
    return series.maxima() if rule.statistic == "Maximum" else series.sums()


def _transitions_of(rule: Rule, values: Mapping[int, float], end_s: int) -> list[Transition]:
    """Evaluate the alarm at the end of each minute whose evaluation range has a breaching point; elsewhere it does not change."""
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
            found.append(Transition(now_s, state, judgement.state, state_reason(rule, judgement)))
            state = judgement.state
    if state == "ALARM":
        found.append(Transition(end_s, "ALARM", "OK", "The written history ends here."))
    return found


def _as_float(value: float | None) -> float | None:
    return None if value is None else float(value)


NAMESPACE = "CouchExplorers/Local"
SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY = "SyntheticHistory", "SyntheticDeploy"
DAYS = 8
MOST_DAYS = RETENTION_S[MINUTE_S] / DAY_S


class SyntheticMetricsError(Exception):
    """Synthetic metrics that cannot be written."""


@dataclass(frozen=True)
class Written:
    """Summary of the written metrics: the time range (Unix time, the end excluded), its incidents, deploy and totals."""

    candidate: str
    start_s: int
    end_s: int
    incidents: tuple[tuple[int, int], ...]
    deploy_s: int | None
    jobs: int
    pictures_by_api: int
    samples: int
    transitions: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, times in ISO 8601, UTC."""
        return {
            "candidate": self.candidate,
            "start": _iso(self.start_s),
            "end": _iso(self.end_s),
            "incidents": [{"start": _iso(start), "end": _iso(end)} for start, end in self.incidents],
            "deploy": None if self.deploy_s is None else _iso(self.deploy_s),
            "jobs": self.jobs,
            "pictures_by_api": self.pictures_by_api,
            "samples": self.samples,
            "transitions": self.transitions,
        }


def origin(candidate: str) -> str:
    """The origin of synthetic samples of a candidate in the metric store."""
    return f"history:{candidate}"


def write(
    store: MetricStore,
    *,
    candidate: str,
    now_s: float,
    days: float = DAYS,
    seed: int = 1,
    record_transitions: RecordTransitions | None = None,
    thresholds: Mapping[str, float] | None = None,
    worker_timeout_s: float = WORKER_TIMEOUT_S,
) -> Written:
    """Write synthetic metrics of the `days` before `now_s`, in place of earlier ones; the same seed writes the same metrics.

    They end at the first minute that was measured: synthetic and measured samples are never mixed.

    Args:
        store: Where the samples are written.
        candidate: The candidate number of the deployment.
        now_s: The present, in Unix time.
        days: How far back the metrics go, at most MOST_DAYS.
        seed: Seeds the simulation.
        record_transitions: Called once for each alarm with its name and its transitions, which replace earlier synthetic ones.
        thresholds: Those of the deployed alarms, by short name; default: those of a local deployment.
        worker_timeout_s: The time-out of the worker, in seconds.

    Raises:
        SyntheticMetricsError: `days` is longer than CloudWatch keeps minutes.
    """
    if not 0 < days <= MOST_DAYS:
        raise SyntheticMetricsError(
            f"A history of {days:g} days cannot be kept by the minute: ask for more than 0, at most {MOST_DAYS:g}."
        )
    erase(store, candidate, record_transitions)
    settings = StackSettings(candidate)
    measured_s = _first_measured_s(store, settings.stem, since_s=now_s - days * DAY_S)
    scenario = make_scenario(
        now_s=now_s, days=days, until_s=now_s if measured_s is None else measured_s, worker_timeout_s=worker_timeout_s
    )
    recorder = SeriesRecorder()
    simulation = QueueSimulation(scenario, recorder, settings.stem, Random(f"{seed} queue"))  # noqa: S311 - a simulation
    simulation.run()
    painted = simulate_api(scenario, recorder, settings.stem, Random(f"{seed} api"))  # noqa: S311 - likewise
    _mark(recorder, candidate, scenario)
    by_alarm = alarm_transitions(
        recorder,
        candidate,
        default_thresholds(candidate) | dict(thresholds or {}),
        end_s=scenario.end_s,
        worker_timeout_s=worker_timeout_s,
    )
    # Prepared before the transaction, which blocks all other writers.
    samples = store.add_rows(list(recorder.series()), origin=origin(candidate))
    if record_transitions:
        for name, transitions in by_alarm.items():
            record_transitions(name, transitions)
    return Written(
        candidate,
        scenario.start_s,
        scenario.end_s,
        tuple((incident.start_s, incident.end_s) for incident in scenario.incidents),
        scenario.deploy_s,
        simulation.jobs,
        painted,
        samples,
        sum(map(len, by_alarm.values())),
    )


def erase(store: MetricStore, candidate: str, record_transitions: RecordTransitions | None = None) -> int:
    """Delete the synthetic metrics of a candidate, and nothing that was measured; return the number of samples."""
    if record_transitions:
        for short_name in default_thresholds(candidate):
            record_transitions(f"{StackSettings(candidate).stem}-{short_name}", [])
    return store.forget(origin(candidate))


def _first_measured_s(store: MetricStore, stem: str, since_s: float) -> int | None:
    """The first minute since then in which a resource of the candidate was measured, None without one."""
    parts = [
        ("AWS/SQS", {"QueueName": f"{stem}-jobs"}),
        ("AWS/SQS", {"QueueName": f"{stem}-jobs-dead-letter"}),
        ("AWS/Lambda", {"FunctionName": f"{stem}-worker"}),
        ("AWS/Lambda", {"FunctionName": f"{stem}-generate-image"}),
        ("AWS/ApiGateway", {"ApiName": f"{stem}-api"}),
    ]
    found = (store.first_s(namespace, dimensions=dimensions, since_s=since_s) for namespace, dimensions in parts)
    return min((first_s for first_s in found if first_s is not None), default=None)


def _mark(recorder: SeriesRecorder, candidate: str, scenario: Scenario) -> None:
    marks = recorder.metric(NAMESPACE, SYNTHETIC_HISTORY, {"candidate": candidate})
    for minute_s in range(scenario.start_s, scenario.end_s, MINUTE_S):
        marks.add(minute_s, 1)
    if scenario.deploy_s is not None:
        recorder.metric(NAMESPACE, SYNTHETIC_DEPLOY, {"candidate": candidate}).add(scenario.deploy_s, 1)


def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
