"""The share attained is good of all valid requests: what ends without a picture, and what still waits, is a miss."""

import math
from datetime import timedelta

import pytest

from couch_explorers.metrics import objectives, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.objective import API_OBJECTIVE, BURN_ALERTS, QUEUE_OBJECTIVE, Attainment
from tests.metrics.believable import END

MADE = series.time_to_picture(WORKER, "SampleCount")
IN_TIME = series.within_objective(WORKER, QUEUE_OBJECTIVE)
API_MADE = series.time_to_picture(API_FUNCTION, "SampleCount")
API_IN_TIME = series.within_objective(API_FUNCTION, API_OBJECTIVE)
LAST = 24 * 60 - 1


@pytest.fixture
def attained(frame_of):
    """Count what became of the requests of a path, in a day of which only these series have values."""

    def count(now, resource=WORKER):
        return objectives.attainment(frame_of(now, calm=False), resource)

    return count


def test_the_percentile_rank_of_each_period_counts_by_its_pictures(attained):
    assert attained({MADE: {0: 10, 5: 30}, IN_TIME: {0: 50.0, 5: 100.0}}) == Attainment(good=35, late=5)


def test_a_rank_is_asked_for_in_milliseconds():
    assert IN_TIME == (WORKER, "TimeToPicture", "PR(:60000)")
    assert API_IN_TIME == (API_FUNCTION, "TimeToPicture", "PR(:20000)")


def test_permanent_failures_are_misses_but_blocked_and_invalid_prompts_are_not_counted(attained):
    found = attained(
        {
            MADE: {0: 90},
            IN_TIME: {0: 100.0},
            series.FAILED_JOBS: {3: 14},
            series.failed_jobs("ContentFiltered"): {3: 3},
            series.failed_jobs("InvalidRequest"): {3: 1},
            series.failed_jobs("Throttled"): {3: 10},
        }
    )

    assert found == Attainment(good=90, failed=10, excluded=4)
    assert found.share == 0.9


def test_jobs_that_sqs_moved_to_the_dead_letters_after_crashes_are_misses(attained):
    found = attained(
        {
            series.FAILED_JOBS: {10: 2},
            # Two of the five are the worker's own; what lies there is redriven later.
            series.DEAD_LETTERS_VISIBLE: {9: 0, 10: 2, 11: 5, 600: 0},
        }
    )

    assert found.failed == 5


def test_in_a_complete_outage_the_share_falls_to_0(attained):
    """Workers that crash publish nothing: no picture, no failure. The queue still knows how many wait."""
    found = attained(
        {
            series.SENT: dict.fromkeys(range(LAST - 30, LAST + 1), 2),
            series.VISIBLE: {LAST: 50},
            series.IN_FLIGHT: {LAST: 12},
        }
    )

    # The two of the last minute may still make it.
    assert found == Attainment(overdue=60)
    assert found.share == 0.0


def test_in_a_complete_outage_of_the_api_the_share_falls_to_0(attained):
    found = attained({series.API_COUNT: {0: 8}, series.API_5XX: {0: 8}}, API_FUNCTION)

    assert found.share == 0.0


def test_jobs_that_were_sent_within_the_objective_are_not_overdue(attained):
    found = attained({MADE: {LAST: 4}, IN_TIME: {LAST: 100.0}, series.SENT: {LAST: 7}, series.VISIBLE: {LAST: 6}})

    assert found == Attainment(good=4)


def test_a_depth_of_long_ago_says_nothing_about_the_end(attained):
    assert attained({series.VISIBLE: {LAST - 60: 9}}).overdue == 0


def test_refused_requests_of_the_api_are_misses_beside_those_that_are_the_clients(attained):
    found = attained(
        {
            API_MADE: {0: 90},
            API_IN_TIME: {0: 100.0},
            series.API_4XX: {0: 12},
            series.API_5XX: {0: 3},
            (API_FUNCTION, "FailedRequests InvalidRequest", "Sum"): {0: 4},
            (API_FUNCTION, "FailedRequests ContentFiltered", "Sum"): {0: 1},
        },
        API_FUNCTION,
    )

    assert found == Attainment(good=90, failed=10, excluded=5)


def test_nothing_asked_has_no_share(attained):
    assert math.isnan(attained({}).share)


def test_the_error_budget_counts_four_weeks(frame_of):
    longer = {"budget": {MADE: {0: 900, 600: 100}, IN_TIME: {0: 100.0, 600: 80.0}}, "burn": {}}

    report = objectives.report(frame_of(calm=False, longer=longer), WORKER)

    assert report.month == Attainment(good=980, late=20)
    assert report.budget_left == pytest.approx(0.6)


def test_without_the_longer_windows_budget_and_burn_rate_are_not_known(frame_of):
    report = objectives.report(frame_of(), WORKER)

    assert math.isnan(report.budget_left)
    assert report.burns == ()


def burning(frame_of, *, late_from):
    """Make three days of ten pictures in each five minutes, of which none is in time from so many seconds before the end."""
    periods = int(timedelta(days=3).total_seconds() // 300)
    first = periods - late_from // 300
    longer = {"burn": {MADE: [10] * periods, IN_TIME: [0.0 if number >= first else 100.0 for number in range(periods)]}}
    return objectives.report(frame_of(calm=False, longer=longer), WORKER).burns


@pytest.mark.parametrize(
    ("late_from", "alerting"),
    [
        # Of an hour 12 of 20 times the budget's rate would be needed for 13.44.
        (0, []),
        (1800, []),
        (2700, [3600.0]),
        # A quarter and more of six hours: 5.6.
        (6300, [3600.0, 21_600.0]),
        # A tenth of the budget of four weeks within three days: 0.93, which is 3.4 h of none in time.
        (14_400, [3600.0, 21_600.0, 259_200.0]),
    ],
)
def test_both_windows_of_a_burn_rate_must_burn(frame_of, late_from, alerting):
    burns = burning(frame_of, late_from=late_from)

    assert [burn.alert for burn in burns] == list(BURN_ALERTS)
    assert [burn.alert.long_s for burn in burns if burn.is_alerting(5)] == alerting


def test_an_outage_that_is_over_alerts_no_more(frame_of):
    periods = int(timedelta(days=3).total_seconds() // 300)
    in_time = [100.0] * periods
    in_time[-14:-2] = [0.0] * 12
    longer = {"burn": {MADE: [10] * periods, IN_TIME: in_time}}

    hour = objectives.report(frame_of(calm=False, longer=longer), WORKER).burns[0]

    assert hour.long > hour.alert.rate
    assert hour.short == pytest.approx(0.0, abs=1e-9)
    assert not hour.is_alerting(5)


def test_the_longer_windows_end_with_the_review(frame_of):
    facts = frame_of(longer={"burn": {}}).context

    assert {window.name: window.end for window in facts.objective_windows} == {"burn": END, "budget": END}
