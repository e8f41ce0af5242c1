import pytest

from couch_explorers.checks import Verdict
from couch_explorers.core import errors
from couch_explorers.metrics import review_jobs, series
from couch_explorers.metrics.facts import WORKER, SeriesState
from couch_explorers.metrics.labels import known_reasons
from tests.metrics.rows import lately, row_of

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


def test_reasons_are_told_by_how_often_they_came(frame_of):
    row = failed(frame_of, {60: 9}, {"Throttled": {60: 2}, "Storage": {60: 7}})

    assert "7 Storage and 2 Throttled" in row.reason


# A new dimension takes up to 15 minutes until ListMetrics shows it:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
def test_failures_whose_reason_is_not_listed_yet_are_counted_as_others(frame_of):
    row = failed(frame_of, lately(3), {"ContentFiltered": lately(1)})

    assert "1 ContentFiltered and 2 other reasons" in row.reason
    assert row.verdict == Verdict.BAD


def test_only_the_most_frequent_reasons_are_listed(frame_of):
    names = ["A", "B", "C", "D", "E", "F"]
    row = failed(frame_of, {60: 6}, {name: {60: 1} for name in names})

    assert "1 D and 2 more reasons" in row.reason


def test_a_queue_that_nobody_used_has_no_failed_jobs(frame_of):
    row = row_of(frame_of(calm=False), "failed jobs")

    assert (row.verdict, row.value, row.reason) == (Verdict.OK, 0, "None.")


def test_failed_jobs_that_may_not_be_counted_are_not_none(frame_of):
    row = row_of(frame_of(states={series.FAILED_JOBS: SeriesState.DENIED}), "failed jobs")

    assert row.verdict == Verdict.NO_DATA
    assert row.reason.startswith("Denied: ")


@pytest.mark.parametrize("name", sorted(review_jobs.SENDERS | set(review_jobs.OURS)))
def test_each_reason_that_is_judged_is_one_that_the_worker_gives(name):
    assert name in known_reasons()


def test_a_senders_reason_never_passes_by_itself():
    kinds = {kind.reason: kind for kind in errors.GenerationError.__subclasses__()}

    assert not any(kinds[name].passing for name in review_jobs.SENDERS)


def put_off(frame_of, count, made, **more):
    return row_of(frame_of({series.POSTPONED_JOBS: count, series.pictures(WORKER): made}, **more), "jobs put off")


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
