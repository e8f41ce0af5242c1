"""The gallery as HTML that needs neither scripts nor other files, and its words."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from textwrap import shorten
from typing import TYPE_CHECKING

from couch_explorers import paths
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.money import dollars
from couch_explorers.exploration.rating.ratings import picture_id
from couch_explorers.exploration.rating.sidecar import Rating
from couch_explorers.exploration.showing import cards
from couch_explorers.exploration.showing.lines import told
from couch_explorers.exploration.showing.typeface import PARTING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from couch_explorers.exploration.showing.gallery import Gallery, GalleryRun
    from couch_explorers.exploration.showing.tiles import Tile

TITLE_CHARACTERS = 80
SMALL = f"margin:0;font-size:.85em;{cards.QUIET}"


def summary(found: Gallery) -> str:
    """Say what was found, or that nothing was."""
    asked = str(found.wish)
    if not found.runs:
        return f"Nothing was found for {asked}." if asked else "There is no run yet: run a sweep, and it is here."
    pictures = sum(len(run.pictures) for run in found.runs)
    counts = f"{_count(pictures, 'picture')} in {_count(len(found.runs), 'run')}"
    return f"{counts}: {asked}." if asked else f"{counts}."


def title(run: GalleryRun) -> str:
    """Name a run, by its prompts where nobody named it."""
    return run.info.title or shorten(", ".join(run.info.prompts), TITLE_CHARACTERS, placeholder=" …")


def facts(run: GalleryRun) -> str:
    """When a run was, how many pictures it has, and what they cost."""
    info = run.info
    cost = f"{dollars(info.usd)} (prices of {PRICES_AS_OF})" if info.usd else ""
    if cost:
        cost = f"nothing paid; on AWS {cost}" if info.target == "local" else f"paid {cost}"
    pictures = f"{info.pictures} of {_count(info.requests, 'picture')}, {info.made} new"
    return PARTING.join(filter(None, (f"{info.started:%Y-%m-%d %H:%M} UTC", pictures, cost)))


def html(found: Gallery) -> str:
    """Draw each run with the pictures that are shown of it."""
    drawn = [f"<p>{escape(summary(found))}</p>", *(_run(found, run) for run in found.runs)]
    if found.older:
        runs = _count(found.older, "older run")
        drawn.append(f"<p>{runs} not looked through: ask for less, or give a limit above {found.limit}.</p>")
    return f'<div class="couch-gallery">{"".join(drawn)}</div>'


def _run(found: Gallery, run: GalleryRun) -> str:
    info = run.info
    drawn = [f'<p style="font-size:1.1em;margin:1.6em 0 0"><b>{escape(title(run))}</b></p>']
    if info.purpose:
        drawn.append(f'<p style="margin:0">{escape(info.purpose)}</p>')
    drawn.append(f'<p style="{SMALL}">{escape(facts(run))}</p>')
    if run.trouble:
        drawn.append(f"<p>{escape(run.trouble)}</p>")
    if run.shown:
        said = [found.said.get(picture_id(tile)) or Rating(tile.id) for tile in run.shown]
        drawn.append(cards.grid(zip(run.shown, cards.facts(run.shown), said, strict=True)))
    drawn.append(_without(run.tiles))
    if hidden := len(run.pictures) - len(run.shown):
        folder = escape(json.dumps(paths.display(info.folder), ensure_ascii=False))
        drawn.append(f'<p style="{SMALL}">{hidden} more: <code>contact_sheet(load({folder}))</code></p>')
    return "".join(drawn)


def _without(tiles: Sequence[Tile]) -> str:
    """Say how many cells have no picture, by what became of them."""
    counts = Counter(told(tile)[0].word.lower() for tile in tiles if tile.path is None)
    if not counts:
        return ""
    listed = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f'<p style="{SMALL}">Without a picture: {listed}.</p>'


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
