import pytest

from couch_explorers.checks import Verdict
from couch_explorers.exploration.agreement import MIN_PICTURES, agreement
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.scores import Judgement, Score, scores_file


@pytest.fixture
def seen(painted):
    """A sweep whose pictures have these stars and scores; None gives none."""

    def make(stars, scores, *, stand_in=False):
        pictures = painted({"jeep": "A jeep"}, seeds=range(1, len(stars) + 1))
        for number, (star, score) in enumerate(zip(stars, scores, strict=True), start=1):
            name = pictures["id"][number - 1]
            if star is not None:
                rate(number, pictures, stars=star, by="ann")
            if score is not None:
                given = {"look": Score(score, "It <b>fades</b>.")}
                scores_file("local").add(
                    Judgement(f"key-{number}", name, "m", given, 0.0, stand_in, "2026-11-26T12:00:00Z")
                )
        return pictures

    return make


STARS = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 3, 4]


def test_same_scores_agree_fully(seen):
    found = agreement(seen(STARS, STARS))

    assert (found.alpha, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 12)
    assert found.verdict is Verdict.OK


def test_opposite_scores_disagree(seen):
    found = agreement(seen(STARS, [6 - star for star in STARS]))

    assert found.alpha < 0
    assert found.verdict is Verdict.BAD
    assert [check.verdict for check in found.checks] == ["WARN"]
    assert list(found.frame["difference"])[:2] in ([4.0, 4.0], [4.0, -4.0], [-4.0, 4.0], [-4.0, -4.0])


def test_alpha_is_krippendorffs_on_the_interval_scale(seen):
    """By hand: 1 - (n - 1) * sum of d^2 in pairs / sum of d^2 over all values (Krippendorff 2004, p. 222)."""
    scores = [1, 3, 3, 4, 4, 2, 2, 3, 5, 5, 2, 4]
    values = STARS + scores
    within = 2 * sum((star - score) ** 2 for star, score in zip(STARS, scores, strict=True))
    everywhere = sum((one - other) ** 2 for one in values for other in values)

    found = agreement(seen(STARS, scores))

    assert found.alpha == pytest.approx(1 - (len(values) - 1) * within / everywhere)
    assert found.low < found.alpha < found.high
    assert agreement(seen(STARS, scores)).low == found.low


@pytest.mark.parametrize("rated", [0, 1, MIN_PICTURES - 1])
def test_too_few_are_not_known_and_say_how_many_are_missing(seen, rated):
    found = agreement(seen(STARS[:rated] + [None] * (12 - rated), STARS))

    assert found.alpha is None
    assert found.verdict is Verdict.NO_DATA
    assert f"{MIN_PICTURES - rated} more" in found.sentence


def test_side_that_always_says_the_same_is_not_known(seen):
    assert agreement(seen(STARS, [4] * 12)).verdict is Verdict.NO_DATA
    assert agreement(seen([4] * 12, [4] * 12)).alpha is None


def test_stand_in_is_marked_in_sentence_page_and_figure(seen):
    found = agreement(seen(STARS, STARS, stand_in=True))

    assert found.verdict is Verdict.NO_DATA
    assert "says nothing about" in found.sentence
    assert "much as people do" not in found.sentence
    assert "says nothing about" in found._repr_mimebundle_()["text/html"]
    assert [text.get_text() for text in found.figure().axes[0].texts] == ["STAND-IN\nno model was asked"]


def test_a_models_scores_are_not_marked(seen):
    found = agreement(seen(STARS, STARS))

    assert not found.stand_in
    assert list(found.figure().axes[0].texts) == []


def test_differences_are_shown_largest_first_and_escaped(seen):
    scores = list(STARS)
    scores[0], scores[1] = 5, 4
    found = agreement(seen(STARS, scores))

    assert list(found.frame["number"])[:2] == [1, 2]
    assert "<b>fades</b>" not in found._repr_mimebundle_()["text/html"]
