"""What stands on a page beside the pictures: paragraphs, rules, gaps, heads. Each knows its height and draws itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from couch_explorers.exploration.showing.measures import INK, RULE, SMALL, SOFT, Measures
from couch_explorers.exploration.showing.typeface import Face, clean, cut, wrap

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

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
    text: str, face: Face, width: float, *, lines: int, colour: str = INK, lead: str = "", hang: float = 0.0
) -> Paragraph:
    """Break a text, whatever it holds, into a paragraph of at most `lines` lines of `width` pixels."""
    strong = Face(face.size, strong=True)
    lead = cut(clean(lead), strong, hang or width)
    indent = 0.0 if hang else lead_width(lead, strong)
    return Paragraph(tuple(wrap(clean(text), face, width - hang, lines=lines, indent=indent)), face, colour, lead, hang)


def lead_width(lead: str, strong: Face) -> float:
    """Pixels from a lead's beginning to the text after it; 0 without a lead."""
    return strong.width(lead) + strong.size * LEAD_GAP if lead else 0.0


@dataclass(frozen=True)
class Heads:
    """What the columns are called, each above its pictures."""

    names: tuple[str, ...]
    measures: Measures

    @property
    def height(self) -> int:
        """In pixels."""
        return round(self.measures.face(SMALL).line * 1.25)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Write each name, cut to its column."""
        face = self.measures.face(SMALL, strong=True)
        for place, name in enumerate(self.names):
            canvas.write(
                canvas.left + self.measures.column(place), y, cut(clean(name), face, self.measures.tile), face, SOFT
            )


@dataclass(frozen=True)
class SideBySide:
    """Paragraphs in the columns of the pictures."""

    paragraphs: tuple[Paragraph, ...]
    measures: Measures

    @property
    def height(self) -> int:
        """In pixels, that of the highest."""
        return max(paragraph.height for paragraph in self.paragraphs)

    def draw(self, canvas: Canvas, y: int) -> None:
        """Draw each in its column."""
        for place, one in enumerate(self.paragraphs):
            one.draw(replace(canvas, left=canvas.left + self.measures.column(place)), y)
