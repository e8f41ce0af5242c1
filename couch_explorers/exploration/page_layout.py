"""The page of a contact sheet: its sizes, its elements (paragraphs, rules, rows of pictures), and the head and foot of each page."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageDraw, ImageFont, features

from couch_explorers import fonts
from couch_explorers.checks import COLOURS, Verdict
from couch_explorers.core.errors import BlockedError, ThrottledError
from couch_explorers.exploration.grid import MISSING_FILE, CellView
from couch_explorers.exploration.results import WITH_PICTURE, Status
from couch_explorers.exploration.thumbnails import thumbnails
from couch_explorers.text_layout import cut, wrap, wrap_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


# Parts of the size of the letters: from line to line, and from the upper edge of the letters to their foot.
LINE_HEIGHT, ASCENT = 1.36, 0.93
REPLACEMENT = "\ufffd"
# The hairline drawn round strong letters, as a part of their size: quieter than the font's own bold.
STRONG_STROKE = 0.018

# Controls and half pairs: no character, and Pillow takes no half pair.
_UNDRAWABLE = ("Cc", "Cs")


@dataclass(frozen=True)
class Face:
    """Letters of one size in pixels; `strong` ones are for titles and names."""

    size: int
    strong: bool = False

    @property
    def stroke(self) -> float:
        """The width in pixels of the line drawn round each letter."""
        return self.size * STRONG_STROKE if self.strong else 0.0

    @property
    def baseline(self) -> float:
        """Pixels from the upper edge of a line to the foot of its letters."""
        return (self.line - self.size) / 2 + self.size * ASCENT

    @property
    def line(self) -> int:
        """Pixels from one line of text to the next."""
        return round(self.size * LINE_HEIGHT)

    def width(self, text: str) -> float:
        """Pixels that a clean text takes."""
        return sum(float(_font(run.file, self.size).getlength(run.text)) for run in fonts.runs(text))

    def draw(self, pen: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: str) -> None:
        """Draw one clean line whose upper edge is y, each part by the font that has it."""
        parts, direction = fonts.runs(text), None
        if fonts.is_right_to_left(text):
            parts = parts[::-1]
        elif _joins():
            # Else Pillow turns a part around that only begins with such a word.
            direction = "ltr"
        for run in parts:
            font = _font(run.file, self.size)
            # By the baseline, on which strong letters and others, and those of two fonts, stand side by side.
            place = (x, y + self.baseline)
            pen.text(
                place,
                run.text,
                colour,
                font,
                "ls",
                stroke_width=self.stroke,
                stroke_fill=colour,
                direction=direction,
            )
            x += float(font.getlength(run.text))


@lru_cache(maxsize=256)
def _font(file: Path, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(str(file), size)
    except OSError:
        return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _joins() -> bool:
    """Tell whether this Pillow shapes text; one that does not draws joiners as boxes."""
    return bool(features.check("raqm"))


def clean(text: object) -> str:
    """Make a text of one line that can be drawn.

    Blanks and line breaks become one blank, half pairs a replacement, and a character that no font has its number.
    """
    kept = (
        REPLACEMENT if unicodedata.category(character) in _UNDRAWABLE else character
        for character in fonts.visible(" ".join(str(text).split()))
        if character not in fonts.JOINERS or _joins()
    )
    return fonts.spelled("".join(kept))


PAPER, INK, SOFT, RULE, MAT = "#ffffff", "#1d2733", "#5b6472", "#dfe3e8", "#f3f4f6"

# Width of a picture by the number of columns: one may fill a screen, six still show what they are. A page is at most
# 2,320 pixels wide, less than a sheet of A4 at 300 dpi.
PICTURE_WIDTHS = {1: 1024, 2: 640, 3: 512, 4: 432, 5: 384, 6: 344}
MAX_COLUMNS = max(PICTURE_WIDTHS)
# A page is no higher than a sheet of A4 of its width, so that it prints on one.
PAPER_RATIO = 2**0.5
# Up to so many columns leave room for what is said of a row beside its pictures; with more it stands above them.
COLUMNS_BESIDE_TEXT = 2
# A line is as high as its highest picture, within these parts of a picture's width: a wide picture's neighbour needs room
# for its reason, a high one must leave room for further lines. A line of reasons alone has a height of its own.
MIN_ROW_HEIGHT, MAX_ROW_HEIGHT, REASON_ROW_HEIGHT = 0.55, 1.3, 0.75
# Letters are parts of the page's width, so that the small ones can be read on A4 (7 points) and on a screen that shows
# the page 830 pixels wide (10 pixels); on a narrow page, which is shown as it is, they are not smaller than 17 pixels.
TITLE, BODY, SMALL = 1 / 40, 1 / 66, 1 / 78
MIN_SMALL_PIXELS = 17


@dataclass(frozen=True)
class PageMetrics:
    """The lengths of a page with this many columns, 1 to MOST_COLUMNS, of pictures.

    `beside` tells that one more column, at the left, holds what is said of each row.
    """

    columns: int
    beside: bool = False

    @property
    def tile(self) -> int:
        """The width of a picture's place."""
        return PICTURE_WIDTHS[self.columns + self.beside]

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
        return Face(round(max(part * self.width, MIN_SMALL_PIXELS * part / SMALL)), strong)


