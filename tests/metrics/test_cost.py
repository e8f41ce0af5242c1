"""Costs by the pages that couch_explorers/metrics/cost.py names, and by the image models' own prices."""

import math
from dataclasses import replace

import pytest

from couch_explorers.core import image_models
from couch_explorers.metrics import cost, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState

CORE = image_models.DEFAULT_MODEL_ID
ULTRA = "stability.stable-image-ultra-v1:1"


def test_pictures_cost_what_their_model_costs(frame_of):
    frame = frame_of(
        {
            series.pictures(WORKER): {0: 5},
            series.pictures(WORKER, CORE): {0: 3},
            series.pictures(WORKER, ULTRA): {0: 2},
            series.pictures(API_FUNCTION): {0: 1},
            series.pictures(API_FUNCTION, CORE): {0: 1},
        },
        calm=False,
        models=(CORE, ULTRA),
    )

    assert cost.cost_of_window(frame).pictures == pytest.approx(4 * 0.04 + 2 * 0.14)


def test_pictures_of_a_model_that_is_not_listed_yet_are_priced_as_the_default(frame_of):
    frame = frame_of({series.pictures(WORKER): {0: 5}}, calm=False)

    paid = cost.cost_of_window(frame)

    assert paid.unnamed == 5
    assert paid.pictures == pytest.approx(5 * image_models.get(CORE).price_usd())


def test_a_model_without_a_price_is_named_and_left_out(frame_of):
    made = {series.pictures(WORKER): {0: 2}, series.pictures(WORKER, "someone.new-model"): {0: 2}}

    paid = cost.cost_of_window(frame_of(made, calm=False, models=("someone.new-model",)))

    assert paid.unpriced == ("someone.new-model",)
    assert (paid.pictures, paid.unnamed) == (0, 0)


def test_lambda_bills_memory_by_time_and_each_run(frame_of):
    ran = {series.invocations(WORKER): {0: 10, 5: 10}, series.duration(WORKER, "Average"): {0: 8000, 5: 4000}}

    paid = cost.cost_of_window(frame_of(ran, calm=False))

    # 512 MB for 10 runs of 8 s and 10 of 4 s.
    assert paid.functions == pytest.approx(60 * cost.LAMBDA_GB_SECOND + 20 * cost.LAMBDA_REQUEST)


def test_an_idle_queue_costs_its_pollers(frame_of):
    paid = cost.cost_of_window(frame_of(calm=False))

    assert paid.queue == pytest.approx(5 * 3 * 60 * 24 * 0.40 / 1e6)
    assert paid.total == paid.queue


def test_requests_that_jobs_cause_are_told_apart_from_looks_into_an_empty_queue(frame_of):
    counts = {
        series.SENT: {0: 5},
        series.invocations(WORKER): {0: 7},
        series.DELETED: {0: 5},
        series.POSTPONED_JOBS: {0: 2},
    }

    assert cost.queue_requests(frame_of(counts, calm=False)) == 19
    assert cost.idle_requests(60) == 15


def test_what_each_function_cost_adds_up_to_what_both_cost(frame_of):
    frame = frame_of()

    assert sum(cost.function_cost(frame, each) for each in series.FUNCTIONS) == pytest.approx(
        cost.cost_of_window(frame).functions
    )


def test_a_request_to_the_api_costs_three_and_a_half_millionths(frame_of):
    assert cost.cost_of_window(frame_of({series.API_COUNT: {0: 1000}}, calm=False)).api == pytest.approx(0.0035)


def test_what_is_not_deployed_costs_nothing(frame_of):
    facts = frame_of().context
    frame = frame_of(calm=False, states={line.key: SeriesState.MISSING for line in facts.series})

    assert cost.cost_of_window(frame).total == 0
    assert cost.cost_of_window(frame).unknown == ()


def test_what_may_not_be_asked_is_not_known(frame_of):
    paid = cost.cost_of_window(frame_of(calm=False, states={series.API_COUNT: SeriesState.DENIED}))

    assert paid.unknown == ("API",)
    assert math.isnan(paid.api)
    assert not math.isnan(paid.total)


def test_runs_of_a_function_whose_memory_is_not_known_have_no_price(frame_of):
    assert "Lambda" in cost.cost_of_window(frame_of(functions=())).unknown


def test_the_window_before_is_priced_by_the_same_prices(frame_of):
    frame = frame_of({series.API_COUNT: {0: 1000}}, before={series.API_COUNT: {0: 3000}}, calm=False)

    assert cost.cost_of_window(frame, "before").api == pytest.approx(3 * cost.cost_of_window(frame).api)


def test_a_cost_without_any_known_part_is_not_known():
    nothing = cost.Cost(*[math.nan] * 4)

    assert math.isnan(nothing.total)
    assert replace(nothing, api=1.0).total == 1.0
