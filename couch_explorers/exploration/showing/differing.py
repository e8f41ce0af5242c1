"""What differs between two pictures: in what was asked, in words of a text, and in their pixels."""

from __future__ import annotations

from difflib import SequenceMatcher
from html import escape
from typing import TYPE_CHECKING

from PIL import ImageChops

from couch_explorers.exploration.showing import axes
from couch_explorers.exploration.showing.typeface import TIMES

if TYPE_CHECKING:
    from PIL import Image

    from couch_explorers.exploration.showing.tiles import Tile

# Steps of brightness, of 255, from which a pixel counts as another: more than grain and less than a shape.
CLEARLY = 24
# The part of their words that two texts share at least to be versions of one; in others nearly all would be marked.
VERSION = 0.5
# Dark letters of its own, for a notebook whose paper is dark.
MARK = "background:#fdeebf;color:#1d2733"


def split(left: Tile, right: Tile) -> tuple[list[str], list[str]]:
    """Part the names of the axes into those on which two cells differ and those on which they are alike."""
    differing = [axis for axis in axes.AXES if told(axis, left) != told(axis, right)]
    return differing, [axis for axis in axes.AXES if axis not in differing]


def told(axis: str, tile: Tile) -> str:
    """A cell's value on an axis in full: of a prompt its text, of a model its id."""
    if axis == "prompt":
        return tile.prompt
    return tile.model if axis == "model" else axes.shown(axis, tile)


def marked(left: str, right: str) -> tuple[str, str]:
    """Write two texts as HTML; where they are versions of one text, with the words marked that only one of them has."""
    words = left.split(), right.split()
    matcher = SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < VERSION:
        return escape(left), escape(right)
    written: tuple[list[str], list[str]] = ([], [])
    for kind, *bounds in matcher.get_opcodes():
        for side, (start, end) in enumerate((bounds[:2], bounds[2:])):
            text = escape(" ".join(words[side][start:end]))
            if text:
                written[side].append(text if kind == "equal" else f'<mark style="{MARK}">{text}</mark>')
    return " ".join(written[0]), " ".join(written[1])


def same_pixels(left: Image.Image, right: Image.Image) -> bool:
    """Tell whether two RGB images show the very same."""
    return left.size == right.size and ImageChops.difference(left, right).getbbox() is None


def sentence(left: Image.Image, right: Image.Image) -> str:
    """Say in one sentence how far two RGB images differ."""
    if left.size != right.size:
        sizes = [f"{image.width} {TIMES} {image.height}" for image in (left, right)]
        return f"The pictures have different sizes: {sizes[0]} and {sizes[1]} pixels."
    if same_pixels(left, right):
        return "The pictures are the same, pixel by pixel."
    bands = ImageChops.difference(left, right).split()
    strongest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    changed = sum(strongest.histogram()[CLEARLY + 1 :]) / (left.width * left.height)
    return f"{changed:.0%} of the pixels differ clearly." if changed >= 0.01 else "The pictures differ hardly visibly."  # noqa: PLR2004 - less than a percent
