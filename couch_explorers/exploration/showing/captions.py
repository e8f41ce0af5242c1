"""The words of a contact sheet: its title, what varies where, what the footer tells."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from couch_explorers import fonts
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.money import dollars
from couch_explorers.exploration.outcomes import WITH_PICTURE, Status
from couch_explorers.exploration.showing import axes
from couch_explorers.exploration.showing.typeface import TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from couch_explorers.exploration.showing.axes import Arrangement
    from couch_explorers.exploration.showing.tiles import Tile

# A run's folder is named by the time at which it was started.
_RUN_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)\d\d-")
# Values of one axis at the head of a sheet; the rest stand on the cells.
VALUES_LISTED = 12
# Longer than any prompt that Titan and Nova Canvas take; Stability's 10,000 characters would fill a page.
WHOLE_CHARACTERS = 1100
STATUS_WORDS = {
    Status.MADE: "new",
    Status.CACHED: "there already",
    Status.SAME: "the same as another",
    Status.REFUSED: "not sent",
}


def fallback_title(tiles: Sequence[Tile], arrangement: Arrangement) -> str:
    """Name a sheet that nobody named, like "3 prompts x 4 seeds"."""
    counts = {axis: len(axes.first_of_each(axis, tiles)) for axis in arrangement.varying}
    return f" {TIMES} ".join(f"{count} {axes.name_of(axis)}s" for axis, count in counts.items()) or "One request"


def facts(tiles: Sequence[Tile], arrangement: Arrangement) -> list[tuple[str, str]]:
    """What stands at the head of a sheet: each axis with its place, its name, how many values it has, and these."""
    if arrangement.rows is None and arrangement.columns is None:
        names = ", ".join(axes.name_of(axis) for axis in arrangement.varying)
        told = [("Varies", names)] if names else []
    else:
        told = [("Rows", _axis(arrangement.rows, tiles))] if arrangement.rows else []
        columns = "Columns" if arrangement.rows else "Pictures"
        told += [(columns, _axis(arrangement.columns, tiles))] if arrangement.columns else []
        groups = " · ".join(_axis(axis, tiles) for axis in arrangement.groups)
        told += [("Groups", groups)] if groups else []
    shared = [axes.label(axis, tiles[0]) for axis in arrangement.shared if _worth_telling(axis, tiles[0])]
    return told + ([("All cells", " · ".join(shared))] if shared else [])


def shared_texts(tiles: Sequence[Tile], arrangement: Arrangement) -> list[tuple[str, str]]:
    """The whole prompt and negative prompt where all cells have the same."""
    told = [("Prompt", whole(tiles[0].prompt))] if "prompt" in arrangement.shared else []
    if "negative_prompt" in arrangement.shared and tiles[0].negative_prompt is not None:
        told.append(("Without", whole(tiles[0].negative_prompt)))
    return told


def whole(text: str) -> str:
    """A text as a sheet tells it: whole, or, where it is far too long for that, its beginning and how long it is."""
    if len(text) <= WHOLE_CHARACTERS:
        return text
    return f"{text[:WHOLE_CHARACTERS].rstrip()} … ({len(text):,} characters)"


def heading(axis: str, tile: Tile) -> tuple[str, str]:
    """What stands above a row: a strong name and the text after it, which may be empty."""
    if axis == "prompt":
        return tile.prompt_name, tile.prompt
    if axis == "negative_prompt" and tile.negative_prompt is not None:
        return "without", tile.negative_prompt
    if axis == "model":
        return tile.model_name, tile.model if tile.model != tile.model_name else ""
    return axes.label(axis, tile), ""


def outcome(tiles: Sequence[Tile], target: str) -> str:
    """How many pictures there are, what became of the other cells, and what the new ones cost."""
    statuses = Counter(tile.status for tile in tiles)
    there = sum(statuses[status] for status in WITH_PICTURE)
    told = [f"{statuses[status]} {STATUS_WORDS.get(status, status)}" for status in Status if statuses[status]]
    sentence = f"{there} of {len(tiles)} pictures: {', '.join(told)}."
    paid = sum(tile.usd for tile in tiles)
    if not paid:
        return sentence
    cost = f"{dollars(paid)} (prices of {PRICES_AS_OF})"
    return f"{sentence} Nothing was paid; on AWS: {cost}." if target == "local" else f"{sentence} Paid: {cost}."


def origin(tiles: Sequence[Tile], target: str, date: str) -> str:
    """Who made the pictures, where and when."""
    models = ", ".join(tile.model_name for tile in axes.first_of_each("model", tiles))
    if target == "local":
        return f"Local stand-in in place of {models}: no image model was asked. {date}"
    return f"Amazon Bedrock: {models}. {date}" if target == "aws" else f"{models}. {date}"


def unknown_characters(tiles: Sequence[Tile], *texts: str) -> tuple[str, ...]:
    """What is said of characters that no font has, in these texts or in those of the cells; nothing where there are none."""
    told = (text for tile in tiles for text in (tile.prompt_name, tile.prompt, tile.negative_prompt or "", tile.reason))
    said = fonts.note(dict.fromkeys((*texts, *told)))
    return (said,) if said else ()


def date_of(run: Path | None) -> str:
    """When the run in this folder was started, else which day the sheet was made; both in UTC."""
    stamp = _RUN_STAMP.match(run.name) if run is not None else None
    if stamp is None:
        return f"Sheet of {datetime.now(UTC):%Y-%m-%d}."
    year, month, day, hour, minute = stamp.groups()
    return f"Run of {year}-{month}-{day} {hour}:{minute} UTC."


def _axis(axis: str | None, tiles: Sequence[Tile]) -> str:
    values = [axes.shown(str(axis), tile) for tile in axes.first_of_each(str(axis), tiles)]
    listed = ", ".join(values)
    if len(values) > VALUES_LISTED:
        listed = f"{', '.join(values[: VALUES_LISTED - 1])} … {values[-1]}"
    return f"{axes.name_of(str(axis))} ({len(values)}): {listed}"


def _worth_telling(axis: str, tile: Tile) -> bool:
    """Leave out what is told in full elsewhere, and what was left to the model."""
    if axis == "cfg_scale":
        return tile.cfg_scale is not None
    return axis not in ("prompt", "negative_prompt")
