import getpass
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from couch_explorers.exploration.ratings import (
    BrokenRatingWarning,
    Rating,
    RatingsFile,
    current_ratings,
    merge,
    rate,
    ratings,
)
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError

JEEP, CLIFF = "image-jeep", "image-cliff"


@pytest.fixture
def sidecar(tmp_path):
    return RatingsFile(tmp_path / "ratings" / "local.jsonl")


def line(picture_id=JEEP, at="2026-11-23T08:00:00Z", by="kari", **values):
    return json.dumps({"id": picture_id, "at": at, "by": by, **values})


def write(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def test_a_file_that_is_not_there_holds_no_ratings(sidecar):
    assert sidecar.current() == {}


def test_what_is_added_is_in_the_file_and_what_holds_is_given_back(sidecar):
    given_back = sidecar.add(JEEP, {"verdict": "keep", "note": "blått lys"}, "kari")

    assert (given_back.verdict, given_back.stars, given_back.note, given_back.by) == ("keep", None, "blått lys", "kari")
    assert sidecar.current() == {JEEP: given_back}
    written = sidecar.path.read_text(encoding="utf-8")
    assert "blått lys" in written
    assert json.loads(written).keys() == {"id", "at", "by", "verdict", "note"}


def test_each_field_keeps_its_last_value(sidecar):
    sidecar.add(JEEP, {"verdict": "keep", "stars": 3}, "kari")
    sidecar.add(JEEP, {"stars": 5}, "ola")

    rating = sidecar.current()[JEEP]

    assert (rating.verdict, rating.stars, rating.by) == ("keep", 5, "ola")


def test_none_clears_a_field_and_the_history_stays(sidecar):
    sidecar.add(JEEP, {"verdict": "keep", "stars": 3, "note": "warm"}, "kari")

    rating = sidecar.add(JEEP, {"verdict": None, "stars": None, "note": None}, "kari")

    assert not rating.is_set
    assert rating == sidecar.current()[JEEP]
    assert len(sidecar.path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"verdict": "maybe"}, 'The verdict "maybe" is unknown: use "keep" or "reject"'),
        ({"verdict": ["keep"]}, "is unknown"),
        ({"stars": 6}, "6 stars cannot be given: give a whole number from 0 to 5"),
        ({"stars": -1}, "-1 stars cannot be given"),
        ({"stars": 4.5}, "4.5 stars cannot be given"),
        ({"stars": True}, "true stars cannot be given"),
        ({"note": 5}, "The note must be a text, not 5."),
    ],
)
def test_a_value_that_no_rating_has_is_refused_and_nothing_is_written(sidecar, values, sentence):
    with pytest.raises(ExplorationError) as raised:
        sidecar.add(JEEP, values, "kari")

    assert sentence in str(raised.value)
    assert not sidecar.path.exists()


@pytest.mark.programs
def test_programs_that_rate_at_once_lose_no_line(sidecar, tmp_path):
    script = (
        "import sys, pathlib; from couch_explorers.exploration.ratings import RatingsFile\n"
        "sidecar = RatingsFile(pathlib.Path(sys.argv[1]))\n"
        "for number in range(40): sidecar.add(f'image-{sys.argv[2]}-{number}', {'stars': number % 6}, sys.argv[2])\n"
    )

    programs = [
        subprocess.Popen([sys.executable, "-c", script, str(sidecar.path), name]) for name in ("kari", "ola", "per")
    ]

    assert [program.wait(timeout=60) for program in programs] == [0, 0, 0]
    assert len(sidecar.current()) == 120


def test_a_line_that_is_no_rating_is_reported_with_its_number_and_the_others_are_used(sidecar):
    broken = [
        "{half",
        "[1]",
        "17",
        line(verdict="maybe"),
        line(stars=9),
        line(at="yesterday"),
        line(at="2026-11-23T08:00:00"),
    ]
    broken += [line(picture_id="../jeep"), line(by=3), '{"at": "2026-11-23T08:00:00Z"}', "\udcff", "[" * 100_000]
    sidecar.path.parent.mkdir()
    for number, text in enumerate(broken):
        sidecar.path.write_bytes(
            f"{line(stars=4)}\n\n{text}\n{line(CLIFF, verdict='reject')}\n".encode(errors="surrogateescape"),
        )

        with pytest.warns(
            BrokenRatingWarning,
            match=r"Line 3 of .*local\.jsonl is no rating and is left out: ",
        ) as warnings:
            found = sidecar.current()

        assert len(warnings) == 1, number
        assert (found[JEEP].stars, found[CLIFF].verdict) == (4, "reject")


def test_a_line_cut_off_by_a_crash_takes_no_later_one_with_it(sidecar):
    write(sidecar.path, line(stars=4), line(CLIFF, stars=2)[:30], end="")

    with pytest.warns(BrokenRatingWarning, match="Line 2 "):
        sidecar.add(CLIFF, {"stars": 5}, "kari")

    with pytest.warns(BrokenRatingWarning, match="Line 2 "):
        assert {name: rating.stars for name, rating in sidecar.current().items()} == {JEEP: 4, CLIFF: 5}


def test_the_newest_rating_holds_even_where_an_earlier_clock_was_ahead(sidecar):
    ahead = datetime.now(UTC) + timedelta(hours=3)
    write(sidecar.path, line(verdict="keep", at=ahead.isoformat()))

    rating = sidecar.add(JEEP, {"verdict": "reject"}, "kari")

    assert rating.at == ahead + timedelta(microseconds=1)
    assert sidecar.current()[JEEP].verdict == "reject"


