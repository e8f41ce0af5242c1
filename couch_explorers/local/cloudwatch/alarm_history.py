"""What alarms did: the items that DescribeAlarmHistory gives, times in Unix time.

Items: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Item = dict[str, Any]
AlarmType = Literal["MetricAlarm", "CompositeAlarm"]
Transition = tuple[float, str, str, str]
"""time, old state, new state, reason"""

# "CloudWatch saves alarm history for 30 days":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
KEPT_S = 30 * 86_400

SYNTHETIC = "synthetic"
"""The mark, in its data, of a transition that was made up"""


def alarm_type(alarm: Mapping[str, Any]) -> AlarmType:
    """Tell a composite alarm from one on metrics."""
    return "CompositeAlarm" if alarm.get("AlarmRule") is not None else "MetricAlarm"


def configuration_update(
    alarm_name: str, kind: AlarmType, change: Literal["created", "updated", "deleted"], *, time_s: float
) -> Item:
    """Note that an alarm was made, changed or deleted."""
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
    """Note a change of state; `old` and `new` have stateValue, stateReason and stateReasonData."""
    data = {"version": "1.0", "oldState": old, "newState": new} | ({SYNTHETIC: True} if synthetic else {})
    summary = f"Alarm updated from {old['stateValue']} to {new['stateValue']}"
    return _item(alarm_name, kind, "StateUpdate", summary, data, time_s)


def synthetic(alarm_name: str, transition: Transition) -> Item:
    """Note a transition that was made up; its data says so."""
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
    """Whether an item was made up."""
    return bool(json.loads(item["HistoryData"]).get(SYNTHETIC))


def action(alarm_name: str, kind: AlarmType, *, time_s: float, resource: str, refused: str = "") -> Item:
    """Note that an action was taken; `refused` says why it was not."""
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
