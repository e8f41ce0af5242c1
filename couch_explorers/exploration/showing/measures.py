"""The lengths and colours of a sheet's pages; all lengths are in pixels and follow from the number of columns."""

from __future__ import annotations

from dataclasses import dataclass

from couch_explorers.exploration.showing.typeface import Face

PAPER, INK, SOFT, RULE, MAT = "#ffffff", "#1d2733", "#5b6472", "#dfe3e8", "#f3f4f6"

# Width of a picture by the number of columns: one may fill a screen, six still show what they are. A page is at most
# 2,320 pixels wide, less than a sheet of A4 at 300 dpi.
TILE_PIXELS = {1: 1024, 2: 640, 3: 512, 4: 432, 5: 384, 6: 344}
MOST_COLUMNS = max(TILE_PIXELS)
# A page is no higher than a sheet of A4 of its width, so that it prints on one.
PAPER_RATIO = 2**0.5
# Up to so many columns leave room for what is said of a row beside its pictures; with more it stands above them.
COLUMNS_BESIDE_TEXT = 2
# A line is as high as its highest picture, within these parts of a picture's width: a wide picture's neighbour needs room
# for its reason, a high one must leave room for further lines. A line of reasons alone has a height of its own.
LOWEST_LINE, HIGHEST_LINE, REASONS_LINE = 0.55, 1.3, 0.75
# Letters are parts of the page's width, so that the small ones can be read on A4 (7 points) and on a screen that shows
# the page 830 pixels wide (10 pixels); on a narrow page, which is shown as it is, they are not smaller than 17 pixels.
TITLE, BODY, SMALL = 1 / 40, 1 / 66, 1 / 78
LEAST_SMALL = 17


@dataclass(frozen=True)
class Measures:
    """The lengths of a page with this many columns, 1 to MOST_COLUMNS, of pictures.

    `beside` tells that one more column, at the left, holds what is said of each row.
    """

    columns: int
    beside: bool = False

    @property
    def tile(self) -> int:
        """The width of a picture's place."""
        return TILE_PIXELS[self.columns + self.beside]

    @property
    def gap(self) -> int:
        """Between two pictures."""
        return round(self.tile * 0.03) + 12

    @property
    def inner(self) -> int:
        """The width between the margins."""
        columns = self.columns + self.beside
        return columns * self.tile + (columns - 1) * self.gap

    @property
    def margin(self) -> int:
        """Around the page."""
        return round(self.inner * 0.032)

    @property
    def width(self) -> int:
        """The whole page's."""
        return self.inner + 2 * self.margin

    @property
    def most_height(self) -> int:
        """The height that a page may have, margins included."""
        return round(self.width * PAPER_RATIO)

    def column(self, place: int) -> int:
        """How far from the margin the pictures' column of this place, counted from 0, begins."""
        return (place + self.beside) * (self.tile + self.gap)

    def face(self, part: float, *, strong: bool = False) -> Face:
        """Letters whose size is this part of the page's width, or what is least legible."""
        return Face(round(max(part * self.width, LEAST_SMALL * part / SMALL)), strong)
