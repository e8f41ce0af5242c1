import sys
from types import SimpleNamespace

import pytest

from couch_explorers.exploration.rating_panel import rating_panel
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def in_jupyter(monkeypatch):
    """As in the kernel of JupyterLab."""
    monkeypatch.delenv("COUCH_RUN", raising=False)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=object()))


@pytest.fixture
def in_a_run(in_jupyter, monkeypatch):
    """As in the kernel of `couch run`."""
    monkeypatch.setenv("COUCH_RUN", "1")


def shown(frame, **arguments):
    return rating_panel(frame, **arguments)._repr_mimebundle_(include=None, exclude=None)


def test_in_jupyter_the_panel_is_a_widget_with_words_for_whoever_cannot_show_it(pictures, in_jupyter):
    rate(1, pictures, verdict="keep")

    bundle = shown(pictures)

    assert set(bundle) == {WIDGET, "text/plain"}
    assert bundle["text/plain"] == "4 pictures: 1 kept, 3 not rated."


def test_the_panel_shown_again_shows_what_was_rated_meanwhile(pictures, in_jupyter):
    panel = rating_panel(pictures)
    first = panel._repr_mimebundle_()

    rate(1, pictures, verdict="keep")
    second = panel._repr_mimebundle_()

    assert second[WIDGET] == first[WIDGET]
    assert second["text/plain"] == "4 pictures: 1 kept, 3 not rated."


def test_in_a_run_the_rated_pictures_are_shown_without_scripts_and_widgets(pictures, in_a_run):
    rate(1, pictures, verdict="reject", note="too dark & <cold>")
    rate(2, pictures, stars=3)
    rate(4, pictures, verdict="keep", stars=5)

    bundle = shown(pictures)

    html = bundle["text/html"]
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<script" not in html
    assert html.count("data:image/jpeg;base64,") == 3
    assert html.index("★★★★★") < html.index("★★★☆☆") < html.index("too dark &amp; &lt;cold&gt;")
    assert "4 pictures: 1 kept, 1 rejected, 1 with stars or a note only, 1 not rated." in html


def test_plain_python_shows_the_same_as_a_run(pictures, monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.delenv("COUCH_RUN", raising=False)

    assert set(shown(pictures)) == {"text/html", "text/plain"}


def test_where_nobody_has_rated_it_says_how_to(pictures, in_a_run):
    html = shown(pictures)["text/html"]

    assert "4 pictures: 4 not rated." in html
    assert "couch lab" in html
    assert 'rate(1, pictures, verdict="keep", stars=5)' in html
    assert "<img" not in html


def test_a_report_shows_no_more_pictures_than_it_can_hold(painted, in_a_run):
    pictures = painted(seeds=range(1, 15))
    for number in pictures["number"]:
        rate(number, pictures, stars=3)

    html = shown(pictures)["text/html"]

    assert html.count("<figure") == 24
    assert "The first 24 are shown." in html


def test_cells_without_a_picture_and_second_cells_of_one_are_left_out(painted, in_a_run):
    pictures = painted(
        {"jeep": "A jeep"},
        seeds=(7, 8),
        sizes=("512x512", "1024x1024"),
        without={2: (Status.FAILED, "Gone.")},
    )
    assert list(pictures["status"]) == [Status.MADE, Status.FAILED, Status.SAME, Status.FAILED]

    assert shown(pictures)["text/plain"] == "1 picture: 1 not rated."


def test_a_sweep_without_pictures_says_so(painted, in_a_run):
    pictures = painted({"jeep": "A jeep"}, seeds=7, without={1: (Status.THROTTLED, "Throttled: Later.")})

    assert shown(pictures)["text/plain"] == "There is no picture to rate."


def test_a_picture_whose_file_is_gone_is_reported_in_its_place(pictures, home, in_a_run):
    rate(1, pictures, stars=3)
    for path in home.images("local").iterdir():
        path.unlink()

    assert "The picture&#39;s file is gone" in shown(pictures)["text/html"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"target": "moon"}, 'There is no target "moon"'),
        ({"page_size": 0}, "A page of 0 pictures shows nothing"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(pictures, arguments, sentence):
    with pytest.raises(ExplorationError) as raised:
        rating_panel(pictures, **arguments)

    assert sentence in str(raised.value)
