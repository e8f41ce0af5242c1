import math

import pytest

from couch_explorers.core import image_models
from couch_explorers.figures import cost
from couch_explorers.figures.errors import FigureError
from couch_explorers.metrics import series
from couch_explorers.metrics.cost import PRICES_AS_OF, SOURCES, cost_of_window
from couch_explorers.metrics.model import WORKER, SeriesState
from tests.metrics.believable import CORE


def test_window_and_both_ways_stand_there_with_their_sums(frame_of, written):
    frame = frame_of()
    made = cost.make(frame, CORE)

    told = written(made.panel.figure)
    assert "The last 24 hours" in told
    assert f"in all USD {cost.amount(cost_of_window(frame).total)} for " in told
    assert "1,000 pictures by the queue" in told
    assert "1,000 pictures by the API" in told
    assert told.count("40.00") == 2
    assert made.missing == ""


def test_the_caption_says_the_prices_days_and_sources(frame_of):
    sentence = cost.make(frame_of(target="aws"), CORE).panel.sentence

    for text in (image_models.PRICES_AS_OF, image_models.PRICES_SOURCE, PRICES_AS_OF, *SOURCES.values()):
        assert text in sentence
    assert "local cloud" not in sentence


def test_on_the_local_cloud_it_is_said_that_nothing_was_paid(frame_of):
    assert "(the local cloud costs nothing)" in cost.make(frame_of(), CORE).panel.sentence


def test_no_dollar_sign_turns_the_caption_into_a_formula(frame_of):
    assert "$" not in cost.make(frame_of(), CORE).panel.sentence


def test_a_way_without_pictures_is_told_and_the_other_drawn(frame_of, written):
    made = cost.make(frame_of({series.pictures(WORKER): None}), CORE)

    assert "not measured: no picture in the window" in written(made.panel.figure)
    assert "couch run smoke_test" in made.missing


def test_a_queue_that_is_not_deployed_is_told_and_the_api_priced(frame_of, written):
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
    ("usd", "told"),
    [(40.0, "40.00"), (1234.5, "1,234.50"), (0.27, "0.27"), (0.0123, "0.012"), (0.0004, "0.00040"), (0.0, "0.00")],
)
def test_an_amount_has_the_digits_that_tell_something(usd, told):
    assert cost.amount(usd) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"), [(99.7, 100, "99.7 %"), (50, 100, "50 %"), (100, 100, "100 %"), (math.nan, 1, "")]
)
def test_a_share_never_says_all_where_there_is_more(part, whole, told):
    assert cost.share(part, whole) == told
