"""Judged by the alarm; what the age means by the SQS developer guide, "Available CloudWatch metrics for Amazon SQS":
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import math
from dataclasses import replace

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import SeriesState
from tests.metrics.rows import lately, row_of

CHECK = "oldest job waiting"
LETTERS = series.DEAD_LETTERS_VISIBLE


def test_a_job_that_waits_longer_than_the_alarm_allows_needs_somebody_now(frame_of):
    row = row_of(frame_of({series.AGE: lately(200, 400, 640)}), CHECK)

    assert row.verdict == Verdict.BAD
    assert (row.value, row.threshold, row.unit) == (640, 300, "s")
    assert "2.1 times the alarm's 300 s; 640 s at the end" in row.reason
    assert "maximum_concurrency (8)" in row.action


def test_a_job_that_waited_too_long_and_does_no_more_is_a_warning(frame_of):
    row = row_of(frame_of({series.AGE: lately(640, 20)}), CHECK)

    assert row.verdict == Verdict.WARN
    assert "20 s at the end" in row.reason


def test_the_threshold_is_the_alarms_own(frame_of, alarms_of):
    ages = {series.AGE: lately(150)}

    assert row_of(frame_of(ages, alarms=alarms_of(threshold_s=100)), CHECK).verdict == Verdict.BAD
    assert row_of(frame_of(ages, alarms=alarms_of(threshold_s=150)), CHECK).verdict == Verdict.OK


def test_the_alarm_says_whether_its_threshold_itself_is_too_long(frame_of, alarms_of):
    at_least = [replace(alarm, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of()]

    assert row_of(frame_of({series.AGE: lately(300)}), CHECK).verdict == Verdict.OK
    assert row_of(frame_of({series.AGE: lately(300)}, alarms=at_least), CHECK).verdict == Verdict.BAD


def test_the_dead_letters_stand_in_every_reason(frame_of):
    for changes in ({}, {series.AGE: lately(640)}, {series.AGE: None, series.VISIBLE: None}, {LETTERS: lately(2)}):
        assert "dead letter" in row_of(frame_of(changes), CHECK).reason


def test_a_low_age_is_not_ok_while_dead_letters_lie_there(frame_of):
    row = row_of(frame_of({series.AGE: lately(5), LETTERS: lately(3)}), CHECK)

    assert row.verdict == Verdict.WARN
    assert "3 dead letters, which do not count as waiting" in row.reason
    assert "couch redrive --dry-run" in row.action


def test_a_low_age_proves_nothing_where_the_dead_letters_are_not_known(frame_of):
    row = row_of(frame_of({series.AGE: lately(5)}, states={LETTERS: SeriesState.DENIED}), CHECK)

    assert row.verdict == Verdict.NO_DATA
    assert "Dead letters not known (denied)." in row.reason


def test_a_high_age_is_bad_whatever_is_known_of_the_dead_letters(frame_of):
    row = row_of(frame_of({series.AGE: lately(640)}, states={LETTERS: SeriesState.DENIED}), CHECK)

    assert row.verdict == Verdict.BAD


# "A queue stays active for up to six hours from the last activity (for example, any API call or action)", and one that
# holds messages is active.
def test_a_queue_that_gives_no_age_was_empty(frame_of):
    row = row_of(frame_of(calm=False), CHECK)

    assert row.verdict == Verdict.OK
    assert row.value == 0
    assert row.reason.startswith("No job waited: SQS gives no age")


def test_a_queue_that_counted_jobs_but_gave_no_age_is_not_known(frame_of):
    row = row_of(frame_of({series.AGE: None, series.VISIBLE: lately(4)}), CHECK)

    assert row.verdict == Verdict.NO_DATA
    assert math.isnan(row.value)


def test_without_the_alarm_nobody_says_what_is_too_long(frame_of):
    row = row_of(frame_of(alarms=()), CHECK)

    assert row.verdict == Verdict.NO_DATA
    assert "no alarm says from when on that is too long" in row.reason
    assert "couch up" in row.action


def test_an_alarm_on_a_band_does_not_say_what_is_too_long(frame_of, alarms_of):
    band = [replace(alarm, threshold=math.nan, comparison="GreaterThanUpperThreshold") for alarm in alarms_of()]

    assert row_of(frame_of(alarms=band), CHECK).verdict == Verdict.NO_DATA


def test_an_alarm_that_may_not_be_read_is_told_from_one_that_is_not_there(frame_of):
    frame = frame_of(alarms=())
    why = "No right to read the alarms: allow cloudwatch:DescribeAlarms."
    frame.attrs["facts"] = replace(frame.attrs["facts"], unanswered={"cloudwatch:DescribeAlarms": why})

    assert row_of(frame, CHECK).action == why


def test_half_an_answer_proves_trouble_but_not_health(frame_of):
    cut = {series.AGE: SeriesState.PARTIAL}

    healthy = row_of(frame_of({series.AGE: lately(5)}, states=cut), CHECK)
    trouble = row_of(frame_of({series.AGE: lately(640)}, states=cut), CHECK)

    assert (healthy.verdict, trouble.verdict) == (Verdict.NO_DATA, Verdict.BAD)
    assert "only a part" in healthy.reason
    assert "only a part" in trouble.reason


def test_an_age_measured_long_ago_says_when(frame_of):
    row = row_of(frame_of({series.AGE: {600: 640}}), CHECK)

    assert row.verdict == Verdict.BAD
    assert "640 s when last measured, 19:00" in row.reason


def test_the_age_is_compared_with_the_highest_of_the_window_before(frame_of):
    frame = frame_of({series.AGE: lately(100)}, before={series.AGE: lately(200, 50)})

    row = row_of(frame, CHECK)

    assert (row.before, row.change) == (200, "\u221250 %")
