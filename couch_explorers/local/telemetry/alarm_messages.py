"""What an alarm tells people and programs: subject, e-mail and JSON of its notification.

CloudWatch hands SNS one text a protocol, as anybody may who publishes with MessageStructure "json"
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). JSON and e-mail follow "Notifying users on alarm changes"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session

from couch_explorers.local.telemetry import aggregates
from couch_explorers.local.telemetry.alarm_words import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Alarm = dict[str, Any]

# "The subject must be ASCII text … and less than 100 characters long":
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
LONGEST_SUBJECT = 100


@functools.cache
def region_name(region: str) -> str:
    """A region as alarms name it: EU (Ireland) for eu-west-1. Alarms kept "EU" when AWS turned to "Europe"."""
    for partition in botocore.session.get_session().get_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            description: str = partition["regions"][region]["description"]
            return description.replace("Europe (", "EU (")
    return region


def subject(alarm: Alarm, new: str, region: str) -> str:
    """`ALARM: "name" in EU (Ireland)`, in ASCII and at most 100 characters: the name is cut."""
    name = "".join(letter if " " <= letter <= "~" else "_" for letter in alarm["AlarmName"])
    end = f'" in {region_name(region)}'
    room = LONGEST_SUBJECT - len(f'{new}: "{end}')
    return f'{new}: "{name if len(name) <= room else name[: room - 3] + "..."}{end}'


def notification(alarm: Alarm, old: str, new: str, reason: str, *, account: str, region: str) -> str:
    """Write the message for a topic: the e-mail for people, JSON for everybody else."""
    return json.dumps(
        {
            "default": json.dumps(_document(alarm, old, new, reason, account, region), ensure_ascii=False),
            "email": _email(alarm, old, new, reason, account, region),
        },
        ensure_ascii=False,
    )


def _document(alarm: Alarm, old: str, new: str, reason: str, account: str, region: str) -> dict[str, Any]:
    document = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": timestamp(alarm["AlarmConfigurationUpdatedTimestamp"]),
        "NewStateValue": new,
        "NewStateReason": reason,
        "StateChangeTime": timestamp(alarm["StateUpdatedTimestamp"]),
        "Region": region_name(region),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old,
        "OKActions": alarm.get("OKActions") or [],
        "AlarmActions": alarm.get("AlarmActions") or [],
        "InsufficientDataActions": alarm.get("InsufficientDataActions") or [],
    }
    if "AlarmRule" in alarm:
        return document | {"AlarmRule": alarm["AlarmRule"]}
    return document | {"Trigger": _trigger(alarm)}


def _trigger(alarm: Alarm) -> dict[str, Any]:
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or ""
    basic = statistic in aggregates.STATISTICS
    return {
        "MetricName": alarm.get("MetricName"),
        "Namespace": alarm.get("Namespace"),
        "StatisticType": "Statistic" if basic else "ExtendedStatistic",
        "Statistic": statistic.upper() if basic else statistic,
        "Unit": alarm.get("Unit"),
        "Dimensions": [{"value": each["Value"], "name": each["Name"]} for each in alarm.get("Dimensions") or ()],
        "Period": alarm.get("Period"),
        "EvaluationPeriods": alarm.get("EvaluationPeriods"),
        **({"DatapointsToAlarm": alarm["DatapointsToAlarm"]} if alarm.get("DatapointsToAlarm") else {}),
        "ComparisonOperator": alarm.get("ComparisonOperator"),
        "Threshold": alarm.get("Threshold"),
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": "",
    }


def _email(alarm: Alarm, old: str, new: str, reason: str, account: str, region: str) -> str:
    """Write the e-mail in plain text; AWS's link to its console is left out, for nothing of this is there."""
    name = alarm["AlarmName"]
    when = datetime.fromtimestamp(alarm["StateUpdatedTimestamp"], UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
    opening = (
        f'You are receiving this email because your Amazon CloudWatch Alarm "{name}" in the {region_name(region)} region '
        f'has entered the {new} state, because "{reason}" at "{when}".'
    )
    lines = [
        opening,
        "",
        "Alarm Details:",
        *_table(
            26,
            ("Name", name),
            ("Description", alarm.get("AlarmDescription") or ""),
            ("State Change", f"{old} -> {new}"),
            *((("Alarm Rule", alarm["AlarmRule"]),) if "AlarmRule" in alarm else ()),
            ("Reason for State Change", reason),
            ("Timestamp", when),
            ("AWS Account", account),
            ("Alarm Arn", alarm["AlarmArn"]),
        ),
        *([] if "AlarmRule" in alarm else _monitored(alarm)),
        "",
        "State Change Actions:",
        *(
            f"- {state}: {_listed(alarm.get(actions) or ())}".rstrip()
            for state, actions in (
                ("OK", "OKActions"),
                ("ALARM", "AlarmActions"),
                ("INSUFFICIENT_DATA", "InsufficientDataActions"),
            )
        ),
    ]
    return "\n".join(lines) + "\n"


def _monitored(alarm: Mapping[str, Any]) -> list[str]:
    periods = alarm.get("EvaluationPeriods")
    dimensions = ", ".join(f"[{each['Name']} = {each['Value']}]" for each in alarm.get("Dimensions") or ())
    threshold = (
        f"- The alarm is in the ALARM state when the metric is {alarm.get('ComparisonOperator')} {alarm.get('Threshold')} "
        f"for at least {alarm.get('DatapointsToAlarm') or periods} of the last {periods} period(s) "
        f"of {alarm.get('Period')} seconds."
    )
    return [
        "",
        "Threshold:",
        threshold,
        "",
        "Monitored Metric:",
        *_table(
            35,
            ("MetricNamespace", alarm.get("Namespace")),
            ("MetricName", alarm.get("MetricName")),
            ("Dimensions", dimensions),
            ("Period", f"{alarm.get('Period')} seconds"),
            ("Statistic", alarm.get("ExtendedStatistic") or alarm.get("Statistic")),
            ("Unit", alarm.get("Unit") or "not specified"),
            ("TreatMissingData", alarm.get("TreatMissingData") or "missing"),
        ),
    ]


def _table(width: int, *rows: tuple[str, Any]) -> list[str]:
    return [f"- {f'{name}:':<{width}} {value}".rstrip() for name, value in rows]


def _listed(actions: Sequence[str]) -> str:
    return " ".join(f"[{action}]" for action in actions)
