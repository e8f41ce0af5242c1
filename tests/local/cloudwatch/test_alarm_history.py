"""Reasons worded as in AWS's examples of alarm changes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Acting_Alarm_Changes.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from datetime import UTC, datetime

import pytest

from couch_explorers.local.cloudwatch import alarm_evaluation, alarm_history
from couch_explorers.local.cloudwatch.alarm_evaluation import Point, Rule

NINE_41 = datetime(2026, 11, 25, 9, 41, tzinfo=UTC).timestamp()


def rule(**changes):
    return Rule.of(
        {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "Threshold": 300.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        | changes
    )


def points(*values):
    """One point a minute, the last of them at 09:41."""
    return [Point(int(NINE_41) - 60 * age, value) for age, value in reversed(list(enumerate(reversed(values))))]


def reason(values, **changes):
    return alarm_history.state_reason(rule(**changes), alarm_evaluation.judge(rule(**changes), points(*values)))


def test_an_alarm_says_which_datapoint_was_over_the_threshold():
    assert reason([None, 0.0, 640.0]) == (
        "Threshold Crossed: 1 out of the last 1 datapoints [640.0 (25/11/26 09:41:00)] was greater than the threshold "
        "(300.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )


def test_an_alarm_that_is_over_says_what_is_no_longer_so():
    assert reason([640.0, 620.0, 12.0]) == (
        "Threshold Crossed: 1 out of the last 1 datapoints [12.0 (25/11/26 09:41:00)] was not greater than the threshold "
        "(300.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )


def test_several_datapoints_are_listed_with_the_newest_first():
    assert reason([1.0, 1.0, 310.0, 320.0, 330.0], EvaluationPeriods=3, DatapointsToAlarm=2) == (
        "Threshold Crossed: 3 out of the last 3 datapoints [330.0 (25/11/26 09:41:00), 320.0 (25/11/26 09:40:00), "
        "310.0 (25/11/26 09:39:00)] were greater than the threshold (300.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )


def test_missing_datapoints_are_reported_as_they_were_treated():
    assert reason([None, None, 310.0, None, None], EvaluationPeriods=3, DatapointsToAlarm=1) == (
        "Threshold Crossed: 1 out of the last 3 datapoints [310.0 (25/11/26 09:39:00)] was greater than the threshold "
        "(300.0) and 2 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for OK -> ALARM transition)."
    )


def test_an_alarm_without_datapoints_to_alarm_names_no_minimum():
    assert reason([None, None, 640.0], DatapointsToAlarm=None) == (
        "Threshold Crossed: 1 datapoint [640.0 (25/11/26 09:41:00)] was greater than the threshold (300.0)."
    )


def test_silence_that_is_no_breach_is_reported_as_such():
    assert reason([None, None, None]) == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."
    )


def test_silence_that_is_a_breach_is_reported_as_such():
    assert reason([None] * 4, EvaluationPeriods=2, DatapointsToAlarm=2, TreatMissingData="breaching") == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."
    )


def test_a_change_that_only_missing_datapoints_made_says_how_many_were_received():
    assert reason(
        [None, None, None, None, 1.0], EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="breaching"
    ) == (
        "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching]."
    )


@pytest.mark.parametrize(("periods", "words"), [(1, "1 datapoint was unknown"), (3, "3 datapoints were unknown")])
def test_insufficient_data_counts_the_unknown(periods, words):
    silent = {"EvaluationPeriods": periods, "DatapointsToAlarm": periods, "TreatMissingData": "missing"}

    assert reason([None] * (periods + 2), **silent) == f"Insufficient Data: {words}."


def test_from_five_datapoints_on_only_the_most_recent_are_listed():
    many = reason(
        [301.0, 301.0, *[float(300 + minute) for minute in range(1, 7)]], EvaluationPeriods=6, DatapointsToAlarm=6
    )

    assert many.startswith(
        "Threshold Crossed: 6 out of the last 6 datapoints were greater than the threshold (300.0). "
        "The most recent datapoints which crossed the threshold: [306.0 (25/11/26 09:41:00), "
    )
    assert many.count("25/11/26") == 5
    assert many.endswith("(minimum 6 datapoints for OK -> ALARM transition).")


def test_reason_data_gives_what_counted_oldest_first_and_what_was_evaluated_newest_first():
    asked = rule(EvaluationPeriods=2, DatapointsToAlarm=2)
    seen = points(None, None, 310.0, 320.0)
    counts = {seen[2].start_s: 3.0, seen[3].start_s: 5.0}

    data = alarm_history.state_reason_data(asked, alarm_evaluation.judge(asked, seen), seen, counts, NINE_41 + 61.5)

    assert data == {
        "version": "1.0",
        "queryDate": "2026-11-25T09:42:01.500+0000",
        "startDate": "2026-11-25T09:40:00.000+0000",
        "statistic": "Maximum",
        "period": 60,
        "recentDatapoints": [310.0, 320.0],
        "threshold": 300.0,
        "evaluatedDatapoints": [
            {"timestamp": "2026-11-25T09:41:00.000+0000", "sampleCount": 5.0, "value": 320.0},
            {"timestamp": "2026-11-25T09:40:00.000+0000", "sampleCount": 3.0, "value": 310.0},
        ],
    }


def test_reason_data_of_silence_has_no_start():
    asked = rule()
    seen = points(None, None, None)

    data = alarm_history.state_reason_data(asked, alarm_evaluation.judge(asked, seen), seen, {}, NINE_41 + 60)

    assert "startDate" not in data
    assert data["recentDatapoints"] == []
    assert data["evaluatedDatapoints"] == [{"timestamp": "2026-11-25T09:41:00.000+0000"}]
