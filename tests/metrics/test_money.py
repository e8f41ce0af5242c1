"""Costs by the pages that couch_explorers/metrics/prices.py names, and by the image models' own prices."""

import math
from dataclasses import replace

import pytest

from couch_explorers.core import image_models
from couch_explorers.metrics import money, prices, series
from couch_explorers.metrics.facts import API_FUNCTION, WORKER, SeriesState

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

    assert money.of(frame).pictures == pytest.approx(4 * 0.04 + 2 * 0.14)


def test_pictures_of_a_model_that_is_not_listed_yet_are_priced_as_the_default(frame_of):
    frame = frame_of({series.pictures(WORKER): {0: 5}}, calm=False)

    cost = money.of(frame)

    assert cost.unnamed == 5
    assert cost.pictures == pytest.approx(5 * image_models.get(CORE).price_usd())


def test_a_model_without_a_price_is_named_and_left_out(frame_of):
    made = {series.pictures(WORKER): {0: 2}, series.pictures(WORKER, "someone.new-model"): {0: 2}}

    cost = money.of(frame_of(made, calm=False, models=("someone.new-model",)))

    assert cost.unpriced == ("someone.new-model",)
    assert (cost.pictures, cost.unnamed) == (0, 0)


def test_lambda_bills_memory_by_time_and_each_run(frame_of):
    ran = {series.invocations(WORKER): {0: 10, 5: 10}, series.duration(WORKER, "Average"): {0: 8000, 5: 4000}}

    cost = money.of(frame_of(ran, calm=False))

    # 512 MB for 10 runs of 8 s and 10 of 4 s.
    assert cost.functions == pytest.approx(60 * prices.LAMBDA_GB_SECOND + 20 * prices.LAMBDA_REQUEST)


def test_an_idle_queue_costs_its_pollers(frame_of):
    cost = money.of(frame_of(calm=False))

    assert cost.queue == pytest.approx(5 * 3 * 60 * 24 * 0.40 / 1e6)
    assert cost.total == cost.queue


def test_requests_that_jobs_cause_are_told_apart_from_looks_into_an_empty_queue(frame_of):
    counts = {
        series.SENT: {0: 5},
        series.invocations(WORKER): {0: 7},
        series.DELETED: {0: 5},
        series.POSTPONED_JOBS: {0: 2},
    }

    assert money.queue_requests(frame_of(counts, calm=False)) == 19
    assert money.idle_requests(60) == 15


def test_what_each_function_cost_adds_up_to_what_both_cost(frame_of):
    frame = frame_of()

    assert sum(money.of_function(frame, each) for each in series.FUNCTIONS) == pytest.approx(money.of(frame).functions)


def test_a_request_to_the_api_costs_three_and_a_half_millionths(frame_of):
    assert money.of(frame_of({series.API_COUNT: {0: 1000}}, calm=False)).api == pytest.approx(0.0035)


def test_what_is_not_deployed_costs_nothing(frame_of):
    facts = frame_of().attrs["facts"]
    frame = frame_of(calm=False, states={line.key: SeriesState.MISSING for line in facts.series})

    assert money.of(frame).total == 0
    assert money.of(frame).unknown == ()


def test_what_may_not_be_asked_is_not_known(frame_of):
    cost = money.of(frame_of(calm=False, states={series.API_COUNT: SeriesState.DENIED}))

    assert cost.unknown == ("API",)
    assert math.isnan(cost.api)
    assert not math.isnan(cost.total)


def test_runs_of_a_function_whose_memory_is_not_known_have_no_price(frame_of):
    assert "Lambda" in money.of(frame_of(functions=())).unknown


def test_the_window_before_is_priced_by_the_same_prices(frame_of):
    frame = frame_of({series.API_COUNT: {0: 1000}}, before={series.API_COUNT: {0: 3000}}, calm=False)

    assert money.of(frame, "before").api == pytest.approx(3 * money.of(frame).api)


def test_a_cost_without_any_known_part_is_not_known():
    nothing = money.Cost(*[math.nan] * 4)

    assert math.isnan(nothing.total)
    assert replace(nothing, api=1.0).total == 1.0
