"""The local cloud's telemetry as a whole: started with the server, stopped with it.

Order at each full minute: queues and concurrency publish the minute that has ended, everything is written, alarms look.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.files import read_json
from couch_explorers.local import history
from couch_explorers.local.history import alarms as history_alarms
from couch_explorers.local.telemetry import alarms, functions, gateway, log_metrics, mail, queue_depth, queues, wire
from couch_explorers.local.telemetry.function_concurrency import Concurrency
from couch_explorers.local.telemetry.queue_counts import QueueCounter
from couch_explorers.local.telemetry.recorder import Recorder
from couch_explorers.local.telemetry.store import MetricStore
from couch_explorers.local.telemetry.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.settings import Home

NOT_DEPLOYED = "Nothing is deployed on this local cloud, so there is nothing whose past could be written: couch up"


class NotDeployedError(Exception):
    """The local cloud has nothing that a history could be about."""

    def __init__(self) -> None:
        super().__init__(NOT_DEPLOYED)


class Telemetry:
    """Everything that measures: the store, the counters, and the minute."""

    def __init__(self, home: Home, clock: Callable[[], float] = time.time) -> None:
        self.home = home
        self._clock = clock
        home.path.mkdir(parents=True, exist_ok=True)
        self.store = MetricStore(home.metrics_file)
        self._recorder = Recorder(self.store)
        self._queues = QueueCounter(clock)
        self._concurrency = Concurrency(clock)
        self._history = threading.Lock()
        self._ticker = Ticker(
            {"queues": self._publish_queues, "functions": self._publish_functions},
            self._evaluate,
            self.store.expire,
            clock,
        )

    def mend(self) -> None:
        """Let the MiniStack of this process measure, store, ring and write e-mails. Once a process."""
        wire.mend(self.store, self._clock)
        alarms.mend(self._clock)
        mail.mend(self.home.inbox, self._clock)
        queues.mend(self._queues)
        functions.mend(self._recorder, self._concurrency, self._clock)
        log_metrics.mend(self._recorder)
        gateway.mend(self._recorder, self._clock)

    def start(self) -> None:
        """Publish and judge each minute from now on."""
        self._ticker.start()

    def stop(self) -> None:
        """Write what the unfinished minute has counted, and close the store."""
        self._ticker.stop()
        queue_depth.publish_counts(self._recorder, self._queues, float("inf"))
        self._recorder.stop()
        self.store.close()

    def write_history(self, days: float = history.DAYS, seed: int = 1) -> dict[str, Any]:
        """Write a made-up past of what is deployed, in place of an earlier one. NotDeployedError, HistoryError."""
        candidate = self._candidate()
        with self._history:
            self._recorder.flush()
            return history.write(
                self.store,
                candidate=candidate,
                now_s=self._clock(),
                days=days,
                seed=seed,
                alarm_history=alarms.record_past,
                thresholds=history_alarms.deployed_thresholds(candidate),
            ).to_json()

    def erase_history(self) -> dict[str, Any]:
        """Forget the made-up past, and nothing that was measured. NotDeployedError."""
        candidate = self._candidate()
        with self._history:
            return {"samples": history.erase(self.store, candidate, alarms.record_past)}

    def _candidate(self) -> str:
        deployment = read_json(self.home.deployment_file)
        workspace = deployment.get("workspace") if isinstance(deployment, dict) else None
        if not isinstance(workspace, dict) or not workspace.get("candidate"):
            raise NotDeployedError
        return str(workspace["candidate"])

    def _publish_queues(self, minute_s: int, now_s: float) -> None:
        queue_depth.publish(self._recorder, self._queues, minute_s, now_s)

    def _publish_functions(self, _minute_s: int, _now_s: float) -> None:
        functions.publish(self._recorder, self._concurrency)

    def _evaluate(self, now_s: float) -> None:
        self._recorder.flush()
        alarms.evaluate(self.store, now_s)


def start(home: Home, clock: Callable[[], float] = time.time) -> Telemetry:
    """Measure the MiniStack of this process from now on; what it finds lies in the home's folder."""
    telemetry = Telemetry(home, clock)
    telemetry.mend()
    telemetry.start()
    return telemetry
