"""CloudWatch's operations as an SDK sees them, in each protocol it may speak:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html
"""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from botocore import parsers, serialize

from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.telemetry import wire, wire_protocol

PATCHED = (
    "_put_metric_data",
    "_get_metric_data",
    "_get_metric_statistics",
    "_list_metrics",
    "record_metric",
    "_evict_old_metrics",
    "reset",
    "handle_request",
)
PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
QUEUE = [{"Name": "QueueName", "Value": "jobs & more"}]


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


@pytest.fixture
def cloudwatch(store, monkeypatch):
    from ministack.services import cloudwatch  # noqa: PLC0415 - only these tests need MiniStack

    for name in PATCHED:
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    wire.mend(store, clock=(NOON + timedelta(minutes=10)).timestamp)
    return cloudwatch


@pytest.fixture(params=PROTOCOLS)
def call(request, cloudwatch):
    """Call an operation as botocore would: serialised and parsed by its own code."""
    serializer = serialize.create_serializer(request.param)
    parser = parsers.create_parser(request.param)

    def called(name, **parameters):
        operation = wire_protocol.operation(name)
        sent = serializer.serialize_to_request(parameters, operation)
        body = urlencode(sent["body"]).encode() if isinstance(sent["body"], dict) else sent["body"]
        headers = {key.lower(): value for key, value in sent["headers"].items()}
        status, answered, content = asyncio.run(cloudwatch.handle_request("POST", sent["url_path"], headers, body, {}))
        return parser.parse({"status_code": status, "headers": answered, "body": content}, operation.output_shape)

    return called


def query(stat="Maximum", period=60):
    metric = {"Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": QUEUE}
    return {"Id": "age", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def put(call, *values, at=NOON):
    data = [
        {"MetricName": "Age", "Dimensions": QUEUE, "Timestamp": at, "Value": value, "Unit": "Seconds"}
        for value in values
    ]
    return call("PutMetricData", Namespace="AWS/SQS", MetricData=data)


def test_what_was_put_is_got(call):
    assert put(call, 3.5, 640.0)["ResponseMetadata"]["HTTPStatusCode"] == 200

    answer = call("GetMetricData", MetricDataQueries=[query()], StartTime=NOON, EndTime=NOON + timedelta(hours=1))

    (result,) = answer["MetricDataResults"]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("age", "Age", "Complete")
    assert result["Timestamps"] == [NOON]
    assert result["Values"] == [640.0]
    assert answer["Messages"] == []


def test_statistics_are_got(call):
    put(call, 1.0, 3.0)

    answer = call(
        "GetMetricStatistics", Namespace="AWS/SQS", MetricName="Age", Dimensions=QUEUE, StartTime=NOON,
        EndTime=NOON + timedelta(hours=1), Period=300, Statistics=["Average"], ExtendedStatistics=["p50"],
    )  # fmt: skip

    assert answer["Label"] == "Age"
    assert answer["Datapoints"] == [
        {"Timestamp": NOON, "Average": 2.0, "Unit": "Seconds", "ExtendedStatistics": {"p50": 2.0}}
    ]


def test_metrics_are_listed(call):
    put(call, 1.0)

    answer = call("ListMetrics", Namespace="AWS/SQS", Dimensions=[{"Name": "QueueName"}])

    assert answer["Metrics"] == [{"Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": QUEUE}]


def test_nothing_is_answered_as_empty_lists(call):
    got = call("GetMetricData", MetricDataQueries=[query()], StartTime=NOON, EndTime=NOON + timedelta(hours=1))

    assert got["MetricDataResults"][0]["Values"] == []
    assert call("ListMetrics")["Metrics"] == []


def test_pages_are_followed_by_their_token(call):
    for minute in range(3):
        put(call, float(minute), at=NOON + timedelta(minutes=minute))
    asked = {
        "MetricDataQueries": [query()],
        "StartTime": NOON,
        "EndTime": NOON + timedelta(hours=1),
        "MaxDatapoints": 2,
    }

    first = call("GetMetricData", **asked)
    second = call("GetMetricData", **asked, NextToken=first["NextToken"])

    assert first["MetricDataResults"][0]["StatusCode"] == "PartialData"
    assert first["MetricDataResults"][0]["Values"] == [2.0, 1.0]
    assert second["MetricDataResults"][0]["Values"] == [0.0]
    assert "NextToken" not in second


def test_a_refusal_has_awss_code_and_a_sentence(call):
    answer = call("GetMetricData", MetricDataQueries=[query()], StartTime=NOON, EndTime=NOON)

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Code"] == "ValidationError"
    assert answer["Error"]["Message"] == "The parameter StartTime must be less than the parameter EndTime."


def test_a_statistic_set_and_an_array_of_values_are_taken(call):
    data = [
        {"MetricName": "Set", "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}},
        {"MetricName": "Array", "Values": [1, 2, 4], "Counts": [1, 1, 2]},
    ]
    call("PutMetricData", Namespace="Own", MetricData=data)
    queries = [
        {
            "Id": name.lower(),
            "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": name}, "Period": 60, "Stat": "Sum"},
        }
        for name in ("Set", "Array")
    ]

    answer = call("GetMetricData", MetricDataQueries=queries, StartTime=NOON, EndTime=NOON + timedelta(hours=1))

    assert [result["Values"] for result in answer["MetricDataResults"]] == [[3.0], [11.0]]


