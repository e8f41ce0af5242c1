import pytest

from couch_explorers.figures import canvas
from couch_explorers.metrics.plots import style


def fits(lines, width, size):
    return all(style.text_width(line, size) <= width for line in lines)


def test_a_sheet_is_as_wide_as_the_text_of_an_a4_page_with_margins_of_25_millimetres():
    sheet = canvas.blank(100)

    width, height = sheet.figure.get_size_inches()
    assert width * 25.4 == pytest.approx(210 - 2 * 25)
    assert height * 72 == pytest.approx(100)


def test_a_text_is_broken_at_blanks_first():
    assert canvas.wrapped("time-out of the worker", 60, 7) == ["time-out of the", "worker"]


def test_a_name_that_no_line_holds_is_broken_behind_its_hyphens():
    lines = canvas.wrapped("couch-explorers-42-jobs-dead-letter", 80, 7)

    assert "".join(lines) == "couch-explorers-42-jobs-dead-letter"
    assert all(line.endswith("-") for line in lines[:-1])
    assert fits(lines, 80, 7)


def test_a_word_without_a_place_to_break_is_broken_anywhere():
    lines = canvas.wrapped("x" * 60, 80, 7)

    assert "".join(lines) == "x" * 60
    assert fits(lines, 80, 7)


def test_a_number_stays_beside_its_unit():
    assert "1,024\u00a0MB" in canvas.wrapped("time-out 28 s, 1,024\u00a0MB", 60, 7)


def test_no_text_has_no_lines():
    assert canvas.wrapped("  ", 80, 7) == []
