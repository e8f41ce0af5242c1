"""A believable week for the local cloud: past metrics, so that a review has something to compare on its first day.

Made up, and marked as such in the data itself: `CouchExplorers/Local SyntheticHistory` is 1 in each minute that was
written here, `SyntheticDeploy` in the minute of the deploy, both with the dimension `candidate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch.store import DAY_S, MINUTE_S, RETENTION_S
from couch_explorers.local.history import alarms as history_alarms
from couch_explorers.local.history import api as history_api
from couch_explorers.local.history import plan as history_plan
from couch_explorers.local.history.queue import QueueSimulation
from couch_explorers.local.history.recorder import Recorder
from couch_explorers.local.settings import WORKER_TIMEOUT_S
from couch_explorers.local.stacks import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore
    from couch_explorers.local.history.alarms import Transition

    AlarmHistory = Callable[[str, Sequence[Transition]], object]

NAMESPACE = "CouchExplorers/Local"
SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY = "SyntheticHistory", "SyntheticDeploy"
DAYS = 8
MOST_DAYS = RETENTION_S[MINUTE_S] / DAY_S


class HistoryError(Exception):
    """A history that cannot be written."""


@dataclass(frozen=True)
class Written:
    """What was written: the stretch (Unix time, the end not included), and what happens in it."""

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
        """Give it as JSON, times in ISO 8601, UTC."""
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
    """How the metric store names what was written for a candidate."""
    return f"history:{candidate}"


def write(
    store: MetricStore,
    *,
    candidate: str,
    now_s: float,
    days: float = DAYS,
    seed: int = 1,
    alarm_history: AlarmHistory | None = None,
    thresholds: Mapping[str, float] | None = None,
    worker_timeout_s: float = WORKER_TIMEOUT_S,
) -> Written:
    """Write the `days` before `now_s`, in place of what was written before; the same seed gives the same history.

    It ends where the first minute was really measured: the two are never mixed. `thresholds` are those of the deployed alarms, by
    short name; their transitions go to `alarm_history(alarm name, transitions)`,
    one call an alarm, which replaces what an earlier history gave. HistoryError for days that CloudWatch does not keep.
    """
    if not 0 < days <= MOST_DAYS:
        raise HistoryError(
            f"A history of {days:g} days cannot be kept by the minute: ask for more than 0, at most {MOST_DAYS:g}."
        )
    erase(store, candidate, alarm_history)
    settings = Settings(candidate)
    measured_s = _first_measured_s(store, settings.stem, since_s=now_s - days * DAY_S)
    plan = history_plan.make(
        now_s=now_s, days=days, until_s=now_s if measured_s is None else measured_s, worker_timeout_s=worker_timeout_s
    )
    recorder = Recorder()
    simulation = QueueSimulation(plan, recorder, settings.stem, Random(f"{seed} queue"))  # noqa: S311 - a made-up week
    simulation.run()
    painted = history_api.run(plan, recorder, settings.stem, Random(f"{seed} api"))  # noqa: S311 - likewise
    _mark(recorder, candidate, plan)
    rang = history_alarms.transitions(
        recorder,
        candidate,
        history_alarms.default_thresholds(candidate) | dict(thresholds or {}),
        end_s=plan.end_s,
        worker_timeout_s=worker_timeout_s,
    )
    # Made ready first: while the store is written to, nobody else can write.
    samples = store.add_rows(list(recorder.series()), origin=origin(candidate))
    if alarm_history:
        for name, transitions in rang.items():
            alarm_history(name, transitions)
    return Written(
        candidate,
        plan.start_s,
        plan.end_s,
        tuple((trouble.start_s, trouble.end_s) for trouble in plan.troubles),
        plan.deploy_s,
        simulation.jobs,
        painted,
        samples,
        sum(map(len, rang.values())),
    )


def erase(store: MetricStore, candidate: str, alarm_history: AlarmHistory | None = None) -> int:
    """Delete what was written for a candidate, and nothing that was measured; give the number of samples."""
    if alarm_history:
        for short_name in history_alarms.default_thresholds(candidate):
            alarm_history(f"{Settings(candidate).stem}-{short_name}", [])
    return store.forget(origin(candidate))


def _first_measured_s(store: MetricStore, stem: str, since_s: float) -> int | None:
    """The first minute since then in which anything of the candidate's was really measured."""
    parts = [
        ("AWS/SQS", {"QueueName": f"{stem}-jobs"}),
        ("AWS/SQS", {"QueueName": f"{stem}-jobs-dead-letter"}),
        ("AWS/Lambda", {"FunctionName": f"{stem}-worker"}),
        ("AWS/Lambda", {"FunctionName": f"{stem}-generate-image"}),
        ("AWS/ApiGateway", {"ApiName": f"{stem}-api"}),
    ]
    found = (store.first_s(namespace, dimensions=dimensions, since_s=since_s) for namespace, dimensions in parts)
    return min((first_s for first_s in found if first_s is not None), default=None)


def _mark(recorder: Recorder, candidate: str, plan: history_plan.Plan) -> None:
    marks = recorder.line(NAMESPACE, SYNTHETIC_HISTORY, {"candidate": candidate})
    for minute_s in range(plan.start_s, plan.end_s, MINUTE_S):
        marks.add(minute_s, 1)
    if plan.deploy_s is not None:
        recorder.line(NAMESPACE, SYNTHETIC_DEPLOY, {"candidate": candidate}).add(plan.deploy_s, 1)


def _iso(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