# Between a strong lead and the text that follows it, as a part of the letters' size.
LEAD_GAP = 0.8


@dataclass(frozen=True)
class Canvas:
    """A page under the pen; `left` is where its content begins."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    left: int

    def write(self, x: float, y: float, text: str, face: Face, colour: str) -> None:
        """Write one clean line whose upper edge is y."""
        face.draw(self.pen, x, y, text, colour)


class Element(Protocol):
    """Something as wide as the page's content and `height` pixels high."""

    @property
    def height(self) -> int:
        """In pixels."""

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw it with its upper edge at y."""


@dataclass(frozen=True)
class Gap:
    """Nothing."""

    height: int

    def draw(self, canvas: Canvas, y: int) -> None:
        """Leave the paper as it is."""


@dataclass(frozen=True)
class Rule:
    """A thin line across."""

    length: int
    height: int = 2

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw the line."""
        canvas.pen.rectangle((canvas.left, y, canvas.left + self.length - 1, y + self.height - 1), fill=RULE)


@dataclass(frozen=True)
class Paragraph:
    """Broken lines of text.

    A strong `lead` stands before the first line; where `hang` is more than 0, it stands in a column of that width.
    """

    lines: tuple[str, ...]
    face: Face
    colour: str = INK
    lead: str = ""
    hang: float = 0.0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.face.line * max(1, len(self.lines))

    def draw(self, canvas: Canvas, y: int) -> None:
        """Write lead and lines."""
        strong = Face(self.face.size, strong=True)
        canvas.write(canvas.left, y, self.lead, strong, SOFT if self.hang else INK)
        for place, line in enumerate(self.lines):
            indent = self.hang or (lead_width(self.lead, strong) if place == 0 else 0)
            canvas.write(canvas.left + indent, y + place * self.face.line, line, self.face, self.colour)


def paragraph(
    text: str,
    face: Face,
    width: float,
    *,
    lines: int,
    colour: str = INK,
    lead: str = "",
    hang: float = 0.0,
) -> Paragraph:
    """Break a text, whatever it holds, into a paragraph of at most `lines` lines of `width` pixels."""
    strong = Face(face.size, strong=True)
    lead = cut(clean(lead), strong.width, hang or width)
    indent = 0.0 if hang else lead_width(lead, strong)
    return Paragraph(
        tuple(wrap(clean(text), face.width, width - hang, max_lines=lines, first_indent=indent)),
        face,
        colour,
        lead,
        hang,
    )


def lead_width(lead: str, strong: Face) -> float:
    """Pixels from a lead's beginning to the text after it; 0 without a lead."""
    return strong.width(lead) + strong.size * LEAD_GAP if lead else 0.0


