from couch_explorers.metrics.plots import layout, style
from couch_explorers.metrics.plots.layout import Part


class Chart:
    TITLE = "A chart"
    KIND = "A line chart"

    @staticmethod
    def read(_frame):
        return "It went well."


def draw(_frame, ax):
    ax.set_title("A part", loc="left")
    ax.set_xticks([0, 1], ["first", "last"])
    return ax


def test_each_part_has_its_height_and_all_are_as_wide(frame_of):
    panel = layout.panel(frame_of(), "parts", Chart, [Part(draw, 100), Part(draw, 50)])

    inch = panel.figure.get_size_inches()
    upper, lower = (ax.get_position() for ax in panel.figure.axes)
    assert inch[0] * 72 == style.WIDTH_PT
    assert round(upper.height * inch[1] * 72) == 100
    assert round(lower.height * inch[1] * 72) == 50
    assert upper.x0 == lower.x0
    assert upper.y0 > lower.y1


def test_only_the_lowest_part_is_labelled_with_times(frame_of):
    panel = layout.panel(frame_of(), "parts", Chart, [Part(draw, 100), Part(draw, 50)])

    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in panel.figure.axes] == [False, True]


def test_the_alternative_text_says_kind_window_and_reading(frame_of):
    panel = layout.panel(frame_of(), "parts", Chart, [Part(draw, 100)])

    assert panel.alternative == ("A line chart, Tue 24 Nov 09:00 to Wed 25 Nov 09:00 Europe/Oslo. It went well.")
    assert (panel.name, panel.title, panel.sentence) == ("parts", "A chart", "It went well.")
