"""What is made of CloudWatch's figures; the meaning of each by the pages named in couch_explorers/metrics/series.py."""

import math
from dataclasses import replace

import pytest

from couch_explorers.metrics import series, statistics
from couch_explorers.metrics.model import API_FUNCTION, WORKER, LogSummary, SeriesState
from couch_explorers.metrics.statistics import Flow
from tests.metrics.rows import lately

P95 = series.duration(WORKER, "p95")


def test_nothing_measured_sums_up_to_zero_and_nothing_known_to_nothing(frame_of):
    idle = frame_of(calm=False)
    denied = frame_of(states={series.SENT: SeriesState.DENIED})

    assert statistics.total(idle, series.SENT) == 0
    assert math.isnan(statistics.total(denied, series.SENT))


# "Invocations aren't recorded if the invocation request is throttled":
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
def test_a_throttled_call_is_no_invocation_so_both_make_up_the_whole(frame_of):
    frame = frame_of({series.throttles(WORKER): {3: 25}, series.invocations(WORKER): {3: 75}})

    assert statistics.throttle_share(frame, WORKER) == pytest.approx(0.25)


def test_calls_that_were_all_throttled_are_a_share_of_one(frame_of):
    frame = frame_of({series.throttles(WORKER): {3: 25}}, calm=False)

    assert statistics.throttle_share(frame, WORKER) == 1


def queue(frame_of, visible, sent, deleted, **more):
    changes = {series.VISIBLE: visible, series.SENT: sent, series.DELETED: deleted}
    return statistics.drain(frame_of(changes, calm=False, **more))


def test_drain_time_is_visible_by_deleted_minus_sent_a_second(frame_of):
    drain = queue(frame_of, lately(90, 80, 70, 60, 50), lately(5, 5, 5, 5, 5), lately(15, 15, 15, 15, 15))

    assert drain.flow is Flow.DRAINING
    assert drain.seconds == pytest.approx(50 / (50 / 300))
    assert drain.persists


def test_a_queue_that_loses_no_more_than_it_gets_does_not_drain(frame_of):
    drain = queue(frame_of, lately(10, 10, 10, 10, 10), lately(5, 5, 5, 5, 5), lately(5, 5, 5, 5, 5))

    assert (drain.flow, drain.seconds) == (Flow.NOT_DRAINING, None)
    assert drain.wait_s == pytest.approx(10 / (25 / 300))


def test_a_job_in_a_queue_that_serves_nobody_waits_for_ever(frame_of):
    assert queue(frame_of, lately(1, 2, 3, 4, 5), lately(1, 1, 1, 1, 1), None).wait_s == math.inf


def test_an_empty_queue_has_nothing_to_drain(frame_of):
    assert queue(frame_of, lately(9, 0), lately(5, 5), lately(5, 5)).flow is Flow.EMPTY
    assert queue(frame_of, None, None, None).flow is Flow.EMPTY


def test_only_the_last_five_minutes_tell_whether_a_queue_drains(frame_of):
    sent = lately(1000, 0, 0, 0, 0, 0)
    deleted = lately(10, 10, 10, 10, 10, 10)

    assert queue(frame_of, lately(990, 980, 970, 960, 950, 940), sent, deleted).flow is Flow.DRAINING


def test_a_backlog_that_was_gone_in_between_does_not_stand(frame_of):
    assert not queue(frame_of, lately(1, 0, 0, 2, 1), lately(1, 1, 1, 1, 1), lately(1, 1, 1, 1, 1)).persists


def test_the_first_jobs_of_a_queue_at_rest_are_no_standing_backlog(frame_of):
    assert not queue(frame_of, lately(2, 2), lately(2, 0), None).persists
    assert queue(frame_of, lately(2, 2, 2), lately(2, 0, 0), None).persists


def test_one_count_is_enough_where_a_period_is_long(frame_of):
    assert queue(frame_of, {47: 5}, None, None, hours=48, period_s=3600).persists


def test_a_count_that_stopped_is_judged_as_it_stood_then(frame_of):
    drain = queue(frame_of, {600: 30, 601: 20, 602: 10}, {600: 0}, {600: 10, 601: 10, 602: 10})

    assert drain.flow is Flow.DRAINING
    assert drain.seconds == pytest.approx(10 / (30 / 300))


def test_without_what_was_sent_nobody_knows_whether_a_backlog_drains(frame_of):
    drain = queue(frame_of, lately(5), None, None, states={series.SENT: SeriesState.DENIED})

    assert drain.flow is Flow.UNKNOWN


def test_the_worst_percentile_is_that_of_the_worst_period_with_enough_runs(frame_of):
    # Hour 2 is worst but has 19 runs; hour 1 has 20.
    runs = {60: 20, 120: 19, 180: 500}
    frame = frame_of({series.invocations(WORKER): runs, P95: {1: 9000, 2: 50_000, 3: 8000}})

    worst = statistics.worst_percentile(frame, P95)

    assert (worst.value, worst.samples) == (9000, 20)
    assert worst.start == frame.context.window().start.replace(hour=9)


def test_a_p99_needs_a_hundred_runs(frame_of):
    key = series.duration(WORKER, "p99")
    few = frame_of({series.invocations(WORKER): {0: 99}, key: {0: 9000}})
    enough = frame_of({series.invocations(WORKER): {0: 60, 59: 40}, key: {0: 9000}})

    assert statistics.worst_percentile(few, key).value is None
    assert statistics.worst_percentile(few, key).samples == 99
    assert statistics.worst_percentile(enough, key).value == 9000


def test_a_percentile_of_the_api_counts_requests(frame_of):
    key = series.api_latency("p95")
    frame = frame_of({series.API_COUNT: {0: 20}, key: {0: 9000}}, calm=False)

    assert statistics.worst_percentile(frame, key).samples == 20


def test_only_periods_from_a_time_on_are_looked_at_when_asked(frame_of):
    frame = frame_of({series.invocations(WORKER): {0: 50, 60: 50}, P95: {0: 9000, 1: 5000}})
    begin = frame.context.window().start.replace(hour=9)

    assert statistics.worst_percentile(frame, P95, since=begin).value == 5000


def test_a_percentile_whose_runs_were_not_counted_has_no_worst_period(frame_of):
    worst = statistics.worst_percentile(frame_of({P95: {1: 9000}, series.invocations(WORKER): None}), P95)

    assert worst.value is None
    assert math.isnan(worst.samples)


def test_a_percentile_without_points_has_no_samples(frame_of):
    assert statistics.worst_percentile(frame_of(calm=False), P95) == statistics.Percentile(None, None, None, 0)


def test_shares_are_of_the_functions_own_limits(frame_of):
    facts = frame_of().context

    assert statistics.share_of_timeout(facts, WORKER, 45_000) == pytest.approx(0.75)
    assert statistics.memory_share(facts, WORKER) == pytest.approx(131 / 512)
    assert statistics.cold_start_share(facts, API_FUNCTION) == pytest.approx(4 / 160)


def test_what_no_log_and_no_function_tells_is_not_known(frame_of):
    facts = replace(frame_of().context, functions=(), logs=(LogSummary(WORKER, 3, complete=True),))

    assert math.isnan(statistics.share_of_timeout(facts, WORKER, 45_000))
    assert math.isnan(statistics.memory_share(facts, WORKER))
    assert math.isnan(statistics.cold_start_share(facts, WORKER))
    assert math.isnan(statistics.cold_start_share(facts, API_FUNCTION))