@dataclass(frozen=True)
class ColumnHeaders:
    """What the columns are called, each above its pictures."""

    names: tuple[str, ...]
    measures: PageMetrics

    @property
    def height(self) -> int:
        """In pixels."""
        return round(self.measures.face(SMALL).line * 1.25)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Write each name, cut to its column."""
        face = self.measures.face(SMALL, strong=True)
        for place, name in enumerate(self.names):
            canvas.write(
                canvas.left + self.measures.column(place),
                y,
                cut(clean(name), face.width, self.measures.tile),
                face,
                SOFT,
            )


@dataclass(frozen=True)
class SideBySide:
    """Paragraphs in the columns of the pictures."""

    paragraphs: tuple[Paragraph, ...]
    measures: PageMetrics

    @property
    def height(self) -> int:
        """In pixels, that of the highest."""
        return max(paragraph.height for paragraph in self.paragraphs)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw each in its column."""
        for place, one in enumerate(self.paragraphs):
            one.draw(replace(canvas, left=canvas.left + self.measures.column(place)), y)


@dataclass(frozen=True)
class StatusMark:
    """How a cell without a picture is told: a sign beside the colour, for paper and for people who do not see it."""

    sign: str
    word: str
    colour: str


STATUS_MARKS = {
    Status.REFUSED: StatusMark("○", "Not sent", COLOURS[Verdict.SKIPPED]),
    Status.FILTERED: StatusMark("⊘", "Filtered", COLOURS[Verdict.WARN]),
    Status.THROTTLED: StatusMark("!", "Throttled", COLOURS[Verdict.WARN]),
    Status.FAILED: StatusMark("✗", "Failed", COLOURS[Verdict.BAD]),
    Status.STOPPED: StatusMark("○", "Stopped", COLOURS[Verdict.SKIPPED]),
}
MISSING_MARK = StatusMark("?", "Picture missing", COLOURS[Verdict.BAD])


def missing_reason(tile: CellView) -> tuple[StatusMark, str]:
    """How a cell without a picture is marked, and why there is none."""
    if tile.status in WITH_PICTURE:
        return MISSING_MARK, MISSING_FILE
    kind, parted, detail = tile.reason.partition(": ")
    # The mark says it already.
    said = parted and kind in (BlockedError.reason, ThrottledError.reason)
    return STATUS_MARKS[tile.status], detail if said else tile.reason


@dataclass(frozen=True)
class PictureSlot:
    """A cell, and the broken lines that stand beside and below its number."""

    tile: CellView
    label: tuple[str, ...]


