"""Any text can stand in a figure: no character is a box, no dollar a formula."""

import io
import warnings

import pytest
from hypothesis import example, given, settings, strategies
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers import fonts
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.panel import Panel


def panel(text, weight="normal"):
    with style.sheet():
        figure = Figure(figsize=(5, 1))
        FigureCanvasAgg(figure)
        figure.text(0.02, 0.5, text, fontsize=12, weight=weight)
    return Panel("any", "Any text", "It is read.", "A text.", figure)


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
@pytest.mark.parametrize("weight", ["normal", "bold"])
@pytest.mark.parametrize("text", ["東京の夜 🗼", "हिन्दी ताज महल", "서울", "עברית العربية", "a $b$ c_{d}"])
def test_a_script_that_the_first_font_lacks_is_drawn_by_another(text, weight, form, tmp_path, caplog):
    shown = panel(text, weight)

    # A missing letter is a warning, and warnings are errors here; so is a font that matplotlib looks for in vain.
    (path,) = shown.save(tmp_path, form)

    assert path.stat().st_size > 500
    assert caplog.records == []
    assert shown.note == ""


@settings(max_examples=15)
@given(strategies.text(strategies.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20))
@example("$x_{1}$ and $")
@example("\U00012000")
def test_no_text_is_beyond_a_figure(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        panel(text).figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_a_character_that_no_font_has_is_its_number_and_the_sentence_explains_it(monkeypatch):
    monkeypatch.setattr(fonts, "_system_files", lambda: ())
    fonts.font_of.cache_clear()

    shown = panel("a \U00012000 b")

    assert [text.get_text() for text in shown.figure.texts] == ["a [U+12000] b"]
    assert shown.sentence == f"It is read. {shown.note}"
    assert shown.note.startswith("No font on this machine has U+12000 CUNEIFORM SIGN A")
    fonts.font_of.cache_clear()


@pytest.mark.parametrize("text", ["A fjord", "東京の夜", "हिन्दी 🗼"])
def test_width_is_measured_by_the_fonts_that_draw_it(text):
    with style.sheet():
        figure = Figure(figsize=(5, 1), dpi=72)
        canvas = FigureCanvasAgg(figure)
        drawn = figure.text(0, 0.5, text, fontsize=40).get_window_extent(canvas.get_renderer())

    assert style.text_width(text, 40) == pytest.approx(drawn.width, rel=0.05)
