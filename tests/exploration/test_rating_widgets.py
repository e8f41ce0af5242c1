import os

import pytest

from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.rating_widgets import Panel
from couch_explorers.exploration.ratings import picture_id, rate, ratings_file


@pytest.fixture
def panel_of(home):
    """Make the panel of a result, as it is shown."""

    def make(frame, page_size=12):
        pictures = {picture_id(tile): tile for tile in cell_views(frame)}
        panel = Panel(pictures, ratings_file("local"), page_size)
        panel.refresh()
        return panel

    return make


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def found(widget, css_class):
    """Every widget of that class which is not hidden."""
    return [each for each in walk(widget) if css_class in each._dom_classes and each.layout.display != "none"]


def one(widget, css_class):
    (only,) = found(widget, css_class)
    return only


def cards(panel):
    return found(panel.widget, "couch-rating")


def stars(card):
    return "".join(one(card, f"couch-rate-star-{number}").description for number in range(1, 6))


def state(card):
    return one(card, "couch-rating-state").value


def test_each_picture_has_a_card_with_its_number_and_its_prompt(pictures, panel_of):
    texts = [" ".join(widget.value for widget in walk(card) if hasattr(widget, "value") and isinstance(widget.value, str))
             for card in cards(panel_of(pictures))]  # fmt: skip

    assert len(texts) == 4
    assert "<b>3</b> cliff" in texts[2]
    assert "seed 7" in texts[2]
    assert 'alt="A hiker on the edge of a cliff"' in texts[2]
    assert "data:image/jpeg;base64," in texts[2]


def test_every_button_says_what_it_does_and_to_which_picture(pictures, panel_of):
    card = cards(panel_of(pictures))[2]

    tooltips = [one(card, f"couch-rate-{name}").tooltip for name in ("keep", "reject", "star-4", "note")]

    assert tooltips == ["Keep picture 3", "Reject picture 3", "4 of 5 stars for picture 3", "Note on picture 3"]


def test_a_click_is_kept_at_once(pictures, panel_of, home):
    card = cards(panel_of(pictures))[1]
    assert "Not rated yet" in state(card)

    one(card, "couch-rate-keep").value = True
    one(card, "couch-rate-star-4").click()
    one(card, "couch-rate-note").value = " warm light "

    rating = ratings_file("local").current()[pictures["id"][1]]
    assert (rating.verdict, rating.stars, rating.note) == ("keep", 4, "warm light")
    assert stars(card) == "★★★★☆"
    assert "Saved " in state(card)
    assert len(home.ratings("local").read_text(encoding="utf-8").splitlines()) == 3


def test_what_was_rated_before_is_shown_pressed(pictures, panel_of):
    rate(1, pictures, verdict="keep", stars=2, note="warm")
    rate(2, pictures, verdict="reject")

    first, second, third, _ = cards(panel_of(pictures))

    assert [one(card, "couch-rate-keep").value for card in (first, second, third)] == [True, False, False]
    assert [one(card, "couch-rate-reject").value for card in (first, second, third)] == [False, True, False]
    assert (stars(first), one(first, "couch-rate-note").value) == ("★★☆☆☆", "warm")
    assert ["couch-kept" in first._dom_classes, "couch-rejected" in second._dom_classes] == [True, True]


def test_keep_and_reject_exclude_each_other_and_a_second_press_takes_back(pictures, panel_of):
    card = cards(panel_of(pictures))[0]
    keep, reject = one(card, "couch-rate-keep"), one(card, "couch-rate-reject")

    keep.value = True
    reject.value = True
    assert (keep.value, reject.value) == (False, True)
    assert ratings_file("local").current()[pictures["id"][0]].verdict == "reject"

    reject.value = False
    assert (keep.value, reject.value) == (False, False)
    assert not ratings_file("local").current()[pictures["id"][0]].is_set
    assert "Not rated yet" in state(card)


