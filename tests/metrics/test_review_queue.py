"""Dead letters and backlog, by the SQS developer guide, "Available CloudWatch metrics for Amazon SQS":
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from dataclasses import replace

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import SeriesState
from tests.metrics.rows import lately, row_of

LETTERS = series.DEAD_LETTERS_VISIBLE


def test_dead_letters_that_lie_there_now_need_somebody(frame_of):
    row = row_of(frame_of({LETTERS: lately(0, 5, 3)}), "dead letters")

    assert row.verdict == Verdict.BAD
    assert row.value == 5
    assert row.reason == "At most 5 (08:58), 3 at the end."
    assert "`couch redrive --dry-run`" in row.action


def test_dead_letters_that_are_gone_are_a_warning(frame_of):
    row = row_of(frame_of({LETTERS: lately(5, 0)}), "dead letters")

    assert row.verdict == Verdict.WARN
    assert "0 at the end" in row.reason


def test_an_alarm_that_allows_some_dead_letters_is_followed(frame_of, alarms_of):
    alarms = [replace(alarm, threshold=5.0) for alarm in alarms_of()]

    assert row_of(frame_of({LETTERS: lately(5)}, alarms=alarms), "dead letters").verdict == Verdict.WARN
    assert row_of(frame_of({LETTERS: lately(6)}, alarms=alarms), "dead letters").verdict == Verdict.BAD


def test_a_dead_letter_queue_at_rest_is_empty(frame_of):
    row = row_of(frame_of(calm=False), "dead letters")

    assert (row.verdict, row.value, row.before) == (Verdict.OK, 0, 0)


def test_commands_name_the_target_on_aws(frame_of):
    row = row_of(frame_of({LETTERS: lately(1)}, target="aws"), "dead letters")

    assert "`couch redrive --dry-run --target aws --candidate 42`" in row.action


def test_the_alarm_says_whether_its_threshold_is_still_allowed(frame_of, alarms_of):
    at_least = [replace(alarm, threshold=5.0, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of()]

    assert row_of(frame_of({LETTERS: lately(5)}, alarms=at_least), "dead letters").verdict == Verdict.BAD


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


def test_a_queue_that_is_not_deployed_is_told_with_the_command_that_does_it(frame_of):
    states = {series.VISIBLE: SeriesState.MISSING, LETTERS: SeriesState.MISSING}

    for check in ("backlog", "dead letters"):
        row = row_of(frame_of(states=states), check)
        assert row.verdict == Verdict.NO_DATA
        assert row.reason.startswith("Missing: ")
        assert row.action.startswith("Run `couch up`")
    assert "terraform apply" in row_of(frame_of(states=states, target="aws"), "backlog").action


def test_an_answer_cut_short_without_a_point_is_no_empty_queue(frame_of):
    row = row_of(frame_of({series.VISIBLE: None}, states={series.VISIBLE: SeriesState.PARTIAL}), "backlog")

    assert row.verdict == Verdict.NO_DATA
    assert row.reason.startswith("Partial: ")
