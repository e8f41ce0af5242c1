"""The rows of the objectives: verdict, value and the sentence on the error budget."""

from datetime import timedelta

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.metrics import captions, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from couch_explorers.metrics.review import review
from couch_explorers.metrics.review_data import ReviewData
from couch_explorers.metrics.summary import conclude
from couch_explorers.objective import API_OBJECTIVE, QUEUE_OBJECTIVE
from tests.metrics.rows import row_of
from tests.wording import numbers, without_volume

MADE = series.time_to_picture(WORKER, "SampleCount")
IN_TIME = series.within_objective(WORKER, QUEUE_OBJECTIVE)
CHECK, API_CHECK = "late or missing pictures", "API late or missing"
PERIODS = int(timedelta(days=3).total_seconds() // 300)


def longer(late_periods, budget=97.0):
    """Make three days of which the last periods had no picture in time, and four weeks with this percentage in time."""
    in_time = [100.0] * (PERIODS - late_periods) + [0.0] * late_periods
    return {"burn": {MADE: [10] * PERIODS, IN_TIME: in_time}, "budget": {MADE: {0: 1000}, IN_TIME: {0: budget}}}


def test_a_met_objective_is_ok_and_says_what_is_left(frame_of, snapshot):
    row = row_of(frame_of(longer=longer(0)), CHECK)

    assert (row.verdict, row.value, row.threshold, row.unit) == (Verdict.OK, 0.0, pytest.approx(5.0), "%")
    assert without_volume(row.reason) == snapshot


def test_a_missed_objective_warns_with_what_was_missed_and_how_to_replay_it(frame_of, snapshot):
    now = {MADE: {0: 80}, IN_TIME: {0: 87.5}, series.FAILED_JOBS: {1: 5}, series.failed_jobs("ContentFiltered"): {1: 2}}

    row = row_of(frame_of(now, calm=False), CHECK)

    assert row.verdict == Verdict.WARN
    assert row.value == pytest.approx(100 * 13 / 83)
    assert row.reason == snapshot
    assert numbers(row.reason) == ["84", "83", "60", "95", "10", "3", "2"]
    assert "`couch run capacity_planning -p replay_hours 24`" in row.action


def test_on_aws_the_replay_names_target_and_candidate(frame_of):
    row = row_of(frame_of({MADE: {0: 80}, IN_TIME: {0: 50.0}}, calm=False, target="aws"), CHECK)

    assert "-p replay_hours 24 -p target aws -p candidate 42`" in row.action


def test_a_fast_burn_needs_somebody_now(frame_of, snapshot):
    row = row_of(frame_of(longer=longer(12)), CHECK)

    assert row.verdict == Verdict.BAD
    assert without_volume(row.reason) == snapshot
    assert {"20", "3.3"} <= set(numbers(row.reason))


def test_a_spent_budget_warns(frame_of, snapshot):
    row = row_of(frame_of(longer=longer(0, budget=90.0)), CHECK)

    assert row.verdict == Verdict.WARN
    assert without_volume(row.reason) == snapshot


def test_the_summary_names_the_budget_where_the_window_itself_met_the_objective(frame_of):
    frame = frame_of(longer=longer(0, budget=90.0))

    sentence = str(conclude(frame, review(frame)))

    assert "look at late or missing pictures (the 28-day error budget is overdrawn by 100 %)" in sentence


def test_of_few_requests_one_miss_is_no_warning(frame_of):
    assert row_of(frame_of({MADE: {0: 4}, IN_TIME: {0: 50.0}}, calm=False), CHECK).verdict == Verdict.OK


def test_a_path_that_nobody_used_has_no_share(frame_of):
    row = row_of(frame_of(calm=False), CHECK)

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, "Idle: no image was requested.")


def test_without_its_failures_a_share_is_not_known(frame_of):
    row = row_of(frame_of(states={series.FAILED_JOBS: SeriesState.DENIED}), CHECK)

    assert row.verdict == Verdict.NO_DATA
    assert row.reason.startswith("Denied: ")


def test_the_apis_refusals_count(frame_of, snapshot):
    made, in_time = (
        series.time_to_picture(API_FUNCTION, "SampleCount"),
        series.within_objective(API_FUNCTION, API_OBJECTIVE),
    )

    row = row_of(frame_of({made: {0: 50}, in_time: {0: 100.0}, series.API_4XX: {0: 50}}, calm=False), API_CHECK)

    assert row.verdict == Verdict.WARN
    assert row.reason == snapshot


def test_the_caption_says_the_rows_share_and_the_budget_of_both_paths(frame_of):
    frame = frame_of(longer=longer(0))
    caption = captions.CAPTIONS["time_to_picture"](ReviewData.of(frame))

    assert row_of(frame, CHECK).reason.split(". ")[0] in caption
    assert "queue: 40 % of the 28-day error budget is left" in caption
    assert "; API: 1" in caption
