"""Letters on a page: one font for all that is drawn, and the breaking and cutting of texts that are too long for it.

DejaVu Sans, which comes with matplotlib, has the letters of Norwegian, Greek, Cyrillic, Hebrew and Arabic; what it
lacks is drawn as an empty box.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

FONT_FILE = "DejaVuSans.ttf"
FONT_IN_MATPLOTLIB = Path("mpl-data", "fonts", "ttf", FONT_FILE)
# Parts of the size of the letters: from line to line, and from the upper edge of the letters to their foot.
LINE_HEIGHT, ASCENT = 1.36, 0.93
ELLIPSIS = "…"
PARTING = " · "
TIMES = "\u00d7"  # the multiplication sign
REPLACEMENT = "\ufffd"
# The hairline drawn round strong letters, as a part of their size: quieter than the font's own bold.
STRONG_STROKE = 0.018

# Controls, half pairs, what is not assigned, what is private: a font has nothing for them, and Pillow takes no half pair.
_UNDRAWABLE = ("Cc", "Cs", "Cn", "Co")
# What joins emoji or turns the direction of a whole line would show as a box, or do it.
_STEERING = set("\u200d\ufe0e\ufe0f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Face:
    """Letters of one size in pixels; `strong` ones are for titles and names."""

    size: int
    strong: bool = False

    @property
    def font(self) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """What Pillow draws with."""
        return _font(self.size)

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
        return float(self.font.getlength(text))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    found = find_spec("matplotlib")
    places = [Path(place) / FONT_IN_MATPLOTLIB for place in (found.submodule_search_locations or ())] if found else []
    # The bare name lets the operating system look among its own fonts.
    for place in (*places, FONT_FILE):
        try:
            return ImageFont.truetype(str(place), size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def clean(text: object) -> str:
    """Make a text of one line that can be drawn: blanks and line breaks become one blank, half pairs a replacement."""
    kept = (
        REPLACEMENT if unicodedata.category(character) in _UNDRAWABLE else character
        for character in " ".join(str(text).split())
        if character not in _STEERING
    )
    return "".join(kept)


def cut(text: str, face: Face, width: float) -> str:
    """Shorten a clean text with an ellipsis to what fits into `width` pixels."""
    if face.width(text) <= width:
        return text
    kept = _fitting(text, face, width - face.width(ELLIPSIS))
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
    kept = max(1, kept)
    return text[:kept], text[kept:].lstrip()


def _fitting(text: str, face: Face, width: float) -> int:
    """Count the leading characters that fit into `width` pixels."""
    # No letter is narrower than a tenth of its size: what lies beyond need not be measured.
    most = min(len(text), int(max(width, 0) / face.size * 10) + 1)
    return bisect_right(range(1, most + 1), width, key=lambda count: face.width(text[:count]))
