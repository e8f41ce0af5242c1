"""State changes of alarms: StateReason, StateReasonData and the items of DescribeAlarmHistory.

The wording of reasons follows the examples in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Acting_Alarm_Changes.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html. History items:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html, here with Unix times.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from couch_explorers.aws.alarms import COMPARISONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from couch_explorers.local.cloudwatch.alarm_evaluation import Judgement, Point, Rule

# From so many points on, the reason gives their number first and then only the most recent.
LISTED_POINTS = 5
FILLED_AS = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


def state_reason(rule: Rule, judgement: Judgement) -> str:
    """StateReason of the outcome of an evaluation."""
    if judgement.state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_counted(judgement.filled, 'datapoint was', 'datapoints were')} unknown."
    in_alarm = judgement.state == "ALARM"
    decisive = [
        point for point in judgement.evaluated if point.value is not None and rule.breaches(point.value) == in_alarm
    ]
    filled = _filled(rule, judgement)
    if not decisive:
        received = len(judgement.evaluated)
        head = _counted(received, "datapoint was", "datapoints were") if received else "no datapoints were"
        return f"Threshold Crossed: {head} received for {_counted(rule.periods, 'period', 'periods')}{filled}."
    return f"Threshold Crossed: {_crossed(rule, decisive, in_alarm, filled)}{_minimum(rule, in_alarm)}."


def state_reason_data(
    rule: Rule, judgement: Judgement, points: Sequence[Point], sample_counts: Mapping[int, float], now_s: float
) -> dict[str, Any]:
    """StateReasonData of it: recent datapoints oldest first, evaluated datapoints newest first."""
    evaluated = judgement.evaluated
    missing = [point for point in reversed(points) if point.value is None][: judgement.filled]
    newest_first = sorted((*evaluated, *missing), key=lambda point: point.start_s, reverse=True)
    return {
        "version": "1.0",
        "queryDate": timestamp(now_s),
        **({"startDate": timestamp(evaluated[0].start_s)} if evaluated else {}),
        **({"unit": rule.unit} if rule.unit else {}),
        **({"statistic": rule.statistic} if rule.statistic else {}),
        "period": rule.period_s,
        "recentDatapoints": [point.value for point in evaluated],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": timestamp(point.start_s)}
            if point.value is None
            else {
                "timestamp": timestamp(point.start_s),
                "sampleCount": sample_counts.get(point.start_s, 0.0),
                "value": point.value,
            }
            for point in newest_first
        ],
    }


def timestamp(time_s: float) -> str:
    """Format a time as in CloudWatch's JSON: 2026-11-25T09:41:00.000+0000."""
    return f"{datetime.fromtimestamp(time_s, UTC).isoformat(timespec='milliseconds')[:-6]}+0000"


def _crossed(rule: Rule, decisive: Sequence[Point], in_alarm: bool, filled: str) -> str:  # noqa: FBT001
    """Which points breached, or did not breach, the threshold; the newest first."""
    number = len(decisive)
    count = f"{number} out of the last {rule.periods} datapoints" if rule.m_of_n else _plural(number)
    comparison = COMPARISONS[rule.comparison].words
    verb = ("was" if number == 1 else "were") + ("" if in_alarm else " not")
    listed = ", ".join(
        f"{point.value} ({datetime.fromtimestamp(point.start_s, UTC):%d/%m/%y %H:%M:%S})"
        for point in list(reversed(decisive))[:LISTED_POINTS]
    )
    threshold = f"the threshold ({rule.threshold})"
    if number < LISTED_POINTS:
        return f"{count} [{listed}] {verb} {comparison} {threshold}{filled}"
    which = "which crossed the threshold" if in_alarm else "which did not cross the threshold"
    return f"{count} {verb} {comparison} {threshold}. The most recent datapoints {which}: [{listed}]{filled}"


def _filled(rule: Rule, judgement: Judgement) -> str:
    if not judgement.filled or rule.missing not in FILLED_AS:
        return ""
    missing = _counted(judgement.filled, "missing datapoint was", "missing datapoints were")
    return f" and {missing} treated as [{FILLED_AS[rule.missing]}]"


