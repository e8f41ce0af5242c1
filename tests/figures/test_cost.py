import math

import pytest

from couch_explorers import formatting
from couch_explorers.core import image_models
from couch_explorers.figures import cost
from couch_explorers.figures.figure import FigureError
from couch_explorers.metrics import cost as metrics_cost
from couch_explorers.metrics import series
from couch_explorers.metrics.cost import PRICES_AS_OF, SOURCES, cost_of_window
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from tests.metrics.believable import CORE

pytestmark = pytest.mark.drawing


def test_window_and_both_ways_stand_there_with_their_sums(frame_of, written):
    frame = frame_of()
    made = cost.make(frame, CORE)

    drawn = written(made.panel.figure)
    assert "The last 24 hours" in drawn
    total = formatting.usd(cost_of_window(frame).total, symbol="", cents_from=cost.CENTS_FROM)
    assert f"in all USD {total} for " in drawn
    assert "1,000 pictures by the queue" in drawn
    assert "1,000 pictures by the API" in drawn
    assert drawn.count("40.00") == 2
    assert made.missing == ""


def test_the_caption_says_the_prices_days_and_sources(frame_of):
    sentence = cost.make(frame_of(target="aws"), CORE).panel.sentence

    for text in (image_models.PRICES_AS_OF, image_models.PRICES_SOURCE, PRICES_AS_OF, *SOURCES.values()):
        assert text in sentence
    assert "local cloud" not in sentence


def test_on_the_local_cloud_the_caption_says_that_nothing_was_paid(frame_of):
    assert "(the local cloud costs nothing)" in cost.make(frame_of(), CORE).panel.sentence


def test_no_dollar_sign_turns_the_caption_into_a_formula(frame_of):
    assert "$" not in cost.make(frame_of(), CORE).panel.sentence


def test_a_way_without_pictures_is_reported_and_the_other_drawn(frame_of, written):
    made = cost.make(frame_of({series.pictures(WORKER): None}), CORE)

    assert "not measured: no picture in the window" in written(made.panel.figure)
    assert "couch run smoke_test" in made.missing


def test_a_queue_that_is_not_deployed_is_reported_and_the_api_priced(frame_of, written):
    states = dict.fromkeys((series.pictures(WORKER), series.invocations(WORKER), series.SENT), SeriesState.MISSING)

    made = cost.make(frame_of(states=states), CORE)

    assert made.missing.startswith("The queue is not deployed")
    assert "by the queue" not in written(made.panel.figure)


def test_without_any_picture_there_is_nothing_to_compute_with(frame_of):
    with pytest.raises(FigureError, match=r"ask for more hours .*couch run smoke_test"):
        cost.make(frame_of(calm=False), CORE)


def test_a_model_without_a_price_leaves_its_part_open_and_is_named(frame_of, faults, written):
    made = cost.make(frame_of(), "someone.new-model")

    assert "nan" not in made.panel.sentence.lower()
    assert made.missing == "Not in the sums, for no price is known here: someone.new-model."
    assert written(made.panel.figure).count("no price is known") == 2
    assert faults(made.panel.figure) == ([], [])


@pytest.mark.parametrize(
    "changes", [{}, {"hours": 1}, {"incident": True}, {"states": {series.API_COUNT: SeriesState.DENIED}}]
)
def test_every_word_can_be_read(frame_of, faults, changes):
    assert faults(cost.make(frame_of(**changes), CORE).panel.figure) == ([], [])


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(99.7, 100, "99.7 %"), (50, 100, "50 %"), (100, 100, "100 %"), (math.nan, 1, "")]
)
def test_a_share_never_says_all_where_there_is_more(part, whole, expected):
    assert cost.share(part, whole) == expected


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
    queue, api = cost.ways(worked(frame_of), CORE)

    assert queue.pictures == api.pictures == pytest.approx(1000 * image_models.get(CORE).price_usd())


def test_the_lambdas_time_is_what_the_windows_pictures_took_failed_runs_included(frame_of):
    queue, api = cost.ways(worked(frame_of), CORE)

    # 88 s of 512 MB in 12 runs for 10 pictures; 50 s of 1,024 MB in 5 runs for 5.
    assert queue.seconds == pytest.approx(8.8)
    assert queue.functions == pytest.approx(
        100 * (44 * metrics_cost.LAMBDA_GB_SECOND + 12 * metrics_cost.LAMBDA_REQUEST)
    )
    assert api.functions == pytest.approx(200 * (50 * metrics_cost.LAMBDA_GB_SECOND + 5 * metrics_cost.LAMBDA_REQUEST))


def test_requests_are_those_that_the_pictures_caused(frame_of):
    queue, api = cost.ways(worked(frame_of), CORE)

    # 10 sends, 12 receives, 10 deletions, 2 postponed; 6 requests for 5 pictures.
    assert queue.requests == pytest.approx(100 * 34 * metrics_cost.SQS_REQUEST)
    assert api.requests == pytest.approx(200 * 6 * metrics_cost.API_REQUEST)


def test_a_way_that_made_no_picture_has_a_price_for_the_model_only(frame_of):
    queue, _ = cost.ways(frame_of(calm=False), CORE)

    assert queue.pictures == pytest.approx(40)
    assert math.isnan(queue.functions)
    assert math.isnan(queue.total)


def test_a_way_that_is_not_deployed_is_left_out(frame_of):
    frame = worked(frame_of, states={series.invocations(WORKER): SeriesState.MISSING})

    assert [way.resource for way in cost.ways(frame, CORE)] == [API_FUNCTION]


def test_a_model_without_a_price_is_not_priced(frame_of):
    queue, _ = cost.ways(worked(frame_of), "someone.new-model")

    assert math.isnan(queue.pictures)
    assert not math.isnan(queue.functions)


def test_lambda_looks_into_the_queue_five_times_in_twenty_seconds():
    assert cost.idle_month() == pytest.approx(5 * 30 * 24 * 3600 / 20 * 0.40 / 1e6)
