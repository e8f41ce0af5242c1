"""Wrapping and truncation of text: by terminal columns, or by widths that a font measures.

What measures is passed in, since Pillow and matplotlib each set text in their own way; where a line may break is the same
for both. A blank is where lines break; a no-break space keeps together what belongs together.
"""

from __future__ import annotations

import json
import textwrap
import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING, Literal

from couch_explorers.core.errors import visible
from couch_explorers.fonts import JOINERS
from couch_explorers.formatting import ELLIPSIS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # The width of one line of text, in whatever unit the caller's widths have.
    Measure = Callable[[str], float]
    LongWords = Literal["break", "hyphens", "keep"]

TERMINAL_COLUMNS = 80
# The longest text from elsewhere that a terminal shows; JSON output has it whole.
ONE_LINE_LIMIT = 300
SEPARATOR = " · "
# Behind these a word that is too long for a line is best broken.
_HYPHENS = "-:/._"
# A first guess of the characters in a line; twice as many are tried until a line is full.
_FIRST_GUESS = 16


# --- terminal ------------------------------------------------------------------------------------------------------------


def wrap_terminal(text: str, first: str = "", rest: str | None = None, *, columns: int = TERMINAL_COLUMNS) -> list[str]:
    """Wrap text to a terminal's width; ids, addresses and model names stay whole, so that they can be copied.

    Whatever the text came from, nothing in it steers the terminal: see `printable`.

    Args:
        text: one paragraph.
        first: what the first line begins with.
        rest: what the other lines begin with; blanks as wide as `first` where it is not given.
        columns: the width.

    Returns:
        At least one line.

    """
    return textwrap.wrap(
        printable(text),
        columns,
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def printable(text: str) -> str:
    """Replace each control and bidirectional formatting character, line ends included, with a space."""
    return "".join(sign if sign.isprintable() or sign in JOINERS else " " for sign in text)


def printable_lines(text: str) -> str:
    """Make each line of a text `printable`, and keep the line ends."""
    return "\n".join(map(printable, text.split("\n")))


def terminal_json(value: object, *, indent: int | None = None) -> str:
    """Write a value as JSON for a terminal or another program: letters as they are, and as escapes what would steer a terminal.

    JSON itself asks only for the escape of U+0000 to U+001F; DEL, the C1 controls and marks of direction would stay.
    """
    # A line's end within a value is an escape already.
    return "\n".join(map(visible, json.dumps(value, indent=indent, ensure_ascii=False).split("\n")))


def one_line(text: str, limit: int = ONE_LINE_LIMIT) -> str:
    """Make text from elsewhere safe to print: one line, no control characters, at most `limit` characters."""
    shown = " ".join(printable(text).split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}{ELLIPSIS}"


# --- measured ------------------------------------------------------------------------------------------------------------


def cut(text: str, measure: Measure, width: float) -> str:
    """Truncate text with an ellipsis to fit `width`, without separating a letter from its marks."""
    if measure(text) <= width:
        return text
    kept = _between_letters(text, _fitting(text, measure, width - measure(ELLIPSIS)))
    return text[:kept].rstrip(" ,;.:·-") + ELLIPSIS


def wrap(
    text: str,
    measure: Measure,
    width: float,
    *,
    max_lines: int | None = None,
    first_indent: float = 0.0,
    long_words: LongWords = "break",
) -> list[str]:
    """Wrap text at spaces into lines of at most `width`.

    Args:
        text: one paragraph.
        measure: gives the width of one line.
        width: of a line, in the unit of `measure`.
        max_lines: the last of so many lines ends in an ellipsis where the text does not end with it.
        first_indent: by how much the first line is shorter.
        long_words: a word that is longer than a line is broken between any two letters ("break"), behind its last hyphen,
            slash, colon, dot or underscore that fits and else between letters ("hyphens"), or sticks out ("keep").

    Returns:
        The lines; none for an empty text.

    """
    lines: list[str] = []
    rest = text.strip(" ")
    while rest:
        room = width - first_indent if not lines else width
        if max_lines is not None and len(lines) == max_lines - 1:
            lines.append(cut(rest, measure, room))
            break
        line, rest = _first_line(rest, measure, room, whole=width, long_words=long_words)
        lines.append(line)
    return lines


def wrap_parts(parts: Sequence[str], measure: Measure, width: float, *, first_indent: float = 0.0) -> list[str]:
    """Lay out texts one after the other, separated by dots, in lines of at most `width`.

    A line breaks between two texts only; a text that is too long for its line is cut.
    """
    lines: list[str] = []
    for part in parts:
        room = width - first_indent if len(lines) <= 1 else width
        if lines and measure(f"{lines[-1]}{SEPARATOR}{part}") <= room:
            lines[-1] += SEPARATOR + part
        else:
            lines.append(cut(part, measure, width if lines else width - first_indent))
    return lines


def _first_line(text: str, measure: Measure, room: float, *, whole: float, long_words: LongWords) -> tuple[str, str]:
    """Take the words that fit into `room`; a word that a `whole` line could hold is not broken."""
    kept = _fitting(text, measure, room)
    if kept == len(text):
        return text, ""
    end = kept if text[kept] == " " else text.rfind(" ", 0, kept)
    if end > 0:
        return text[:end].rstrip(" "), text[end:].lstrip(" ")
    word = text.split(" ", 1)[0]
    if room < whole and measure(word) <= whole:
        return "", text
    if long_words == "keep":
        kept = len(word)
    else:
        hyphen = max(text.rfind(sign, 0, kept) for sign in _HYPHENS) + 1 if long_words == "hyphens" else 0
        kept = hyphen or _between_letters(text, kept) or _first_letter(text)
    return text[:kept], text[kept:].lstrip(" ")


def _fitting(text: str, measure: Measure, width: float) -> int:
    """Count the leading characters that fit into `width`."""
    fits, most = 0, min(_FIRST_GUESS, len(text))
    # Measuring takes time in proportion to the text, and a caption may be a page long.
    while fits < most and measure(text[:most]) <= width:
        fits, most = most, min(2 * most, len(text))
    return fits + bisect_right(range(fits + 1, most + 1), width, key=lambda end: measure(text[:end]))


def _between_letters(text: str, end: int) -> int:
    """Move an end back so that it separates neither a letter from its marks nor joined characters."""
    while 0 < end < len(text) and _belongs_to_previous(text, end):
        end -= 1
    return end


def _first_letter(text: str) -> int:
    """Count the characters of the first letter, with its marks and what is joined to it."""
    end = 1
    while end < len(text) and _belongs_to_previous(text, end):
        end += 1
    return end


def _belongs_to_previous(text: str, place: int) -> bool:
    character = text[place]
    return character in JOINERS or text[place - 1] in JOINERS or unicodedata.category(character).startswith("M")
