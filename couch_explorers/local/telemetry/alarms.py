"""The alarms of the local cloud, judged by the clock on the metric store, as CloudWatch does.

MiniStack 1.5.33 judges an alarm only when somebody puts a metric; it takes every metric of that name whatever its
dimensions, one average over all periods, and no missing data. Source: "Using Amazon CloudWatch alarms",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.local.cloudwatch import alarm_evaluation, state_reason
from couch_explorers.local.cloudwatch.alarm_evaluation import Rule, UnsupportedAlarmError
from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import alarm_actions, alarm_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore

logger = logging.getLogger("couch.local")

Alarm = dict[str, Any]


def mend(clock: Callable[[], float] = time.time) -> None:
    """Let MiniStack's alarms change their state only by `evaluate` and SetAlarmState, and tell topics as AWS does."""
    from ministack.services import cloudwatch  # noqa: PLC0415 - reads its settings from the environment on import

    def record(
        alarm_name: str,
        old_state: str,
        new_state: str,
        reason: str,
        alarm_type: str = "MetricAlarm",
        reason_data: Any = None,
    ) -> None:
        """Note a change that MiniStack made: a new alarm, SetAlarmState, a composite alarm."""
        if old_state == new_state and reason == alarm_history.CREATED:
            alarm_history.append(alarm_history.created(alarm_name, alarm_type, time_s=clock()))
            return
        new = {"stateValue": new_state, "stateReason": reason}
        if reason_data is not None:
            new["stateReasonData"] = reason_data
        alarm_history.append(
            alarm_history.state_update(alarm_name, alarm_type, time_s=clock(), old={"stateValue": old_state}, new=new)
        )

    cloudwatch._evaluate_alarm = _not_now  # noqa: SLF001 - the pinned release has no public seam
    cloudwatch._evaluate_all_alarms = _not_now  # noqa: SLF001
    cloudwatch._record_history = record  # noqa: SLF001
    cloudwatch._dispatch_alarm_actions = alarm_actions.dispatch  # noqa: SLF001


def evaluate(store: MetricStore, now_s: float) -> list[str]:
    """Judge every metric alarm of every account and region; give the names of those that changed their state.

    Only periods that have ended count: the newest ends with the minute in which `now_s` lies.
    """
    from ministack.core.responses import request_scope  # noqa: PLC0415 - see above
    from ministack.services import cloudwatch  # noqa: PLC0415 - see above

    changed: list[str] = []
    for (account, region, name), alarm in cloudwatch._alarms.all_items():  # noqa: SLF001
        try:
            with request_scope(account, region):
                if _evaluate(store, alarm, now_s, region):
                    changed.append(name)
        except Exception:
            # One alarm that cannot be judged must not silence the others.
            logger.exception("The alarm %s could not be evaluated", name)
    return changed


def record_past(alarm_name: str, transitions: Sequence[alarm_history.Transition]) -> None:
    """Write invented transitions into an alarm's history, in place of those written before; nothing else changes."""
    from ministack.core.responses import request_scope  # noqa: PLC0415 - see above

    with request_scope(ACCOUNT_ID, REGION):
        alarm_history.replace_past(alarm_name, transitions)


def _evaluate(store: MetricStore, alarm: Alarm, now_s: float, region: str) -> bool:
    """Judge one alarm and change its state where it must; whether it did."""
    try:
        rule = Rule.of(alarm)
    except UnsupportedAlarmError as why:
        if alarm["StateValue"] == "INSUFFICIENT_DATA":
            alarm["StateReason"] = str(why)
        return False
    outcome = alarm_evaluation.evaluate(store, rule, now_s, region)
    judgement = outcome.judgement
    if judgement.state is None or judgement.state == alarm["StateValue"]:
        return False
    reason_data = state_reason.reason_data(rule, judgement, outcome.points, outcome.sample_counts, now_s)
    return _change(alarm, judgement.state, state_reason.reason(rule, judgement), reason_data, now_s)


def _change(alarm: Alarm, state: str, reason: str, reason_data: dict[str, Any], now_s: float) -> bool:
    """Put an alarm into a state, note it, act on it, and let composite alarms look; False if it was replaced meanwhile."""
    from ministack.services import cloudwatch  # noqa: PLC0415 - see above

    name = alarm["AlarmName"]
    if cloudwatch._alarms.get(name) is not alarm:  # noqa: SLF001
        # Put anew or deleted while it was judged: the next minute judges what is there now.
        return False
    old = {"stateValue": alarm["StateValue"], "stateReason": alarm.get("StateReason", "")}
    moment = round(now_s, 3)
    alarm["StateValue"] = state
    alarm["StateReason"] = reason
    alarm["StateReasonData"] = alarm_history.as_json(reason_data)
    alarm["StateUpdatedTimestamp"] = moment
    alarm["StateTransitionedTimestamp"] = moment
    new = {"stateValue": state, "stateReason": reason, "stateReasonData": reason_data}
    alarm_history.append(alarm_history.state_update(name, "MetricAlarm", time_s=now_s, old=old, new=new))
    logger.info("Alarm %s: %s -> %s. %s", name, old["stateValue"], state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old["stateValue"], state, reason)  # noqa: SLF001
    cloudwatch._evaluate_parent_alarms(alarm)  # noqa: SLF001
    return True


def _not_now(*_: Any) -> None:
    """Judge nothing: on AWS a request does not evaluate alarms, the clock does."""
