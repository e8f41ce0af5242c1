import math

import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle

from couch_explorers import plot_style
from couch_explorers.figures import charts
from couch_explorers.figures.charts import MARKS_AT_PT, MARKS_END_PT, Group, Row, Scale


def test_a_sheet_is_as_wide_as_the_text_of_an_a4_page_with_margins_of_25_millimetres():
    sheet = charts.blank(100)

    width, height = sheet.figure.get_size_inches()
    assert width * 25.4 == pytest.approx(210 - 2 * 25)
    assert height * 72 == pytest.approx(100)


def of_kind(figure, kind):
    return [artist for artist in figure.axes[0].get_children() if type(artist) is kind]


def test_bars_are_as_long_as_their_numbers():
    figure = charts.bars([Group("Size", (Row("a", 20.0, "20 MB"), Row("b", 5.0, "5 MB")))])

    long, short = (bar.get_width() for bar in of_kind(figure, Rectangle) if bar.get_width() > 1)
    assert long == pytest.approx(4 * short)
    assert long == pytest.approx(MARKS_END_PT - MARKS_AT_PT)


def test_range_and_limit_of_a_bar_lie_on_its_scale(written):
    row = Row("image", 70.0, "70 MB", "budget 72 MB", low=60.0, high=80.0, limit=72.0)
    figure = charts.bars([Group("Size", (row,))])
    scale = Scale.linear([row])

    ends = {round(x, 3) for line in of_kind(figure, Line2D) for x in line.get_xdata()}
    assert {round(scale.at(60.0), 3), round(scale.at(80.0), 3)} <= ends
    (limit,) = (line for line in of_kind(figure, Line2D) if line.get_color() == plot_style.ALARM)
    assert set(limit.get_xdata()) == {scale.at(72.0)}
    assert "budget 72 MB" in written(figure)


def test_what_was_measured_once_has_no_range():
    once = charts.bars([Group("Size", (Row("a", 2.0, "2", low=2.0, high=2.0),))])
    ranged = charts.bars([Group("Size", (Row("a", 2.0, "2", low=1.0, high=3.0),))])

    assert len(of_kind(ranged, Line2D)) == len(of_kind(once, Line2D)) + 3


def test_each_decade_is_as_wide_as_the_next():
    scale = Scale.decades([0.0017, 112.0])

    places = [scale.at(10.0**exponent) for exponent in scale.exponents]
    assert list(scale.exponents) == [-3, -2, -1, 0, 1, 2, 3]
    assert (places[0], places[-1]) == (pytest.approx(MARKS_AT_PT), pytest.approx(MARKS_END_PT))
    assert places[2] - places[1] == pytest.approx(places[1] - places[0])


def test_what_costs_nothing_and_what_is_not_known_have_no_dot_but_words(written):
    listed = (Row("a", 10.0, "10.00"), Row("b", 0.0, "nothing"), Row("c", math.nan, "not known"))

    figure = charts.dots([Group("Cost", listed)], "USD")

    assert len(of_kind(figure, Circle)) == 1
    assert "nothing" in written(figure)
    assert "not known" in written(figure)
    assert "USD, log scale" in written(figure)


@pytest.mark.parametrize("values", [(), (1.0,), (1e-6, 1e6)])
def test_dots_of_any_numbers_can_be_read(faults, values):
    listed = tuple(Row(f"row {value}", value, f"{value}") for value in values) or (Row("none", 0.0, "nothing"),)

    assert faults(charts.dots([Group("Cost", listed, "in all")], "USD")) == ([], [])
