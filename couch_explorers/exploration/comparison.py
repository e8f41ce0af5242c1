"""Two pictures side by side, with the differences between their requests and between their pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import ImageChops

from couch_explorers.exploration.contact_sheet import abridged, missing_glyphs_note, origin_sentence, run_date
from couch_explorers.exploration.grid import TIMES, CellView, axes_of, axis_name, axis_text, cell_view, cell_views
from couch_explorers.exploration.page_layout import (
    MAX_TEXT_LINES,
    SMALL,
    Element,
    Gap,
    PageMetrics,
    PictureRow,
    Rule,
    SideBySide,
    page_frame,
    paragraph,
    picture_slot,
)
from couch_explorers.exploration.results import context_of
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.thumbnails import data_uri, load_rgb
from couch_explorers.files import write_whole
from couch_explorers.html import render
from couch_explorers.text_layout import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from PIL import Image


# Steps of brightness, of 255, from which a pixel counts as different: more than grain and less than a shape.
VISIBLE_DIFFERENCE = 24
# The share of common words from which two texts are versions of one; in others, nearly everything would be marked.
MIN_SHARED_WORDS = 0.5
# With its own dark text colour, for notebooks with a dark theme.
MARK_STYLE = "background:#fdeebf;color:#1d2733"


def split_axes(left: CellView, right: CellView) -> tuple[list[str], list[str]]:
    """Split the axis names into those on which two cells differ and those on which they agree."""
    axes = axes_of((left, right))
    differing = [axis for axis in axes if axis_full_text(axis, left) != axis_full_text(axis, right)]
    return differing, [axis for axis in axes if axis not in differing]


def axis_full_text(axis: str, tile: CellView) -> str:
    """Return a cell's full value on an axis: a prompt's text, a model's id."""
    if axis == "prompt":
        return tile.prompt
    value = tile.variable(axis)
    if value is not None and value.text != value.name:
        return f"{value.name}: {value.text}"
    return tile.model if axis == "model" else axis_text(axis, tile)


def mark_differences(left: str, right: str) -> tuple[str, str]:
    """Render two texts as HTML; if they are versions of one text, mark the words that only one of them has."""
    words = left.split(), right.split()
    matcher = SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < MIN_SHARED_WORDS:
        return escape(left), escape(right)
    written: tuple[list[str], list[str]] = ([], [])
    for kind, *bounds in matcher.get_opcodes():
        for side, (start, end) in enumerate((bounds[:2], bounds[2:])):
            text = escape(" ".join(words[side][start:end]))
            if text:
                written[side].append(text if kind == "equal" else f'<mark style="{MARK_STYLE}">{text}</mark>')
    return " ".join(written[0]), " ".join(written[1])


def same_pixels(left: Image.Image, right: Image.Image) -> bool:
    """Check whether two RGB images are identical."""
    return left.size == right.size and ImageChops.difference(left, right).getbbox() is None


def difference_sentence(left: Image.Image, right: Image.Image) -> str:
    """Describe in one sentence how much two RGB images differ."""
    if left.size != right.size:
        sizes = [f"{image.width} {TIMES} {image.height}" for image in (left, right)]
        return f"The pictures have different sizes: {sizes[0]} and {sizes[1]} pixels."
    if same_pixels(left, right):
        return "The pictures are the same, pixel by pixel."
    bands = ImageChops.difference(left, right).split()
    strongest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    changed = sum(strongest.histogram()[VISIBLE_DIFFERENCE + 1 :]) / (left.width * left.height)
    return f"{changed:.0%} of the pixels differ clearly." if changed >= 0.01 else "The pictures differ hardly visibly."  # noqa: PLR2004 - less than a percent


# The most pixels of each picture in a notebook: sharp where both fill a page 830 pixels wide.
SHOWN_BOX = (800, 800)


