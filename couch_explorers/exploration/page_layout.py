"""The pages of a contact sheet: their dimensions, elements (paragraphs, rules, rows of pictures), headers and footers."""

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


# Line height and ascent, as fractions of the font size.
LINE_HEIGHT, ASCENT = 1.36, 0.93
REPLACEMENT = "\ufffd"
# The stroke around bold letters, as a fraction of the font size: lighter than the font's own bold.
STRONG_STROKE = 0.018

# Control characters and lone surrogates, which Pillow rejects.
_UNDRAWABLE = ("Cc", "Cs")


@dataclass(frozen=True)
class Face:
    """A font size in pixels; `strong` is for titles and names."""

    size: int
    strong: bool = False

    @property
    def stroke(self) -> float:
        """The width in pixels of the stroke around each letter."""
        return self.size * STRONG_STROKE if self.strong else 0.0

    @property
    def baseline(self) -> float:
        """Pixels from the top of a line to its baseline."""
        return (self.line - self.size) / 2 + self.size * ASCENT

    @property
    def line(self) -> int:
        """Pixels from one line of text to the next."""
        return round(self.size * LINE_HEIGHT)

    def width(self, text: str) -> float:
        """Return the width of a clean text in pixels."""
        return sum(float(_font(run.file, self.size).getlength(run.text)) for run in fonts.runs(text))

    def draw(self, pen: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: str) -> None:
        """Draw one clean line with its top at y, each part in the font that has its characters."""
        parts, direction = fonts.runs(text), None
        if fonts.is_right_to_left(text):
            parts = parts[::-1]
        elif _joins():
            # Else Pillow reverses a part that only begins with such a word.
            direction = "ltr"
        for run in parts:
            font = _font(run.file, self.size)
            # Aligned on the baseline, which bold and regular letters, and those of two fonts, share.
            position = (x, y + self.baseline)
            pen.text(
                position,
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
    """Check whether this Pillow shapes text; one that does not draws joiners as boxes."""
    return bool(features.check("raqm"))


def clean(text: object) -> str:
    """Turn a text into one line that can be drawn.

    Whitespace becomes one space, a lone surrogate a replacement, and a character that no font has its code point.
    """
    kept = (
        REPLACEMENT if unicodedata.category(character) in _UNDRAWABLE else character
        for character in fonts.visible(" ".join(str(text).split()))
        if character not in fonts.JOINERS or _joins()
    )
    return fonts.spelled("".join(kept))


PAPER, INK, SOFT, RULE, MAT = "#ffffff", "#1d2733", "#5b6472", "#dfe3e8", "#f3f4f6"

# Width of a picture by the number of columns: one may fill a screen, six are still recognizable. A page is at most 2,320
# pixels wide, less than a sheet of A4 at 300 dpi.
PICTURE_WIDTHS = {1: 1024, 2: 640, 3: 512, 4: 432, 5: 384, 6: 344}
MAX_COLUMNS = max(PICTURE_WIDTHS)
# A page is no taller than a sheet of A4 of its width, so that it prints on one.
PAPER_RATIO = 2**0.5
# Up to this many columns leave room for a row's heading beside its pictures; with more it is above them.
COLUMNS_BESIDE_TEXT = 2
# A row is as high as its tallest picture, within these fractions of a picture's width: a cell without a picture needs room for
# its reason, and a tall picture must leave room for further rows. A row of reasons only has a height of its own.
MIN_ROW_HEIGHT, MAX_ROW_HEIGHT, REASON_ROW_HEIGHT = 0.55, 1.3, 0.75
# Font sizes are fractions of the page's width, so that small text is legible on A4 (7 points) and on a screen that shows the
# page 830 pixels wide (10 pixels); on a narrow page, which is shown unscaled, they are at least 17 pixels.
TITLE, BODY, SMALL = 1 / 40, 1 / 66, 1 / 78
MIN_SMALL_PIXELS = 17


@dataclass(frozen=True)
class PageMetrics:
    """The dimensions of a page with this many columns of pictures, 1 to MAX_COLUMNS.

    With `beside`, one more column, at the left, holds the row headings.
    """

    columns: int
    beside: bool = False

    @property
    def tile(self) -> int:
        """The width of a picture's slot."""
        return PICTURE_WIDTHS[self.columns + self.beside]

    @property
    def gap(self) -> int:
        """The space between two pictures."""
        return round(self.tile * 0.03) + 12

    @property
    def inner(self) -> int:
        """The width between the margins."""
        columns = self.columns + self.beside
        return columns * self.tile + (columns - 1) * self.gap

    @property
    def margin(self) -> int:
        """The margin of the page."""
        return round(self.inner * 0.032)

    @property
    def width(self) -> int:
        """The width of the page."""
        return self.inner + 2 * self.margin

    @property
    def max_height(self) -> int:
        """The maximum height of a page, including margins."""
        return round(self.width * PAPER_RATIO)

    def column(self, index: int) -> int:
        """Return the offset of a picture column, counted from 0, from the margin."""
        return (index + self.beside) * (self.tile + self.gap)

    def face(self, fraction: float, *, strong: bool = False) -> Face:
        """Return the font at this fraction of the page's width, or the smallest legible size."""
        return Face(round(max(fraction * self.width, MIN_SMALL_PIXELS * fraction / SMALL)), strong)


# The space between a bold lead and the text after it, as a fraction of the font size.
LEAD_GAP = 0.8


@dataclass(frozen=True)
class Canvas:
    """A page being drawn; `left` is the left edge of its content."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    left: int

    def write(self, x: float, y: float, text: str, face: Face, colour: str) -> None:
        """Write one clean line with its top at y."""
        face.draw(self.pen, x, y, text, colour)


class Element(Protocol):
    """An element as wide as the page's content and `height` pixels high."""

    @property
    def height(self) -> int:
        """The height in pixels."""

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw the element with its top at y."""


@dataclass(frozen=True)
class Gap:
    """Vertical space."""

    height: int

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw nothing."""


@dataclass(frozen=True)
class Rule:
    """A thin horizontal line."""

    length: int
    height: int = 2

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw the line."""
        canvas.pen.rectangle((canvas.left, y, canvas.left + self.length - 1, y + self.height - 1), fill=RULE)


@dataclass(frozen=True)
class Paragraph:
    """Wrapped lines of text.

    A bold `lead` precedes the first line; if `hang` is more than 0, it is in a column of that width.
    """

    lines: tuple[str, ...]
    face: Face
    colour: str = INK
    lead: str = ""
    hang: float = 0.0

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.face.line * max(1, len(self.lines))

    def draw(self, canvas: Canvas, y: int) -> None:
        """Write the lead and the lines."""
        strong = Face(self.face.size, strong=True)
        canvas.write(canvas.left, y, self.lead, strong, SOFT if self.hang else INK)
        for position, line in enumerate(self.lines):
            indent = self.hang or (lead_width(self.lead, strong) if position == 0 else 0)
            canvas.write(canvas.left + indent, y + position * self.face.line, line, self.face, self.colour)


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
    """Wrap any text into a paragraph of at most `lines` lines of `width` pixels."""
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
    """Return the width of a lead with the space after it, in pixels; 0 without a lead."""
    return strong.width(lead) + strong.size * LEAD_GAP if lead else 0.0


@dataclass(frozen=True)
class ColumnHeaders:
    """The column headings, each above its pictures."""

    names: tuple[str, ...]
    metrics: PageMetrics

    @property
    def height(self) -> int:
        """The height in pixels."""
        return round(self.metrics.face(SMALL).line * 1.25)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Write each name, cut to its column."""
        face = self.metrics.face(SMALL, strong=True)
        for position, name in enumerate(self.names):
            canvas.write(
                canvas.left + self.metrics.column(position),
                y,
                cut(clean(name), face.width, self.metrics.tile),
                face,
                SOFT,
            )


@dataclass(frozen=True)
class SideBySide:
    """Paragraphs in the columns of the pictures."""

    paragraphs: tuple[Paragraph, ...]
    metrics: PageMetrics

    @property
    def height(self) -> int:
        """The height of the tallest paragraph, in pixels."""
        return max(paragraph.height for paragraph in self.paragraphs)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw each in its column."""
        for position, one in enumerate(self.paragraphs):
            one.draw(replace(canvas, left=canvas.left + self.metrics.column(position)), y)


@dataclass(frozen=True)
class StatusMark:
    """The mark of a cell without a picture: a symbol besides the colour, for print and for colour-blind readers."""

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
    """Return the mark of a cell without a picture, and the reason."""
    if tile.status in WITH_PICTURE:
        return MISSING_MARK, MISSING_FILE
    kind, separator, detail = tile.reason.partition(": ")
    # The mark says so already.
    redundant = separator and kind in (BlockedError.reason, ThrottledError.reason)
    return STATUS_MARKS[tile.status], detail if redundant else tile.reason


@dataclass(frozen=True)
class PictureSlot:
    """A cell, and the wrapped lines of its label beside and below its number."""

    tile: CellView
    label: tuple[str, ...]


def picture_slot(tile: CellView, values: Sequence[str], metrics: PageMetrics) -> PictureSlot:
    """Wrap a cell's values to the width of its picture."""
    face = metrics.face(SMALL)
    # Two identical pictures need an explanation.
    parts = [*values, tile.reason] if tile.status is Status.SAME and tile.reason else values
    indent = lead_width(str(tile.number), Face(face.size, strong=True))
    return PictureSlot(
        tile, tuple(wrap_parts([clean(value) for value in parts], face.width, metrics.tile, first_indent=indent))
    )


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side, at most one per column; None leaves a column empty. `beside` is the heading at their left."""

    slots: tuple[PictureSlot | None, ...]
    metrics: PageMetrics
    beside: Paragraph | None = None

    @property
    def tiles(self) -> list[CellView]:
        """The cells of the row."""
        return [slot.tile for slot in self.slots if slot is not None]

    @cached_property
    def box(self) -> tuple[int, int]:
        """Width and height of a picture's slot."""
        width = self.metrics.tile
        shapes = [tile.picture_size[1] / tile.picture_size[0] for tile in self.tiles if tile.path is not None]
        shape = max(shapes, default=REASON_ROW_HEIGHT)
        return width, round(width * min(max(shape, MIN_ROW_HEIGHT), MAX_ROW_HEIGHT))

    @property
    def height(self) -> int:
        """The height in pixels, including the labels."""
        line = self.metrics.face(SMALL).line
        return self.box[1] + line * max(len(slot.label) for slot in self.slots if slot is not None) + round(line * 0.9)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw each picture centred in its slot, or else the reason why there is none, and its label."""
        if self.beside is not None:
            self.beside.draw(canvas, y)
        paths = list({tile.path for tile in self.tiles if tile.path is not None})
        images = dict(zip(paths, thumbnails(paths, self.box), strict=True))
        for column, slot in enumerate(self.slots):
            if slot is None:
                continue
            x = canvas.left + self.metrics.column(column)
            image = images.get(slot.tile.path) if slot.tile.path is not None else None
            if image is None:
                self._draw_reason(canvas, slot.tile, x, y)
            else:
                self._draw_picture(canvas, image, x, y)
            self._draw_label(canvas, slot, x, y + self.box[1])

    def _draw_picture(self, canvas: Canvas, image: Image.Image, x: int, y: int) -> None:
        width, height = self.box
        canvas.pen.rectangle((x, y, x + width - 1, y + height - 1), fill=MAT)
        canvas.image.paste(image, (x + (width - image.width) // 2, y + (height - image.height) // 2))

    def _draw_reason(self, canvas: Canvas, tile: CellView, x: int, y: int) -> None:
        mark, reason = missing_reason(tile)
        width, height = self.box
        face = self.metrics.face(SMALL)
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

    def _draw_label(self, canvas: Canvas, slot: PictureSlot, x: int, y: int) -> None:
        face = self.metrics.face(SMALL)
        strong = Face(face.size, strong=True)
        upper = y + round(face.line * 0.2)
        number = str(slot.tile.number)
        canvas.write(x, upper, number, strong, INK)
        for count, line in enumerate(slot.label):
            indent = lead_width(number, strong) if count == 0 else 0
            canvas.write(x + indent, upper + count * face.line, line, face, SOFT)


MAX_TITLE_LINES, MAX_PURPOSE_LINES, MAX_FACT_LINES, MAX_FOOT_LINES = 3, 4, 2, 3
# Lines of a full text: more than the longest prompt of Titan and Nova Canvas (1,024 characters) needs.
MAX_TEXT_LINES = 10
# Room for the widest page number, at the right of the footer.
PAGE_NUMBER = "page 888 of 888"


@dataclass(frozen=True)
class PageFrame:
    """Header and footer, the same on each page, so that each can be read by itself."""

    head: tuple[Element, ...]
    foot: tuple[Paragraph, ...]
    metrics: PageMetrics

    @property
    def room(self) -> int:
        """The height that they leave for the body of a page, in pixels."""
        taken = sum(element.height for element in (*self.head, *self._foot()))
        return self.metrics.max_height - 2 * self.metrics.margin - taken

    def page(self, body: Sequence[Element], number: int, count: int) -> Image.Image:
        """Draw a page as high as its content; it is numbered if there are several."""
        margin = self.metrics.margin
        elements = [*self.head, *body, *self._foot()]
        image = Image.new("RGB", (self.metrics.width, 2 * margin + sum(element.height for element in elements)), PAPER)
        canvas = Canvas(image, ImageDraw.Draw(image), margin)
        y = margin
        for element in elements:
            element.draw(canvas, y)
            y += element.height
        page_number, face = f"page {number} of {count}" if count > 1 else "", self.metrics.face(SMALL)
        upper = y - sum(element.height for element in self.foot)
        canvas.write(margin + self.metrics.inner - face.width(page_number), upper, page_number, face, SOFT)
        return image

    def _foot(self) -> list[Element]:
        line = self.metrics.face(SMALL).line
        return [Gap(line // 3), Rule(self.metrics.inner), Gap(line // 2), *self.foot]


def page_frame(
    metrics: PageMetrics,
    *,
    title: str,
    purpose: str,
    texts: Sequence[tuple[str, str]],
    facts: Sequence[tuple[str, str]],
    foot: Sequence[str],
) -> PageFrame:
    """Lay out a header and footer to the page's width; `texts` are shown in full, `facts` in at most two lines."""
    body, small, inner = metrics.face(BODY), metrics.face(SMALL), metrics.inner
    head: list[Element] = [paragraph(title, metrics.face(TITLE, strong=True), inner, lines=MAX_TITLE_LINES)]
    if purpose.strip():
        head += [paragraph(purpose, body, inner, lines=MAX_PURPOSE_LINES, colour=SOFT)]
    head += [Gap(small.line // 2)]
    strong = metrics.face(SMALL, strong=True)
    hang = max((strong.width(name) for name, _ in (*texts, *facts)), default=0.0) + strong.size
    for lines, pairs in ((MAX_TEXT_LINES, texts), (MAX_FACT_LINES, facts)):
        head += [paragraph(text, small, inner, lines=lines, colour=INK, lead=name, hang=hang) for name, text in pairs]
    head += [Gap(small.line // 2), Rule(inner), Gap(small.line // 2)]
    # The page number is beside the first line.
    widths = [inner - small.width(PAGE_NUMBER) - small.size] + [inner] * (len(foot) - 1)
    footer = [
        paragraph(text, small, width, lines=MAX_FOOT_LINES, colour=SOFT)
        for text, width in zip(foot, widths, strict=True)
    ]
    return PageFrame(tuple(head), tuple(footer), metrics)
