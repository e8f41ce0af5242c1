"""The deployed alarms: thresholds, how each stands, and when it rang in a window."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.aws.alarms import GREATER
from couch_explorers.metrics.facts import Alarm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.metrics.facts import Window

ACTION, HISTORY_ACTION = "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"
RINGING = "ALARM"

# The summary of a change, for a history whose data cannot be read: "Alarm updated from OK to ALARM".
SUMMARY = re.compile(r"from (\w+) to (\w+)")

Change = tuple[datetime, str, str]
"""when, from which state, to which"""


def deployed(cloudwatch: Any, candidate: str) -> tuple[Alarm, ...]:
    """Read a candidate's metric alarms, sorted by name, without their history."""
    stem = f"couch-explorers-{candidate}-"
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=stem, AlarmTypes=["MetricAlarm"])
    found = [_read(alarm, stem) for page in pages for alarm in page["MetricAlarms"]]
    return tuple(sorted(found, key=lambda alarm: alarm.name))


def with_history(cloudwatch: Any, alarm: Alarm, window: Window) -> Alarm:
    """Add to an alarm when it rang in a window.

    The history is read from the window's start until now: a later change tells how the alarm stood when the window ended.
    """
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=alarm.name, HistoryItemType="StateUpdate", StartDate=window.start, ScanBy="TimestampAscending"
    )
    changes = [change for page in pages for item in page["AlarmHistoryItems"] if (change := _change(item)) is not None]
    return replace(alarm, rang=tuple(rang(sorted(changes), alarm, window)))


def rang(changes: Iterable[Change], alarm: Alarm, window: Window) -> Iterable[tuple[datetime, datetime]]:
    """Tell the stretches of a window in which an alarm rang, from its changes since the window's start, in order of time."""
    since: datetime | None = None
    is_first = True
    for moment, old, new in changes:
        if is_first and old == RINGING:
            since = window.start
        is_first = False
        if new == RINGING:
            since = since or moment
        elif since is not None:
            if since < window.end:
                yield since, min(moment, window.end)
            since = None
    if is_first and alarm.state == RINGING:
        # No change since the window's start: it rang before, or its history is not kept any more.
        since = max(window.start, alarm.since or window.start)
    if since is not None and since < window.end:
        yield since, window.end


def _read(alarm: dict[str, Any], stem: str) -> Alarm:
    # The update's time moves with every new reason, the transition's only with the state.
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return Alarm(
        name=alarm["AlarmName"],
        short_name=alarm["AlarmName"].removeprefix(stem),
        # Anomaly bands and expressions have none.
        threshold=float(alarm.get("Threshold", math.nan)),
        state=alarm["StateValue"],
        reason=alarm.get("StateReason", ""),
        since=since.astimezone(UTC) if since else None,
        period_s=int(alarm.get("Period", 0)),
        actions_enabled=alarm.get("ActionsEnabled", True),
        comparison=alarm.get("ComparisonOperator", GREATER),
    )


def _change(item: dict[str, Any]) -> Change | None:
    try:
        data = json.loads(item["HistoryData"])
        old, new = data["oldState"]["stateValue"], data["newState"]["stateValue"]
    except (KeyError, TypeError, ValueError):
        match = SUMMARY.search(item.get("HistorySummary", ""))
        if match is None:
            return None
        old, new = match.groups()
    return item["Timestamp"].astimezone(UTC), str(old), str(new)
