"""Alarms and their history by https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html."""

from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import surroundings_alarms
from couch_explorers.metrics.facts import Alarm, Window
from tests.metrics.fake_aws import alarm

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
START = END - timedelta(hours=24)
WINDOW = Window("now", START, END)


def at(hour):
    return START + timedelta(hours=hour)


def rang(*changes, state="OK", since=None):
    standing = Alarm("couch-explorers-42-dead-letters", "dead-letters", 0.0, state, "", since, 60)
    return list(surroundings_alarms.rang([(at(hour), old, new) for hour, old, new in changes], standing, WINDOW))


def test_an_alarm_rang_from_its_change_to_alarm_until_its_change_back():
    changes = (2, "OK", "ALARM"), (3, "ALARM", "OK"), (5, "OK", "ALARM"), (6, "ALARM", "INSUFFICIENT_DATA")

    assert rang(*changes) == [(at(2), at(3)), (at(5), at(6))]


def test_an_alarm_that_still_rings_rang_until_the_windows_end():
    assert rang((20, "OK", "ALARM"), state="ALARM") == [(at(20), END)]


def test_an_alarm_that_rang_already_rang_from_the_windows_start():
    assert rang((1, "ALARM", "OK")) == [(START, at(1))]


def test_an_alarm_that_has_rung_all_the_time_has_no_change_to_show():
    assert rang(state="ALARM", since=START - timedelta(days=3)) == [(START, END)]


def test_an_alarm_that_began_to_ring_after_a_past_window_did_not_ring_in_it():
    assert rang((30, "OK", "ALARM"), state="ALARM") == []
    assert rang(state="ALARM", since=END + timedelta(hours=2)) == []


def test_a_change_after_a_past_window_tells_how_the_alarm_stood_at_its_end():
    assert rang((23, "OK", "ALARM"), (30, "ALARM", "OK")) == [(at(23), END)]
    assert rang((30, "ALARM", "OK")) == [(START, END)]


def test_a_quiet_alarm_did_not_ring():
    assert rang() == []
    assert rang((3, "INSUFFICIENT_DATA", "OK")) == []


def test_an_alarm_is_read_with_its_threshold_and_its_short_name(aws):
    since = datetime(2026, 11, 25, 7, tzinfo=UTC)
    ours = alarm("oldest-message-age", threshold=300.0, state="ALARM", since=since)
    aws.alarms = [ours | {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, {"AlarmName": "another"}]

    (found,) = surroundings_alarms.deployed(aws.client("cloudwatch"), "42")

    assert (found.short_name, found.threshold, found.state, found.since) == (
        "oldest-message-age",
        300.0,
        "ALARM",
        since,
    )
    assert (found.period_s, found.actions_enabled) == (60, True)
    assert found.comparison == "GreaterThanOrEqualToThreshold"


def test_an_alarm_on_a_band_has_no_threshold_that_anything_could_cross(aws):
    band = alarm("latency-band") | {"ComparisonOperator": "GreaterThanUpperThreshold"}
    del band["Threshold"]
    aws.alarms = [band]

    (found,) = surroundings_alarms.deployed(aws.client("cloudwatch"), "42")

    assert not found.line.is_crossed(1e9)


def test_the_history_is_asked_for_one_alarm_from_the_windows_start(aws):
    aws.alarms = [alarm("dead-letters")]
    aws.changes = {
        "couch-explorers-42-dead-letters": [(at(-5), "OK", "ALARM"), (at(1), "ALARM", "OK"), (at(2), "OK", "ALARM")]
    }
    (found,) = surroundings_alarms.deployed(aws.client("cloudwatch"), "42")

    found = surroundings_alarms.with_history(aws.client("cloudwatch"), found, WINDOW)

    assert found.rang == ((START, at(1)), (at(2), END))
    (asked,) = aws.calls("DescribeAlarmHistory")
    assert (asked["AlarmName"], asked["StartDate"]) == ("couch-explorers-42-dead-letters", START)


@pytest.mark.parametrize("data", ["", "no json", "{}", '{"oldState": 1}'])
def test_a_change_whose_data_cannot_be_read_is_told_by_its_summary(data):
    item = {"Timestamp": at(1), "HistorySummary": "Alarm updated from OK to ALARM", "HistoryData": data}

    assert surroundings_alarms._change(item) == (at(1), "OK", "ALARM")
    assert surroundings_alarms._change(item | {"HistorySummary": "Something else"}) is None
