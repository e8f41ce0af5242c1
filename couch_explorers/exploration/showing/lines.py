"""A line of pictures with a label under each; a cell without a picture is a tile that says why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from couch_explorers.checks import COLOURS, Verdict
from couch_explorers.core.errors import BlockedError, ThrottledError
from couch_explorers.exploration.outcomes import WITH_PICTURE, Status
from couch_explorers.exploration.showing import shrinking
from couch_explorers.exploration.showing.elements import Canvas, Paragraph, lead_width
from couch_explorers.exploration.showing.measures import (
    HIGHEST_LINE,
    INK,
    LOWEST_LINE,
    MAT,
    REASONS_LINE,
    RULE,
    SMALL,
    SOFT,
    Measures,
)
from couch_explorers.exploration.showing.tiles import MISSING, Tile
from couch_explorers.exploration.showing.typeface import Face, clean, cut, wrap, wrap_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image


@dataclass(frozen=True)
class Mark:
    """How a cell without a picture is told: a sign beside the colour, for paper and for people who do not see it."""

    sign: str
    word: str
    colour: str


MARKS = {
    Status.REFUSED: Mark("○", "Not sent", COLOURS[Verdict.SKIPPED]),
    Status.FILTERED: Mark("⊘", "Filtered", COLOURS[Verdict.WARN]),
    Status.THROTTLED: Mark("!", "Throttled", COLOURS[Verdict.WARN]),
    Status.FAILED: Mark("✗", "Failed", COLOURS[Verdict.BAD]),
    Status.STOPPED: Mark("○", "Stopped", COLOURS[Verdict.SKIPPED]),
}
GONE = Mark("?", "Picture missing", COLOURS[Verdict.BAD])


def told(tile: Tile) -> tuple[Mark, str]:
    """How a cell without a picture is marked, and why there is none."""
    if tile.status in WITH_PICTURE:
        return GONE, MISSING
    kind, parted, detail = tile.reason.partition(": ")
    # The mark says it already.
    said = parted and kind in (BlockedError.reason, ThrottledError.reason)
    return MARKS[tile.status], detail if said else tile.reason


@dataclass(frozen=True)
class Place:
    """A cell, and the broken lines that stand beside and below its number."""

    tile: Tile
    label: tuple[str, ...]


def place(tile: Tile, values: Sequence[str], measures: Measures) -> Place:
    """Break a cell's values to the width of its picture."""
    face = measures.face(SMALL)
    # Two equal pictures beside each other ask for a word.
    told = [*values, tile.reason] if tile.status is Status.SAME and tile.reason else values
    indent = lead_width(str(tile.number), Face(face.size, strong=True))
    return Place(tile, tuple(wrap_parts([clean(value) for value in told], face, measures.tile, indent=indent)))


@dataclass(frozen=True)
class Line:
    """Pictures side by side, at most one a column; None leaves a column free. `beside` stands at their left."""

    places: tuple[Place | None, ...]
    measures: Measures
    beside: Paragraph | None = None

    @property
    def tiles(self) -> list[Tile]:
        """The cells in it."""
        return [here.tile for here in self.places if here is not None]

    @cached_property
    def box(self) -> tuple[int, int]:
        """Width and height of a picture's place."""
        width = self.measures.tile
        shapes = [tile.picture_size[1] / tile.picture_size[0] for tile in self.tiles if tile.path is not None]
        shape = max(shapes, default=REASONS_LINE)
        return width, round(width * min(max(shape, LOWEST_LINE), HIGHEST_LINE))

    @property
    def height(self) -> int:
        """In pixels, with the labels."""
        line = self.measures.face(SMALL).line
        return self.box[1] + line * max(len(here.label) for here in self.places if here is not None) + round(line * 0.9)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw each picture in the middle of its place, or what stands in for it, and its label."""
        if self.beside is not None:
            self.beside.draw(canvas, y)
        paths = list({tile.path for tile in self.tiles if tile.path is not None})
        images = dict(zip(paths, shrinking.many_small(paths, self.box), strict=True))
        for column, here in enumerate(self.places):
            if here is None:
                continue
            x = canvas.left + self.measures.column(column)
            image = images.get(here.tile.path) if here.tile.path is not None else None
            if image is None:
                self._stand_in(canvas, here.tile, x, y)
            else:
                self._picture(canvas, image, x, y)
            self._label(canvas, here, x, y + self.box[1])

    def _picture(self, canvas: Canvas, image: Image.Image, x: int, y: int) -> None:
        width, height = self.box
        canvas.pen.rectangle((x, y, x + width - 1, y + height - 1), fill=MAT)
        canvas.image.paste(image, (x + (width - image.width) // 2, y + (height - image.height) // 2))

    def _stand_in(self, canvas: Canvas, tile: Tile, x: int, y: int) -> None:
        mark, reason = told(tile)
        width, height = self.box
        face = self.measures.face(SMALL)
        strong = Face(face.size, strong=True)
        canvas.pen.rectangle((x, y, x + width - 1, y + height - 1), fill=MAT, outline=RULE, width=2)
        canvas.pen.rectangle((x, y, x + max(4, face.size // 4), y + height - 1), fill=mark.colour)
        inset = face.size
        room = width - 2 * inset
        canvas.write(x + inset, y + inset // 2, cut(f"{mark.sign} {mark.word}", strong, room), strong, mark.colour)
        upper = y + inset // 2 + round(strong.line * 1.2)
        lines = max(1, (y + height - inset // 2 - upper) // face.line)
        for count, line in enumerate(wrap(clean(reason), face, room, lines=lines)):
            canvas.write(x + inset, upper + count * face.line, line, face, INK)

    def _label(self, canvas: Canvas, here: Place, x: int, y: int) -> None:
        face = self.measures.face(SMALL)
        strong = Face(face.size, strong=True)
        upper = y + round(face.line * 0.2)
        number = str(here.tile.number)
        canvas.write(x, upper, number, strong, INK)
        for count, line in enumerate(here.label):
            indent = lead_width(number, strong) if count == 0 else 0
            canvas.write(x + indent, upper + count * face.line, line, face, SOFT)
