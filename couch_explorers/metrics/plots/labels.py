"""Names at the right end of lines, each with a sample of its line; no two run into each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from couch_explorers.metrics.plots.lines import Look

# In points: from the axes to the sample, how long it is, from it to the words, from line to line of text.
SAMPLE_AT_PT, SAMPLE_PT, WORDS_AT_PT, LINE_PT = 5.0, 14.0, 22.0, 11.5


@dataclass(frozen=True)
class _Label:
    text: str
    value: float
    look: Look

    @property
    def height_pt(self) -> float:
        return LINE_PT * (1 + self.text.count("\n"))


@dataclass
class Labels:
    """The names at the right edge of one set of axes; `place` writes them once all are known and the scale is set."""

    ax: Axes
    _labels: list[_Label] = field(default_factory=list)

    def add(self, text: str, value: float, look: Look) -> None:
        """Name what ends at a value; nothing for what was never measured (NaN)."""
        if not np.isnan(value):
            room = style.RIGHT_PT - WORDS_AT_PT - style.EDGE_PT
            self._labels.append(_Label(style.broken(text, room, style.SMALL_SIZE), value, look))

    def place(self) -> None:
        """Write the names as near to their values as they fit."""
        if not self._labels:
            return
        height = style.height_of(self.ax)
        low, high = self.ax.get_ylim()
        ordered = sorted(self._labels, key=lambda label: label.value)
        wished = [(min(max(label.value, low), high) - low) / (high - low) * height for label in ordered]
        for label, middle in zip(ordered, apart(wished, [label.height_pt for label in ordered], height), strict=True):
            self._write(label, middle / height)

    def _write(self, label: _Label, fraction: float) -> None:
        inch = 1 / style.POINTS_AN_INCH
        across = self.ax.figure.dpi_scale_trans + style.corner(self.ax, 1, 0)
        sample = Line2D(
            [SAMPLE_AT_PT * inch, (SAMPLE_AT_PT + SAMPLE_PT) * inch],
            [fraction, fraction],
            color=label.look.colour,
            linewidth=label.look.width,
            linestyle=label.look.dashes,
            clip_on=False,
        )
        sample.set_transform(blended_transform_factory(across, self.ax.transAxes))
        self.ax.add_artist(sample)
        self.ax.annotate(
            label.text,
            (1, fraction),
            xytext=(WORDS_AT_PT, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_SIZE,
            color=style.INK,
            linespacing=1.1,
            annotation_clip=False,
        )


def apart(wished: Sequence[float], heights: Sequence[float], room: float) -> list[float]:
    """Move middles, ascending, as little as possible, so that things of these heights do not overlap within 0 to `room`.

    Where they do not all fit, they still keep their distance and reach beyond the upper end.
    """
    # Blocks of things that touch: each lies at the mean of what its members wish for (isotonic regression).
    tops = np.cumsum(heights)
    offsets = tops - np.asarray(heights) / 2
    blocks: list[list[float]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        blocks.append([wish - offset])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    # The middle of the lowest may lie on the axis; above the axes stand other words.
    least, most = -heights[0] / 2, room - float(tops[-1])
    starts = [float(np.mean(block)) for block in blocks for _ in block]
    return [max(least, min(start, most)) + float(offset) for start, offset in zip(starts, offsets, strict=True)]
