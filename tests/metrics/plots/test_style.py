import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers.metrics.plots import style


def test_the_sheet_holds_only_inside_of_its_block():
    before = mpl.rcParams["axes.spines.top"]

    with style.sheet():
        assert not mpl.rcParams["axes.spines.top"]

    assert mpl.rcParams["axes.spines.top"] == before


@pytest.mark.parametrize("bold", [False, True])
def test_a_text_is_as_wide_as_it_is_drawn(bold):
    figure = Figure(dpi=720)
    FigureCanvasAgg(figure)
    text = figure.text(0, 0, "Age of the oldest job", fontsize=9, fontweight="bold" if bold else "normal")

    drawn = text.get_window_extent(figure.canvas.get_renderer()).width / 10

    assert style.text_width("Age of the oldest job", 9, bold=bold) == pytest.approx(drawn, rel=0.01)


def test_a_long_text_is_broken_at_a_blank():
    assert style.broken("p95 60 days before", 70, 8.25) == "p95 60 days\nbefore"
    assert style.broken("day before", 70, 8.25) == "day before"
    assert style.broken("Donaudampfschifffahrt ahoi", 10, 8.25) == "Donaudampfschifffahrt\nahoi"


def relative_luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ink", [style.INK, style.SOFT])
def test_words_can_be_read_on_every_ground_they_stand_on(ink):
    # WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1.
    for ground in (style.PAPER, style.SYNTHETIC_GROUND, style.ALARM_GROUND):
        contrast = (relative_luminance(ground) + 0.05) / (relative_luminance(ink) + 0.05)
        assert contrast >= 4.5


def test_the_line_of_the_window_before_is_lighter_in_grey_than_todays():
    assert relative_luminance(style.BEFORE) > 2 * relative_luminance(style.BLUE)
