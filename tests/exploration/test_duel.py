import json
import random
import sys

import numpy as np
import pytest

from couch_explorers.exploration import json_lines
from couch_explorers.exploration.duel import duel
from couch_explorers.exploration.duel_ranking import PLACES_SHOWN, fit, next_pair, ranking
from couch_explorers.exploration.ratings import BrokenRatingWarning, Duel, rate, ratings_file
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError

# The package has the function of this name.
MODULE = sys.modules["couch_explorers.exploration.duel"]
NAMES = ["a", "b", "c", "d"]


def answers(*pairs):
    return [Duel(won, lost, won, None) for won, lost in pairs]


def answer(pictures, *numbers):
    """Keep answers: of each pair of cell numbers the first wins."""
    names = dict(zip(pictures["number"], pictures["id"], strict=True))
    for won, lost in numbers:
        ratings_file("local").add_duel(names[won], names[lost], names[won], "ann")


def test_without_answers_all_are_equal():
    mean, covariance = fit(3, [])

    assert list(mean) == [0, 0, 0]
    assert np.allclose(covariance, np.eye(3) * 2)


def test_winner_is_stronger_and_surer_than_one_that_was_never_seen():
    mean, covariance = fit(3, [(0, 1)] * 8)

    assert mean[0] > mean[2] > mean[1]
    assert covariance[0, 0] < covariance[2, 2]


def test_strengths_are_found_again():
    """Answers drawn from known strengths give back their order and, within the interval, their distances."""
    rng, true = random.Random(3), [1.5, 0.5, -0.5, -1.5]
    pairs = [rng.sample(range(4), 2) for _ in range(400)]
    results = [(i, j) if rng.random() < 1 / (1 + np.exp(true[j] - true[i])) else (j, i) for i, j in pairs]

    mean, covariance = fit(4, results)

    assert list(np.argsort(-mean)) == [0, 1, 2, 3]
    spread = np.sqrt(covariance[0, 0] + covariance[3, 3] - 2 * covariance[0, 3])
    assert abs((mean[0] - mean[3]) - 3.0) < 2.6 * spread


def test_pair_that_was_decided_often_is_not_shown_again():
    decided = answers(*[("a", "b")] * 6, *[("a", "c")] * 6, *[("b", "c")] * 6)

    for seed in range(10):
        assert "d" in next_pair(NAMES, decided, random.Random(seed))


def test_pairs_are_chosen_better_than_by_chance():
    """After 20 answers by strengths that are far apart, the chosen pairs leave fewer wrong places than random ones."""

    def wrong_places(seed, *, chosen):
        rng, order = random.Random(seed), [f"p{n}" for n in range(6)]
        given = []
        for _ in range(20):
            left, right = next_pair(order, given, rng) if chosen else rng.sample(order, 2)
            won, lost = sorted((left, right), key=order.index)
            given += answers((won, lost))
        mean, _ = fit(6, [(order.index(each.won), order.index(each.lost)) for each in given])
        return sum(abs(place - item) for place, item in enumerate(np.argsort(-mean)))

    assert sum(wrong_places(seed, chosen=True) for seed in range(2)) <= sum(
        wrong_places(seed, chosen=False) for seed in range(2)
    )


def test_sides_are_drawn_by_chance():
    assert {next_pair(["a", "b"], [], random.Random(seed)) for seed in range(20)} == {("a", "b"), ("b", "a")}


def test_thousand_pictures_are_chosen_from():
    pair = next_pair([f"p{n}" for n in range(1000)], [], random.Random(1))

    assert len(set(pair)) == 2


def test_cells_are_ranked_with_intervals(pictures):
    answer(pictures, *[(3, 1)] * 5, *[(3, 2)] * 5, *[(3, 4)] * 5)

    found = ranking(pictures)

    assert found.places[0].name == "cell 3"
    assert (found.places[0].won, found.places[0].lost, found.answers) == (15, 0, 15)
    assert all(place.low < place.strength < place.high for place in found.places)


def test_axis_is_ranked_by_pairs_that_differ_in_it(pictures):
    # Seeds 7 and 21 are cells 1 and 2, and 3 and 4; the last pair differs in the prompt only.
    answer(pictures, (1, 2), (3, 2), (3, 4), (1, 3))

    found = ranking(pictures, by="seed")

    assert [(place.name, place.won) for place in found.places] == [("seed 7", 3), ("seed 21", 0)]
    assert found.answers == 3


def test_unknown_axis_is_refused(pictures):
    with pytest.raises(ExplorationError, match="no axis"):
        ranking(pictures, by="colour")


def test_lead_is_stated_only_where_intervals_do_not_overlap(pictures):
    answer(pictures, (1, 2))
    assert "overlaps" in ranking(pictures).sentence

    answer(pictures, *[(1, 2), (1, 3), (1, 4)] * 20)
    assert "preferred to all others" in ranking(pictures).sentence


def test_nothing_compared_yet_says_how(pictures):
    assert "duel(pictures)" in ranking(pictures).sentence


def test_answers_and_ratings_share_the_file_and_leave_each_other_alone(pictures):
    rate(1, pictures, stars=5, by="ann")
    answer(pictures, (1, 2))
    rate(2, pictures, verdict="keep", by="ann")

    assert len(ratings_file("local").duels()) == 1
    assert len(ratings_file("local").current()) == 2


