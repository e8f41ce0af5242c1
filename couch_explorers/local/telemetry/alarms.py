"""The alarms of the local cloud, judged by the clock on the metric store, as CloudWatch does.

MiniStack 1.5.33 judges an alarm only when somebody puts a metric; it takes every metric of that name whatever its
dimensions, one average over all periods, and no missing data. Source: "Using Amazon CloudWatch alarms",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import alarm_actions, alarm_history, alarm_rules, alarm_words
from couch_explorers.local.telemetry.alarm_rules import Point, Rule, UnsupportedAlarmError
from couch_explorers.local.telemetry.retention import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.local.telemetry.store import MetricStore

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
    points = _points(store, rule, now_s, region)
    judgement = alarm_rules.judge(rule, points)
    if judgement.state is None or judgement.state == alarm["StateValue"]:
        return False
    counts = _values(store, rule, points[0].start_s, now_s, region, "SampleCount")
    reason_data = alarm_words.reason_data(rule, judgement, points, counts, now_s)
    return _change(alarm, judgement.state, alarm_words.reason(rule, judgement), reason_data, now_s)


def _points(store: MetricStore, rule: Rule, now_s: float, region: str) -> list[Point]:
    """The periods of the evaluation range, oldest first. They are counted back from the last minute that has ended."""
    end_s = int(now_s // MINUTE_S) * MINUTE_S
    start_s = end_s - rule.evaluation_range * rule.period_s
    values = _values(store, rule, start_s, now_s, region, rule.statistic)
    return [Point(each, values.get(each)) for each in range(start_s, end_s, rule.period_s)]


def _values(
    store: MetricStore, rule: Rule, start_s: int, now_s: float, region: str, statistic: str
) -> dict[int, float]:
    return dict(
        store.points(
            rule.namespace,
            rule.metric,
            rule.dimensions,
            start_s=start_s,
            end_s=now_s // MINUTE_S * MINUTE_S,
            period_s=rule.period_s,
            statistic=statistic,
            now_s=now_s,
            unit=rule.unit,
            region=region,
        )
    )


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
