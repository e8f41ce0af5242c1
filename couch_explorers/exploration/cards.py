"""Rated pictures as HTML that needs neither scripts nor other files: for reports, and for notebooks read without a kernel."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import COLOURS, Verdict
from couch_explorers.exploration.grid import MISSING_FILE
from couch_explorers.exploration.ratings import MAX_STARS
from couch_explorers.exploration.thumbnails import data_uri, thumbnail
from couch_explorers.html import environment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import Rating


# A symbol besides the colour, as the checks have it: readable on paper and by people who cannot distinguish the colours.
KEPT, REJECTED, GOLD, QUIET = COLOURS[Verdict.OK], COLOURS[Verdict.BAD], "#a15c00", "opacity:.7"
CARD_WIDTH = "13rem"
# The longer side of a thumbnail: sharp on a high-density screen at half this width.
PIXELS = 480


def picture_html(path: Path | None, alt: str) -> str:
    """Render a thumbnail as wide as its container; a sentence if its file is missing or damaged (HTML)."""
    return str(_macros().picture(_source(path), alt))


def rating_html(rating: Rating) -> str:
    """Render a rating: verdict, stars, note (HTML)."""
    return str(_macros().rating(rating))


def cards_html(cards: Iterable[tuple[CellView, str, Rating]]) -> str:
    """Render rated pictures side by side, each a cell with its label and its rating (HTML)."""
    shown = [
        {
            "source": _source(cell.path),
            "prompt": cell.prompt,
            "number": cell.number,
            "name": cell.prompt_name,
            "label": label,
            "rating": rating,
        }
        for cell, label, rating in cards
    ]
    return str(_macros().grid(shown))


@lru_cache(maxsize=1)
def _macros() -> Any:
    constants = {"kept": KEPT, "rejected": REJECTED, "gold": GOLD, "quiet": QUIET, "card_width": CARD_WIDTH}
    template = environment().get_template("exploration/cards.html.j2")
    return template.make_module(constants | {"missing": MISSING_FILE, "max_stars": MAX_STARS})


def _source(path: Path | None) -> str:
    """Return a picture's thumbnail as a data URI; empty if its file is missing or damaged."""
    try:
        return "" if path is None else _cached_uri(path, path.stat().st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _cached_uri(path: Path, _changed: int) -> str:
    """Return the picture as of that modification time, read once per process; empty if it is damaged."""
    image = thumbnail(path, (PIXELS, PIXELS))
    return "" if image is None else data_uri(image)
