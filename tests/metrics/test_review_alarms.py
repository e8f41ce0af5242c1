"""Alarm states and history as CloudWatch gives them:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from dataclasses import replace
from datetime import timedelta

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.smoke.alarms import ALARM_NAMES
from tests.metrics.believable import END
from tests.metrics.rows import row_of

MINUTE = timedelta(minutes=1)


def with_facts(frame, **changes):
    frame.attrs["facts"] = replace(frame.attrs["facts"], **changes)
    return frame


def test_an_alarm_that_rings_needs_somebody_now(frame_of, alarms_of):
    rang = {"dead-letters": [(END - 30 * MINUTE, END)]}
    alarms = alarms_of(states={"dead-letters": "ALARM"}, rang=rang)

    row = row_of(frame_of(alarms=alarms), "alarms")

    assert row.verdict == Verdict.BAD
    assert (row.value, row.reason) == (1, "Ringing: dead-letters since 08:30.")
    assert "`couch inbox`" in row.action


def test_an_alarm_that_rang_and_is_quiet_again_is_a_warning(frame_of, alarms_of):
    rang = {"failed-jobs": [(END - 90 * MINUTE, END - 80 * MINUTE), (END - 30 * MINUTE, END - 20 * MINUTE)]}

    row = row_of(frame_of(alarms=alarms_of(rang=rang)), "alarms")

    assert row.verdict == Verdict.WARN
    assert row.reason == "Rang: failed-jobs 07:30\u201307:40 and 08:30\u201308:40."


def test_an_alarm_that_rang_often_is_not_listed_at_length(frame_of, alarms_of):
    rang = {
        "failed-jobs": [(END - number * 20 * MINUTE, END - number * 20 * MINUTE + MINUTE) for number in (6, 5, 4, 3)]
    }

    row = row_of(frame_of(alarms=alarms_of(rang=rang)), "alarms")

    assert "failed-jobs 4 times, last 08:00\u201308:01" in row.reason


def test_alarms_are_told_in_the_order_in_which_they_rang(frame_of, alarms_of):
    rang = {
        "dead-letters": [(END - 20 * MINUTE, END - 10 * MINUTE)],
        "worker-errors": [(END - 30 * MINUTE, END - 25 * MINUTE)],
    }

    row = row_of(frame_of(alarms=alarms_of(rang=rang)), "alarms")

    assert row.reason == "Rang: worker-errors 08:30\u201308:35; dead-letters 08:40\u201308:50."


def test_quiet_alarms_are_ok(frame_of):
    row = row_of(frame_of(), "alarms")

    assert (row.verdict, row.reason) == (Verdict.OK, "None of 4 rings, and none rang.")


def test_an_alarm_that_tells_nobody_is_a_warning(frame_of, alarms_of):
    alarms = [replace(alarm, actions_enabled=alarm.short_name != "dead-letters") for alarm in alarms_of()]

    row = row_of(frame_of(alarms=alarms), "alarms")

    assert row.verdict == Verdict.WARN
    assert "Switched off, so that nobody is told: dead-letters." in row.reason


def test_a_missing_alarm_is_named(frame_of, alarms_of):
    row = row_of(frame_of(alarms=[each for each in alarms_of() if each.short_name != ALARM_NAMES[0]]), "alarms")

    assert row.verdict == Verdict.WARN
    assert f"Not deployed: {ALARM_NAMES[0]}." in row.reason


def test_an_alarm_without_data_is_a_warning_once_it_is_no_new_one(frame_of, alarms_of):
    def row_with(since):
        blind = [replace(alarm, state="INSUFFICIENT_DATA", since=since) for alarm in alarms_of()]
        return row_of(frame_of(alarms=blind), "alarms")

    assert row_with(END - 2 * MINUTE).verdict == Verdict.OK
    assert row_with(END - 60 * MINUTE).verdict == Verdict.WARN
    assert "without data to judge by" in row_with(END - 60 * MINUTE).reason.lower()


def test_alarms_that_may_not_be_read_are_not_known(frame_of):
    why = "No right to read the alarms: allow cloudwatch:DescribeAlarms."
    row = row_of(with_facts(frame_of(alarms=()), unanswered={"cloudwatch:DescribeAlarms": why}), "alarms")

    assert (row.verdict, row.action) == (Verdict.NO_DATA, why)
    assert row.reason.startswith("Denied: ")


def test_a_history_that_may_not_be_read_leaves_open_whether_one_rang(frame_of):
    why = "No right to read the alarms' history: allow cloudwatch:DescribeAlarmHistory."
    row = row_of(with_facts(frame_of(), unanswered={"cloudwatch:DescribeAlarmHistory": why}), "alarms")

    assert row.verdict == Verdict.NO_DATA
    assert "whether one rang is not known" in row.reason


def test_a_queue_without_alarms_is_a_warning_and_without_a_queue_there_are_none(frame_of):
    facts = frame_of().attrs["facts"]
    gone = {line.key: SeriesState.MISSING for line in facts.series if line.resource == "queue"}

    assert row_of(frame_of(alarms=()), "alarms").verdict == Verdict.WARN
    assert "nobody would be told" in row_of(frame_of(alarms=()), "alarms").reason
    assert row_of(frame_of(alarms=(), states=gone), "alarms").verdict == Verdict.NO_DATA


def test_a_window_of_the_past_tells_how_the_alarms_stood_at_its_end(frame_of, alarms_of):
    later = END + timedelta(days=3)
    rings_today = with_facts(frame_of(alarms=alarms_of(states={"dead-letters": "ALARM"})), fetched=later)
    rang_then = with_facts(frame_of(alarms=alarms_of(rang={"dead-letters": [(END - 9 * MINUTE, END)]})), fetched=later)

    assert row_of(rings_today, "alarms").verdict == Verdict.OK
    assert row_of(rang_then, "alarms").verdict == Verdict.BAD


def test_the_state_before_a_denied_history_is_told_by_its_change(frame_of, alarms_of):
    alarms = [replace(alarm, since=END - 12 * MINUTE) for alarm in alarms_of(states={"dead-letters": "ALARM"})]

    assert row_of(frame_of(alarms=alarms), "alarms").reason == "Ringing: dead-letters since 08:48."


def test_no_series_is_needed_to_know_the_alarms(frame_of):
    row = row_of(frame_of(states={series.AGE: SeriesState.DENIED}), "alarms")

    assert row.verdict == Verdict.OK
