"""Measures LocalEmu: one module a service, and the engine as the telemetry sees it.

LocalEmu publishes no age of a queue's oldest message, two of Lambda's metrics, none of API Gateway's and none from logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.local.engine import patches
from couch_explorers.local.engine.telemetry import api_gateway, lambda_, logs, sqs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from couch_explorers.local.cloudwatch.alarm_history import Transition
    from couch_explorers.local.engine.alarms import Alarms
    from couch_explorers.local.telemetry.service import Telemetry

SEAMS = {"localemu.services.cloudwatch.provider_v2:CloudwatchProvider": "845a562fa33d", **sqs.SEAMS, **logs.SEAMS}


class LocalEmu:
    """The engine of this process; `attach` comes before its services are loaded."""

    telemetry: Telemetry
    alarms: Alarms

    def attach(self, telemetry: Telemetry) -> None:
        """Let LocalEmu measure, and store metrics and judge alarms here. Once a process."""
        from couch_explorers.local.engine.alarms import Alarms  # noqa: PLC0415 - LocalEmu reads its settings on import

        self.telemetry = telemetry
        self.alarms = Alarms(telemetry.store, telemetry.clock, _note_alarm)
        patches.before_loading("cloudwatch", self._replace_provider)
        patches.before_loading("sqs", lambda: sqs.attach(telemetry.queues))
        patches.before_loading("logs", lambda: logs.attach(telemetry.recorder, telemetry.clock))
        lambda_.attach(telemetry.recorder, telemetry.concurrency)
        api_gateway.attach(telemetry.recorder)

    def _replace_provider(self) -> None:
        from localemu.services.cloudwatch import provider_v2  # noqa: PLC0415 - see above

        from couch_explorers.local.engine.cloudwatch import make_provider  # noqa: PLC0415 - likewise

        provider_v2.CloudwatchProvider = make_provider(self.telemetry.store, self.alarms, self.telemetry.clock)

    def publish_queues(self, minute_s: int, now_s: float) -> None:
        """Record what happened at the queues in the minute that has ended, and what lies in them."""
        sqs.publish(self.telemetry.recorder, self.telemetry.queues, minute_s, now_s)

    def evaluate_alarms(self, now_s: float) -> object:
        """Judge the alarms whose turn it is."""
        return self.alarms.evaluate(now_s)

    def record_past(self, alarm_name: str, transitions: Sequence[Transition]) -> None:
        """Put made-up transitions into an alarm's history, in place of those made up before."""
        self.alarms.record_past(alarm_name, transitions)

    def alarm_thresholds(self, stem: str) -> Mapping[str, float]:
        """The thresholds of the deployed alarms named `stem-…`, by the rest of their names."""
        return self.alarms.thresholds(stem)


def _note_alarm() -> None:
    """Have the alarms saved: the clock changed one, and no request tells the state of it."""
    from couch_explorers.local.engine.state import saver  # noqa: PLC0415 - see above

    saver.current().called("cloudwatch", "SetAlarmState", None)
