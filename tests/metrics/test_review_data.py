import math
from dataclasses import replace
from datetime import timedelta

import pytest

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.findings import Finding
from couch_explorers.metrics.model import API, API_FUNCTION, DEAD_LETTERS, PARTS, QUEUE, WORKER, SeriesState
from couch_explorers.metrics.review_data import STACK, ReviewData
from couch_explorers.metrics.thresholds import DEAD_LETTER_DEPTH
from tests.metrics.rows import lately

AGE = series.AGE


def test_every_part_has_a_name_and_a_stack_that_deploys_it():
    assert set(PARTS) == set(STACK) == {QUEUE, DEAD_LETTERS, WORKER, API, API_FUNCTION}


def test_zero_is_a_number_and_no_gap(frame_of):
    data = ReviewData(frame_of({AGE: 0}))

    assert data.no_data_row("age", AGE) is None
    assert data.level(AGE).latest.clause(formatting.seconds) == "0 s at the end"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (SeriesState.DENIED, "Denied: these credentials may not ask CloudWatch about the queue."),
        (SeriesState.MISSING, "Missing: the queue is not deployed."),
        (SeriesState.PARTIAL, "Partial: CloudWatch's answer about the queue was cut short and held no points."),
    ],
)
def test_what_was_not_answered_says_which_of_the_ways_it_is_and_what_to_do(frame_of, state, reason):
    row = ReviewData(frame_of({AGE: None}, states={AGE: state})).no_data_row("age", series.SENT, AGE)

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, reason)
    assert row.action


def test_rest_is_an_answer(frame_of):
    assert ReviewData(frame_of(calm=False)).no_data_row("age", AGE) is None


def test_a_row_is_doubted_where_one_of_its_series_came_in_part(frame_of):
    data = ReviewData(frame_of(states={AGE: SeriesState.PARTIAL}))
    row = Finding("age", Verdict.OK, "Fine.")

    assert data.with_partial_data(row, series.SENT, AGE).verdict is Verdict.NO_DATA
    assert data.with_partial_data(row, series.SENT) is row


def test_the_worst_answer_of_several_series_counts(frame_of):
    states = {AGE: SeriesState.PARTIAL, series.SENT: SeriesState.DENIED}
    data = ReviewData(frame_of({series.DELETED: None}, states=states))

    assert data.state(AGE, series.SENT, series.DELETED) is SeriesState.DENIED
    assert data.state(AGE, series.DELETED) is SeriesState.PARTIAL
    assert data.state(series.VISIBLE, series.DELETED) is SeriesState.IDLE
    assert data.state(series.VISIBLE) is SeriesState.COMPLETE


def test_half_a_window_before_is_no_number_to_compare_with(frame_of):
    half = ReviewData(frame_of(states={("before", series.SENT): SeriesState.PARTIAL}))
    denied = ReviewData(frame_of(states={("before", series.SENT): SeriesState.DENIED}))

    assert math.isnan(half.total_before(series.SENT))
    assert math.isnan(half.highest_before(series.SENT))
    assert ReviewData(frame_of()).highest_before(series.SENT) > 0
    assert math.isnan(denied.total_before(series.SENT))
    assert ReviewData(frame_of()).total_before(series.SENT) > 0


def test_half_a_window_before_has_no_percentile_to_compare_with(frame_of):
    p95, runs = series.duration(WORKER, "p95"), series.invocations(WORKER)
    before = {p95: {1: 8000}, runs: {60: 30}}

    assert ReviewData(frame_of(before=before)).percentile_before(p95) == 8000
    assert (
        ReviewData(frame_of(before=before, states={("before", p95): SeriesState.PARTIAL})).percentile_before(p95)
        is None
    )
    assert ReviewData(frame_of(before=before, compare=None)).percentile_before(p95) is None


def test_a_line_is_the_alarms_and_without_one_its_stand_in(frame_of, alarms_of):
    alarms = [replace(alarm, threshold=5.0, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of()]

    assert ReviewData(frame_of(alarms=alarms)).line("dead-letters", DEAD_LETTER_DEPTH).is_breached_by(5)
    assert ReviewData(frame_of(alarms=())).line("dead-letters", DEAD_LETTER_DEPTH) == DEAD_LETTER_DEPTH.line


def test_a_window_to_compare_with_that_was_not_fetched_is_none(frame_of):
    frame = frame_of()
    facts = frame.context
    frame.context = replace(facts, windows=facts.windows[:1])

    assert ReviewData(frame).compared is None


def test_a_last_value_of_long_ago_says_when_it_was(frame_of):
    data = ReviewData(frame_of({AGE: {100: 7}}))

    assert data.level(AGE).latest.clause() == "7 when last measured, 10:40"


def test_the_last_quarter_of_an_hour_is_recent(frame_of):
    data = ReviewData(frame_of({AGE: lately(*range(20))}))

    assert len(data.recent(AGE)) == 15
    assert data.recent(AGE).index[0] == data.end - timedelta(minutes=15)


def test_a_period_longer_than_that_is_recent_as_a_whole(frame_of):
    data = ReviewData(frame_of({AGE: 5}, hours=48, period_s=3600))

    assert len(data.recent(AGE)) == 1


def test_a_command_works_on_the_target_as_it_stands(frame_of):
    assert ReviewData(frame_of()).command("job ID") == "`couch job ID`"
    assert ReviewData(frame_of(target="aws")).command("job ID") == "`couch job ID --target aws --candidate 42`"


def test_a_function_that_could_not_be_read_has_a_log_without_a_name(frame_of):
    assert ReviewData(frame_of()).log(WORKER) == "/aws/lambda/couch-explorers-42-worker"
    assert ReviewData(frame_of(functions=())).log(WORKER) == "the worker's log"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (SeriesState.DENIED, "may not ask CloudWatch about the queue (cloudwatch:GetMetricData)"),
        (SeriesState.MISSING, "the queue is not deployed"),
        (SeriesState.PARTIAL, "cut short"),
        (SeriesState.IDLE, "the queue was idle"),
    ],
)
def test_each_reason_for_no_points_has_other_words(frame_of, state, reason):
    assert reason in ReviewData(frame_of({AGE: None}, states={AGE: state})).why_no_data(AGE)


def test_partial_series_are_noted(frame_of):
    data = ReviewData(frame_of(states={AGE: SeriesState.PARTIAL}))

    assert data.partial_note(AGE, series.SENT) == "CloudWatch gave only a part of the points"
    assert data.partial_note(series.SENT) == ""
