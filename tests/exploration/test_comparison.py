from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.comparison import (
    MARK_STYLE,
    compare,
    difference_sentence,
    mark_differences,
    same_pixels,
)
from couch_explorers.exploration.page_layout import PageMetrics
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError


def plain(colour, size=(20, 10)):
    return Image.new("RGB", size, colour)


def test_words_of_one_text_only_are_marked():
    left, right = mark_differences("an old polaroid of Paris in May", "a new photograph of Paris in May")

    assert left == f'<mark style="{MARK_STYLE}">an old polaroid</mark> of Paris in May'
    assert right == f'<mark style="{MARK_STYLE}">a new photograph</mark> of Paris in May'


def test_texts_that_have_little_in_common_are_not_marked():
    assert mark_differences("A jeep on the savanna", "A hiker & a cliff") == (
        "A jeep on the savanna",
        "A hiker &amp; a cliff",
    )


def test_added_words_are_marked_where_they_are():
    left, right = mark_differences("a jeep", "a red jeep")

    assert left == "a jeep"
    assert right == f'a <mark style="{MARK_STYLE}">red</mark> jeep'


def test_marked_texts_are_safe_html():
    assert mark_differences("a <b>", "a <b>") == ("a &lt;b&gt;", "a &lt;b&gt;")


def test_one_pixel_is_a_difference():
    other = plain("white")
    other.putpixel((3, 3), (255, 255, 254))

    assert not same_pixels(plain("white"), other)
    assert difference_sentence(plain("white"), other) == "The pictures differ hardly visibly."


def test_the_part_that_differs_clearly_is_stated():
    other = plain("white")
    other.paste((0, 0, 255), (0, 0, 10, 5))

    assert difference_sentence(plain("white"), other) == "25% of the pixels differ clearly."


def test_other_sizes_are_described_as_such():
    assert difference_sentence(plain("white"), plain("white", (10, 10))) == (
        "The pictures have different sizes: 20 \u00d7 10 and 10 \u00d7 10 pixels."
    )


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
        "prompt": ("A jeep on the savanna at sunset", "A hiker on the edge of a cliff"),
    }


def test_the_same_picture_is_recognized_pixel_by_pixel(pictures):
    Path(pictures["path"][1]).write_bytes(Path(pictures["path"][0]).read_bytes())

    comparison = compare(pictures, 1, 2)

    assert comparison.same_pixels
    assert comparison.sentence == "The pictures are the same, pixel by pixel."


def test_a_cell_can_be_compared_with_itself(pictures):
    comparison = compare(pictures, 1, 1)

    assert (comparison.differences, comparison.same_pixels) == ({}, True)
    assert comparison.image().width == PageMetrics(2).width


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
        assert (page.format, page.width) == ("PNG", PageMetrics(2).width)


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


def test_a_picture_whose_file_is_gone_is_reported(pictures):
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
