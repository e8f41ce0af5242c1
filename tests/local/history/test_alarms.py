"""The words are CloudWatch's: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"""

import pytest

from couch_explorers.local.history import alarms as history_alarms
from couch_explorers.local.history.alarms import Transition
from couch_explorers.local.history.recorder import Recorder

# 25 November 2026, 09:41 UTC
MINUTE = 1_795_599_660
END = MINUTE + 3600
NONE = {"oldest-message-age": 300.0, "dead-letters": 0.0, "worker-errors": 0.0, "failed-jobs": 0.0}


@pytest.fixture
def recorder():
    return Recorder()


def rang(recorder, name, end_s=END):
    found = history_alarms.transitions(recorder, "42", NONE, end_s=end_s, worker_timeout_s=20)
    return found[f"couch-explorers-42-{name}"]


def ages(recorder, *values):
    line = recorder.line(
        "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "couch-explorers-42-jobs"}, "Seconds"
    )
    for minute, value in enumerate(values):
        line.add(MINUTE + 60 * minute, value)


def test_an_alarm_rings_from_the_end_of_the_first_minute_above_the_threshold_to_that_of_the_first_below(recorder):
    ages(recorder, 12, 640, 700, 300, 5)

    assert rang(recorder, "oldest-message-age") == [
        Transition(
            MINUTE + 120,
            "OK",
            "ALARM",
            "Threshold Crossed: 1 out of the last 1 datapoints [640.0 (25/11/26 09:42:00)] was greater than the threshold"
            " (300.0) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        Transition(
            MINUTE + 240,
            "ALARM",
            "OK",
            "Threshold Crossed: 1 out of the last 1 datapoints [300.0 (25/11/26 09:44:00)] was not greater than the"
            " threshold (300.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
    ]


def test_a_metric_that_stops_rings_until_its_last_point_is_out_of_sight(recorder):
    line = recorder.line("CouchExplorers", "FailedJobs", {"service": "couch-explorers-42-worker"})
    line.add(MINUTE, 1)

    alarm, ok = rang(recorder, "failed-jobs")

    # As with the live alarms: telemetry/alarm_rules.py looks two periods further back for real points.
    assert (alarm.time_s, ok.time_s) == (MINUTE + 60, MINUTE + 240)
    assert "treated as [NonBreaching]" in ok.reason


def test_errors_are_looked_for_as_far_back_as_a_time_out_began(recorder):
    line = recorder.line("AWS/Lambda", "Errors", {"FunctionName": "couch-explorers-42-worker"})
    for minute, errors in enumerate((1, 0, 0, 1, 0, 0, 0, 0)):
        line.add(MINUTE + 60 * minute, errors)

    # ceil(20 s / 60 s) + 2 = 3 periods, as in infra/alarms.tf.
    assert [(step.time_s - MINUTE, step.new) for step in rang(recorder, "worker-errors")] == [
        (60, "ALARM"), (420, "OK"),
    ]  # fmt: skip


def test_two_bad_stretches_ring_twice(recorder):
    ages(recorder, 640, 5, 5, 640, 5)

    assert [step.new for step in rang(recorder, "oldest-message-age")] == ["ALARM", "OK", "ALARM", "OK"]


def test_an_alarm_that_still_rings_at_the_end_is_put_out_there(recorder):
    ages(recorder, 640)

    assert rang(recorder, "oldest-message-age", end_s=MINUTE + 60)[-1].time_s == MINUTE + 60


def test_an_alarm_without_a_breach_has_no_past(recorder):
    ages(recorder, 12, 5)

    assert rang(recorder, "oldest-message-age") == []
    assert rang(recorder, "dead-letters") == []


def test_the_default_thresholds_are_those_of_a_local_deployment():
    thresholds = history_alarms.default_thresholds("42")

    assert thresholds["oldest-message-age"] == 100.0
    assert thresholds["dead-letters"] == thresholds["failed-jobs"] == thresholds["worker-errors"] == 0.0
