"""The local cloud's telemetry as a whole: started with the server, stopped with it.

Order at each full minute: queues and concurrency publish the minute that has ended, everything is written, alarms look.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from couch_explorers.files import read_json
from couch_explorers.local import history
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.stacks import Settings
from couch_explorers.local.telemetry import lambda_, sqs
from couch_explorers.local.telemetry.lambda_ import Concurrency
from couch_explorers.local.telemetry.recorder import Recorder
from couch_explorers.local.telemetry.sqs import QueueCounter
from couch_explorers.local.telemetry.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.local.history import AlarmHistory
    from couch_explorers.paths import Home

NOT_DEPLOYED = "Nothing is deployed on this local cloud, so there is nothing whose past could be written: couch up"


class NotDeployedError(Exception):
    """The local cloud has nothing that a history could be about."""

    def __init__(self) -> None:
        super().__init__(NOT_DEPLOYED)


class Engine(Protocol):
    """What the telemetry needs of the engine that it measures."""

    def attach(self, telemetry: Telemetry) -> None:
        """Let what happens in the engine be measured from now on, and metrics be stored. Once a process."""

    def publish_queues(self, minute_s: int, now_s: float) -> None:
        """Record what happened at the queues in the minute that has ended, and what lies in them."""

    def evaluate_alarms(self, now_s: float) -> object:
        """Judge the alarms whose turn it is."""

    def record_past(self, alarm_name: str, transitions: Any) -> None:
        """Put made-up transitions into an alarm's history, in place of those made up before."""

    def alarm_thresholds(self, stem: str) -> Mapping[str, float]:
        """The thresholds of the deployed alarms named `stem-…`, by the rest of their names."""


class Telemetry:
    """Everything that measures: the store, the counters, and the minute."""

    def __init__(self, home: Home, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self.home = home
        self.clock = clock
        home.path.mkdir(parents=True, exist_ok=True)
        self.store = MetricStore(home.metrics_file)
        self.recorder = Recorder(self.store)
        self.queues = QueueCounter(clock)
        self.concurrency = Concurrency(clock)
        self._engine = engine
        self._history = threading.Lock()
        self._ticker = Ticker(
            {"queues": engine.publish_queues, "functions": self._publish_functions},
            self._evaluate,
            self.store.expire,
            clock,
            self._beat,
        )

    def attach(self) -> None:
        """Let the engine of this process measure, store and judge. Once a process."""
        self._engine.attach(self)

    def start(self) -> None:
        """Publish and judge each minute from now on."""
        self._ticker.start()

    def stop(self) -> None:
        """Write what the unfinished minute has counted, and close the store."""
        self._ticker.stop()
        sqs.publish_counts(self.recorder, self.queues, float("inf"))
        self.recorder.stop()
        self.store.close()

    def write_history(self, days: float = history.DAYS, seed: int = 1) -> dict[str, Any]:
        """Write a made-up past of what is deployed, in place of an earlier one. NotDeployedError, HistoryError."""
        candidate = self._candidate()
        with self._history:
            self.recorder.flush()
            return history.write(
                self.store,
                candidate=candidate,
                now_s=self.clock(),
                days=days,
                seed=seed,
                alarm_history=self._record_past,
                thresholds=self._engine.alarm_thresholds(Settings(candidate).stem),
            ).to_json()

    def erase_history(self) -> dict[str, Any]:
        """Forget the made-up past, and nothing that was measured. NotDeployedError."""
        candidate = self._candidate()
        with self._history:
            return {"samples": history.erase(self.store, candidate, self._record_past)}

    def _candidate(self) -> str:
        deployment = read_json(self.home.deployment_file)
        workspace = deployment.get("workspace") if isinstance(deployment, dict) else None
        if not isinstance(workspace, dict) or not workspace.get("candidate"):
            raise NotDeployedError
        return str(workspace["candidate"])

    @property
    def _record_past(self) -> AlarmHistory:
        return self._engine.record_past

    def _publish_functions(self, _minute_s: int, _now_s: float) -> None:
        lambda_.publish_concurrency(self.recorder, self.concurrency)

    def _beat(self, now_s: float) -> None:
        """Write what has happened so far in this minute, and let the alarms on seconds look."""
        sqs.publish_so_far(self.recorder, self.queues)
        self._evaluate(now_s)

    def _evaluate(self, now_s: float) -> None:
        self.recorder.flush()
        self._engine.evaluate_alarms(now_s)


def start(home: Home, engine: Engine, clock: Callable[[], float] = time.time) -> Telemetry:
    """Measure the engine of this process from now on; what it finds lies in the home's folder."""
    telemetry = Telemetry(home, engine, clock)
    telemetry.attach()
    telemetry.start()
    return telemetry