def test_half_a_character_pair_in_a_note_is_kept(sidecar):
    sidecar.add(JEEP, {"note": "half \ud83d pair"}, "kari")

    assert sidecar.current()[JEEP].note == "half \ud83d pair"


def test_merging_unites_the_lines_and_counts_those_that_were_new(sidecar, tmp_path):
    write(sidecar.path, line(stars=2), line(CLIFF, verdict="keep"))
    # The first line is the same rating in other JSON.
    same = json.dumps(json.loads(line(stars=2)), indent=None, separators=(" , ", " : "))
    later = line(stars=5, at="2026-11-23T09:00:00+01:00", by="ola"), line(CLIFF, note="too dark", by="ola")
    other = write(tmp_path / "ola.jsonl", same, *later, later[0])

    new = sidecar.merge(other)

    assert new == 2
    assert sidecar.merge(other) == 0
    # Nine o'clock in Oslo is eight in UTC: of one instant, the order of the texts decides, on every machine alike.
    assert sidecar.current()[CLIFF].verdict == "keep"
    assert sidecar.current()[CLIFF].note == "too dark"


def test_merging_in_either_direction_comes_to_the_same(tmp_path):
    mine, theirs = RatingsFile(tmp_path / "mine"), RatingsFile(tmp_path / "theirs")
    for sidecar, stars, minute in ((mine, (1, 2, 3), 0), (theirs, (4, 5, 0), 1)):
        lines = [line(stars=count, at=f"2026-11-23T08:0{minute + 2 * place}:00Z") for place, count in enumerate(stars)]
        write(sidecar.path, *lines, line(CLIFF, note=sidecar.path.name))

    mine.merge(theirs.path)
    theirs.merge(mine.path)

    assert mine.current() == theirs.current()
    assert mine.current()[JEEP].stars == 0


def test_a_file_without_ratings_is_not_merged(sidecar, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n and so on")

    with pytest.raises(ExplorationError, match=r"picture\.png holds no ratings"):
        sidecar.merge(picture)
    with pytest.raises(ExplorationError, match="There is no file"):
        sidecar.merge(tmp_path / "nowhere.jsonl")
    assert sidecar.merge(write(tmp_path / "empty.jsonl", end="")) == 0


def test_broken_lines_of_a_merged_file_are_reported_and_its_others_taken(sidecar, tmp_path):
    other = write(tmp_path / "ola.jsonl", "{half", line(stars=4))

    with pytest.warns(BrokenRatingWarning, match=r"Line 1 of .*ola\.jsonl"):
        new = sidecar.merge(other)

    assert new == 1


def test_a_file_that_cannot_be_written_is_reported_in_one_sentence(tmp_path):
    (tmp_path / "ratings").write_text("a file where the folder should be")
    sidecar = RatingsFile(tmp_path / "ratings" / "local.jsonl")

    with pytest.raises(ExplorationError, match=r"The rating was not saved, .* cannot be written: .* then try again"):
        sidecar.add(JEEP, {"stars": 1}, "kari")
    with pytest.raises(ExplorationError, match=r"The ratings in .* cannot be read"):
        sidecar.current()


def test_a_rating_that_says_nothing_is_distinguished_from_one_with_no_stars_at_all():
    assert not Rating(JEEP).is_set
    assert Rating(JEEP, stars=0).is_set


def test_a_picture_is_rated_by_its_number_its_row_or_its_id(pictures):
    rate(1, pictures, verdict="keep")
    rate(pictures.iloc[1], stars=4)
    rate(pictures.iloc[2].to_dict(), note="too dark")
    rate(pictures["id"][3], pictures, verdict="reject")
    rate(pictures["id"][3], stars=0)

    found = [current_ratings()[picture_id] for picture_id in pictures["id"]]

    assert [(rating.verdict, rating.stars, rating.note) for rating in found] == [
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


def test_ratings_are_a_frame_with_the_newest_first(pictures):
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

    assert current_ratings()[again["id"][0]].stars == 5


def test_two_cells_with_one_picture_are_rated_as_one(painted):
    # Stability paints both sizes alike, as a square.
    pictures = painted({"jeep": "A jeep"}, seeds=7, sizes=("512x512", "1024x1024"))
    assert list(pictures["status"]) == [Status.MADE, Status.SAME]

    rate(2, pictures, stars=4)

    assert list(current_ratings()) == [pictures["id"][0]]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, 'The rating is empty: give verdict="keep" or "reject", stars=0 to 5, or a note.'),
        ({"verdict": "great"}, 'The verdict "great" is unknown'),
        ({"stars": 7}, "7 stars cannot be given"),
        ({"stars": "5"}, '"5" stars cannot be given'),
        ({"note": b"x"}, "The note must be a text"),
        ({"stars": 3, "target": "moon"}, 'There is no target "moon": use one of local, aws.'),
    ],
)
def test_an_invalid_rating_is_refused_in_one_sentence(pictures, home, values, sentence):
    with pytest.raises(ExplorationError) as raised:
        rate(1, pictures, **values)

    assert sentence in str(raised.value)
    assert not home.ratings("local").exists()


def test_a_picture_that_is_not_there_is_reported_in_one_sentence(pictures):
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
    pictures.context = replace(pictures.context, target="aws")

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
