"""Requests and answers by the service's own model: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html"""

from datetime import UTC, datetime

import pytest

from couch_explorers.local.telemetry import wire_protocol
from couch_explorers.local.telemetry.wire_protocol import Protocol, RefusedError

NOON = 1_795_608_000


def read(data, name="GetMetricStatistics", protocol=Protocol.JSON):
    return wire_protocol.read(name, data, data, protocol)


def request(**changes):
    return {"Namespace": "Own", "MetricName": "Made", "StartTime": NOON, "EndTime": NOON + 60, "Period": 60} | changes


@pytest.mark.parametrize(
    "moment",
    [NOON, float(NOON), str(NOON), "2026-11-25T12:00:00Z", "2026-11-25T13:00:00+01:00", "2026-11-25T12:00:00.000",
     datetime(2026, 11, 25, 12, tzinfo=UTC), datetime(2026, 11, 25, 12)],  # noqa: DTZ001 - a time without a zone is the point
)  # fmt: skip
def test_a_moment_is_read_in_every_form(moment):
    assert read(request(StartTime=moment))["StartTime"] == NOON


def test_a_query_request_becomes_the_same_input_as_a_json_request():
    flat = {
        "Action": ["GetMetricStatistics"], "Namespace": ["Own"], "MetricName": ["Made"], "StartTime": ["2026-11-25T12:00:00Z"],
        "EndTime": [str(NOON + 60)], "Period": ["60"], "Statistics.member.2": ["Sum"], "Statistics.member.1": ["Average"],
        "Dimensions.member.1.Name": ["service"], "Dimensions.member.1.Value": ["a.b"], "Statistics.member.10": ["Maximum"],
    }  # fmt: skip

    nested = request(Statistics=["Average", "Sum", "Maximum"], Dimensions=[{"Name": "service", "Value": "a.b"}])
    assert read(flat, protocol=Protocol.QUERY) == read(nested) | {"StartTime": NOON, "EndTime": NOON + 60}


def test_an_empty_list_of_the_query_protocol_is_empty():
    flat = {"Namespace": ["Own"], "Dimensions": [""]}

    assert read(flat, "ListMetrics", Protocol.QUERY) == {"Namespace": "Own", "Dimensions": []}


@pytest.mark.parametrize("flat", [{"Namespace": "Own", "Namespace.x": "y"}, {"Namespace.x": "y", "Namespace": "Own"}])
def test_a_query_request_that_contradicts_itself_is_refused_not_a_crash(flat):
    with pytest.raises(RefusedError):
        read(flat, "ListMetrics", Protocol.QUERY)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"Period": None}, "MissingParameter", "The parameter Period is required"),
        ({"Dimensions": [{"Name": "a"}]}, "MissingParameter", "Dimensions.member.1.Value is required"),
        ({"Unit": "Second"}, "InvalidParameterValue", "Unit must be a value in the set"),
        ({"Namespace": ""}, "InvalidParameterValue", "The length of Namespace is 0: it must be 1 to 255"),
        ({"Namespace": ":x"}, "InvalidParameterValue", "The value :x for parameter Namespace is invalid"),
        ({"Dimensions": [{"Name": "a", "Value": "b"}] * 31}, "InvalidParameterValue", "The length of Dimensions is 31"),
        ({"Period": 0}, "InvalidParameterValue", "The value 0 for parameter Period is invalid"),
        ({"Period": 10**30}, "InvalidParameterValue", "for parameter Period is invalid"),
        ({"StartTime": float("nan")}, "MalformedInput", "The value of StartTime is no timestamp"),
        ({"StartTime": float("inf")}, "MalformedInput", "The value of StartTime is no timestamp"),
        ({"StartTime": NOON * 1000}, "MalformedInput", "The value of StartTime is no timestamp"),
        ({"MetricName": "\ud800"}, "MalformedInput", "The value of MetricName is no string"),
        ({"Period": "often"}, "MalformedInput", "The value of Period is no integer"),
        ({"StartTime": "yesterday"}, "MalformedInput", "The value of StartTime is no timestamp"),
        ({"Statistics": 5}, "MalformedInput", "The value of Statistics is no list"),
        ({"MetricName": 5}, "MalformedInput", "The value of MetricName is no string"),
    ],
)
def test_what_the_model_does_not_allow_is_refused_by_its_place(changes, code, words):
    with pytest.raises(RefusedError, match=words) as refused:
        read(request(**changes))

    assert refused.value.code == code


@pytest.mark.parametrize("data", [[], "text", None, 5])
def test_a_request_that_is_no_structure_is_refused(data):
    with pytest.raises(RefusedError, match="The value of the request is no structure"):
        wire_protocol.read("ListMetrics", {}, data, Protocol.JSON)


def test_a_map_is_written_as_entries():
    shape = wire_protocol.operation("GetMetricStatistics").output_shape
    points = [{"Timestamp": NOON, "ExtendedStatistics": {"p95": 1.5}}]

    xml = wire_protocol.as_xml({"Datapoints": points}, shape)

    assert xml == (
        "<Datapoints><member><Timestamp>2026-11-25T12:00:00+00:00</Timestamp><ExtendedStatistics><entry><key>p95</key>"
        "<value>1.5</value></entry></ExtendedStatistics></member></Datapoints>"
    )
