"""What is taken follows https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""

import pytest

from couch_explorers.local.cloudwatch.alarm_settings import check
from couch_explorers.local.cloudwatch.errors import RefusedError

ALARM = {
    "AlarmName": "age", "Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Statistic": "Maximum", "Period": 60,
    "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 120.0,
}  # fmt: skip
STAT = {"Metric": {"Namespace": "Own", "MetricName": "Made"}, "Period": 60, "Stat": "Sum"}
MADE = {"Id": "made", "MetricStat": STAT, "ReturnData": False}
TWICE = {"Id": "twice", "Expression": "made * 2"}
MATH = {
    name: ALARM[name] for name in ("AlarmName", "EvaluationPeriods", "ComparisonOperator", "Threshold")
} | {"Metrics": [MADE, TWICE]}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Period": 10},
        {"Period": 3600, "EvaluationPeriods": 168},
        {"Statistic": None, "ExtendedStatistic": "p99.9"},
        {"Statistic": None, "ExtendedStatistic": "PR(:300)"},
        {"DatapointsToAlarm": 3, "TreatMissingData": "ignore"},
    ],
)
def test_alarm_on_a_metric_is_taken(changes):
    check(ALARM | changes)


def test_alarm_on_metric_math_is_taken():
    check(MATH)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"ComparisonOperator": "Above"}, "ValidationError", "Value 'Above' at 'comparisonOperator' failed"),
        ({"Statistic": "average"}, "ValidationError", "Value 'average' at 'statistic' failed"),
        ({"Statistic": None}, "MissingParameter", "One of the parameters Statistic and ExtendedStatistic"),
        ({"ExtendedStatistic": "p99"}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "InvalidParameterValue", "The value p101"),
        ({"Period": 45}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 1441}, "ValidationError", "more than a day"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError", "more than a week"),
        ({"EvaluationPeriods": 0}, "ValidationError", "EvaluationPeriods must be at least 1"),
        ({"DatapointsToAlarm": 4}, "ValidationError", r"DatapointsToAlarm \(4\) must not be greater"),
        ({"TreatMissingData": "zero"}, "ValidationError", "The value zero is not supported for TreatMissingData"),
        ({"EvaluateLowSampleCountPercentile": "maybe"}, "ValidationError", "Option maybe is not supported"),
        ({"AlarmActions": ["arn"] * 6}, "ValidationError", "AlarmActions must not have a size greater than 5"),
        ({"Threshold": None}, "MissingParameter", "The parameter Threshold is required"),
        ({"Metrics": [MADE, TWICE]}, "ValidationError", "Metrics and MetricName are mutually exclusive"),
    ],
)
def test_alarm_that_breaks_a_rule_is_refused(changes, code, words):
    with pytest.raises(RefusedError, match=words) as refused:
        check(ALARM | changes)

    assert refused.value.code == code


@pytest.mark.parametrize("metrics", [[MADE], [MADE | {"ReturnData": True}, TWICE]])
def test_metric_math_returns_exactly_one_element(metrics):
    with pytest.raises(RefusedError, match="Exactly one element of the metrics list should return data"):
        check(MATH | {"Metrics": metrics})
