"""The frame of the winners, which a notebook shows with pictures and whole commands: a plain one would cut them off."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from couch_explorers.exploration.rating.sidecar import Rating
from couch_explorers.exploration.showing import cards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOBODY = (
    'No picture is kept or has a star yet. Rate some with a click, or with <code>rate(1, pictures, verdict="keep", stars=5)'
    "</code>; the winners and the commands that make them again then stand here."
)


class Winners(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
    """A frame of winners; in a notebook each stands with its picture and its command in full."""

    @property
    def _constructor(self) -> Any:
        # What is cut out of it is an ordinary frame.
        return pd.DataFrame

    def _repr_html_(self) -> str:
        if self.empty:
            return f"<p>{NOBODY}</p>"
        return "".join(_shown(place, row) for place, row in enumerate(self.to_dict("records"), start=1))


def make(rows: Sequence[Sequence[Any]], columns: Sequence[str], attrs: Mapping[str, Any]) -> Winners:
    """Make the frame, with the same types whether it has rows or not."""
    winners = Winners(pd.DataFrame(rows, columns=list(columns)).astype({"cfg_scale": "float64", "stars": "Int64"}))
    winners.attrs.update(attrs)
    return winners


def _shown(place: int, row: dict[str, Any]) -> str:
    """Draw a winner as HTML: its picture, what was asked and said, and its command to be copied whole."""
    asked = [f"seed {row['seed']}", str(row["model"]), str(row["size"])]
    if pd.notna(row["cfg_scale"]):
        asked.append(f"cfg scale {row['cfg_scale']:g}")
    if pd.notna(row["negative_prompt"]):
        asked.append(f"without {row['negative_prompt']}")
    verdict, stars = (None if pd.isna(row[name]) else row[name] for name in ("verdict", "stars"))
    rating = Rating(row["id"], verdict, None if stars is None else int(stars), row["note"])
    wrapped = "white-space:pre-wrap;overflow-wrap:anywhere;margin:.6em 0 0;padding:.5em .7em;border:1px solid #8884;border-radius:6px"
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.2rem;margin:1rem 0;align-items:flex-start">'
        f'<div style="width:{cards.CARD_WIDTH};flex:none">{cards.picture(Path(row["path"]), row["prompt"])}</div>'
        '<div style="flex:1;min-width:20rem;line-height:1.5">'
        f"<b>{place}. {escape(row['prompt_name'])}</b> {cards.said(rating)}<br>"
        f'<span style="{cards.QUIET}">{escape(" · ".join(asked))}, cell {row["number"]}</span>'
        f'<p style="margin:.4em 0 0">{escape(row["prompt"])}</p>'
        f'<pre style="{wrapped}">{escape(row["command"])}</pre></div></div>'
    )
