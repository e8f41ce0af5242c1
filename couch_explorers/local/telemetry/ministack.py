"""Measures MiniStack: everything of the telemetry that is patched into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch.metric import MINUTE_S
from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import alarms, functions, gateway, log_metrics, mail, queue_depth, queues, wire

if TYPE_CHECKING:
    from couch_explorers.local.telemetry.service import Telemetry


class MiniStack:
    """The engine of this process, as the telemetry sees it."""

    telemetry: Telemetry
    _judged_minute = 0

    def attach(self, telemetry: Telemetry) -> None:
        """Let MiniStack measure, store, ring and write e-mails. Once a process."""
        self.telemetry = telemetry
        recorder, clock = telemetry.recorder, telemetry.clock
        wire.mend(telemetry.store, clock)
        alarms.mend(clock)
        mail.mend(telemetry.home.inbox, clock)
        queues.mend(telemetry.queues)
        functions.mend(recorder, telemetry.concurrency, clock)
        log_metrics.mend(recorder)
        gateway.mend(recorder, clock)

    def publish_queues(self, minute_s: int, now_s: float) -> None:
        """Record what happened at the queues in the minute that has ended, and what lies in them."""
        queue_depth.publish(self.telemetry.recorder, self.telemetry.queues, minute_s, now_s)

    def evaluate_alarms(self, now_s: float) -> object:
        """Judge the alarms, once a minute."""
        minute = int(now_s // MINUTE_S)
        if minute == self._judged_minute:
            return []
        self._judged_minute = minute
        return alarms.evaluate(self.telemetry.store, now_s)

    def record_past(self, alarm_name: str, transitions: Any) -> None:
        """Put made-up transitions into an alarm's history, in place of those made up before."""
        alarms.record_past(alarm_name, transitions)

    def alarm_thresholds(self, stem: str) -> dict[str, float]:
        """The thresholds of the deployed alarms named `stem-…`, by the rest of their names."""
        from ministack.core.responses import request_scope  # noqa: PLC0415 - reads its settings from the environment on import
        from ministack.services import cloudwatch  # noqa: PLC0415 - likewise

        with request_scope(ACCOUNT_ID, REGION):
            stored = dict(cloudwatch._alarms.items())  # noqa: SLF001 - the pinned release has no public seam
        return {
            name.removeprefix(f"{stem}-"): alarm["Threshold"]
            for name, alarm in stored.items()
            if name.startswith(f"{stem}-")
        }
