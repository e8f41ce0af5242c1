"""What alarms did: the items that DescribeAlarmHistory gives, in MiniStack's own list, so that they are saved with it.

Items: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_AlarmHistoryItem.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Entry = dict[str, str]
Transition = tuple[float, str, str, str]
"""time, old state, new state, reason"""

# "CloudWatch saves alarm history for 30 days":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
KEPT_S = 30 * 86_400

CREATED = "Unchecked: Initial alarm creation"
"""The reason under which MiniStack writes down a new alarm"""


def created(alarm_name: str, alarm_type: str, *, time_s: float) -> Entry:
    """Note that an alarm was made."""
    data = {"version": "1.0", "type": "Create"}
    return _entry(alarm_name, alarm_type, "ConfigurationUpdate", f'Alarm "{alarm_name}" created', data, time_s)


def state_update(
    alarm_name: str,
    alarm_type: str,
    *,
    time_s: float,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    synthetic: bool = False,
) -> Entry:
    """Note a change of state; `old` and `new` have stateValue, stateReason and stateReasonData."""
    data = {"version": "1.0", "oldState": old, "newState": new} | ({"synthetic": True} if synthetic else {})
    summary = f"Alarm updated from {old['stateValue']} to {new['stateValue']}"
    return _entry(alarm_name, alarm_type, "StateUpdate", summary, data, time_s)


def action(alarm_name: str, alarm_type: str, *, time_s: float, resource: str, refused: str = "") -> Entry:
    """Note that an action was taken; `refused` says why it was not."""
    summary = (
        f"Failed to execute action {resource}. {refused}" if refused else f"Successfully executed action {resource}"
    )
    data = {
        "actionState": "Failed" if refused else "Succeeded",
        "notificationResource": resource,
        **({"error": refused} if refused else {}),
    }
    return _entry(alarm_name, alarm_type, "Action", summary, data, time_s)


def append(entry: Entry) -> None:
    """Add an item to the history of the account and region of this context; what is too old goes."""
    entries = _entries()
    entries.append(entry)
    oldest = _timestamp(_time_s(entry) - KEPT_S)
    while entries and entries[0]["Timestamp"] < oldest:
        del entries[0]


def replace_past(alarm_name: str, transitions: Sequence[Transition]) -> None:
    """Put invented transitions of an alarm in the place of those invented before; none takes them away.

    They are marked in their data: "synthetic". The list stays in order of time, as DescribeAlarmHistory expects it.
    """
    entries = _entries()
    invented = [
        state_update(
            alarm_name,
            "MetricAlarm",
            time_s=time_s,
            old={"stateValue": old},
            new={"stateValue": new, "stateReason": reason},
            synthetic=True,
        )
        for time_s, old, new, reason in transitions
    ]
    kept = [entry for entry in entries if entry["AlarmName"] != alarm_name or not is_synthetic(entry)]
    # In place, for a request may hold the list; sorted() keeps the order of what happened in the same second.
    entries[:] = sorted([*kept, *invented], key=lambda entry: entry["Timestamp"])


def is_synthetic(entry: Mapping[str, str]) -> bool:
    """Whether an item was invented."""
    return bool(json.loads(entry.get("HistoryData") or "{}").get("synthetic"))


def as_json(data: Mapping[str, Any]) -> str:
    """Data as CloudWatch packs it into a text field."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _entries() -> list[Entry]:
    from ministack.services import cloudwatch  # noqa: PLC0415 - reads its settings from the environment on import

    entries: list[Entry] = cloudwatch._history_entries()  # noqa: SLF001 - the pinned release has no public seam
    return entries


def _entry(
    alarm_name: str,
    alarm_type: str,
    item_type: Literal["ConfigurationUpdate", "StateUpdate", "Action"],
    summary: str,
    data: Mapping[str, Any],
    time_s: float,
) -> Entry:
    return {
        "AlarmName": alarm_name,
        "AlarmType": alarm_type,
        "Timestamp": _timestamp(time_s),
        "HistoryItemType": item_type,
        "HistorySummary": summary,
        "HistoryData": as_json(data),
    }


def _timestamp(time_s: float) -> str:
    """Whole seconds: the only form that every reader in MiniStack takes."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time_s(entry: Entry) -> float:
    return datetime.fromisoformat(entry["Timestamp"]).timestamp()