def test_putting_a_metric_evaluates_no_alarm(call, cloudwatch, monkeypatch):
    def evaluated(*_arguments):
        raise AssertionError("an alarm was evaluated")

    monkeypatch.setattr(cloudwatch, "_evaluate_alarm", evaluated)
    monkeypatch.setattr(cloudwatch, "_evaluate_all_alarms", evaluated)

    assert put(call, 640.0)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_the_other_operations_still_answer_at_once(call):
    assert call("DescribeAlarms")["MetricAlarms"] == []


def test_reading_does_not_run_on_the_event_loop(cloudwatch, store, monkeypatch):
    threads = []
    original = store.series
    monkeypatch.setattr(
        store, "series", lambda *given, **named: threads.append(threading.current_thread()) or original(*given, **named)
    )
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "GraniteServiceVersion20100801.ListMetrics",
    }

    status, _, _ = asyncio.run(cloudwatch.handle_request("POST", "/", headers, b"{}", {}))

    assert status == 200
    assert threads != [threading.main_thread()]
    assert len(threads) == 1


def test_regions_do_not_see_each_others_metrics(cloudwatch, store):
    from ministack.core.responses import request_scope  # noqa: PLC0415 - only these tests need MiniStack

    with request_scope("000000000000", "us-east-1"):
        cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", {"FunctionName": "worker"})

    assert store.series() == []
    assert len(store.series(region="us-east-1")) == 1


def test_what_ministack_records_itself_is_stored(cloudwatch, store):
    from ministack.core.responses import request_scope  # noqa: PLC0415 - only these tests need MiniStack

    with request_scope("000000000000", "eu-west-1"):
        cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", {"FunctionName": "worker"})

    asked = {"start_s": NOON.timestamp(), "end_s": NOON.timestamp() + 3600, "period_s": 60, "statistic": "Sum"}
    points = store.points("AWS/Lambda", "Invocations", {"FunctionName": "worker"}, **asked, now_s=NOON.timestamp())
    assert points == [(NOON.timestamp() + 600, 1.0)]


def test_a_metric_that_cannot_be_recorded_breaks_nothing(cloudwatch, caplog):
    cloudwatch.record_metric("AWS/Lambda", "Duration", float("nan"))

    assert "AWS/Lambda Duration could not be recorded" in caplog.text


def test_a_reset_forgets_the_metrics_too(cloudwatch, store):
    cloudwatch.record_metric("AWS/Lambda", "Invocations", 1)

    cloudwatch.reset()

    assert store.series(region="us-east-1") == []
    assert store.series() == []
