"""What is written on a figure, and what of it a reader could not read."""

from itertools import combinations

from matplotlib.text import Text
from matplotlib.transforms import Bbox

from couch_explorers import plot_style

DOTS_AN_INCH, TOUCH_PT = 200, 2


def faults(figure):
    """List every text of a figure that is cut off, and every two that lie on each other."""
    # As on paper: at few pixels an inch letters are rounded to wider ones.
    figure.set_dpi(DOTS_AN_INCH)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    boxes = [box for text in texts(figure) for box in lines(text, renderer)]
    cut = [
        text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1
    ]
    overlapping = [
        (left, right)
        for (left, one), (right, other) in combinations(boxes, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 0
        # Lines of a label may touch by what their letters leave empty.
        and min(one.y1, other.y1) - max(one.y0, other.y0) > TOUCH_PT / 72 * DOTS_AN_INCH
    ]
    return cut, overlapping


def lines(text, renderer):
    """Give each line of a text with its own box: a short one leaves room beside it."""
    box, split = text.get_window_extent(renderer), text.get_text().split("\n")
    widths = [plot_style.text_width(line, text.get_fontsize()) for line in split]
    part = {"left": 0.0, "center": 0.5, "right": 1.0}[text.get_horizontalalignment()]
    for place, (line, width) in enumerate(zip(split, widths, strict=True)):
        if line.strip():
            wide = box.width * width / max(widths)
            left, top = box.x0 + part * (box.width - wide), box.y1 - box.height * place / len(split)
            yield line, Bbox([[left, top - box.height / len(split)], [left + wide, top]])


def written(drawn):
    """Give all that is written on axes or on a figure, a line each."""
    figure = drawn.figure if hasattr(drawn, "get_xlim") else drawn
    return "\n".join(text.get_text() for text in texts(figure))


def texts(figure):
    """List the texts of a figure that a reader sees."""
    found = []
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
        titles = [child for child in ax.get_children() if isinstance(child, Text) and child not in ax.texts]
        found += [*ax.texts, *shown, ax.yaxis.label, *titles]
    return [text for text in found if text.get_text().strip()]
