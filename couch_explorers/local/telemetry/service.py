"""The telemetry of the local cloud, started and stopped with the server.

At each full minute queues and concurrency publish the minute that has ended, everything is written, and the alarms are evaluated.
Between the minutes, every few seconds, the counts so far are written and the alarms on seconds are evaluated.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from couch_explorers.files import read_json
from couch_explorers.local.cloudwatch.store import MINUTE_S, MetricStore
from couch_explorers.local.settings import StackSettings
from couch_explorers.local.synthetic_metrics import writer
from couch_explorers.local.telemetry import lambda_, sqs
from couch_explorers.local.telemetry.lambda_ import Concurrency
from couch_explorers.local.telemetry.recorder import Recorder
from couch_explorers.local.telemetry.sqs import QueueCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.local.synthetic_metrics.writer import RecordTransitions
    from couch_explorers.paths import Home

logger = logging.getLogger("couch.local")

# Seconds after the full minute: what ended with the minute has been counted by then.
AFTER_S = 0.2
# A later tick (the machine slept) would measure another state than the minute's: the minute stays a gap.
LATE_S = 20
HOUR_S = 3600
BEAT_S = 5


class Ticker:
    """Calls the sources once a minute, then the evaluation of alarms, and the expiry of samples once an hour.

    `sources` are called with (start of the minute that has ended, now), `evaluate`, `expire` and `beat` with now, all in
    Unix time; `beat` every five seconds between the minutes.
    """

    def __init__(
        self,
        sources: Mapping[str, Callable[[int, float], object]],
        evaluate: Callable[[float], object],
        expire: Callable[[float], object],
        clock: Callable[[], float] = time.time,
        beat: Callable[[float], object] | None = None,
    ) -> None:
        self._beat = beat
        self._sources = dict(sources)
        self._evaluate = evaluate
        self._expire = expire
        self._clock = clock
        self._expired_s = clock()
        self._done_s = int(clock() // MINUTE_S) * MINUTE_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="couch-metrics-minute", daemon=True)

    def start(self) -> None:
        """Tick from now on, in a thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it ticks by itself."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Tick no more; waits for a tick that is under way."""
        self._stop.set()
        if self.running:
            self._thread.join(timeout_s)

    def tick(self) -> bool:
        """Do what is due now, and return whether anything was; a minute is done once, and one that was slept through never."""
        now_s = self._clock()
        begun_s = int(now_s // MINUTE_S) * MINUTE_S
        if begun_s <= self._done_s:
            return False
        self._done_s = begun_s
        if now_s - begun_s <= LATE_S:
            for name, publish in self._sources.items():
                self._try(f"The metrics of {name}", lambda publish=publish: publish(begun_s - MINUTE_S, now_s))  # type: ignore[misc]
        else:
            logger.warning("Woke %.0f s after the full minute: its metrics stay a gap", now_s - begun_s)
        self._try("The alarms", lambda: self._evaluate(now_s))
        if now_s - self._expired_s >= HOUR_S:
            self._expired_s = now_s
            self._try("What is too old", lambda: self._expire(now_s))
        return True

    def next_in_s(self) -> float:
        """The seconds until the next tick or beat is due."""
        every_s = BEAT_S if self._beat else MINUTE_S
        return every_s - self._clock() % every_s + AFTER_S

    def _run(self) -> None:
        while not self._stop.wait(self.next_in_s()):
            if not self.tick() and self._beat:
                self._try("What was counted so far", lambda: self._beat(self._clock()))  # type: ignore[misc]

    @staticmethod
    def _try(what: str, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception:
            # The others have their minute all the same, and this one the next.
            logger.exception("%s could not be dealt with this minute", what)


NOT_DEPLOYED = "Nothing is deployed on this local cloud, so there is nothing whose past could be written: couch up"


class NotDeployedError(Exception):
    """Nothing is deployed that synthetic metrics could be written for."""

    def __init__(self) -> None:
        super().__init__(NOT_DEPLOYED)


class Engine(Protocol):
    """The interface of the engine that the telemetry uses."""

    def attach(self, telemetry: Telemetry) -> None:
        """Let what happens in the engine be measured from now on, and metrics be stored. Once a process."""

    def publish_queues(self, minute_s: int, now_s: float) -> None:
        """Record what happened at the queues in the minute that has ended, and what lies in them."""

    def evaluate_alarms(self, now_s: float) -> object:
        """Evaluate the alarms that are due."""

    def record_past(self, alarm_name: str, transitions: Any) -> None:
        """Put synthetic transitions into an alarm's history, in place of earlier ones."""

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
            self.beat,
        )

    def attach(self) -> None:
        """Let the engine of this process measure, store and judge. Once a process."""
        self._engine.attach(self)

    def start(self) -> None:
        """Publish and judge each minute from now on."""
        self._ticker.start()

    def tick(self) -> bool:
        """Do what is due now, and return whether anything was: see Ticker."""
        return self._ticker.tick()

    def stop(self) -> None:
        """Write what the unfinished minute has counted, and close the store."""
        self._ticker.stop()
        sqs.publish_counts(self.recorder, self.queues, float("inf"))
        self.recorder.stop()
        self.store.close()

    def write_history(self, days: float = writer.DAYS, seed: int = 1) -> dict[str, Any]:
        """Write synthetic metrics of the deployment, in place of earlier ones.

        Raises:
            NotDeployedError: Nothing is deployed.
            SyntheticMetricsError: `days` is out of range.
        """
        candidate = self._candidate()
        with self._history:
            self.recorder.flush()
            return writer.write(
                self.store,
                candidate=candidate,
                now_s=self.clock(),
                days=days,
                seed=seed,
                record_transitions=self._record_past,
                thresholds=self._engine.alarm_thresholds(StackSettings(candidate).stem),
            ).to_json()

    def erase_history(self) -> dict[str, Any]:
        """Delete the synthetic metrics, and nothing that was measured.

        Raises:
            NotDeployedError: Nothing is deployed.
        """
        candidate = self._candidate()
        with self._history:
            return {"samples": writer.erase(self.store, candidate, self._record_past)}

    def _candidate(self) -> str:
        deployment = read_json(self.home.deployment_file)
        workspace = deployment.get("workspace") if isinstance(deployment, dict) else None
        if not isinstance(workspace, dict) or not workspace.get("candidate"):
            raise NotDeployedError
        return str(workspace["candidate"])

    @property
    def _record_past(self) -> RecordTransitions:
        return self._engine.record_past

    def _publish_functions(self, _minute_s: int, _now_s: float) -> None:
        lambda_.publish_concurrency(self.recorder, self.concurrency)

    def beat(self, now_s: float) -> None:
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
