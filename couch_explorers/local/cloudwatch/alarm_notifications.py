"""An alarm's notification: its subject, e-mail and JSON.

CloudWatch publishes one text per protocol to SNS, with MessageStructure "json"
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). JSON and e-mail follow "Notifying users on alarm changes"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
"""

from __future__ import annotations

import functools
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.session

from couch_explorers.local.cloudwatch.alarm_evaluation import math_period_s
from couch_explorers.local.cloudwatch.alarm_history import timestamp

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


def notification(
    alarm: Alarm,
    old: str,
    new: str,
    reason: str,
    *,
    account: str,
    region: str,
    triggering: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the message for a topic: an e-mail for people, JSON for other protocols.

    `triggering` are the alarms by which a composite alarm changed, as `triggering_alarm` writes them.
    """
    document = _document(alarm, old, new, reason, account, region)
    if triggering:
        document["TriggeringChildren"] = [
            {
                "Arn": each["arn"],
                "State": {"Value": each["state"]["value"], "Timestamp": each["state"]["timestamp"]},
            }
            for each in triggering
        ]
    return json.dumps(
        {
            "default": json.dumps(document, ensure_ascii=False),
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


def triggering_alarm(alarm: Alarm) -> dict[str, Any]:
    """One of the alarms by which a composite alarm changed, as its StateReasonData names it."""
    state = {"value": alarm["StateValue"], "timestamp": timestamp(alarm["StateTransitionedTimestamp"])}
    return {"arn": alarm["AlarmArn"], "state": state}


def lambda_event(
    alarm: Alarm, old: Mapping[str, Any], *, account: str, region: str, configuration_id: str
) -> dict[str, Any]:
    """The event for a function that is an alarm's action; `old` has StateValue, StateReason and StateUpdatedTimestamp.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
    """
    configuration: dict[str, Any] = {"description": alarm.get("AlarmDescription") or ""}
    if "AlarmRule" in alarm:
        configuration["alarmRule"] = alarm["AlarmRule"]
    else:
        configuration["metrics"] = [
            _event_query(query) for query in alarm.get("Metrics") or [_metric_query(alarm, configuration_id)]
        ]
    updated = timestamp(alarm["StateUpdatedTimestamp"])
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm["AlarmArn"],
        "accountId": account,
        "time": updated,
        "region": region,
        "alarmData": {
            "alarmName": alarm["AlarmName"],
            "state": {"value": alarm["StateValue"], "reason": alarm["StateReason"], "timestamp": updated},
            "previousState": {
                "value": old["StateValue"],
                "reason": old["StateReason"],
                "timestamp": timestamp(old["StateUpdatedTimestamp"]),
            },
            "configuration": configuration,
        },
    }


def _metric_query(alarm: Alarm, query_id: str) -> dict[str, Any]:
    """An alarm on one metric, as one of metric math would name it."""
    metric = {name: alarm.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
    stat = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": alarm.get("Period"), "Stat": stat}}


def _event_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query with the names that events have: all begin with a lower-case letter."""
    written: dict[str, Any] = {"id": query["Id"]}
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        written["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()},
            },
            "period": stat.get("Period"),
            "stat": stat.get("Stat"),
        }
    if "Expression" in query:
        written["expression"] = query["Expression"]
    if "Label" in query:
        written["label"] = query["Label"]
    return written | {"returnData": query.get("ReturnData", True)}


def _trigger(alarm: Alarm) -> dict[str, Any]:
    common = {
        "Period": alarm.get("Period"),
        "EvaluationPeriods": alarm.get("EvaluationPeriods"),
        **({"DatapointsToAlarm": alarm["DatapointsToAlarm"]} if alarm.get("DatapointsToAlarm") else {}),
        "ComparisonOperator": alarm.get("ComparisonOperator"),
        "Threshold": alarm.get("Threshold"),
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile") or "",
    }
    if queries := alarm.get("Metrics"):
        return common | {"Period": math_period_s(queries), "Metrics": [_trigger_query(query) for query in queries]}
    if extended := alarm.get("ExtendedStatistic"):
        statistic = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
    else:
        statistic = {"StatisticType": "Statistic", "Statistic": _upper_case(alarm.get("Statistic") or "")}
    return {
        "MetricName": alarm.get("MetricName"),
        "Namespace": alarm.get("Namespace"),
        **statistic,
        "Unit": alarm.get("Unit"),
        "Dimensions": _dimensions(alarm),
        **common,
    }


def _trigger_query(query: Mapping[str, Any]) -> dict[str, Any]:
    if "MetricStat" not in query:
        return dict(query)
    metric = query["MetricStat"]["Metric"]
    return {**query, "MetricStat": {**query["MetricStat"], "Metric": {**metric, "Dimensions": _dimensions(metric)}}}


def _dimensions(metric: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in metric.get("Dimensions") or ()]


def _upper_case(statistic: str) -> str:
    """SAMPLE_COUNT for SampleCount."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", statistic).upper()


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
    queries = alarm.get("Metrics") or ()
    period_s = math_period_s(queries) if queries else alarm.get("Period")
    threshold = (
        f"- The alarm is in the ALARM state when the metric is {alarm.get('ComparisonOperator')} {alarm.get('Threshold')} "
        f"for at least {alarm.get('DatapointsToAlarm') or periods} of the last {periods} period(s) "
        f"of {period_s} seconds."
    )
    if queries:
        metrics = [f"- {query['Id']}: {query.get('Expression') or _metric_in_words(query)}" for query in queries]
        return ["", "Threshold:", threshold, "", "Monitored Metrics:", *metrics]
    dimensions = ", ".join(f"[{each['Name']} = {each['Value']}]" for each in alarm.get("Dimensions") or ())
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


def _metric_in_words(query: Mapping[str, Any]) -> str:
    stat = query["MetricStat"]
    metric = stat["Metric"]
    dimensions = ", ".join(f"{each['Name']} = {each['Value']}" for each in metric.get("Dimensions") or ())
    return f"{stat['Stat']} of {metric.get('Namespace')} {metric.get('MetricName')} ({dimensions or 'no dimensions'})"


def _table(width: int, *rows: tuple[str, Any]) -> list[str]:
    return [f"- {f'{name}:':<{width}} {value}".rstrip() for name, value in rows]


def _listed(actions: Sequence[str]) -> str:
    return " ".join(f"[{action}]" for action in actions)