def picture_slot(tile: CellView, values: Sequence[str], measures: PageMetrics) -> PictureSlot:
    """Break a cell's values to the width of its picture."""
    face = measures.face(SMALL)
    # Two equal pictures beside each other ask for a word.
    told = [*values, tile.reason] if tile.status is Status.SAME and tile.reason else values
    indent = lead_width(str(tile.number), Face(face.size, strong=True))
    return PictureSlot(
        tile, tuple(wrap_parts([clean(value) for value in told], face.width, measures.tile, first_indent=indent))
    )


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side, at most one a column; None leaves a column free. `beside` stands at their left."""

    places: tuple[PictureSlot | None, ...]
    measures: PageMetrics
    beside: Paragraph | None = None

    @property
    def tiles(self) -> list[CellView]:
        """The cells in it."""
        return [here.tile for here in self.places if here is not None]

    @cached_property
    def box(self) -> tuple[int, int]:
        """Width and height of a picture's place."""
        width = self.measures.tile
        shapes = [tile.picture_size[1] / tile.picture_size[0] for tile in self.tiles if tile.path is not None]
        shape = max(shapes, default=REASON_ROW_HEIGHT)
        return width, round(width * min(max(shape, MIN_ROW_HEIGHT), MAX_ROW_HEIGHT))

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
        images = dict(zip(paths, thumbnails(paths, self.box), strict=True))
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

    def _stand_in(self, canvas: Canvas, tile: CellView, x: int, y: int) -> None:
        mark, reason = missing_reason(tile)
        width, height = self.box
        face = self.measures.face(SMALL)
        strong = Face(face.size, strong=True)
        canvas.pen.rectangle((x, y, x + width - 1, y + height - 1), fill=MAT, outline=RULE, width=2)
        canvas.pen.rectangle((x, y, x + max(4, face.size // 4), y + height - 1), fill=mark.colour)
        inset = face.size
        room = width - 2 * inset
        canvas.write(
            x + inset, y + inset // 2, cut(f"{mark.sign} {mark.word}", strong.width, room), strong, mark.colour
        )
        upper = y + inset // 2 + round(strong.line * 1.2)
        lines = max(1, (y + height - inset // 2 - upper) // face.line)
        for count, line in enumerate(wrap(clean(reason), face.width, room, max_lines=lines)):
            canvas.write(x + inset, upper + count * face.line, line, face, INK)

    def _label(self, canvas: Canvas, here: PictureSlot, x: int, y: int) -> None:
        face = self.measures.face(SMALL)
        strong = Face(face.size, strong=True)
        upper = y + round(face.line * 0.2)
        number = str(here.tile.number)
        canvas.write(x, upper, number, strong, INK)
        for count, line in enumerate(here.label):
            indent = lead_width(number, strong) if count == 0 else 0
            canvas.write(x + indent, upper + count * face.line, line, face, SOFT)


MAX_TITLE_LINES, MAX_PURPOSE_LINES, MAX_FACT_LINES, MAX_FOOT_LINES = 3, 4, 2, 3
# Lines of a text that is told in full: more than the longest prompt of Titan and Nova Canvas (1,024 characters) needs.
MAX_TEXT_LINES = 10
# Room for the widest page number, at the right of the foot.
PAGE_NUMBER = "page 888 of 888"


@dataclass(frozen=True)
class PageFrame:
    """Head and foot, the same on each page, so that each can be read alone."""

    head: tuple[Element, ...]
    foot: tuple[Paragraph, ...]
    measures: PageMetrics

    @property
    def room(self) -> int:
        """Pixels that they leave on a page for what stands between them."""
        taken = sum(element.height for element in (*self.head, *self._foot()))
        return self.measures.most_height - 2 * self.measures.margin - taken

    def page(self, body: Sequence[Element], number: int, count: int) -> Image.Image:
        """Draw a page, as high as its content; its number is told where it is not the only one."""
        margin = self.measures.margin
        elements = [*self.head, *body, *self._foot()]
        image = Image.new("RGB", (self.measures.width, 2 * margin + sum(element.height for element in elements)), PAPER)
        canvas = Canvas(image, ImageDraw.Draw(image), margin)
        y = margin
        for element in elements:
            element.draw(canvas, y)
            y += element.height
        told, face = f"page {number} of {count}" if count > 1 else "", self.measures.face(SMALL)
        upper = y - sum(element.height for element in self.foot)
        canvas.write(margin + self.measures.inner - face.width(told), upper, told, face, SOFT)
        return image

    def _foot(self) -> list[Element]:
        line = self.measures.face(SMALL).line
        return [Gap(line // 3), Rule(self.measures.inner), Gap(line // 2), *self.foot]


def page_frame(
    measures: PageMetrics,
    *,
    title: str,
    purpose: str,
    texts: Sequence[tuple[str, str]],
    facts: Sequence[tuple[str, str]],
    foot: Sequence[str],
) -> PageFrame:
    """Break all words to the page's width; `texts` are told in full, of `facts` what two lines hold."""
    body, small, inner = measures.face(BODY), measures.face(SMALL), measures.inner
    head: list[Element] = [paragraph(title, measures.face(TITLE, strong=True), inner, lines=MAX_TITLE_LINES)]
    if purpose.strip():
        head += [paragraph(purpose, body, inner, lines=MAX_PURPOSE_LINES, colour=SOFT)]
    head += [Gap(small.line // 2)]
    strong = measures.face(SMALL, strong=True)
    hang = max((strong.width(name) for name, _ in (*texts, *facts)), default=0.0) + strong.size
    for lines, pairs in ((MAX_TEXT_LINES, texts), (MAX_FACT_LINES, facts)):
        head += [paragraph(text, small, inner, lines=lines, colour=INK, lead=name, hang=hang) for name, text in pairs]
    head += [Gap(small.line // 2), Rule(inner), Gap(small.line // 2)]
    # The page number stands beside the first.
    rooms = [inner - small.width(PAGE_NUMBER) - small.size] + [inner] * (len(foot) - 1)
    told = [
        paragraph(text, small, room, lines=MAX_FOOT_LINES, colour=SOFT) for text, room in zip(foot, rooms, strict=True)
    ]
    return PageFrame(tuple(head), tuple(told), measures)
