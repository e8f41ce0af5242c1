"""The metric arrives, arrives late, or does not arrive."""

from datetime import UTC, datetime

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.smoke import time_to_picture


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, wake=lambda: None):
        self.seconds, self.wake = 0.0, wake

    def clock(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds
        self.wake()


@pytest.fixture
def check(workspace, clients):
    def run(pictures, time):
        wait = time_to_picture.Wait(datetime.now(UTC), time.clock, time.sleep)
        return time_to_picture.check("queue", workspace, clients, "worker", pictures, wait)

    return run


def test_a_metric_that_is_there_is_shown_with_the_longest_time(check, system):
    system.s3.put("42/a.png", b"")

    found = check(1, Time())

    assert found.verdict is Verdict.OK
    assert found.detail == "1 in CloudWatch, the longest 1.2 s from asking to the picture."


def test_a_metric_that_comes_late_is_waited_for(check, system):
    system.s3.put("42/a.png", b"")
    system.s3.put("42/b.png", b"")
    system.measures = False
    time = Time(wake=lambda: setattr(system, "measures", time.seconds > 100))

    assert check(2, time).verdict is Verdict.OK
    assert 100 < time.seconds < time_to_picture.ARRIVES_WITHIN_S


def test_a_metric_that_does_not_come_is_bad_and_names_the_log(check, system):
    system.measures = False
    time = Time()

    found = check(1, time)

    assert found.verdict is Verdict.BAD
    assert found.detail.startswith("0 of 1 after 240 s: ")
    assert "/aws/lambda/couch-explorers-42-worker" in found.detail
    assert time.seconds >= time_to_picture.ARRIVES_WITHIN_S


@pytest.mark.parametrize("status", ["Forbidden", "InternalError", "PartialData"])
def test_a_metric_that_cloudwatch_cannot_read_is_bad_and_says_so(check, system, status):
    system.metric_status = status

    found = check(1, Time())

    assert found.verdict is Verdict.BAD
    assert found.detail == f"0 of 1 after 240 s: CloudWatch could not read all of it ({status}, Try again later.)."


def test_without_a_picture_there_is_nothing_to_measure(check):
    assert check(0, Time()).verdict is Verdict.SKIPPED