def _minimum(rule: Rule, in_alarm: bool) -> str:  # noqa: FBT001
    """The number of points the change needed; only for an alarm that sets DatapointsToAlarm.

    As on AWS the change is worded as one between OK and ALARM, even where the alarm is new.
    """
    if not rule.m_of_n:
        return ""
    needed = rule.to_alarm if in_alarm else rule.periods - rule.to_alarm + 1
    change = "OK -> ALARM" if in_alarm else "ALARM -> OK"
    return f" (minimum {_plural(needed)} for {change} transition)"


def _plural(number: int) -> str:
    return _counted(number, "datapoint", "datapoints")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


Item = dict[str, Any]
AlarmType = Literal["MetricAlarm", "CompositeAlarm"]

# "CloudWatch saves alarm history for 30 days":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
KEPT_S = 30 * 86_400

SYNTHETIC = "synthetic"
"""The key in its data that marks a synthetic transition"""


class Transition(NamedTuple):
    """A change of an alarm's state: when (Unix time), from which state to which, and StateReason."""

    time_s: float
    old: str
    new: str
    reason: str


def alarm_type(alarm: Mapping[str, Any]) -> AlarmType:
    """AlarmType of an alarm."""
    return "CompositeAlarm" if alarm.get("AlarmRule") is not None else "MetricAlarm"


def configuration_update(
    alarm_name: str, kind: AlarmType, change: Literal["created", "updated", "deleted"], *, time_s: float
) -> Item:
    """The history item of an alarm that is created, updated or deleted."""
    data = {"version": "1.0", "type": {"created": "Create", "updated": "Update", "deleted": "Delete"}[change]}
    return _item(alarm_name, kind, "ConfigurationUpdate", f'Alarm "{alarm_name}" {change}', data, time_s)


def state_update(
    alarm_name: str,
    kind: AlarmType,
    *,
    time_s: float,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    synthetic: bool = False,
) -> Item:
    """The history item of a state change; `old` and `new` have stateValue, stateReason and stateReasonData."""
    data = {"version": "1.0", "oldState": old, "newState": new} | ({SYNTHETIC: True} if synthetic else {})
    summary = f"Alarm updated from {old['stateValue']} to {new['stateValue']}"
    return _item(alarm_name, kind, "StateUpdate", summary, data, time_s)


def synthetic_update(alarm_name: str, transition: Transition) -> Item:
    """Return the history item of a transition; its data marks it as synthetic."""
    time_s, old, new, reason = transition
    return state_update(
        alarm_name,
        "MetricAlarm",
        time_s=time_s,
        old={"stateValue": old},
        new={"stateValue": new, "stateReason": reason},
        synthetic=True,
    )


def is_synthetic(item: Mapping[str, Any]) -> bool:
    """Whether an item is synthetic."""
    return bool(json.loads(item["HistoryData"]).get(SYNTHETIC))


def action(alarm_name: str, kind: AlarmType, *, time_s: float, resource: str, refused: str = "") -> Item:
    """Return the history item of an action; `refused` says why it failed."""
    summary = (
        f"Failed to execute action {resource}. {refused}" if refused else f"Successfully executed action {resource}"
    )
    data = {
        "actionState": "Failed" if refused else "Succeeded",
        "notificationResource": resource,
        **({"error": refused} if refused else {}),
    }
    return _item(alarm_name, kind, "Action", summary, data, time_s)


def as_json(data: Mapping[str, Any]) -> str:
    """JSON as CloudWatch writes it into its answers."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def _item(
    alarm_name: str,
    kind: AlarmType,
    item_type: Literal["ConfigurationUpdate", "StateUpdate", "Action"],
    summary: str,
    data: Mapping[str, Any],
    time_s: float,
) -> Item:
    return {
        "AlarmName": alarm_name,
        "AlarmType": kind,
        "Timestamp": time_s,
        "HistoryItemType": item_type,
        "HistorySummary": summary,
        "HistoryData": as_json(data),
    }
