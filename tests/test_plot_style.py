import io
import warnings

import matplotlib as mpl
import pytest
from hypothesis import example, given, settings, strategies
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers import fonts, plot_style
from couch_explorers.metrics.plots.figure import Panel


def test_the_sheet_holds_only_inside_of_its_block():
    before = mpl.rcParams["axes.spines.top"]

    with plot_style.sheet():
        assert not mpl.rcParams["axes.spines.top"]

    assert mpl.rcParams["axes.spines.top"] == before


@pytest.mark.parametrize("bold", [False, True])
def test_a_text_is_as_wide_as_it_is_drawn(bold):
    figure = Figure(dpi=720)
    FigureCanvasAgg(figure)
    text = figure.text(0, 0, "Age of the oldest job", fontsize=9, fontweight="bold" if bold else "normal")

    drawn = text.get_window_extent(figure.canvas.get_renderer()).width / 10

    assert plot_style.text_width("Age of the oldest job", 9, bold=bold) == pytest.approx(drawn, rel=0.01)


def test_a_long_text_is_broken_at_a_blank():
    assert plot_style.wrap("p95 60 days before", 70, 8.25) == "p95 60 days\nbefore"
    assert plot_style.wrap("day before", 70, 8.25) == "day before"
    assert plot_style.wrap("Donaudampfschifffahrt ahoi", 10, 8.25) == "Donaudampfschifffahrt\nahoi"


def relative_luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ink", [plot_style.INK, plot_style.SOFT])
def test_words_can_be_read_on_every_ground_they_stand_on(ink):
    # WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1.
    for ground in (plot_style.PAPER, plot_style.SYNTHETIC_GROUND, plot_style.ALARM_GROUND):
        contrast = (relative_luminance(ground) + 0.05) / (relative_luminance(ink) + 0.05)
        assert contrast >= 4.5


def test_the_line_of_the_window_before_is_lighter_in_grey_than_todays():
    assert relative_luminance(plot_style.BEFORE) > 2 * relative_luminance(plot_style.BLUE)


@pytest.mark.parametrize(
    ("text", "families"),
    [
        ("A fjord \u2192 300 s", []),
        ("東京の夜", ["NotoSansCJKjp-Regular"]),
        ("हिन्दी 🗼", ["NotoSansDevanagari[wght]", "NotoEmoji[wght]"]),
    ],
)
def test_text_looks_up_only_the_fonts_that_draw_it(text, families):
    (label,) = panel(text).figure.texts

    assert label.get_fontfamily() == ["DejaVu Sans", *(f"couch-explorers {name}" for name in families)]


def panel(text, weight="normal"):
    with plot_style.sheet():
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
    monkeypatch.setattr(fonts, "system_files", lambda: ())
    fonts.font_of.cache_clear()

    shown = panel("a \U00012000 b")

    assert [text.get_text() for text in shown.figure.texts] == ["a [U+12000] b"]
    assert shown.sentence == f"It is read. {shown.note}"
    assert shown.note.startswith("No font on this machine has U+12000 CUNEIFORM SIGN A")
    fonts.font_of.cache_clear()


@pytest.mark.parametrize("text", ["A fjord", "東京の夜", "हिन्दी 🗼"])
def test_width_is_measured_by_the_fonts_that_draw_it(text):
    with plot_style.sheet():
        figure = Figure(figsize=(5, 1), dpi=72)
        canvas = FigureCanvasAgg(figure)
        label = figure.text(0, 0.5, text, fontsize=40)
        plot_style.choose_fonts(figure)
        drawn = label.get_window_extent(canvas.get_renderer())

    assert plot_style.text_width(text, 40) == pytest.approx(drawn.width, rel=0.05)
