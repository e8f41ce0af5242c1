import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, strategies
from PIL import Image, ImageDraw, ImageOps

from couch_explorers import fonts
from couch_explorers.exploration.page_layout import Face, clean
from couch_explorers.formatting import ELLIPSIS
from couch_explorers.text_layout import cut, wrap, wrap_parts

FACE = Face(20)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def test_no_line_is_wider_than_its_room():
    lines = wrap("Me at a classic Parisian café with the Eiffel Tower in the background", FACE.width, 200, max_lines=9)

    assert len(lines) > 2
    assert all(FACE.width(line) <= 200 for line in lines)
    assert " ".join(lines) == "Me at a classic Parisian café with the Eiffel Tower in the background"


def test_a_word_that_is_longer_than_a_line_is_broken_and_nothing_of_it_is_lost():
    lines = wrap(f"the {LONG}", FACE.width, 200, max_lines=20)

    assert "".join(lines).replace(" ", "") == f"the{LONG}"
    assert all(FACE.width(line) <= 200 for line in lines)


def test_a_text_that_does_not_end_ends_in_an_ellipsis():
    lines = wrap("one two three four five six seven eight nine ten", FACE.width, 120, max_lines=2)

    assert len(lines) == 2
    assert lines[-1].endswith(ELLIPSIS)
    assert FACE.width(lines[-1]) <= 120


def test_the_first_line_leaves_room_for_what_stands_before_it():
    lines = wrap("one two three four", FACE.width, 200, max_lines=5, first_indent=150)

    assert FACE.width(lines[0]) <= 50
    assert " ".join(line for line in lines if line) == "one two three four"


def test_a_word_that_does_not_fit_beside_a_lead_goes_whole_to_the_next_line():
    assert wrap("elephants", FACE.width, 150, max_lines=3, first_indent=120) == ["", "elephants"]


def test_an_empty_text_has_no_lines():
    assert wrap("", FACE.width, 200, max_lines=3) == []


def test_a_text_that_fits_is_not_cut():
    assert cut("short", FACE.width, 200) == "short"


def test_parts_are_parted_between_and_never_within_while_they_fit():
    assert wrap_parts(["jeep", "no negative prompt", "seed 7"], FACE.width, 210) == [
        "jeep",
        "no negative prompt",
        "seed 7",
    ]
    assert wrap_parts(["jeep", "seed 7"], FACE.width, 210) == ["jeep · seed 7"]


def test_a_part_that_is_too_long_is_cut_and_the_others_are_still_shown():
    lines = wrap_parts([LONG, "seed 7"], FACE.width, 200, first_indent=40)

    assert lines[0].endswith(ELLIPSIS)
    assert FACE.width(lines[0]) <= 160
    assert lines[1] == "seed 7"


@pytest.mark.parametrize(
    ("text", "drawable"),
    [
        (" two\n lines\tand  blanks ", "two lines and blanks"),
        ("half a pair \ud83d here", "half a pair \ufffd here"),
        ("nul \x00 inside", "nul \ufffd inside"),
        ("fjellet \U0001f3d4\ufe0f", "fjellet \U0001f3d4"),
        ("turned \u202earound", "turned around"),
        (None, "None"),
    ],
)
def test_a_text_is_made_drawable(text, drawable):
    assert clean(text) == drawable


@pytest.mark.parametrize(
    "text",
    ["Ærlig øy på Ås", "日本語", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "مرحبا", "\ud83d", "हिन्दी"],
)
def test_any_script_can_be_drawn(text):
    image = Image.new("L", (400, 60), 255)

    Face(30).draw(ImageDraw.Draw(image), 10, 10, clean(text), "#000000")

    assert image.getextrema()[0] < 128


@pytest.mark.parametrize("letters", ["æøåÆØÅ", "東京夜日本語", "हिनदी", "서울밤", "🗼🦁🏔🚙", "ไทย", "ქართ"])
def test_letters_are_letters_and_not_boxes(letters):
    # A font that lacks a letter draws the same box for each.
    drawn = set()
    for letter in letters:
        image = Image.new("L", (60, 60), 255)
        Face(30).draw(ImageDraw.Draw(image), 10, 10, clean(letter), "#000000")
        drawn.add(image.tobytes())

    assert len(drawn) == len(letters)


def test_width_is_that_of_what_is_drawn():
    text = clean("Tokyo 東京の夜 हिन्दी 🗼!")
    image = Image.new("L", (900, 80), 255)

    Face(30).draw(ImageDraw.Draw(image), 0, 10, text, "#000000")

    inked = ImageOps.invert(image).getbbox()
    assert Face(30).width(text) == pytest.approx(inked[2], abs=6)


@given(strategies.text(max_size=80), strategies.integers(min_value=0, max_value=400))
@example("क्षत्रिय क्षत्रिय", 60)
@example("👩\u200d👩\u200d👧\u200d👦👩\u200d👩\u200d👧", 90)
def test_lines_hold_the_whole_text_and_part_no_letter(text, width):
    # More lines than any text of this length takes.
    lines = wrap(clean(text), FACE.width, width, max_lines=500)

    assert "".join(lines).replace(" ", "") == clean(text).replace(" ", "")
    for line in lines[1:]:
        if line and "".join(lines).index(line):
            assert not unicodedata.category(line[0]).startswith("M")
            assert line[0] not in fonts.JOINERS


def test_the_font_is_found_without_importing_matplotlib_or_fonttools():
    program = (
        "import sys; from couch_explorers.exploration.page_layout import Face, clean;"
        "print(Face(21).width(clean('Bl\u00e5tt fjell \u00d7 3 \u2026 \u2713')) > 0, {'matplotlib', 'fontTools'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True set()"


def test_pillows_own_font_serves_where_no_other_is_found(monkeypatch):
    monkeypatch.setattr(fonts, "files", lambda: (Path("no-such-font.ttf"),))
    fonts.runs.cache_clear()

    assert Face(22).width("seed 42") > 0

    fonts.runs.cache_clear()
