"""Metrics out of log lines.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json

import pytest

from couch_explorers.local.telemetry.log_metrics import EmbeddedMetricError, embedded_samples

DIRECTIVE = {
    "Namespace": "CouchExplorers",
    "Dimensions": [["service"], ["service", "reason"]],
    "Metrics": [{"Name": "FailedJobs", "Unit": "Count"}],
}
ROOT = {"service": "couch-explorers-42-worker", "reason": "Throttled", "FailedJobs": 1.0}


def line(root=ROOT, timestamp=1_795_578_544_289, **changes):
    metadata = {"Timestamp": timestamp, "CloudWatchMetrics": [DIRECTIVE | changes]}
    return json.dumps(root | {"_aws": metadata})


def test_a_value_counts_once_for_each_dimension_set():
    first, second = embedded_samples(line())

    assert first.dimensions == {"service": "couch-explorers-42-worker"}
    assert second.dimensions == {"service": "couch-explorers-42-worker", "reason": "Throttled"}
    assert {(each.namespace, each.metric, each.total, each.unit) for each in (first, second)} == {
        ("CouchExplorers", "FailedJobs", 1.0, "Count")
    }


def test_a_sample_has_the_time_that_the_document_says():
    assert {each.time_s for each in embedded_samples(line())} == {1_795_578_544.289}


def test_each_value_of_a_list_is_a_sample_of_its_own():
    found = embedded_samples(line(ROOT | {"FailedJobs": [1, 2.5]}, Dimensions=[["service"]]))

    assert [(each.count, each.total) for each in found] == [(1.0, 1.0), (1.0, 2.5)]


def test_an_empty_dimension_set_is_the_metric_without_any():
    (sample,) = embedded_samples(line(Dimensions=[[]]))

    assert sample.dimensions == {}


def test_a_metric_without_a_unit_has_the_unit_none_and_high_resolution_is_taken_as_the_minutes():
    (sample,) = embedded_samples(line(Dimensions=[[]], Metrics=[{"Name": "FailedJobs", "StorageResolution": 1}]))

    assert sample.unit == "None"


def test_several_directives_are_all_read():
    other = {"Namespace": "Other", "Dimensions": [[]], "Metrics": [{"Name": "FailedJobs"}]}
    text = json.dumps(ROOT | {"_aws": {"Timestamp": 1000, "CloudWatchMetrics": [DIRECTIVE, other]}})

    assert [each.namespace for each in embedded_samples(text)] == ["CouchExplorers", "CouchExplorers", "Other"]


@pytest.mark.parametrize(
    "text",
    [
        "Picture stored",
        '{"message": "Picture stored"}',
        '["CloudWatchMetrics"]',
        '{"_aws": {"Timestamp": 1}}',
        'before {"_aws": {"CloudWatchMetrics": []}} after',
    ],
)
def test_a_line_that_is_no_such_document_has_no_metrics(text):
    assert embedded_samples(text) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (line(timestamp=None), "_aws.Timestamp is no number."),
        (line(timestamp=True), "_aws.Timestamp is no number."),
        (line(Namespace=""), "Namespace is no text."),
        (line(Dimensions=["service"]), "a dimension set is no list."),
        (line(Dimensions=[["host"]]), "the dimension host is no text."),
        (line(Dimensions=[["service"] * 31]), "a dimension set has 31 members, at most 30 are taken."),
        (line(Metrics=[{"Unit": "Count"}]), "Name is missing."),
        (line(Metrics=[{"Name": "Absent"}]), "the metric Absent is no number."),
        (line(ROOT | {"FailedJobs": "1"}), "the metric FailedJobs is no number."),
        (line(ROOT | {"FailedJobs": float("nan")}), "the metric FailedJobs is no number."),
        (line(ROOT | {"FailedJobs": 10**400}), "the metric FailedJobs is no number."),
        (line(ROOT | {"FailedJobs": [1] * 101}), "the metric FailedJobs has 101 members, at most 100 are taken."),
        (json.dumps(ROOT | {"_aws": {"Timestamp": 1, "CloudWatchMetrics": {}}}), "_aws.CloudWatchMetrics is no list."),
        (json.dumps(ROOT | {"_aws": {"Timestamp": 1, "CloudWatchMetrics": ["x"]}}), "Namespace is missing."),
    ],
)
def test_a_document_that_breaks_the_format_gives_nothing_and_says_where(text, sentence):
    with pytest.raises(EmbeddedMetricError) as error:
        embedded_samples(text)

    assert str(error.value) == sentence
