import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers import text_layout
from couch_explorers.text_layout import cut, wrap, wrap_parts, wrap_terminal
from tests import hostile

TEXTS = st.text(st.sampled_from("ab é\u0301-/. "), max_size=120)


def test_terminal_lines_keep_ids_whole():
    address = "https://example.org/" + "x" * 90

    assert wrap_terminal(f"see {address}", "- ") == ["- see", f"  {address}"]
    assert wrap_terminal("", "- ") == ["-"]


def test_one_line_drops_what_a_terminal_would_obey():
    assert text_layout.one_line("a\x1b[2J\n b" + "c" * 400, limit=8) == "a [2J b…"


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_for_a_terminal_steers_nothing_and_is_read_back_as_it_was(text, indent):
    value = {text: [text, "brygga \U0001f6cb\ufe0f \u6771\u4eac"]}

    written = text_layout.terminal_json(value, indent=indent)

    assert hostile.unprintable(written) == set()
    assert "brygga \U0001f6cb\ufe0f \u6771\u4eac" in written
    assert json.loads(written) == value


@given(TEXTS, st.integers(3, 30), st.sampled_from(["break", "hyphens"]))
def test_wrapped_lines_fit_and_lose_no_letter(text, width, long_words):
    lines = wrap(text, len, width, long_words=long_words)

    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(TEXTS, st.integers(3, 30), st.integers(1, 3))
def test_lines_are_limited(text, width, most):
    lines = wrap(text, len, width, max_lines=most)

    assert len(lines) <= most
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("long_words", "lines"),
    [
        ("break", ["see", "couch-explo", "rers-42"]),
        ("hyphens", ["see", "couch-", "explorers-", "42"]),
        ("keep", ["see", "couch-explorers-42"]),
    ],
)
def test_long_words(long_words, lines):
    assert wrap("see couch-explorers-42", len, 11, long_words=long_words) == lines


def test_first_line_is_indented():
    assert wrap("one two three", len, 7, first_indent=4) == ["one", "two", "three"]


def test_letters_keep_their_marks():
    assert cut("e\u0301e\u0301e\u0301", len, 4) == "e\u0301…"
    assert wrap("e\u0301e\u0301e\u0301", len, 3) == ["e\u0301", "e\u0301", "e\u0301"]


def test_parts_break_between_each_other():
    assert wrap_parts(["a" * 4, "b" * 4, "c" * 40], len, 12) == ["aaaa · bbbb", "ccccccccccc…"]


def test_no_break_space_keeps_a_number_beside_its_unit():
    assert wrap("time-out 28 s, 1,024\u00a0MB", len, 17) == ["time-out 28 s,", "1,024\u00a0MB"]


def test_no_text_has_no_lines():
    assert wrap("  ", len, 8) == []
