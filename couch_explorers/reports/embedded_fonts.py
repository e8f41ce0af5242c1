"""The letters of a report that its reader's machine may lack, as fonts inside the page."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from typing import TYPE_CHECKING

from couch_explorers import fonts

if TYPE_CHECKING:
    from pathlib import Path

# The first family of report.css: Chromium does not draw again what a later one loads too late. It is asked for no letter that
# is not in it, so Latin ones stay those of the reader's machine.
FAMILY = "couch-explorers-letters"


def css(page: str) -> str:
    """Write the fonts for the characters of a page that DejaVu Sans lacks and that a package of ours has.

    Only their letters are in them, some hundred bytes each; a page in Latin letters gets none. Emoji are drawn in black, as
    on a contact sheet.
    """
    wanted: dict[Path, set[str]] = defaultdict(set)
    for character in set(page):
        file = fonts.font_of(character)
        if file in fonts.files()[1:]:
            wanted[file].add(character)
    return "".join(_face(file, characters) for file, characters in sorted(wanted.items()))


def _face(file: Path, characters: set[str]) -> str:
    codes = ",".join(f"U+{ord(character):X}" for character in sorted(characters))
    # With the digits and blanks of the same font a mark finds the letter that it belongs to.
    data = base64.b64encode(_subset(file, "".join(sorted(characters)) + " ")).decode()
    source = f"url(data:font/woff;base64,{data}) format('woff')"
    return f"@font-face{{font-family:{FAMILY};src:{source};unicode-range:{codes},U+200C-200D}}"


def _subset(file: Path, text: str) -> bytes:
    from fontTools import subset  # noqa: PLC0415 - a page in Latin letters need not wait for it

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(file), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    subsetter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    font.close()
    return buffer.getvalue()
