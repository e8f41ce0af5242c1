import getpass

import numpy as np
import pandas as pd
import pytest

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.rating.ratings import current, merge, rate, ratings


def test_a_picture_is_rated_by_its_number_its_row_or_its_id(pictures):
    rate(1, pictures, verdict="keep")
    rate(pictures.iloc[1], stars=4)
    rate(pictures.iloc[2].to_dict(), note="too dark")
    rate(pictures["id"][3], pictures, verdict="reject")
    rate(pictures["id"][3], stars=0)

    said = [current()[picture_id] for picture_id in pictures["id"]]

    assert [(rating.verdict, rating.stars, rating.note) for rating in said] == [
        ("keep", None, ""), (None, 4, ""), (None, None, "too dark"), ("reject", 0, ""),
    ]  # fmt: skip


def test_what_holds_is_given_back_and_what_is_left_out_stays(pictures):
    rate(1, pictures, verdict="keep", stars=3)

    rating = rate(1, pictures, note="warm light", by="kari")

    assert (rating.verdict, rating.stars, rating.note, rating.by) == ("keep", 3, "warm light", "kari")


def test_a_rating_carries_the_users_name_and_does_without_where_there_is_none(pictures, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "kari")
    assert rate(1, pictures, stars=1).by == "kari"

    def nobody():
        raise KeyError("uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert rate(1, pictures, stars=1).by == ""


def test_numbers_out_of_arrays_are_numbers(pictures):
    assert rate(np.int64(2), pictures, stars=np.int64(4)).stars == 4


def test_ratings_are_a_frame_with_the_last_said_first(pictures):
    rate(1, pictures, verdict="keep", by="kari")
    rate(2, pictures, stars=4, note="warm", by="ola")
    rate(1, pictures, stars=5, by="ola")

    frame = ratings()

    assert list(frame.columns) == ["id", "verdict", "stars", "note", "at", "by"]
    assert list(frame["id"]) == [pictures["id"][0], pictures["id"][1]]
    assert frame["stars"].tolist() == [5, 4]
    assert frame["verdict"].fillna("").tolist() == ["keep", ""]
    assert str(frame["at"].dt.tz) == "UTC"
    assert frame["at"].is_monotonic_decreasing


def test_without_ratings_the_frame_is_empty_with_the_same_types(pictures):
    empty = ratings()
    rate(1, pictures, verdict="keep", stars=5, note="warm")

    assert len(empty) == 0
    assert empty.dtypes.equals(ratings().dtypes)


def test_what_was_taken_back_is_no_rating_any_more(pictures):
    rate(1, pictures, verdict="keep")
    rate(1, pictures, verdict=None)

    assert len(ratings()) == 0


def test_ratings_survive_a_sweep_that_is_run_again(painted):
    rate(2, painted(seeds=(7, 21)), stars=5)

    again = painted(seeds=(21, 99))

    assert current()[again["id"][0]].stars == 5


def test_two_cells_with_one_picture_are_rated_as_one(painted):
    # Stability paints both sizes alike, as a square.
    pictures = painted({"jeep": "A jeep"}, seeds=7, sizes=("512x512", "1024x1024"))
    assert list(pictures["status"]) == [Status.MADE, Status.SAME]

    rate(2, pictures, stars=4)

    assert list(current()) == [pictures["id"][0]]


@pytest.mark.parametrize(
    ("sayings", "sentence"),
    [
        ({}, 'Nothing is said of the picture: give verdict="keep" or "reject", stars=0 to 5, or a note.'),
        ({"verdict": "great"}, 'The verdict "great" is unknown'),
        ({"stars": 7}, "7 stars cannot be given"),
        ({"stars": "5"}, '"5" stars cannot be given'),
        ({"note": b"x"}, "The note must be a text"),
        ({"stars": 3, "target": "moon"}, 'There is no target "moon": use one of local, aws.'),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_sentence(pictures, home, sayings, sentence):
    with pytest.raises(ExplorationError) as raised:
        rate(1, pictures, **sayings)

    assert sentence in str(raised.value)
    assert not home.ratings("local").exists()


def test_a_picture_that_is_not_there_is_told_in_one_sentence(pictures):
    for arguments, sentence in (
        ((9, pictures), "The sweep has no picture 9: give a number from 1 to 4, or an id of its column id."),
        (("image-0", pictures), 'The sweep has no picture "image-0"'),
        (("image-0",), 'No picture "image-0" is here'),
        (("../secret",), "is here: give an id"),
        ((3,), "3 of which sweep? Give its result too: rate(3, pictures, …)."),
        ((1, pd.DataFrame({"number": [1]})), "There is no column"),
        (({"number": 1},), "There is no column"),
    ):
        with pytest.raises(ExplorationError) as raised:
            rate(*arguments, stars=3)
        assert sentence in str(raised.value)


def test_a_cell_without_a_picture_cannot_be_rated(painted):
    pictures = painted(without={2: (Status.FILTERED, "ContentFiltered: The prompt was withheld.")})

    with pytest.raises(ExplorationError) as raised:
        rate(2, pictures, stars=1)

    assert str(raised.value) == ("Cell 2 has no picture to rate; filtered: ContentFiltered: The prompt was withheld.")


def test_each_target_has_ratings_of_its_own(pictures):
    pictures.attrs["target"] = "aws"

    rate(1, pictures, stars=2)
    rate(pictures.iloc[1], stars=3)

    assert len(ratings("aws")) == 2
    assert len(ratings("local")) == 0


def test_a_colleagues_ratings_are_merged_and_counted(pictures, tmp_path, home):
    rate(1, pictures, stars=2, by="ola")
    theirs = home.ratings("local").rename(tmp_path / "ola.jsonl")
    rate(2, pictures, stars=3, by="kari")

    assert merge(theirs) == 1
    assert merge(str(theirs)) == 0
    assert ratings()["stars"].tolist() == [3, 2]
