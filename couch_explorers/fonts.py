"""Finds the font for a character: DejaVu Sans, then Noto for other scripts and emoji, then the fonts of this machine.

DejaVu Sans comes with matplotlib and has Latin, Greek, Cyrillic, Hebrew and Arabic letters. Two packages carry Noto, so that
a picture looks the same on every machine. What no font has is written as its number, `[U+12345]`, and explained by `note`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEJAVU = Path("mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
# Packages that contain only fonts. The large one, for Chinese, Japanese and Korean, is searched last.
NOTO_PACKAGES = ("manimgx_fonts", "noto_cjk_sans_jp_regular")
# Its colour fonts have pictures instead of outlines, and its last resorts a box for every character.
NO_LETTERS = ("lastresort", "adobeblank", "unifont_upper", "coloremoji", "color emoji")
OUTLINES = ("glyf", "CFF ", "CFF2")

# Everything below is in DejaVu Sans: nothing need be looked up for it.
_LATIN_END = 0x250
FREQUENT = frozenset(
    "\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00d7\u00b7\u2022\u2192\u2190\u2191\u2193\u2212\u2248\u2264\u2265\u2713\u2717\u25cb\u25cf\u2298\u2605\u2606\u20ac"
)  # dashes, quotation marks, ellipsis, arrows, signs of the verdicts, stars
# They steer, join or part letters and have no shape of their own (Unicode, Default_Ignorable_Code_Point).
JOINERS = frozenset("\u200c\u200d")
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
        (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
) - JOINERS  # fmt: skip
NAMED_IN_NOTE = 3


@dataclass(frozen=True)
class Run:
    """A part of a text that one font draws."""

    file: Path
    text: str


@lru_cache(maxsize=1)
def files() -> tuple[Path, ...]:
    """Return the packaged fonts in order of preference; the first one draws most texts."""
    # The bare name lets the operating system look among its own fonts.
    found = [place / DEJAVU for place in _package("matplotlib")] or [Path(DEJAVU.name)]
    for name in NOTO_PACKAGES:
        for place in _package(name):
            fonts = (path for path in place.iterdir() if path.suffix in (".ttf", ".otf") and "Italic" not in path.name)
            # Letters before emoji: a font of emoji has digits too.
            found += sorted(fonts, key=lambda path: ("Emoji" in path.name, path.name))
    return tuple(found)


def visible(text: str) -> str:
    """Leave out what has no shape of its own, such as marks of direction and variation selectors; joiners stay."""
    return "".join(character for character in text if character not in _INVISIBLE)


def spelled(text: str) -> str:
    """Write each character that no font has as its number, `[U+12345]`."""
    if is_plain(text):
        return text
    return "".join(number(character) if _is_unknown(character) else character for character in text)


def number(character: str) -> str:
    """Write a character as its number."""
    return f"[U+{ord(character):04X}]"


def is_right_to_left(text: str) -> bool:
    """Check whether a line of text runs from right to left, by its first letter with a direction."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


def note(texts: Iterable[object]) -> str:
    """Explain the numbers that `spelled` writes for these texts, in a sentence; empty where there are none."""
    unknown = dict.fromkeys(
        character
        for text in map(str, texts)
        if not is_plain(text)
        for character in visible(text)
        if _is_unknown(character)
    )
    if not unknown:
        return ""
    named = [f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip() for character in unknown]
    listed = ", ".join(named[:NAMED_IN_NOTE])
    if len(named) > NAMED_IN_NOTE:
        listed += f" and {len(named) - NAMED_IN_NOTE} more"
    return f"No font on this machine has {listed}: a number in brackets stands for each. Install a font that has it."


@lru_cache(maxsize=4096)
def runs(text: str) -> tuple[Run, ...]:
    """Split a text into runs by font; a mark stays with its letter."""
    first = files()[0]
    if is_plain(text):
        return (Run(first, text),) if text else ()
    parts: list[tuple[Path, list[str]]] = []
    for character in text:
        joins = character in JOINERS or unicodedata.category(character).startswith("M")
        if parts and joins and (character in JOINERS or ord(character) in characters_of(parts[-1][0])):
            parts[-1][1].append(character)
            continue
        file = font_of(character) or first
        if parts and parts[-1][0] == file:
            parts[-1][1].append(character)
        else:
            parts.append((file, [character]))
    return tuple(Run(file, "".join(characters)) for file, characters in parts)


@lru_cache(maxsize=4096)
def font_of(character: str) -> Path | None:
    """Return the first font that has a character; None if none has."""
    if is_plain(character):
        return files()[0]
    return next((file for file in _all_files() if ord(character) in characters_of(file)), None)


def is_plain(text: str) -> bool:
    """Check whether the first font surely has every character of a text, so that no lookup is needed."""
    return all(ord(character) < _LATIN_END or character in FREQUENT for character in text)


def _is_unknown(character: str) -> bool:
    return character not in JOINERS and not character.isspace() and font_of(character) is None


def _all_files() -> Iterator[Path]:
    yield from files()
    # Only for what no package has: there may be a thousand of them.
    yield from system_files()


@lru_cache(maxsize=1)
def system_files() -> tuple[Path, ...]:
    """List the fonts of this machine that draw letters by outlines."""
    try:
        from matplotlib.font_manager import findSystemFonts  # noqa: PLC0415 - it takes half a second
    except ImportError:
        return ()
    paths = sorted(map(Path, findSystemFonts()))
    return tuple(path for path in paths if not any(word in path.name.lower() for word in NO_LETTERS))


@cache
def characters_of(file: Path) -> frozenset[int]:
    """Read which characters a font can draw by outlines; none where its file cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 - a text in Latin letters need not wait for it

    try:
        with file.open("rb") as stream, TTFont(stream, lazy=True, fontNumber=0) as font:
            if not any(table in font for table in OUTLINES):
                return frozenset()
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, AssertionError, KeyError, ValueError):
        return frozenset()


def _package(name: str) -> Iterator[Path]:
    found = find_spec(name)
    yield from map(Path, found.submodule_search_locations or ()) if found is not None else ()
