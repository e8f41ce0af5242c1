"""Two pictures side by side, with what differs between their requests and what is the same in both."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.showing import axes, captions, differing, shrinking
from couch_explorers.exploration.showing.elements import Element, Gap, Rule, SideBySide, paragraph
from couch_explorers.exploration.showing.lines import Line, place
from couch_explorers.exploration.showing.measures import SMALL, Measures
from couch_explorers.exploration.showing.surround import WHOLE_TEXT_LINES, surround
from couch_explorers.exploration.showing.tiles import Tile, tile_of, tiles_of
from couch_explorers.exploration.showing.typeface import PARTING
from couch_explorers.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from PIL import Image

# A notebook shows each of the two pictures at most this wide and high, in pixels: sharp where both fill a page of 830.
SHOWN_BOX = (800, 800)


@dataclass(frozen=True)
class Comparison:
    """Two cells, each with its whole picture in RGB. A notebook shows it; `image()` draws it, `save(path)` writes a PNG.

    `differences` maps each axis on which they differ to its two values, `shared` each other axis to the one value;
    `sentence` says how far the pictures differ.
    """

    left: Tile
    right: Tile
    pictures: tuple[Image.Image, Image.Image]
    target: str = ""
    run: Path | None = None

    @property
    def differences(self) -> dict[str, tuple[str, str]]:
        """Axis to the two cells' values."""
        differing_axes, _ = differing.split(self.left, self.right)
        return {axis: (differing.told(axis, self.left), differing.told(axis, self.right)) for axis in differing_axes}

    @property
    def shared(self) -> dict[str, str]:
        """Axis to the value that both cells have."""
        _, shared_axes = differing.split(self.left, self.right)
        return {axis: differing.told(axis, self.left) for axis in shared_axes}

    @property
    def same_pixels(self) -> bool:
        """Whether both cells show the very same picture."""
        return differing.same_pixels(*self.pictures)

    @property
    def sentence(self) -> str:
        """How far the pictures differ."""
        return differing.sentence(*self.pictures)

    @property
    def title(self) -> str:
        """What is compared."""
        return f"Cell {self.left.number} beside cell {self.right.number}"

    def image(self) -> Image.Image:
        """Draw both pictures, and under them what differs, on one page."""
        measures = Measures(2)
        around = surround(
            measures,
            title=self.title,
            purpose=self.sentence,
            texts=[
                (axes.name_of(axis).capitalize(), captions.whole(text)) for axis, text in self._shared_texts().items()
            ],
            facts=[("In both", self._shared_line())],
            foot=(
                captions.origin((self.left, self.right), self.target, captions.date_of(self.run)),
                *captions.unknown_characters((self.left, self.right)),
            ),
        )
        places = (place(tile, [tile.prompt_name], measures) for tile in (self.left, self.right))
        line = Line(tuple(places), measures)
        return around.page([line, *self._table(measures)], 1, 1)

    def save(self, path: Path | str) -> Path:
        """Write the page as a PNG and return its path."""
        buffer = io.BytesIO()
        self.image().save(buffer, "PNG")
        return write_whole(Path(path), buffer.getvalue())

    def _table(self, measures: Measures) -> list[Element]:
        face, rows = measures.face(SMALL), list[Element]()
        for axis, values in self.differences.items():
            told = (
                paragraph(captions.whole(value), face, measures.tile, lines=WHOLE_TEXT_LINES, lead=axes.name_of(axis))
                for value in values
            )
            rows += [Rule(measures.inner), Gap(face.size // 3), SideBySide(tuple(told), measures), Gap(face.size // 3)]
        return rows

    def _shared_line(self) -> str:
        """All but the long texts, in one line."""
        texts = self._shared_texts()
        shared = (f"{axes.name_of(axis)} {value}" for axis, value in self.shared.items() if axis not in texts)
        return PARTING.join(shared) or "nothing else that was asked"

    def _shared_texts(self) -> dict[str, str]:
        texts = {"prompt": self.left.prompt, "negative_prompt": self.left.negative_prompt}
        return {axis: text for axis, text in texts.items() if axis in self.shared and text is not None}

    def __str__(self) -> str:
        rows = (f"{axes.name_of(axis)}: {left} | {right}" for axis, (left, right) in self.differences.items())
        texts = (f"{axes.name_of(axis)}: {text}" for axis, text in self._shared_texts().items())
        return "\n".join((f"{self.title}. {self.sentence}", *rows, f"In both: {self._shared_line()}", *texts))

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": str(self)}

    def _html(self) -> str:
        tiles = zip((self.left, self.right), self.pictures, strict=True)
        rows = [_row("th", ("", *(_figure(tile, picture) for tile, picture in tiles)))]
        for axis, (left, right) in self.differences.items():
            pair = (
                differing.marked(left, right)
                if axis in ("prompt", "negative_prompt")
                else (escape(left), escape(right))
            )
            rows.append(_row("td", (axes.name_of(axis), *pair)))
        texts = (
            f"<br>{axes.name_of(axis).capitalize()}: {escape(text)}" for axis, text in self._shared_texts().items()
        )
        return (
            f"<p><b>{escape(self.title)}.</b> {escape(self.sentence)}</p>"
            f'<table class="couch-comparison" style="table-layout:fixed;width:100%"><tbody>{"".join(rows)}</tbody></table>'
            f"<p>In both: {escape(self._shared_line())}{''.join(texts)}</p>"
        )


@dataclass(frozen=True)
class NoComparison:
    """Stands where two pictures would be, and says why they are not there."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": f"<p>{escape(self.sentence)}</p>", "text/plain": self.sentence}


def compare(
    frame: pd.DataFrame,
    a: int | Mapping[str, Any] | pd.Series | None = None,
    b: int | Mapping[str, Any] | pd.Series | None = None,
) -> Comparison | NoComparison:
    """Put two pictures of a result frame side by side.

    Args:
        frame: what `Sweep.run` or `results.load` gave.
        a: the number of a cell, or a row of such a frame.
        b: the other one. Without both, the first two cells whose pictures are there.

    Returns:
        The comparison; without `a` and `b`, where fewer than two pictures are there, a `NoComparison` that says so.

    Raises:
        ExplorationError: for a number that is not there or there twice, for a cell without a picture, and where only one
            of the two cells is given.

    """
    if a is None and b is None:
        chosen = [tile for tile in tiles_of(frame) if tile.path is not None and tile.path.is_file()]
        if len(chosen) < 2:  # noqa: PLR2004 - a comparison has two sides
            there = f"{len(chosen) or 'none'} of {len(frame)} cell{'' if len(frame) == 1 else 's'}"
            return NoComparison(
                f"Nothing to compare: {there} {'has' if len(chosen) == 1 else 'have'} a picture, and it takes two."
            )
        left, right = chosen[:2]
    elif a is None or b is None:
        raise ExplorationError("Only one cell is given: give two numbers, such as compare(pictures, 1, 5), or none.")
    else:
        left, right = _chosen(frame, a), _chosen(frame, b)
    run = frame.attrs.get("run")
    return Comparison(
        left, right, (_picture(left), _picture(right)), str(frame.attrs.get("target", "")), Path(run) if run else None
    )


def _row(kind: str, cells: tuple[str, ...]) -> str:
    style = "text-align:left;vertical-align:top;padding:.35em .8em .35em 0;overflow-wrap:anywhere;width:"
    widths = ("10%", "45%", "45%")
    drawn = (f'<{kind} style="{style}{width}">{cell}</{kind}>' for cell, width in zip(cells, widths, strict=True))
    return f"<tr>{''.join(drawn)}</tr>"


def _figure(tile: Tile, picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail(SHOWN_BOX)
    style = "display:block;max-width:100%;height:auto;border-radius:6px;margin-bottom:.4em"
    alt = escape(f"Cell {tile.number}: {tile.prompt}")
    return (
        f'<img src="{shrinking.data_uri(small)}" alt="{alt}" style="{style}">{tile.number} {escape(tile.prompt_name)}'
    )


def _chosen(frame: pd.DataFrame, which: Any) -> Tile:
    if isinstance(which, Integral) and not isinstance(which, bool):
        tiles = tiles_of(frame)
        found = [tile for tile in tiles if tile.number == which]
        if len(found) == 1:
            return found[0]
        if found:
            raise ExplorationError(f"The frame has {len(found)} cells {which}: give rows of it instead of numbers.")
        numbers = [tile.number for tile in tiles]
        raise ExplorationError(f"The frame has no cell {which}: its numbers are {min(numbers)} to {max(numbers)}.")
    if hasattr(which, "keys"):
        return tile_of(which)
    raise ExplorationError(f"{which!r} names no cell: give its number, or a row of a result frame.")


def _picture(tile: Tile) -> Image.Image:
    if tile.path is None:
        raise ExplorationError(
            f"Cell {tile.number} has no picture, it is {tile.status}: {tile.reason or 'no reason is known.'}"
        )
    picture = shrinking.whole(tile.path)
    if picture is None:
        raise ExplorationError(
            f"The picture of cell {tile.number} is gone or damaged: run the sweep again, it looks for {tile.path}."
        )
    return picture
