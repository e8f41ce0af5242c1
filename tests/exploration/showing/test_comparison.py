from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.showing.comparison import compare
from couch_explorers.exploration.showing.measures import Measures

NOVA = "amazon.nova-canvas-v1:0"


def test_only_what_differs_is_in_the_differences_and_the_rest_is_shared(painted):
    frame = painted({"jeep": "A jeep"}, models=(DEFAULT_MODEL_ID, NOVA), seeds=(7, 21))

    comparison = compare(frame, 1, 4)

    assert comparison.differences == {"model": (DEFAULT_MODEL_ID, NOVA), "seed": ("7", "21")}
    assert comparison.shared == {
        "prompt": "A jeep", "size": "1024 \u00d7 1024", "cfg_scale": "default", "negative_prompt": "none",
    }  # fmt: skip


def test_a_row_serves_as_well_as_a_number(pictures):
    by_number = compare(pictures, 1, np.int64(3))

    assert compare(pictures, pictures.iloc[0], pictures.iloc[2].to_dict()) == by_number


def test_prompts_differ_by_their_texts(pictures):
    assert compare(pictures, 1, 3).differences == {
        "prompt": ("A jeep on the savanna at sunset", "A hiker on the edge of a cliff")
    }


def test_the_same_picture_is_told_pixel_by_pixel(pictures):
    Path(pictures["path"][1]).write_bytes(Path(pictures["path"][0]).read_bytes())

    comparison = compare(pictures, 1, 2)

    assert comparison.same_pixels
    assert comparison.sentence == "The pictures are the same, pixel by pixel."


def test_a_cell_can_be_compared_with_itself(pictures):
    comparison = compare(pictures, 1, 1)

    assert (comparison.differences, comparison.same_pixels) == ({}, True)
    assert comparison.image().width == Measures(2).width


def test_a_notebook_shows_both_pictures_and_only_what_differs_as_a_table(pictures):
    shown = compare(pictures, 1, 3)._repr_mimebundle_()

    html = shown["text/html"]
    assert html.count('<img src="data:image/jpeg;base64,') == 2
    assert 'alt="Cell 3: A hiker on the edge of a cliff"' in html
    table = html[html.index("<table") : html.index("</table>")]
    assert ">prompt</td>" in table
    assert ">seed</td>" not in table
    assert f"In both: model {DEFAULT_MODEL_ID} · size 1024 \u00d7 1024 · cfg scale default" in html
    assert "prompt: A jeep on the savanna at sunset | A hiker on the edge of a cliff" in shown["text/plain"]


def test_words_of_a_prompt_are_no_html(painted):
    frame = painted({"a": "A <b>jeep</b>", "b": "A <i>lion</i>"}, seeds=7)

    html = compare(frame, 1, 2)._repr_mimebundle_()["text/html"]

    assert "<b>jeep" not in html
    assert "&lt;b&gt;jeep" in html


def test_the_page_is_saved_as_a_png(pictures, tmp_path):
    path = compare(pictures, 1, 2).save(tmp_path / "new" / "pair.png")

    with Image.open(path) as page:
        assert (page.format, page.width) == ("PNG", Measures(2).width)


def test_a_number_that_is_not_there_is_refused_with_those_that_are(pictures):
    with pytest.raises(ExplorationError, match="no cell 9: its numbers are 1 to 4"):
        compare(pictures, 1, 9)


def test_a_number_that_is_there_twice_is_refused(pictures):
    with pytest.raises(ExplorationError, match="2 cells 1: give rows"):
        compare(pd.concat([pictures, pictures]), 1, 2)


@pytest.mark.parametrize("which", ["1", True, 1.0])
def test_what_names_no_cell_is_refused(which, pictures):
    with pytest.raises(ExplorationError, match="names no cell: give its number"):
        compare(pictures, which, 2)


def test_a_cell_without_a_picture_is_refused_with_its_reason(painted):
    frame = painted(without={2: (Status.FILTERED, "ContentFiltered: withheld.")})

    with pytest.raises(ExplorationError, match="Cell 2 has no picture, it is filtered: ContentFiltered: withheld"):
        compare(frame, 1, 2)


def test_a_picture_whose_file_is_gone_is_told(pictures):
    Path(pictures["path"][1]).unlink()

    with pytest.raises(ExplorationError, match="picture of cell 2 is gone or damaged: run the sweep again"):
        compare(pictures, 1, 2)


@pytest.mark.parametrize("cells", [(1, None), (None, 2)])
def test_one_cell_alone_is_refused(cells, pictures):
    with pytest.raises(ExplorationError, match="Only one cell is given: give two numbers"):
        compare(pictures, *cells)


def test_without_numbers_the_first_two_pictures_that_are_there_are_compared(pictures):
    pictures.loc[0, ["status", "path"]] = [Status.FILTERED, None]
    Path(pictures["path"][1]).unlink()

    comparison = compare(pictures)

    assert (comparison.left.number, comparison.right.number) == (3, 4)


@pytest.mark.parametrize(
    ("there", "sentence"),
    [
        (0, "Nothing to compare: none of 4 cells have a picture, and it takes two."),
        (1, "Nothing to compare: 1 of 4 cells has a picture, and it takes two."),
    ],
)
def test_where_fewer_than_two_pictures_are_there_it_says_so(pictures, there, sentence):
    pictures.loc[there:, "status"] = Status.THROTTLED

    shown = compare(pictures)._repr_mimebundle_()

    assert shown == {"text/html": f"<p>{sentence}</p>", "text/plain": sentence}