@dataclass(frozen=True)
class Comparison:
    """Two cells, each with its full picture in RGB. A notebook shows it; `image()` draws it, `save(path)` writes a PNG.

    `differences` maps each axis on which they differ to its two values, `shared` each other axis to the common value;
    `sentence` says how much the pictures differ.
    """

    left: CellView
    right: CellView
    pictures: tuple[Image.Image, Image.Image]
    target: str = ""
    run: Path | None = None

    @property
    def differences(self) -> dict[str, tuple[str, str]]:
        """The axes on which they differ, with both values."""
        differing_axes, _ = split_axes(self.left, self.right)
        return {axis: (axis_full_text(axis, self.left), axis_full_text(axis, self.right)) for axis in differing_axes}

    @property
    def shared(self) -> dict[str, str]:
        """The axes on which they agree, with the common value."""
        _, shared_axes = split_axes(self.left, self.right)
        return {axis: axis_full_text(axis, self.left) for axis in shared_axes}

    @property
    def same_pixels(self) -> bool:
        """Whether both cells show the same picture."""
        return same_pixels(*self.pictures)

    @property
    def sentence(self) -> str:
        """The difference between the pictures."""
        return difference_sentence(*self.pictures)

    @property
    def title(self) -> str:
        """The title, with the numbers of both cells."""
        return f"Cell {self.left.number} beside cell {self.right.number}"

    def image(self) -> Image.Image:
        """Draw both pictures on one page, with their differences below."""
        metrics = PageMetrics(2)
        frame = page_frame(
            metrics,
            title=self.title,
            purpose=self.sentence,
            texts=[(axis_name(axis).capitalize(), abridged(text)) for axis, text in self._shared_texts().items()],
            facts=[("In both", self._shared_line())],
            foot=(
                origin_sentence((self.left, self.right), self.target, run_date(self.run)),
                *missing_glyphs_note((self.left, self.right)),
            ),
        )
        slots = (picture_slot(tile, [tile.prompt_name], metrics) for tile in (self.left, self.right))
        row = PictureRow(tuple(slots), metrics)
        return frame.page([row, *self._table(metrics)], 1, 1)

    def save(self, path: Path | str) -> Path:
        """Write the page as a PNG and return its path."""
        buffer = io.BytesIO()
        self.image().save(buffer, "PNG")
        return write_whole(Path(path), buffer.getvalue())

    def _table(self, metrics: PageMetrics) -> list[Element]:
        face, rows = metrics.face(SMALL), list[Element]()
        for axis, values in self.differences.items():
            columns = (
                paragraph(abridged(value), face, metrics.tile, lines=MAX_TEXT_LINES, lead=axis_name(axis))
                for value in values
            )
            rows += [Rule(metrics.inner), Gap(face.size // 3), SideBySide(tuple(columns), metrics), Gap(face.size // 3)]
        return rows

    def _shared_line(self) -> str:
        """Return everything but the long texts in one line."""
        texts = self._shared_texts()
        shared = (f"{axis_name(axis)} {value}" for axis, value in self.shared.items() if axis not in texts)
        return SEPARATOR.join(shared) or "nothing else that was asked"

    def _shared_texts(self) -> dict[str, str]:
        texts = {"prompt": self.left.prompt, "negative_prompt": self.left.negative_prompt}
        return {axis: text for axis, text in texts.items() if axis in self.shared and text is not None}

    def __str__(self) -> str:
        rows = (f"{axis_name(axis)}: {left} | {right}" for axis, (left, right) in self.differences.items())
        texts = (f"{axis_name(axis)}: {text}" for axis, text in self._shared_texts().items())
        return "\n".join((f"{self.title}. {self.sentence}", *rows, f"In both: {self._shared_line()}", *texts))

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": str(self)}

    def _html(self) -> str:
        cells = zip((self.left, self.right), self.pictures, strict=True)
        rows = []
        for axis, (left, right) in self.differences.items():
            is_text = axis in ("prompt", "negative_prompt")
            pair = mark_differences(left, right) if is_text else (escape(left), escape(right))
            rows.append((axis_name(axis), *pair))
        return render(
            "exploration/comparison.html.j2",
            title=self.title,
            sentence=self.sentence,
            pictures=[
                {"source": _source(picture), "number": cell.number, "prompt": cell.prompt, "name": cell.prompt_name}
                for cell, picture in cells
            ],
            rows=rows,
            shared=self._shared_line(),
            texts=[(axis_name(axis).capitalize(), text) for axis, text in self._shared_texts().items()],
        )


@dataclass(frozen=True)
class NoComparison:
    """Takes the place of a comparison, and says why there is none."""

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
        frame: what `Sweep.run` or `results.load` returned.
        a: the number of a cell, or a row of such a frame.
        b: the other one. Without both, the first two cells with a picture.

    Returns:
        The comparison; without `a` and `b` and with fewer than two pictures, a `NoComparison` that says so.

    Raises:
        ExplorationError: for a number that does not exist or is not unique, for a cell without a picture, and if only one
            of the two cells is given.

    """
    if a is None and b is None:
        chosen = [tile for tile in cell_views(frame) if tile.path is not None and tile.path.is_file()]
        if len(chosen) < 2:  # noqa: PLR2004 - a comparison has two sides
            having = f"{len(chosen) or 'none'} of {len(frame)} cell{'' if len(frame) == 1 else 's'}"
            return NoComparison(
                f"Nothing to compare: {having} {'has' if len(chosen) == 1 else 'have'} a picture, and it takes two.",
            )
        left, right = chosen[:2]
    elif a is None or b is None:
        raise ExplorationError("Only one cell is given: give two numbers, such as compare(pictures, 1, 5), or none.")
    else:
        left, right = _find_cell(frame, a), _find_cell(frame, b)
    context = context_of(frame)
    return Comparison(
        left,
        right,
        (_load_picture(left), _load_picture(right)),
        context.target,
        context.run,
    )


def _source(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail(SHOWN_BOX)
    return data_uri(small)


def _find_cell(frame: pd.DataFrame, which: Any) -> CellView:
    if isinstance(which, Integral) and not isinstance(which, bool):
        tiles = cell_views(frame)
        found = [tile for tile in tiles if tile.number == which]
        if len(found) == 1:
            return found[0]
        if found:
            raise ExplorationError(f"The frame has {len(found)} cells {which}: give rows of it instead of numbers.")
        numbers = [tile.number for tile in tiles]
        raise ExplorationError(f"The frame has no cell {which}: its numbers are {min(numbers)} to {max(numbers)}.")
    if hasattr(which, "keys"):
        return cell_view(which)
    raise ExplorationError(f"{which!r} names no cell: give its number, or a row of a result frame.")


def _load_picture(tile: CellView) -> Image.Image:
    if tile.path is None:
        raise ExplorationError(
            f"Cell {tile.number} has no picture, it is {tile.status}: {tile.reason or 'no reason is known.'}",
        )
    picture = load_rgb(tile.path)
    if picture is None:
        raise ExplorationError(
            f"The picture of cell {tile.number} is gone or damaged: run the sweep again, it looks for {tile.path}.",
        )
    return picture