def test_the_last_lit_star_pressed_once_more_takes_the_stars_back(pictures, panel_of):
    card = cards(panel_of(pictures))[0]

    one(card, "couch-rate-star-3").click()
    assert stars(card) == "★★★☆☆"
    one(card, "couch-rate-star-2").click()
    assert stars(card) == "★★☆☆☆"
    one(card, "couch-rate-star-2").click()

    assert stars(card) == "☆☆☆☆☆"
    assert ratings_file("local").current()[pictures["id"][0]].stars is None


def test_picture_of_which_all_was_taken_back_counts_as_not_rated(pictures, panel_of):
    panel = panel_of(pictures)
    keep = one(cards(panel)[0], "couch-rate-keep")

    keep.value = True
    keep.value = False

    assert any(getattr(each, "value", "") == "4 pictures: 4 not rated." for each in walk(panel.widget))


def test_a_click_beside_another_notebooks_shows_both(pictures, panel_of):
    card = cards(panel_of(pictures))[0]
    rate(1, pictures, note="from elsewhere", by="ola")

    one(card, "couch-rate-keep").value = True

    assert one(card, "couch-rate-note").value == "from elsewhere"


def test_a_rating_by_somebody_else_names_them(pictures, panel_of):
    rate(1, pictures, verdict="keep", by="ola <o>")

    assert "by ola &lt;o&gt;" in state(cards(panel_of(pictures))[0])


def test_what_cannot_be_kept_is_reported_and_the_buttons_go_back(pictures, panel_of, home):
    card = cards(panel_of(pictures))[0]
    home.ratings("local").parent.mkdir(parents=True)
    os.mkdir(home.ratings("local"))  # noqa: PTH102 - a folder where the file should be

    one(card, "couch-rate-keep").value = True
    one(card, "couch-rate-note").value = "warm"

    assert "couch-trouble" in state(card)
    assert "cannot be" in state(card)
    assert one(card, "couch-rate-keep").value is False
    assert one(card, "couch-rate-note").value == ""


def test_a_big_sweep_comes_in_pages_that_use_the_same_cards_again(painted, panel_of):
    pictures = painted({"jeep": "A jeep"}, seeds=range(1, 8))
    rate(6, pictures, verdict="keep")
    panel = panel_of(pictures, page_size=3)
    number_of_widgets = len(list(walk(panel.widget)))
    following, previous = found(panel.widget, "couch-rate-next")[0], found(panel.widget, "couch-rate-previous")[0]
    assert (previous.disabled, following.disabled) == (True, False)

    following.click()
    assert [one(card, "couch-rate-keep").tooltip for card in cards(panel)] == [f"Keep picture {n}" for n in (4, 5, 6)]
    assert [one(card, "couch-rate-keep").value for card in cards(panel)] == [False, False, True]
    one(cards(panel)[0], "couch-rate-star-1").click()
    assert ratings_file("local").current()[pictures["id"][3]].stars == 1

    following.click()
    assert len(cards(panel)) == 1
    assert (previous.disabled, following.disabled) == (False, True)
    assert len(list(walk(panel.widget))) == number_of_widgets

    previous.click()
    assert stars(cards(panel)[0]) == "★☆☆☆☆"


def test_the_pictures_to_show_can_be_chosen_and_stay_while_they_are_rated(pictures, panel_of):
    rate(1, pictures, verdict="keep")
    panel = panel_of(pictures)
    show = next(widget for widget in walk(panel.widget) if getattr(widget, "description", "") == "Show")

    show.value = "not rated yet"
    assert len(cards(panel)) == 3
    one(cards(panel)[0], "couch-rate-reject").value = True
    assert len(cards(panel)) == 3

    show.value = "kept"
    assert [one(card, "couch-rate-keep").tooltip for card in cards(panel)] == ["Keep picture 1"]
    show.value = "rejected"
    assert [one(card, "couch-rate-keep").tooltip for card in cards(panel)] == ["Keep picture 2"]
    show.value = "all pictures"
    assert len(cards(panel)) == 4


def test_a_sweep_without_pictures_has_a_panel_too(home):
    panel = Panel({}, ratings_file("local"), 12)

    panel.refresh()

    assert cards(panel) == []
