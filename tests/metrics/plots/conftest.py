"""Axes to draw on as a notebook would make them, and what is written on a figure."""

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers.metrics.plots import style

DOTS_AN_INCH, TOUCH_PT = 200, 2


@pytest.fixture
def ax():
    """Axes of a reader's own figure, as wide as the project's."""
    with style.sheet():
        figure = Figure(figsize=(style.WIDTH_PT / 72, 3), dpi=72)
        FigureCanvasAgg(figure)
        return figure.add_axes((style.LEFT_PT / style.WIDTH_PT, 0.2, style.PLOT_PT / style.WIDTH_PT, 0.5))


@pytest.fixture
def written():
    """Give the function that lists all that is written on axes or on a figure."""
    return _written


@pytest.fixture
def faults():
    """Give the function that lists every text of a figure that is cut off, and every two that lie on each other."""

    def find(figure):
        # As on paper: at few pixels an inch letters are rounded to wider ones.
        figure.set_dpi(DOTS_AN_INCH)
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in _texts(figure)]
        cut = [
            text
            for text, box in boxes
            if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1
        ]
        overlapping = [
            (left, right)
            for (left, one), (right, other) in combinations(boxes, 2)
            if min(one.x1, other.x1) - max(one.x0, other.x0) > 0
            # Lines of a label may touch by what their letters leave empty.
            and min(one.y1, other.y1) - max(one.y0, other.y0) > TOUCH_PT / 72 * DOTS_AN_INCH
        ]
        return cut, overlapping

    return find


def _texts(figure):
    texts = []
    for ax in figure.axes:
        ticks = [*ax.get_xticklabels(), *ax.get_xticklabels(minor=True), *ax.get_yticklabels()]
        low, high = ax.get_ylim()
        shown = [
            tick
            for tick in ticks
            if tick.get_visible() and (tick not in ax.get_yticklabels() or low <= tick.get_position()[1] <= high)
        ]
        if not ax.xaxis.get_tick_params()["labelbottom"]:
            shown = [tick for tick in shown if tick in ax.get_yticklabels()]
        texts += [*ax.texts, *shown, ax.yaxis.label, ax.title, ax._left_title]
    return [text for text in texts if text.get_text().strip()]


def _written(drawn):
    figure = drawn.figure if hasattr(drawn, "get_xlim") else drawn
    return "\n".join(text.get_text() for text in _texts(figure))