def test_two_peoples_answers_are_merged_once(pictures, tmp_path):
    answer(pictures, (1, 2))
    theirs = tmp_path / "theirs.jsonl"
    names = list(pictures["id"])
    line = {"duel": names[:2], "won": names[1], "at": "2026-11-26T12:00:00.000000Z", "by": "bob"}
    theirs.write_text(json.dumps(line) + "\n")

    assert ratings_file("local").merge(theirs) == 1
    assert ratings_file("local").merge(theirs) == 0
    assert [(each.by, each.won) for each in ratings_file("local").duels()] == [("bob", names[1]), ("ann", names[0])]


@pytest.mark.parametrize(
    "line",
    [
        {"duel": ["a"], "won": "a"},
        {"duel": ["a", "a"], "won": "a"},
        {"duel": ["a", "b"], "won": "c"},
        {"duel": "ab", "won": "a"},
        {"duel": ["a", 7], "won": "a"},
    ],
)
def test_broken_answer_is_named_and_left_out(home, line):
    path = home.ratings("local")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(line | {"at": "2026-11-26T12:00:00Z", "by": "ann"}) + "\n")

    with pytest.warns(BrokenRatingWarning, match="Line 1"):
        assert ratings_file("local").duels() == []


@pytest.mark.parametrize(("left", "right", "won"), [("a", "a", "a"), ("a", "b", "c")])
def test_impossible_answer_is_refused(home, left, right, won):
    with pytest.raises(ExplorationError, match="cannot win"):
        ratings_file("local").add_duel(left, right, won, "ann")
    assert not home.ratings("local").exists()


def test_reload_goes_on_from_what_is_kept(pictures):
    first = duel(pictures)
    chosen = first.choose("left")

    again = duel(pictures)

    assert [each.won for each in ratings_file("local").duels()] == [chosen.won]
    assert set(again.pair) != {chosen.left, chosen.right}
    assert again.ranking.answers == 1


def test_pressed_button_keeps_the_answer_and_shows_the_next_pair(pictures, monkeypatch):
    monkeypatch.setattr(MODULE, "widgets_work", lambda: True)
    panel = duel(pictures)
    panel._repr_mimebundle_()
    pair, shown = panel.pair, panel.stage.value
    right = panel.widget.children[-1].children[1]

    right.click()

    (kept,) = ratings_file("local").duels()
    assert (kept.left, kept.right, kept.won) == (*pair, pair[1])
    assert panel.stage.value != shown
    assert "1 comparison so far" in panel.count.value


def test_page_says_nothing_of_the_pictures(pictures, monkeypatch):
    monkeypatch.setattr(MODULE, "widgets_work", lambda: True)
    panel = duel(pictures)
    panel._repr_mimebundle_()

    shown = panel.stage.value
    for word in ("jeep", "cliff", "seed", "Stable", "image-"):
        assert word not in shown


def test_answer_that_cannot_be_kept_leaves_the_pair(pictures, monkeypatch):
    def full(*_, **__):
        raise ExplorationError("No room.")

    panel = duel(pictures)
    panel.widget  # noqa: B018 - made when first asked for
    pair = panel.pair
    monkeypatch.setattr(json_lines, "append", full)

    panel.widget.children[-1].children[0].click()

    assert panel.pair == pair
    assert "No room." in panel.count.value


def test_report_shows_the_ranking_without_widgets(pictures):
    answer(pictures, (1, 2))

    assert "cell 1" in duel(pictures)._repr_mimebundle_()["text/html"]


def test_single_picture_cannot_be_compared(painted):
    with pytest.raises(ExplorationError, match="at least two"):
        duel(painted({"a": "A cow"}, seeds=7))
    with pytest.raises(ExplorationError, match="at least two"):
        duel(painted(without=dict.fromkeys((1, 2, 3), (Status.FAILED, "x"))))
    with pytest.raises(ExplorationError, match="side"):
        duel(painted()).choose("middle")


def test_report_shows_the_ranking_and_how_to_compare(pictures):
    answer(pictures, (3, 1), (3, 2))

    shown = duel(pictures)._repr_mimebundle_()["text/html"]

    assert shown.index("cell 3") < shown.index("cell 1")
    assert "couch lab" in shown
    assert "application/vnd.jupyter.widget-view+json" not in duel(pictures)._repr_mimebundle_()


def test_report_without_answers_has_no_table(pictures):
    assert "<table" not in duel(pictures)._repr_mimebundle_()["text/html"]


def test_long_ranking_is_cut_in_a_notebook_and_whole_as_a_frame(painted):
    pictures = painted({"jeep": "A jeep"}, seeds=range(1, 16))
    answer(pictures, (3, 1))

    found = ranking(pictures)

    assert found._repr_mimebundle_()["text/html"].count("<tr>") == 1 + PLACES_SHOWN
    assert len(found.frame) == 15


def test_too_few_pictures_are_a_sentence_where_the_notebook_goes_on(painted):
    pictures = painted({"jeep": "A jeep"}, seeds=7)

    with pytest.raises(ExplorationError, match="takes at least two"):
        duel(pictures)
    assert "takes at least two" in str(duel(pictures, errors="show"))
