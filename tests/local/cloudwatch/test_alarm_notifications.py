"""What an alarm's notification says.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

import json
import re

import pytest

from couch_explorers.local.cloudwatch import alarm_notifications

ACCOUNT, REGION = "000000000000", "eu-west-1"
REASON = (
    "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (25/11/26 09:41:00)] was greater than the threshold (0.0)."
)
ALARM = {
    "AlarmName": "couch-explorers-42-dead-letters",
    "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:couch-explorers-42-dead-letters",
    "AlarmDescription": "Jobs were given up on: read the attributes reason and detail",
    "AlarmConfigurationUpdatedTimestamp": 1795600000,
    "StateUpdatedTimestamp": 1795599721.5,
    "AlarmActions": ["arn:aws:sns:eu-west-1:000000000000:alarms"],
    "OKActions": [],
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": "couch-explorers-42-dlq"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 0.0,
    "TreatMissingData": "notBreaching",
}


def notified(alarm):
    texts = json.loads(alarm_notifications.notification(alarm, "OK", "ALARM", REASON, account=ACCOUNT, region=REGION))
    return json.loads(texts["default"]), texts["email"]


@pytest.mark.parametrize(
    ("region", "name"),
    [("eu-west-1", "EU (Ireland)"), ("us-east-1", "US East (N. Virginia)"), ("mars-north-1", "mars-north-1")],
)
def test_a_region_is_named_as_alarms_name_it(region, name):
    assert alarm_notifications.region_name(region) == name


def test_the_subject_names_state_alarm_and_region():
    assert alarm_notifications.subject(ALARM, "OK", REGION) == 'OK: "couch-explorers-42-dead-letters" in EU (Ireland)'


def test_a_long_name_is_cut_so_that_the_subject_has_at_most_a_hundred_characters():
    subject = alarm_notifications.subject({"AlarmName": "n" * 255}, "INSUFFICIENT_DATA", REGION)

    assert len(subject) == 100
    assert subject.endswith('nnn..." in EU (Ireland)')


def test_the_subject_is_ascii():
    assert alarm_notifications.subject({"AlarmName": "kø\nlang"}, "OK", REGION) == 'OK: "k__lang" in EU (Ireland)'


def test_programs_read_the_change_and_its_trigger():
    document, _ = notified(ALARM)

    assert document["AlarmArn"] == ALARM["AlarmArn"]
    assert document["Region"] == "EU (Ireland)"
    assert (document["OldStateValue"], document["NewStateValue"]) == ("OK", "ALARM")
    assert document["StateChangeTime"] == "2026-11-25T09:42:01.500+0000"
    assert document["Trigger"]["Statistic"] == "MAXIMUM"
    assert document["Trigger"]["StatisticType"] == "Statistic"
    assert document["Trigger"]["Dimensions"] == [{"value": "couch-explorers-42-dlq", "name": "QueueName"}]


def test_a_percentile_is_an_extended_statistic():
    document, text = notified(ALARM | {"ExtendedStatistic": "p95"})

    assert document["Trigger"]["StatisticType"] == "ExtendedStatistic"
    assert document["Trigger"]["ExtendedStatistic"] == "p95"
    assert "- Statistic:                          p95\n" in text


def test_people_read_name_runbook_change_reason_threshold_and_metric(snapshot):
    _, text = notified(ALARM)

    details = dict(re.findall(r"^- ([^:]+): +(.+)$", text, re.MULTILINE))
    assert (details["Name"], details["State Change"]) == ("couch-explorers-42-dead-letters", "OK -> ALARM")
    assert (details["MetricName"], details["Period"]) == ("ApproximateNumberOfMessagesVisible", "60 seconds")
    assert text == snapshot


def test_an_alarm_without_datapoints_to_alarm_needs_all_of_its_periods():
    _, text = notified(
        {name: value for name, value in ALARM.items() if name != "DatapointsToAlarm"} | {"EvaluationPeriods": 3}
    )

    assert "for at least 3 of the last 3 period(s)" in text


def test_a_composite_alarm_tells_its_rule_in_place_of_a_metric():
    metric = ("Namespace", "MetricName", "Dimensions", "Statistic", "Threshold")
    alarm = {name: value for name, value in ALARM.items() if name not in metric} | {"AlarmRule": 'ALARM("child")'}

    document, text = notified(alarm)

    assert document["AlarmRule"] == 'ALARM("child")'
    assert "Trigger" not in document
    assert '- Alarm Rule:                ALARM("child")' in text
    assert "Monitored Metric" not in text
