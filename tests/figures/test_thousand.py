"""By the prices of couch_explorers/metrics/cost.py and of the image models."""

import math

import pytest

from couch_explorers.core import image_models
from couch_explorers.figures import thousand
from couch_explorers.metrics import cost, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from tests.metrics.believable import CORE


def worked(frame_of, **more):
    """Ten pictures by the queue of 8 s each with two failed runs of 4 s, and five by the API of 10 s each."""
    return frame_of(
        {
            series.pictures(WORKER): {0: 10}, series.invocations(WORKER): {0: 10, 5: 2},
            series.duration(WORKER, "Average"): {0: 8000, 5: 4000},
            series.SENT: {0: 10}, series.DELETED: {0: 10}, series.POSTPONED_JOBS: {5: 2},
            series.pictures(API_FUNCTION): {0: 5}, series.invocations(API_FUNCTION): {0: 5},
            series.duration(API_FUNCTION, "Average"): {0: 10_000}, series.API_COUNT: {0: 6},
        },
        calm=False,
        **more,
    )  # fmt: skip


def test_a_thousand_pictures_cost_the_model_a_thousand_times_its_price(frame_of):
    queue, api = thousand.ways(worked(frame_of), CORE)

    assert queue.pictures == api.pictures == pytest.approx(1000 * image_models.get(CORE).price_usd())


def test_the_lambdas_time_is_what_the_windows_pictures_took_failed_runs_included(frame_of):
    queue, api = thousand.ways(worked(frame_of), CORE)

    # 88 s of 512 MB in 12 runs for 10 pictures; 50 s of 1,024 MB in 5 runs for 5.
    assert queue.seconds == pytest.approx(8.8)
    assert queue.functions == pytest.approx(100 * (44 * cost.LAMBDA_GB_SECOND + 12 * cost.LAMBDA_REQUEST))
    assert api.functions == pytest.approx(200 * (50 * cost.LAMBDA_GB_SECOND + 5 * cost.LAMBDA_REQUEST))


def test_requests_are_those_that_the_pictures_caused(frame_of):
    queue, api = thousand.ways(worked(frame_of), CORE)

    # 10 sends, 12 receives, 10 deletions, 2 put off; 6 requests for 5 pictures.
    assert queue.requests == pytest.approx(100 * 34 * cost.SQS_REQUEST)
    assert api.requests == pytest.approx(200 * 6 * cost.API_REQUEST)


def test_a_way_that_made_no_picture_has_a_price_for_the_model_only(frame_of):
    queue, _ = thousand.ways(frame_of(calm=False), CORE)

    assert queue.pictures == pytest.approx(40)
    assert math.isnan(queue.functions)
    assert math.isnan(queue.total)


def test_a_way_that_is_not_deployed_is_left_out(frame_of):
    frame = worked(frame_of, states={series.invocations(WORKER): SeriesState.MISSING})

    assert [way.resource for way in thousand.ways(frame, CORE)] == [API_FUNCTION]


def test_a_model_without_a_price_is_not_priced(frame_of):
    queue, _ = thousand.ways(worked(frame_of), "someone.new-model")

    assert math.isnan(queue.pictures)
    assert not math.isnan(queue.functions)


def test_lambda_looks_into_the_queue_five_times_in_twenty_seconds():
    assert thousand.idle_month() == pytest.approx(5 * 30 * 24 * 3600 / 20 * 0.40 / 1e6)
