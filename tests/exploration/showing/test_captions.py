from pathlib import Path

import pytest

from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.showing.axes import arrange
from couch_explorers.exploration.showing.captions import WHOLE_CHARACTERS, date_of, facts, origin, outcome, whole
from couch_explorers.exploration.showing.tiles import tiles_of


def test_of_many_values_the_first_and_the_last_are_listed(painted):
    tiles = tiles_of(painted({"jeep": "A jeep"}, seeds=range(1, 101)))

    assert dict(facts(tiles, arrange(tiles)))["Pictures"] == "seed (100): 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 … 100"


def test_a_selection_tells_what_varies(painted):
    frame = painted({"jeep": "A jeep", "cliff": "A cliff"}, seeds=(1, 2, 3))
    tiles = tiles_of(frame[frame["number"].isin([1, 6])])

    assert dict(facts(tiles, arrange(tiles)))["Varies"] == "prompt, seed"


def test_every_ending_is_counted(painted):
    tiles = tiles_of(painted(without={1: (Status.REFUSED, "x"), 2: (Status.STOPPED, "x")}))

    assert outcome(tiles, "aws").startswith("2 of 4 pictures: 2 new, 1 not sent, 1 stopped. Paid: $0.08")


def test_where_nothing_was_new_no_price_is_told(pictures):
    tiles = tiles_of(pictures.assign(status="cached", usd=0.0))

    assert outcome(tiles, "aws") == "4 of 4 pictures: 4 there already."


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("local", "Local stand-in in place of Stable Image Core: no image model was asked. Today."),
        ("aws", "Amazon Bedrock: Stable Image Core. Today."),
        ("", "Stable Image Core. Today."),
    ],
)
def test_who_made_the_pictures_is_told(target, told, pictures):
    assert origin(tiles_of(pictures), target, "Today.") == told


def test_the_date_is_the_runs_and_else_the_sheets():
    assert date_of(Path("runs/20261123-030512-journeys-1a2b")) == "Run of 2026-11-23 03:05 UTC."
    assert date_of(Path("elsewhere")).startswith("Sheet of 20")
    assert date_of(None).startswith("Sheet of 20")


def test_a_text_is_whole_unless_it_is_far_too_long():
    assert whole("x" * WHOLE_CHARACTERS) == "x" * WHOLE_CHARACTERS
    assert whole("x" * 10_000).endswith("x … (10,000 characters)")
