"""What every page of a sheet has around its pictures: the head with title, purpose and facts, and the foot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from couch_explorers.exploration.showing.elements import Canvas, Element, Gap, Paragraph, Rule, paragraph
from couch_explorers.exploration.showing.measures import BODY, INK, PAPER, SMALL, SOFT, TITLE, Measures

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE_LINES, PURPOSE_LINES, FACT_LINES, FOOT_LINES = 3, 4, 2, 3
# Lines of a text that is told in full: more than the longest prompt of Titan and Nova Canvas (1,024 characters) needs.
WHOLE_TEXT_LINES = 10
# Room for the widest page number, at the right of the foot.
PAGE_NUMBER = "page 888 of 888"


@dataclass(frozen=True)
class Surround:
    """Head and foot, the same on each page, so that each can be read alone."""

    head: tuple[Element, ...]
    foot: tuple[Paragraph, ...]
    measures: Measures

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


def surround(
    measures: Measures,
    *,
    title: str,
    purpose: str,
    texts: Sequence[tuple[str, str]],
    facts: Sequence[tuple[str, str]],
    foot: Sequence[str],
) -> Surround:
    """Break all words to the page's width; `texts` are told in full, of `facts` what two lines hold."""
    body, small, inner = measures.face(BODY), measures.face(SMALL), measures.inner
    head: list[Element] = [paragraph(title, measures.face(TITLE, strong=True), inner, lines=TITLE_LINES)]
    if purpose.strip():
        head += [paragraph(purpose, body, inner, lines=PURPOSE_LINES, colour=SOFT)]
    head += [Gap(small.line // 2)]
    strong = measures.face(SMALL, strong=True)
    hang = max((strong.width(name) for name, _ in (*texts, *facts)), default=0.0) + strong.size
    for lines, pairs in ((WHOLE_TEXT_LINES, texts), (FACT_LINES, facts)):
        head += [paragraph(text, small, inner, lines=lines, colour=INK, lead=name, hang=hang) for name, text in pairs]
    head += [Gap(small.line // 2), Rule(inner), Gap(small.line // 2)]
    # The page number stands beside the first.
    rooms = [inner - small.width(PAGE_NUMBER) - small.size] + [inner] * (len(foot) - 1)
    told = [paragraph(text, small, room, lines=FOOT_LINES, colour=SOFT) for text, room in zip(foot, rooms, strict=True)]
    return Surround(tuple(head), tuple(told), measures)
