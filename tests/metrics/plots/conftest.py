"""Axes to draw on as a notebook would make them, and what is written on a figure."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers import plot_style
from tests.metrics.plots import legible


@pytest.fixture
def ax():
    """Axes of a reader's own figure, as wide as the project's."""
    with plot_style.sheet():
        figure = Figure(figsize=(plot_style.WIDTH_PT / 72, 3), dpi=72)
        FigureCanvasAgg(figure)
        return figure.add_axes(
            (plot_style.LEFT_PT / plot_style.WIDTH_PT, 0.2, plot_style.PLOT_PT / plot_style.WIDTH_PT, 0.5)
        )


@pytest.fixture
def written():
    """Give the function that lists all that is written on axes or on a figure."""
    return legible.written


@pytest.fixture
def faults():
    """Give the function that lists every text of a figure that is cut off, and every two that lie on each other."""
    return legible.faults
