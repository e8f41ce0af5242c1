import unicodedata

import pytest
from hypothesis import given, strategies

from couch_explorers import fonts

CUNEIFORM = "\U00012000"


@pytest.fixture
def no_fonts_of_the_system(monkeypatch):
    monkeypatch.setattr(fonts, "system_files", lambda: ())
    fonts.font_of.cache_clear()
    yield
    fonts.font_of.cache_clear()


def test_every_package_of_fonts_is_there():
    assert [path.name for path in fonts.files()][:1] == ["DejaVuSans.ttf"]
    assert {"NotoSansDevanagari[wght].ttf", "NotoEmoji[wght].ttf", "NotoSansCJKjp-Regular.otf"} <= {
        path.name for path in fonts.files()
    }
    assert all(path.is_file() for path in fonts.files())


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("A fjord", ["DejaVuSans.ttf"]),
        ("東京の夜", ["NotoSansCJKjp-Regular.otf"]),
        ("서울", ["NotoSansCJKjp-Regular.otf"]),
        ("हिन्दी", ["NotoSansDevanagari[wght].ttf"]),
        ("ไทย", ["NotoSansThai[wght].ttf"]),
        ("תל אביב", ["DejaVuSans.ttf"]),
        ("Tokyo 東京 🗼", ["DejaVuSans.ttf", "NotoSansCJKjp-Regular.otf", "DejaVuSans.ttf", "NotoEmoji[wght].ttf"]),
        ("👩\u200d👧", ["NotoEmoji[wght].ttf"]),
        ("", []),
    ],
)
def test_each_script_is_drawn_by_a_font_that_has_it(text, drawn):
    assert [run.file.name for run in fonts.runs(text)] == drawn


@given(strategies.text())
def test_runs_are_the_text(text):
    assert "".join(run.text for run in fonts.runs(text)) == text


@given(strategies.text(strategies.characters(max_codepoint=0x24F, exclude_categories=["Cc", "Cf"])))
def test_latin_letters_are_in_the_first_font(text):
    characters = fonts.characters_of(fonts.files()[0])

    assert all(ord(character) in characters for character in [*text, *fonts.FREQUENT])


def test_a_character_that_no_font_has_is_written_as_its_number_and_explained(no_fonts_of_the_system):
    assert fonts.spelled(f"a {CUNEIFORM} b") == "a [U+12000] b"
    assert fonts.note([f"a {CUNEIFORM} b", "c"]) == (
        "No font on this machine has U+12000 CUNEIFORM SIGN A: a number in brackets stands for each. "
        "Install a font that has it."
    )


def test_a_note_names_few_characters_and_counts_the_rest(no_fonts_of_the_system):
    note = fonts.note("".join(chr(0x12000 + offset) for offset in range(10)))

    assert note.count("CUNEIFORM") == 3
    assert "and 7 more" in note


def test_there_is_no_note_where_every_character_can_be_drawn(no_fonts_of_the_system):
    assert fonts.note(["Blåtind", "東京の夜 🗼", "हिन्दी", "a\u200db\ufe0f\u202e", "a\u3000b"]) == ""


def test_a_font_of_the_system_serves_where_no_package_has_the_character(monkeypatch, tmp_path):
    file = tmp_path / "cuneiform.ttf"
    known = {file: frozenset({ord(CUNEIFORM)})}
    read = fonts.characters_of
    monkeypatch.setattr(fonts, "system_files", lambda: (file,))
    monkeypatch.setattr(fonts, "characters_of", lambda path: known.get(path) or read(path))
    fonts.font_of.cache_clear()

    assert fonts.font_of(CUNEIFORM) == file

    fonts.font_of.cache_clear()


@pytest.mark.parametrize("content", [b"", b"no font", b"OTTO" + bytes(40)])
def test_a_damaged_font_has_no_characters(tmp_path, content):
    file = tmp_path / "damaged.ttf"
    file.write_bytes(content)

    assert fonts.characters_of(file) == frozenset()


@given(strategies.text(strategies.characters(codec="utf-8")))
def test_whatever_is_spelled_can_be_drawn(text):
    spelled = fonts.spelled(fonts.visible(text))

    for character in spelled:
        if not (character.isspace() or character in fonts.JOINERS or unicodedata.category(character) == "Cc"):
            assert fonts.font_of(character) is not None


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("A fjord, עברית", False),
        ("עברית and more", True),
        ("12, العربية", True),
        ("東京 עברית", False),
        ("", False),
        ("12", False),
    ],
)
def test_a_line_runs_as_its_first_letter_does(text, turned):
    assert fonts.is_right_to_left(text) == turned
