"""A rated picture as HTML that needs neither scripts nor other files: for reports, and for notebooks read without a kernel."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import COLOURS, Verdict
from couch_explorers.exploration.grid import MISSING_FILE, arrange, axis_label
from couch_explorers.exploration.ratings import MAX_STARS
from couch_explorers.exploration.thumbnails import data_uri, thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import Rating


# A sign beside the colour, as the checks have it: readable on paper and by people who do not see the colours apart.
KEPT, REJECTED, GOLD, QUIET = COLOURS[Verdict.OK], COLOURS[Verdict.BAD], "#a15c00", "opacity:.7"
CARD_WIDTH = "13rem"
# The longer side of a small copy: sharp on a dense screen at half this width.
PIXELS = 480


def distinguishing_labels(tiles: Sequence[CellView]) -> list[str]:
    """Tell each cell from the others: its values on the axes that vary, without the prompt, which stands above."""
    varying = [axis for axis in arrange(tiles).varying if axis != "prompt"] if tiles else []
    return [" · ".join(axis_label(axis, tile) for axis in varying or ["seed"]) for tile in tiles]


def count_sentence(said: Mapping[str, Rating], pictures: Mapping[str, Any]) -> str:
    """Say how many of the pictures were kept, rejected, and not rated."""
    if not pictures:
        return "There is no picture to rate."
    verdicts = [said[name].verdict for name in pictures if name in said]
    counts = {
        "kept": verdicts.count("keep"),
        "rejected": verdicts.count("reject"),
        "with stars or a note only": verdicts.count(None),
        "not rated": len(pictures) - len(verdicts),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}: {told}."


def stars_text(stars: int | None) -> str:
    """Draw stars in letters, "★★★★☆"; nothing where nobody said."""
    return "" if stars is None else "★" * stars + "☆" * (MAX_STARS - stars)


def rating_html(rating: Rating) -> str:
    """Draw what holds for a picture: verdict, stars, note (HTML)."""
    parts = []
    if rating.verdict is not None:
        word, colour = ("✓ kept", KEPT) if rating.verdict == "keep" else ("✗ rejected", REJECTED)
        style = (
            f"color:{colour};border:1px solid;border-radius:1em;padding:.05em .6em;font-weight:600;white-space:nowrap"
        )
        parts.append(f'<span style="{style}">{word}</span>')
    if rating.stars is not None:
        title = f"{rating.stars} of {MAX_STARS} stars"
        parts.append(f'<span style="color:{GOLD};white-space:nowrap" title="{title}">{stars_text(rating.stars)}</span>')
    if rating.note:
        parts.append(f'<span style="overflow-wrap:anywhere">{escape(rating.note)}</span>')
    return " ".join(parts)


def picture_html(path: Path | None, alt: str) -> str:
    """Draw a small copy of a picture, as wide as its place; a sentence where its file is gone or damaged (HTML)."""
    try:
        source = "" if path is None else _cached_uri(path, path.stat().st_mtime_ns)
    except OSError:
        source = ""
    if not source:
        return f'<p style="margin:0;{QUIET}">{MISSING_FILE}</p>'
    return f'<img src="{source}" alt="{escape(alt)}" style="display:block;width:100%;height:auto;border-radius:6px">'


@lru_cache(maxsize=256)
def _cached_uri(path: Path, _changed: int) -> str:
    """The picture as it was at that time: turning pages back and forth reads it once. Empty for one that is damaged."""
    image = thumbnail(path, (PIXELS, PIXELS))
    return "" if image is None else data_uri(image)


def cards_html(cards: Iterable[tuple[CellView, str, Rating]]) -> str:
    """Draw rated pictures side by side, each with its number, what tells it from the others, and what was said of it."""
    figures = []
    for tile, told, rating in cards:
        name = escape(tile.prompt_name)
        figures.append(
            f'<figure style="margin:0">{picture_html(tile.path, tile.prompt)}'
            '<figcaption style="font-size:.85em;line-height:1.5;margin-top:.45em">'
            f'<span title="{escape(tile.prompt)}"><b>{tile.number}</b> {name}</span><br>'
            f'<span style="{QUIET}">{escape(told)}</span><br>{rating_html(rating)}</figcaption></figure>',
        )
    columns = f"repeat(auto-fill,minmax({CARD_WIDTH},1fr))"
    style = f"display:grid;grid-template-columns:{columns};gap:1.2rem;margin:1rem 0"
    return f'<div class="couch-ratings" style="{style}">{"".join(figures)}</div>'
