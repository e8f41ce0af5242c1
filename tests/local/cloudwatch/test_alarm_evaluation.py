"""What is taken follows https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, evaluation the tables
and rules of https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, and composite rules
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

import pytest

from couch_explorers.local.cloudwatch import alarm_evaluation
from couch_explorers.local.cloudwatch.alarm_evaluation import (
    CompositeRuleError,
    Point,
    Rule,
    UnsupportedAlarmError,
    check_alarm,
    parse_composite_rule,
)
from couch_explorers.local.cloudwatch.api import RefusedError
from couch_explorers.local.cloudwatch.store import MetricStore, Sample

SETTINGS = {
    "AlarmName": "age", "Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage", "Statistic": "Maximum", "Period": 60,
    "EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 120.0,
}  # fmt: skip
STAT = {"Metric": {"Namespace": "Own", "MetricName": "Made"}, "Period": 60, "Stat": "Sum"}
MADE = {"Id": "made", "MetricStat": STAT, "ReturnData": False}
TWICE = {"Id": "twice", "Expression": "made * 2"}
MATH = {
    name: SETTINGS[name] for name in ("AlarmName", "EvaluationPeriods", "ComparisonOperator", "Threshold")
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
    check_alarm(SETTINGS | changes)


def test_alarm_on_metric_math_is_taken():
    check_alarm(MATH)


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
        check_alarm(SETTINGS | changes)

    assert refused.value.code == code


@pytest.mark.parametrize("metrics", [[MADE], [MADE | {"ReturnData": True}, TWICE]])
def test_metric_math_returns_exactly_one_element(metrics):
    with pytest.raises(RefusedError, match="Exactly one element of the metrics list should return data"):
        check_alarm(MATH | {"Metrics": metrics})


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

# Wednesday, 25 November 2026, 12:00 UTC
NOON = 1_795_608_000


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


def test_percentile_goes_before_a_statistic_set_beside_it():
    assert rule(ExtendedStatistic="p95", Statistic="Average").statistic == "p95"


@pytest.mark.parametrize(
    ("period_s", "interval_s", "seen_s"), [(10, 10, 90), (30, 30, 150), (60, 60, 300), (300, 60, 1500)]
)
def test_alarm_on_seconds_is_judged_as_often_and_looks_back_a_minute_further(period_s, interval_s, seen_s):
    found = rule(Period=period_s, EvaluationPeriods=3)

    assert found.interval_s == interval_s
    assert found.evaluation_range * period_s == seen_s


def test_alarm_without_a_metric_is_refused_with_the_reason():
    with pytest.raises(UnsupportedAlarmError, match="neither a metric nor Metrics"):
        Rule.of(ALARM | {"MetricName": None, "Namespace": None})


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


def test_alarm_on_metric_math_judges_what_is_returned(store):
    for metric, value in (("Failed", 3.0), ("All", 10.0)):
        store.add(Sample.of("Own", metric, value, time_s=NOON))
    stat = {"Period": 60, "Stat": "Sum"}
    alarm = {
        "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 25.0,
        "Metrics": [
            {"Id": "failed", "MetricStat": stat | {"Metric": {"Namespace": "Own", "MetricName": "Failed"}}, "ReturnData": False},
            {"Id": "all", "MetricStat": stat | {"Metric": {"Namespace": "Own", "MetricName": "All"}}, "ReturnData": False},
            {"Id": "rate", "Expression": "100 * failed / all"},
        ],
    }  # fmt: skip

    outcome = alarm_evaluation.evaluate(store, Rule.of(alarm), NOON + 60, "eu-west-1")

    assert outcome.judgement.state == "ALARM"
    assert outcome.judgement.evaluated == (Point(NOON, 30.0),)


@pytest.mark.parametrize(
    ("samples", "low", "state"), [(9, "evaluate", "ALARM"), (99, "ignore", None), (100, "ignore", "ALARM")]
)
def test_percentile_of_few_samples_leaves_the_state_where_it_is_ignored(store, samples, low, state):
    store.add(Sample("Own", "Made", NOON, "Count", samples, 400.0 * samples, 400.0, 400.0))
    found = rule(
        Namespace="Own", MetricName="Made", Dimensions=[], ExtendedStatistic="p90", Unit=None, EvaluateLowSampleCountPercentile=low,
        EvaluationPeriods=1, Period=60,
    )  # fmt: skip

    assert alarm_evaluation.evaluate(store, found, NOON + 60, "eu-west-1").judgement.state == state


def test_an_alarm_on_an_anomaly_band_is_refused_with_what_is_known():
    with pytest.raises(UnsupportedAlarmError, match="LessThanLowerThreshold: it knows GreaterThanOrEqualToThreshold"):
        rule(ComparisonOperator="LessThanLowerThreshold")


ALARM_ARN = "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:age"
STATES = {"rings": "ALARM", "quiet": "OK", "unknown": "INSUFFICIENT_DATA", ALARM_ARN: "ALARM", "with space": "OK"}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("ALARM(rings)", True),
        ('ALARM("rings")', True),
        (f"ALARM({ALARM_ARN})", True),
        ('OK("with space")', True),
        ("OK(rings)", False),
        ("INSUFFICIENT_DATA(unknown)", True),
        ("NOT ALARM(rings)", False),
        ("ALARM(rings) AND ALARM(quiet)", False),
        ("ALARM(rings) OR ALARM(quiet)", True),
        ("ALARM(rings) OR ALARM(quiet) AND ALARM(quiet)", True),  # AND binds tighter
        ("(ALARM(rings) OR ALARM(quiet)) AND ALARM(quiet)", False),
        ("NOT (ALARM(quiet) OR OK(rings))", True),
        ("TRUE AND NOT FALSE", True),
    ],
)
def test_rule_holds_by_the_states_of_its_alarms(expression, holds):
    assert parse_composite_rule(expression).holds(STATES) is holds


def test_rule_names_each_alarm_once():
    assert parse_composite_rule("ALARM(a) OR OK(b) AND NOT ALARM(a)").alarms == ("a", "b")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "'the end' is not expected there"),
        ("ALARM(a) OR", "'the end' is not expected"),
        ("ALARM a", "'\\(' is expected, not 'a'"),
        ("ALARM(a", "'\\)' is expected, not 'the end'"),
        ("RINGS(a)", "'RINGS' is not expected there"),
        ("ALARM(a) ALARM(b)", "'ALARM' is not expected there"),
        ("ALARM()", "takes the name or ARN"),
        ("TRUE" + " OR TRUE" * 2000, "at most 10240"),
        (" OR ".join(f"ALARM(a{number})" for number in range(101)), "names 101 alarms"),
    ],
)
def test_rule_that_is_not_understood_is_refused(expression, words):
    with pytest.raises(CompositeRuleError, match=words):
        parse_composite_rule(expression)
