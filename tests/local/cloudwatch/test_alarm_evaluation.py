"""The tables and rules of "Configuring how CloudWatch alarms treat missing data".

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import pytest

from couch_explorers.local.cloudwatch import alarm_evaluation
from couch_explorers.local.cloudwatch.alarm_evaluation import Point, Rule, UnsupportedAlarmError

ALARM = {
    "AlarmName": "age",
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateAgeOfOldestMessage",
    "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1,
    "Threshold": 300.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
KEEPS = None
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"


def rule(**changes):
    return Rule.of(ALARM | changes)


def judged(picture, **changes):
    """The state for AWS's pictures: 0 is within the threshold, X beyond it, - missing; the newest is on the right."""
    values = {"0": 1.0, "X": 301.0, "-": None}
    points = [Point(60 * number, values[sign]) for number, sign in enumerate(picture.split())]
    return alarm_evaluation.judge(rule(**changes), points)


def table(rows):
    """AWS's table, one test case a cell."""
    return [
        pytest.param(picture, missing, state, id=f"{picture} {missing}")
        for picture, *states in rows
        for missing, state in zip((MISSING, IGNORE, BREACHING, NOT_BREACHING), states, strict=True)
    ]


@pytest.mark.parametrize(
    ("picture", "missing", "state"),
    table(
        [
            ("0 - X - X", "OK", "OK", "OK", "OK"),
            ("0 - - - -", "OK", "OK", "OK", "OK"),
            ("- - - - -", "INSUFFICIENT_DATA", KEEPS, "ALARM", "OK"),
            ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
            ("- - X - -", "ALARM", KEEPS, "ALARM", "OK"),
        ]
    ),
)
def test_three_of_three_datapoints_are_judged_as_in_the_first_table_of_aws(picture, missing, state):
    assert judged(picture, EvaluationPeriods=3, DatapointsToAlarm=3, TreatMissingData=missing).state == state


@pytest.mark.parametrize(
    ("picture", "missing", "state"),
    table(
        [
            ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
            ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
            ("0 - X - -", "OK", "OK", "ALARM", "OK"),
            ("- - - - 0", "OK", "OK", "ALARM", "OK"),
            ("- - - X -", "ALARM", KEEPS, "ALARM", "OK"),
        ]
    ),
)
def test_two_of_three_datapoints_are_judged_as_in_the_second_table_of_aws(picture, missing, state):
    assert judged(picture, EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData=missing).state == state


@pytest.mark.parametrize("picture", ["- - - - X", "- - - X -"])
def test_breaching_points_that_are_too_few_and_too_young_leave_the_alarm_as_it_was(picture):
    assert judged(picture, EvaluationPeriods=3, DatapointsToAlarm=3, TreatMissingData=MISSING).state is KEEPS


def test_the_range_asked_for_is_wider_than_the_periods_needed():
    assert rule(EvaluationPeriods=3).evaluation_range == 5


def test_an_older_point_stands_in_for_a_missing_one_before_anything_is_filled_in():
    judgement = judged("X - -", TreatMissingData=NOT_BREACHING)

    assert judgement.state == "ALARM"
    assert judgement.filled == 0


def test_points_from_before_the_periods_do_not_count_once_enough_newer_ones_are_there():
    assert judged("X X 0", TreatMissingData=NOT_BREACHING).state == "OK"


def test_one_error_among_idle_minutes_rings_where_one_of_three_is_enough():
    assert judged("- - X - -", EvaluationPeriods=3, DatapointsToAlarm=1).state == "ALARM"
    assert judged("- - - - -", EvaluationPeriods=3, DatapointsToAlarm=1).state == "OK"


def test_without_datapoints_to_alarm_every_period_must_breach():
    same = {"EvaluationPeriods": 2, "DatapointsToAlarm": None}

    assert judged("- - 0 X", **same).state == "OK"
    assert judged("- - X X", **same).state == "ALARM"


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_the_four_comparisons_with_a_threshold(comparison, below, at, above):
    compared = rule(ComparisonOperator=comparison)

    assert [compared.breaches(value) for value in (299.0, 300.0, 301.0)] == [below, at, above]


def test_a_percentile_goes_before_the_statistic_that_ministack_sets_by_itself():
    assert rule(ExtendedStatistic="p95", Statistic="Average").statistic == "p95"


def test_a_period_shorter_than_a_minute_sees_its_whole_minute():
    assert [rule(Period=seconds).period_s for seconds in (10, 60, 90, 300)] == [60, 60, 120, 300]


def test_an_alarm_on_metric_math_is_refused_with_the_reason():
    with pytest.raises(UnsupportedAlarmError, match="no metric math"):
        Rule.of(ALARM | {"MetricName": None, "Namespace": None})


def test_an_alarm_on_an_anomaly_band_is_refused_with_what_is_known():
    with pytest.raises(UnsupportedAlarmError, match="LessThanLowerThreshold: it knows GreaterThanOrEqualToThreshold"):
        rule(ComparisonOperator="LessThanLowerThreshold")
