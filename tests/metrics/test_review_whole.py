from dataclasses import replace

import pytest

from couch_explorers.checks import FAILING, Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import WORKER, SeriesState
from tests.metrics.believable import CORE
from tests.metrics.rows import row_of

COST = "cost of the window"


def cost_row(frame_of, now, before, **more):
    made = [{series.pictures(WORKER): {0: count}, series.pictures(WORKER, CORE): {0: count}} for count in (now, before)]
    return row_of(frame_of(made[0], before=made[1], calm=False, **more), COST)


def test_the_cost_is_told_by_what_was_paid_for(frame_of):
    row = cost_row(frame_of, 100, 100)

    assert (row.verdict, row.unit, row.change) == (Verdict.OK, "USD", "same")
    assert row.reason.startswith("On AWS it would be $4.01 at list prices of ")
    assert "pictures $4.00, Lambda $0.00, queue $0.0086" in row.reason


def test_on_aws_the_cost_is_no_would_be(frame_of):
    assert cost_row(frame_of, 100, 100, target="aws").reason.startswith("$4.01 at list prices of ")


def test_twice_the_cost_of_before_is_a_warning(frame_of):
    assert cost_row(frame_of, 100, 51).verdict == Verdict.OK
    assert cost_row(frame_of, 100, 49).verdict == Verdict.WARN


def test_a_few_cents_are_no_warning_however_many_times_those_of_before(frame_of):
    assert cost_row(frame_of, 20, 1).verdict == Verdict.OK


def test_after_a_day_of_rest_no_day_is_too_dear(frame_of):
    row = cost_row(frame_of, 1000, 2)

    assert row.verdict == Verdict.OK
    assert row.change.startswith("\u00d7")


def test_half_a_window_before_is_no_cost_to_compare_with(frame_of):
    row = cost_row(frame_of, 100, 49, states={("before", series.pictures(WORKER)): SeriesState.PARTIAL})

    assert (row.verdict, row.change) == (Verdict.OK, "")


def test_without_a_window_before_nothing_is_too_much(frame_of):
    assert cost_row(frame_of, 10_000, 1, compare=None).verdict == Verdict.OK


def test_the_cost_is_not_known_without_the_pictures(frame_of):
    facts = frame_of().attrs["facts"]
    denied = {line.key: SeriesState.DENIED for line in facts.series}

    assert row_of(frame_of(states=denied), COST).reason.startswith("Denied: ")
    assert (
        row_of(frame_of(states=dict.fromkeys(denied, SeriesState.MISSING)), COST).reason
        == "Missing: nothing is deployed."
    )


def test_a_cost_says_what_is_not_in_it(frame_of):
    made = {series.pictures(WORKER): {0: 3}, series.pictures(WORKER, "new-model"): {0: 2}}

    row = row_of(frame_of(made, calm=False, models=("new-model",), states={series.API_COUNT: SeriesState.DENIED}), COST)

    assert "Not known: API." in row.reason
    assert "No price is known for new-model." in row.reason
    assert "1 picture of a model not listed yet, priced as the default model's." in row.reason


def test_a_cost_made_of_half_an_answer_is_not_ok(frame_of):
    half = frame_of(states={series.pictures(WORKER): SeriesState.PARTIAL})
    of_no_matter = frame_of(states={series.AGE: SeriesState.PARTIAL})

    assert row_of(half, COST).verdict == Verdict.NO_DATA
    assert row_of(of_no_matter, COST).verdict == Verdict.OK


def test_whole_data_are_ok(frame_of):
    row = row_of(frame_of(), "data")

    assert (row.verdict, row.value) == (Verdict.OK, 0)
    assert row.reason.endswith("series were answered.")


def test_the_four_ways_in_which_numbers_lack_are_told_apart(frame_of):
    partial = row_of(frame_of(states={series.AGE: SeriesState.PARTIAL}), "data")
    denied = row_of(frame_of(states={series.AGE: SeriesState.DENIED}), "data")
    missing = row_of(frame_of(states={series.API_COUNT: SeriesState.MISSING}), "data")
    idle = row_of(frame_of({series.AGE: None}), "data")

    assert (partial.verdict, partial.reason) == (Verdict.WARN, "Partial: 1 series.")
    assert (denied.verdict, denied.reason) == (Verdict.NO_DATA, "Denied: 1 series.")
    assert (missing.verdict, missing.reason) == (Verdict.NO_DATA, "Missing: the API.")
    assert idle.verdict == Verdict.OK


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL])
def test_a_review_that_could_ask_nothing_by_which_to_judge_fails_a_run_in_ci(frame_of, state):
    keys = [line.key for line in frame_of().attrs["facts"].series]
    blind = frame_of(calm=False, states=dict.fromkeys(keys, state), notes=["Allow it."])

    row = row_of(blind, "data")

    assert row.verdict in FAILING["BAD"]
    assert row.reason.endswith("Nothing is left by which to tell whether the service works.")
    assert row.action == "Allow it."


def test_a_review_that_could_ask_about_a_part_does_not_fail_by_that(frame_of):
    queue = dict.fromkeys((series.AGE, series.DEAD_LETTERS_VISIBLE, series.VISIBLE), SeriesState.DENIED)

    assert row_of(frame_of(states=queue), "data").verdict == Verdict.NO_DATA
    assert row_of(frame_of(calm=False), "data").verdict == Verdict.OK


def test_what_was_not_answered_beside_the_numbers_is_named_with_what_to_do(frame_of):
    frame = frame_of(notes=["No right to read the alarms: allow cloudwatch:DescribeAlarms."])
    frame.attrs["facts"] = replace(frame.attrs["facts"], unanswered={"cloudwatch:DescribeAlarms": "No right."})

    row = row_of(frame, "data")

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, "Not answered: cloudwatch:DescribeAlarms.")
    assert row.action == "No right to read the alarms: allow cloudwatch:DescribeAlarms."


def test_notes_are_told_though_all_is_there(frame_of):
    row = row_of(frame_of(notes=["Not all log lines were read."]), "data")

    assert row.verdict == Verdict.OK
    assert "Not all log lines were read." in row.reason


def test_silence_says_that_the_local_cloud_may_not_have_run(frame_of):
    assert "the local cloud did not run" in row_of(frame_of(calm=False), "data").reason
    assert row_of(frame_of(calm=False, target="aws"), "data").reason.endswith("all was idle.")
