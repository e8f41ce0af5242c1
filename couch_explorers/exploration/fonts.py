"""Letters on a page: each drawn by a font that has it, and the breaking and cutting of texts that are too long."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import ImageFont, features

from couch_explorers import fonts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import ImageDraw


# Parts of the size of the letters: from line to line, and from the upper edge of the letters to their foot.
LINE_HEIGHT, ASCENT = 1.36, 0.93
ELLIPSIS = "…"
PARTING = " · "

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


def cut(text: str, face: Face, width: float) -> str:
    """Shorten a clean text with an ellipsis to what fits into `width` pixels."""
    if face.width(text) <= width:
        return text
    kept = _between_letters(text, _fitting(text, face, width - face.width(ELLIPSIS)))
    return text[:kept].rstrip(" ,;.:·-") + ELLIPSIS


def wrap(text: str, face: Face, width: float, *, lines: int, indent: float = 0.0) -> list[str]:
    """Break a clean text into at most `lines` lines of `width` pixels, the first shortened by `indent`.

    A word that is longer than a line is broken; where the text does not end, its last line ends in an ellipsis.
    """
    broken: list[str] = []
    rest = text.strip()
    while rest:
        room = width - indent if not broken else width
        if len(broken) == lines - 1:
            broken.append(cut(rest, face, room))
            break
        line, rest = _first_line(rest, face, room, whole=width)
        broken.append(line)
    return broken


def wrap_parts(parts: Sequence[str], face: Face, width: float, *, indent: float = 0.0) -> list[str]:
    """Set clean texts one after the other, parted by dots, into lines of `width` pixels, the first shortened by `indent`.

    A line breaks between two texts only; one that is too long for its line is cut.
    """
    broken: list[str] = []
    for part in parts:
        room = width - indent if len(broken) <= 1 else width
        if broken and face.width(f"{broken[-1]}{PARTING}{part}") <= room:
            broken[-1] += PARTING + part
        else:
            broken.append(cut(part, face, width if broken else width - indent))
    return broken


def _first_line(text: str, face: Face, room: float, *, whole: float) -> tuple[str, str]:
    """Take the words that fit into `room`; a word that a `whole` line could hold is not broken."""
    kept = _fitting(text, face, room)
    if kept == len(text):
        return text, ""
    end = kept if text[kept] == " " else text.rfind(" ", 0, kept)
    if end > 0:
        return text[:end].rstrip(), text[end:].lstrip()
    word = text.split(" ", 1)[0]
    if room < whole and face.width(word) <= whole:
        return "", text
    kept = _between_letters(text, kept) or _letter_length(text)
    return text[:kept], text[kept:].lstrip()


def _fitting(text: str, face: Face, width: float) -> int:
    """Count the leading characters that fit into `width` pixels."""
    # No letter is narrower than a tenth of its size: what lies beyond need not be measured.
    most = min(len(text), int(max(width, 0) / face.size * 10) + 1)
    return bisect_right(range(1, most + 1), width, key=lambda count: face.width(text[:count]))


def _between_letters(text: str, count: int) -> int:
    """Take back as many characters as it needs to part no letter from its marks, and nothing that is joined."""
    while 0 < count < len(text) and (_belongs(text[count]) or text[count - 1] in fonts.JOINERS):
        count -= 1
    return count


def _letter_length(text: str) -> int:
    """Count the characters of the first letter, with its marks and what is joined to it."""
    count = 1
    while count < len(text) and (_belongs(text[count]) or text[count - 1] in fonts.JOINERS):
        count += 1
    return count


def _belongs(character: str) -> bool:
    return character in fonts.JOINERS or unicodedata.category(character).startswith("M")
