"""Where a judge's scores are seen: on the sheet, among the winners, in the gallery."""

import pytest

from couch_explorers.exploration.contact_sheet import contact_sheet
from couch_explorers.exploration.gallery import GalleryFilter
from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.scores import Judgement, Score, current_scores, scores_file
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.winners import best


@pytest.fixture
def judged(pictures):
    """The four pictures with the scores 2, 3, 4 and 5."""
    for number, name in enumerate(pictures["id"], start=2):
        scores = {"look": Score(number, "x"), "tower": Score(number, "y")}
        scores_file("local").add(Judgement(f"k{number}", name, "m", scores, 0.0, number == 5, "2026-11-26T12:00:00Z"))
    return pictures


def test_newest_score_counts(judged):
    name = judged["id"][0]
    scores_file("local").add(
        Judgement("k9", name, "m", {"look": Score(1, "z")}, 0.0, stand_in=False, at="2026-11-26T13:00:00Z")
    )

    assert current_scores()[name].mean == 1.0


def test_sheet_labels_each_cell_with_its_score(judged):
    sheet = contact_sheet(judged)

    labels = [sheet.paging.labels_of(cell, ["seed"]) for cell in cell_views(judged)]
    assert [label[-1] for label in labels] == ["judged 2.0", "judged 3.0", "judged 4.0", "judged 5.0 (stand-in)"]
    assert sheet.pages[0].width > 0


def test_winners_with_equal_stars_are_in_the_order_of_their_scores(judged):
    for number in (1, 2, 4):
        rate(number, judged, stars=4, by="ann")

    winners = best(judged)

    assert list(winners["number"]) == [4, 2, 1]
    assert list(winners["score"]) == [5.0, 3.0, 2.0]
    assert winners["judged"][0] == "judged 5.0 (stand-in)"
    assert "judged 5.0 (stand-in)" in winners._repr_html_()


@pytest.mark.parametrize(("least", "numbers"), [(1, [1, 2, 3, 4]), (4, [3, 4]), (4.5, [4])])
def test_gallery_is_filtered_by_the_least_score(judged, least, numbers):
    criteria, scores = GalleryFilter(score=least), current_scores()

    assert [cell.number for cell in cell_views(judged) if criteria.matches(cell, {}, scores)] == numbers
    assert f"judged {least:g} or more" in str(criteria)


@pytest.mark.parametrize("score", [0, 6, True, "4", float("nan")])
def test_score_that_is_none_is_refused(score):
    with pytest.raises(ExplorationError, match="There is no score"):
        GalleryFilter(score=score)


def test_picture_without_a_score_is_not_in_a_gallery_by_score(pictures):
    assert not GalleryFilter(score=1).matches(cell_views(pictures)[0], {}, {})
