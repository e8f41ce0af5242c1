"""Judged by the alarm; what the age means by the SQS developer guide, "Available CloudWatch metrics for Amazon SQS":
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import math
from dataclasses import replace

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.core import errors
from couch_explorers.metrics import series
from couch_explorers.metrics.checks import queue
from couch_explorers.metrics.model import WORKER, SeriesState
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
        assert "dead-letter message" in row_of(frame_of(changes), CHECK).reason


def test_a_low_age_is_not_ok_while_dead_letters_lie_there(frame_of):
    row = row_of(frame_of({series.AGE: lately(5), LETTERS: lately(3)}), CHECK)

    assert row.verdict == Verdict.WARN
    assert "3 dead-letter messages, which do not count as waiting" in row.reason
    assert "couch redrive --dry-run" in row.action


def test_a_low_age_proves_nothing_where_the_dead_letters_are_not_known(frame_of):
    row = row_of(frame_of({series.AGE: lately(5)}, states={LETTERS: SeriesState.DENIED}), CHECK)

    assert row.verdict == Verdict.NO_DATA
    assert "Dead-letter queue not known (denied)." in row.reason


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


def test_an_alarm_that_may_not_be_read_is_distinguished_from_one_that_is_not_there(frame_of):
    frame = frame_of(alarms=())
    why = "No right to read the alarms: allow cloudwatch:DescribeAlarms."
    frame.context = replace(frame.context, error_notes={"cloudwatch:DescribeAlarms": why})

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


def test_dead_letters_that_lie_there_now_need_somebody(frame_of):
    row = row_of(frame_of({LETTERS: lately(0, 5, 3)}), "dead-letter queue")

    assert row.verdict == Verdict.BAD
    assert row.value == 5
    assert row.reason == "At most 5 (08:58), 3 at the end."
    assert "`couch redrive --dry-run`" in row.action


def test_dead_letters_that_are_gone_are_a_warning(frame_of):
    row = row_of(frame_of({LETTERS: lately(5, 0)}), "dead-letter queue")

    assert row.verdict == Verdict.WARN
    assert "0 at the end" in row.reason


def test_an_alarm_that_allows_some_dead_letters_is_followed(frame_of, alarms_of):
    alarms = [replace(alarm, threshold=5.0) for alarm in alarms_of()]

    assert row_of(frame_of({LETTERS: lately(5)}, alarms=alarms), "dead-letter queue").verdict == Verdict.WARN
    assert row_of(frame_of({LETTERS: lately(6)}, alarms=alarms), "dead-letter queue").verdict == Verdict.BAD


def test_a_dead_letter_queue_at_rest_is_empty(frame_of):
    row = row_of(frame_of(calm=False), "dead-letter queue")

    assert (row.verdict, row.value, row.before) == (Verdict.OK, 0, 0)


def test_commands_name_the_target_on_aws(frame_of):
    row = row_of(frame_of({LETTERS: lately(1)}, target="aws"), "dead-letter queue")

    assert "`couch redrive --dry-run --target aws --candidate 42`" in row.action


def test_the_alarm_says_whether_its_threshold_is_still_allowed(frame_of, alarms_of):
    at_least = [replace(alarm, threshold=5.0, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of()]

    assert row_of(frame_of({LETTERS: lately(5)}, alarms=at_least), "dead-letter queue").verdict == Verdict.BAD


def backlog(frame_of, visible, sent, deleted, **more):
    return row_of(frame_of({series.VISIBLE: visible, series.SENT: sent, series.DELETED: deleted}, **more), "backlog")


def test_a_backlog_that_does_not_drain_needs_somebody(frame_of):
    row = backlog(frame_of, lately(10, 20, 30, 40, 50), lately(10, 10, 10, 10, 10), None)

    assert row.verdict == Verdict.BAD
    assert "not draining: none is deleted" in row.reason
    assert "/aws/lambda/couch-explorers-42-worker" in row.action


def test_a_backlog_that_gets_no_smaller_does_not_drain(frame_of):
    row = backlog(frame_of, lately(50, 50, 50, 50, 50), lately(10, 10, 10, 10, 10), lately(10, 10, 10, 10, 10))

    assert row.verdict == Verdict.BAD
    assert "no more are deleted than sent" in row.reason


def test_a_backlog_that_drains_before_the_age_alarm_would_ring_is_ok(frame_of):
    row = backlog(frame_of, lately(90, 80, 70, 60, 50), lately(0, 0, 0, 0, 0), lately(20, 20, 20, 20, 20))

    assert row.verdict == Verdict.OK
    assert "draining in 150 s, 50 % of the 300 s that a job may wait" in row.reason


def test_a_backlog_that_drains_too_slowly_is_a_warning(frame_of):
    row = backlog(frame_of, lately(90, 88, 86, 84, 82), lately(8, 8, 8, 8, 8), lately(10, 10, 10, 10, 10))

    assert row.verdict == Verdict.WARN
    assert "draining in 2,460 s, 8.2 times the 300 s that a job may wait" in row.reason


def test_without_the_age_alarm_a_backlog_has_no_line_to_drain_by(frame_of):
    row = backlog(frame_of, lately(90, 88, 86, 84, 82), lately(8, 8, 8, 8, 8), lately(10, 10, 10, 10, 10), alarms=())

    assert row.verdict == Verdict.OK
    assert row.reason.endswith("draining in 2,460 s.")


def test_jobs_that_pass_through_within_a_minute_are_no_backlog(frame_of):
    # A busy worker: each count meets one job on its way, and what comes also goes.
    row = backlog(frame_of, lately(1, 1, 1, 1, 1), lately(30, 30, 30, 30, 30), lately(30, 30, 30, 30, 30))

    assert row.verdict == Verdict.OK
    assert "passing through" in row.reason


def test_jobs_that_were_last_counted_long_ago_may_wait_or_not(frame_of):
    row = backlog(frame_of, {10: 5}, {10: 5}, None)

    assert row.verdict == Verdict.NO_DATA
    assert row.reason == "At most 5 (09:10); 5 when last measured, 09:10; whether they still wait is not known."
    assert row.action == "Run the review again in a minute."


def test_a_queue_that_was_last_counted_empty_long_ago_is_at_rest(frame_of):
    assert backlog(frame_of, {10: 5, 11: 0}, {10: 5}, {11: 5}).verdict == Verdict.OK


def test_a_queue_at_rest_has_no_backlog(frame_of):
    row = row_of(frame_of(calm=False), "backlog")

    assert (row.verdict, row.value, row.reason) == (Verdict.OK, 0, "No job waited.")


def test_a_backlog_is_not_judged_without_what_was_sent_and_deleted(frame_of):
    denied = backlog(frame_of, lately(5), None, None, states={series.SENT: SeriesState.DENIED})
    missing = backlog(frame_of, lately(5), None, None, states={series.DELETED: SeriesState.MISSING})

    assert (denied.verdict, missing.verdict) == (Verdict.NO_DATA, Verdict.NO_DATA)
    assert "Denied: whether it drains" in denied.reason
    assert "Missing: whether it drains" in missing.reason


def test_a_queue_that_is_not_deployed_is_reported_with_the_command_that_does_it(frame_of):
    states = {series.VISIBLE: SeriesState.MISSING, LETTERS: SeriesState.MISSING}

    for check in ("backlog", "dead-letter queue"):
        row = row_of(frame_of(states=states), check)
        assert row.verdict == Verdict.NO_DATA
        assert row.reason.startswith("Missing: ")
        assert row.action.startswith("Run `couch up`")
    assert "terraform apply" in row_of(frame_of(states=states, target="aws"), "backlog").action


def test_an_answer_cut_short_without_a_point_is_no_empty_queue(frame_of):
    row = row_of(frame_of({series.VISIBLE: None}, states={series.VISIBLE: SeriesState.PARTIAL}), "backlog")

    assert row.verdict == Verdict.NO_DATA
    assert row.reason.startswith("Partial: ")


CALM = {series.FAILED_JOBS: None}


def failed(frame_of, total, by_reason, **more):
    changes = {series.FAILED_JOBS: total} | {series.failed_jobs(name): points for name, points in by_reason.items()}
    return row_of(frame_of(changes, reasons=tuple(by_reason), **more), "failed jobs")


def test_a_job_that_failed_just_now_for_a_reason_of_ours_needs_somebody(frame_of):
    row = failed(frame_of, lately(1), {"AccessDenied": lately(1)})

    assert row.verdict == Verdict.BAD
    assert "1 AccessDenied" in row.reason
    assert "the last 08:59" in row.reason.lower()
    assert "model_arns" in row.action


def test_a_job_that_failed_hours_ago_is_a_warning(frame_of):
    assert failed(frame_of, {600: 2}, {"AccessDenied": {600: 2}}).verdict == Verdict.WARN


def test_a_job_that_fails_by_its_senders_own_fault_wakes_nobody(frame_of):
    row = failed(frame_of, lately(1), {"ContentFiltered": lately(1)})

    assert row.verdict == Verdict.WARN
    assert "The senders' own" in row.action


def test_who_is_woken_goes_by_what_failed_just_now_and_not_by_what_failed_last_night(frame_of):
    last_night, just_now = {60: 3}, lately(1)
    theirs_now = {"Throttled": last_night, "ContentFiltered": just_now}
    ours_now = {"ContentFiltered": last_night, "Throttled": just_now}

    assert failed(frame_of, last_night | just_now, theirs_now).verdict == Verdict.WARN
    assert failed(frame_of, last_night | just_now, ours_now).verdict == Verdict.BAD
    assert "3 Throttled and 1 ContentFiltered" in failed(frame_of, last_night | just_now, theirs_now).reason


def test_reasons_are_sorted_by_how_often_they_came(frame_of):
    row = failed(frame_of, {60: 9}, {"Throttled": {60: 2}, "Storage": {60: 7}})

    assert "7 Storage and 2 Throttled" in row.reason


# A new dimension takes up to 15 minutes until ListMetrics shows it:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
def test_failures_whose_reason_is_not_listed_yet_are_counted_as_others(frame_of):
    row = failed(frame_of, lately(3), {"ContentFiltered": lately(1)})

    assert "1 ContentFiltered and 2 other reasons" in row.reason
    assert row.verdict == Verdict.BAD


def test_only_the_most_frequent_reasons_are_listed(frame_of):
    names = ["A", "B", "C", "D", "E", "F", "G", "H"]
    row = failed(frame_of, {60: 9}, {name: {60: 1} for name in names})

    # Two of the rare ones, and one that is not listed yet.
    assert "1 F and 3 other reasons" in row.reason
    assert "1 F and 3 other reasons" in row.caption


def test_a_queue_that_nobody_used_has_no_failed_jobs(frame_of):
    row = row_of(frame_of(calm=False), "failed jobs")

    assert (row.verdict, row.value, row.reason) == (Verdict.OK, 0, "None.")


def test_failed_jobs_that_may_not_be_counted_are_not_none(frame_of):
    row = row_of(frame_of(states={series.FAILED_JOBS: SeriesState.DENIED}), "failed jobs")

    assert row.verdict == Verdict.NO_DATA
    assert row.reason.startswith("Denied: ")


@pytest.mark.parametrize("name", sorted(queue.ACTIONS))
def test_each_reason_that_is_judged_is_one_that_the_worker_gives(name):
    assert name in errors.reasons()


def test_a_senders_reason_never_passes_by_itself():
    kinds = {kind.reason: kind for kind in errors.GenerationError.__subclasses__()}

    assert not any(kinds[name].passing for name in errors.client_reasons())


def put_off(frame_of, count, made, **more):
    return row_of(frame_of({series.POSTPONED_JOBS: count, series.pictures(WORKER): made}, **more), "postponed jobs")


def test_one_delivery_in_ten_put_off_is_still_ok(frame_of):
    assert put_off(frame_of, {60: 10}, {60: 90}).verdict == Verdict.OK


def test_more_than_one_delivery_in_ten_put_off_is_a_warning_and_never_bad(frame_of):
    row = put_off(frame_of, lately(40), lately(60))

    assert (row.verdict, row.value, row.unit) == (Verdict.WARN, 40, "%")
    assert "Job postponed" in row.action


def test_a_few_deliveries_put_off_say_nothing_as_a_share(frame_of):
    assert put_off(frame_of, {60: 4}, None).verdict == Verdict.OK


def test_nothing_put_off_is_ok_though_nothing_was_made(frame_of):
    row = put_off(frame_of, None, None, calm=False)

    assert (row.verdict, row.value, row.before) == (Verdict.OK, 0, 0)
