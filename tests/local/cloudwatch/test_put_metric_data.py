"""What is taken and refused follows https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
and https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
"""

import math

import pytest

from couch_explorers.local.cloudwatch import put_metric_data
from couch_explorers.local.cloudwatch.errors import RefusedError
from couch_explorers.local.cloudwatch.metric import Sample

NOW = 1_795_608_000.0


def put(*data, namespace="Own"):
    return put_metric_data.samples({"Namespace": namespace, "MetricData": list(data)}, NOW)


def datum(**fields):
    return {"MetricName": "Made", **fields}


def test_a_value_without_a_time_is_of_now():
    assert put(datum(Value=3.0)) == [Sample.of("Own", "Made", 3.0, time_s=NOW, unit="None")]


def test_a_value_keeps_its_time_unit_and_dimensions():
    dimensions = [{"Name": "service", "Value": "worker"}, {"Name": "model", "Value": "core"}]

    (sample,) = put(datum(Value=3.0, Timestamp=NOW - 60, Unit="Seconds", Dimensions=dimensions))

    assert (sample.time_s, sample.unit) == (NOW - 60, "Seconds")
    assert sample.dimensions == {"service": "worker", "model": "core"}


def test_values_count_as_often_as_their_counts_say():
    samples = put(datum(Values=[1.0, 2.0], Counts=[3.0, 1.0]))

    assert [(sample.count, sample.total, sample.highest) for sample in samples] == [(3.0, 3.0, 1.0), (1.0, 2.0, 2.0)]


def test_values_without_counts_count_once():
    assert [sample.count for sample in put(datum(Values=[1.0, 2.0]))] == [1.0, 1.0]


def test_a_statistic_set_is_taken_as_it_is():
    (sample,) = put(datum(StatisticValues={"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}))

    assert (sample.count, sample.total, sample.lowest, sample.highest) == (4.0, 10.0, 1.0, 4.0)


def test_metrics_of_entities_are_metrics():
    request = {"Namespace": "Own", "EntityMetricData": [{"MetricData": [datum(Value=1.0)]}]}

    assert [sample.metric for sample in put_metric_data.samples(request, NOW)] == ["Made"]


def test_anybody_may_publish_in_a_namespace_of_aws_here():
    # AWS keeps AWS/ for itself; here it is how an alarm is tried out.
    assert put(datum(Value=640.0), namespace="AWS/SQS")[0].namespace == "AWS/SQS"


@pytest.mark.parametrize("ago_s", [14 * 86_400 + 1, -2 * 3600 - 1])
def test_a_time_more_than_two_weeks_ago_or_two_hours_ahead_is_refused(ago_s):
    with pytest.raises(RefusedError, match=r"member\.1\.Timestamp must specify a time within the past two weeks"):
        put(datum(Value=1.0, Timestamp=NOW - ago_s))


@pytest.mark.parametrize("ago_s", [14 * 86_400, -2 * 3600])
def test_a_time_at_either_limit_is_taken(ago_s):
    assert put(datum(Value=1.0, Timestamp=NOW - ago_s))


@pytest.mark.parametrize("value", [math.nan, math.inf, 2.0**361, -(2.0**361)])
def test_a_value_beyond_what_aws_takes_is_refused(value):
    with pytest.raises(RefusedError, match=r"for parameter MetricData\.member\.1\.Value is invalid"):
        put(datum(Value=value))


STATISTIC_SET = {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}


@pytest.mark.parametrize(
    "other", [{"Values": [1.0]}, {"StatisticValues": STATISTIC_SET}], ids=["Values", "StatisticValues"]
)
def test_value_excludes_the_other_kinds(other):
    with pytest.raises(RefusedError, match="are mutually exclusive and you have specified both") as refused:
        put(datum(Value=0.0, **other))

    assert refused.value.code == "InvalidParameterCombination"


def test_values_and_a_statistic_set_are_both_kept():
    assert [sample.count for sample in put(datum(Values=[1.0], StatisticValues=STATISTIC_SET))] == [1.0, 2.0]


def test_high_resolution_is_kept():
    assert put(datum(Value=1.0, StorageResolution=1))[0].resolution_s == 1
    with pytest.raises(RefusedError, match="StorageResolution must be 1 or 60, not 5"):
        put(datum(Value=1.0, StorageResolution=5))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Values": []}, "At least one of"),
        ({"Values": [1.0] * 151}, "size greater than 150"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "Counts must be of the same size"),
    ],
    ids=["none", "151", "counts"],
)
def test_a_datum_has_1_to_150_values_each_with_its_count(fields, words):
    with pytest.raises(RefusedError, match=words):
        put(datum(**fields))


@pytest.mark.parametrize("count", [0.0, -1.0])
def test_a_value_is_seen_at_least_once(count):
    with pytest.raises(RefusedError, match="it must be more than 0"):
        put(datum(Values=[1.0], Counts=[count]))


def test_a_minimum_above_the_maximum_is_refused():
    with pytest.raises(RefusedError, match="Minimum must not be greater"):
        put(datum(StatisticValues={"SampleCount": 2.0, "Sum": 3.0, "Minimum": 2.0, "Maximum": 1.0}))


def test_a_request_has_1_to_1000_metrics():
    with pytest.raises(RefusedError, match="MetricData is required"):
        put()
    with pytest.raises(RefusedError, match="size greater than 1000"):
        put(*[datum(Value=1.0)] * 1001)


def test_one_bad_datum_refuses_the_whole_request():
    with pytest.raises(RefusedError, match=r"MetricData\.member\.2"):
        put(datum(Value=1.0), datum(Value=math.nan))
