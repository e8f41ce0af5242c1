"""The contact sheet: every cell of a sweep with its picture and label, on pages to show and to print."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from PIL import Image

from couch_explorers import fonts, formatting
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.grid import (
    TIMES,
    arrange,
    axis_label,
    axis_name,
    axis_text,
    cell_views,
    first_per_value,
    group_cells,
)
from couch_explorers.exploration.page_layout import (
    BODY,
    COLUMNS_BESIDE_TEXT,
    MAX_COLUMNS,
    MAX_TEXT_LINES,
    MIN_ROW_HEIGHT,
    SMALL,
    SOFT,
    ColumnHeaders,
    Element,
    Gap,
    PageFrame,
    PageMetrics,
    Paragraph,
    PictureRow,
    Rule,
    page_frame,
    paragraph,
    picture_slot,
)
from couch_explorers.exploration.progress import print_line
from couch_explorers.exploration.ratings import picture_id, target_of
from couch_explorers.exploration.results import WITH_PICTURE, Status, context_of
from couch_explorers.exploration.scores import current_scores
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.thumbnails import data_uri
from couch_explorers.files import write_whole
from couch_explorers.html import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from couch_explorers.exploration.grid import Arrangement, CellView, GridGroup, GridRow
    from couch_explorers.exploration.scores import Judgement


# A run's folder is named by the time at which it was started.
_RUN_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)\d\d-")
# Values of one axis at the head of a sheet; the rest stand on the cells.
MAX_VALUES_LISTED = 12
# Longer than any prompt that Titan and Nova Canvas take; Stability's 10,000 characters would fill a page.
MAX_TEXT_CHARACTERS = 1100
STATUS_WORDS = {
    Status.MADE: "new",
    Status.CACHED: "there already",
    Status.SAME: "the same as another",
    Status.REFUSED: "not sent",
}


def default_title(tiles: Sequence[CellView], arrangement: Arrangement) -> str:
    """Name a sheet that nobody named, like "3 prompts x 4 seeds"."""
    counts = {axis: len(first_per_value(axis, tiles)) for axis in arrangement.varying}
    return f" {TIMES} ".join(f"{count} {axis_name(axis)}s" for axis, count in counts.items()) or "One request"


def sheet_facts(tiles: Sequence[CellView], arrangement: Arrangement) -> list[tuple[str, str]]:
    """What stands at the head of a sheet: each axis with its place, its name, how many values it has, and these."""
    if arrangement.rows is None and arrangement.columns is None:
        names = ", ".join(axis_name(axis) for axis in arrangement.varying)
        told = [("Varies", names)] if names else []
    else:
        told = [("Rows", _axis_summary(arrangement.rows, tiles))] if arrangement.rows else []
        columns = "Columns" if arrangement.rows else "Pictures"
        told += [(columns, _axis_summary(arrangement.columns, tiles))] if arrangement.columns else []
        groups = " · ".join(_axis_summary(axis, tiles) for axis in arrangement.groups)
        told += [("Groups", groups)] if groups else []
    shared = [axis_label(axis, tiles[0]) for axis in arrangement.shared if _is_notable(axis, tiles[0])]
    return told + ([("All cells", " · ".join(shared))] if shared else [])


def shared_texts(tiles: Sequence[CellView], arrangement: Arrangement) -> list[tuple[str, str]]:
    """The whole prompt and negative prompt where all cells have the same, and the texts of variables' values."""
    told = [("Prompt", abridged(tiles[0].prompt_or_template))] if "prompt" in arrangement.shared else []
    for axis in arrangement.axes:
        values = [value for tile in first_per_value(axis, tiles) if (value := tile.variable(axis)) is not None]
        # Where a value's name is its text, rows, columns and labels tell it already.
        if any(value.text != value.name for value in values):
            texts = (f"{value.name} is “{value.text}”" for value in values[:MAX_VALUES_LISTED])
            more = " …" if len(values) > MAX_VALUES_LISTED else ""
            told.append((axis_name(axis), abridged(f"{', '.join(texts)}{more}")))
    if "negative_prompt" in arrangement.shared and tiles[0].negative_prompt is not None:
        told.append(("Negative prompt", abridged(tiles[0].negative_prompt)))
    return told


def abridged(text: str) -> str:
    """A text as a sheet tells it: whole, or, where it is far too long for that, its beginning and how long it is."""
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS].rstrip()} … ({len(text):,} characters)"


def row_heading(axis: str, tile: CellView) -> tuple[str, str]:
    """What stands above a row: a strong name and the text after it, which may be empty."""
    if axis == "prompt":
        return tile.prompt_name, tile.prompt_or_template
    if axis == "negative_prompt" and tile.negative_prompt is not None:
        return "without", tile.negative_prompt
    if axis == "model":
        return tile.model_name, tile.model if tile.model != tile.model_name else ""
    return axis_label(axis, tile), ""


def outcome_sentence(tiles: Sequence[CellView], target: str) -> str:
    """How many pictures there are, what became of the other cells, and what the new ones cost."""
    statuses = Counter(tile.status for tile in tiles)
    there = sum(statuses[status] for status in WITH_PICTURE)
    told = [f"{statuses[status]} {STATUS_WORDS.get(status, status)}" for status in Status if statuses[status]]
    sentence = f"{there} of {len(tiles)} pictures: {', '.join(told)}."
    paid = sum(tile.usd for tile in tiles)
    if not paid:
        return sentence
    cost = f"{formatting.usd(paid, exact=True)} (prices of {PRICES_AS_OF})"
    return f"{sentence} Nothing was paid; on AWS: {cost}." if target == "local" else f"{sentence} Paid: {cost}."


def origin_sentence(tiles: Sequence[CellView], target: str, date: str) -> str:
    """Who made the pictures, where and when."""
    models = ", ".join(tile.model_name for tile in first_per_value("model", tiles))
    if target == "local":
        return f"Local stand-in in place of {models}: no image model was asked. {date}"
    return f"Amazon Bedrock: {models}. {date}" if target == "aws" else f"{models}. {date}"


def missing_glyphs_note(tiles: Sequence[CellView], *texts: str) -> tuple[str, ...]:
    """What is said of characters that no font has, in these texts or in those of the cells; nothing where there are none."""
    told = (text for tile in tiles for text in (tile.prompt_name, tile.prompt, tile.negative_prompt or "", tile.reason))
    said = fonts.note(dict.fromkeys((*texts, *told)))
    return (said,) if said else ()


def run_date(run: Path | None) -> str:
    """When the run in this folder was started, else which day the sheet was made; both in UTC."""
    stamp = _RUN_STAMP.match(run.name) if run is not None else None
    if stamp is None:
        return f"Sheet of {datetime.now(UTC):%Y-%m-%d}."
    year, month, day, hour, minute = stamp.groups()
    return f"Run of {year}-{month}-{day} {hour}:{minute} UTC."


def _axis_summary(axis: str | None, tiles: Sequence[CellView]) -> str:
    values = [axis_text(str(axis), tile) for tile in first_per_value(str(axis), tiles)]
    listed = ", ".join(values)
    if len(values) > MAX_VALUES_LISTED:
        listed = f"{', '.join(values[: MAX_VALUES_LISTED - 1])} … {values[-1]}"
    return f"{axis_name(str(axis))} ({len(values)}): {listed}"


def _is_notable(axis: str, tile: CellView) -> bool:
    """Leave out what is told in full elsewhere, and what was left to the model."""
    if axis == "cfg_scale":
        return tile.cfg_scale is not None
    return axis not in ("prompt", "negative_prompt")


@dataclass(frozen=True)
class LayoutStep:
    """A line of pictures, where it belongs, and whether a group, a row or a page begins with it."""

    line: PictureRow
    group: GridGroup
    row: GridRow
    opens_group: bool
    opens_row: bool
    opens_page: bool = False


@dataclass
class PageBody:
    """What stands between head and footer of one page, and the prompts that its foot must list."""

    placed: list[Element] = field(default_factory=list)
    prompts: list[CellView] = field(default_factory=list)


@dataclass(frozen=True)
class Paging:
    """How the cells of one sheet are laid on pages."""

    tiles: Sequence[CellView]
    arrangement: Arrangement
    groups: Sequence[GridGroup]
    measures: PageMetrics
    # By the picture's id.
    judged: Mapping[str, Judgement] = field(default_factory=dict)

    def bodies(self, room: int) -> list[PageBody]:
        """Deal all lines out to pages whose body is at most `room` pixels high; each holds one line at least."""
        bodies: list[PageBody] = []
        for step in self._steps():
            body = self._with(bodies[-1], step) if bodies else None
            if body is not None and sum(element.height for element in self.elements(body)) <= room:
                bodies[-1] = body
            else:
                bodies.append(self._with(PageBody(), replace(step, opens_page=True)))
        return bodies

    def elements(self, body: PageBody) -> list[Element]:
        """Everything on a page between head and foot."""
        return body.placed + self._prompt_list(body.prompts)

    def _steps(self) -> Iterator[LayoutStep]:
        for group in self.groups:
            for row in group.rows:
                starts = range(0, len(row.cells), self.measures.columns)
                lines = [row.cells[start : start + self.measures.columns] for start in starts]
                for count, cells in enumerate(filter(any, lines)):
                    yield LayoutStep(self._line(cells, row), group, row, row is group.rows[0] and not count, not count)

    def _line(self, cells: Sequence[CellView | None], row: GridRow) -> PictureRow:
        told = self.arrangement.varying or ("size", "seed")
        places = (
            cell if cell is None else picture_slot(cell, self.labels_of(cell, told), self.measures) for cell in cells
        )
        return PictureRow(tuple(places), self.measures, self.beside(row) if self.measures.beside else None)

    def labels_of(self, cell: CellView, told: Sequence[str]) -> list[str]:
        """Tell a cell's values, and its score where a judge gave one."""
        judgement = self.judged.get(picture_id(cell)) if cell.path is not None else None
        return [*(axis_label(axis, cell) for axis in told), *([judgement.label] if judgement is not None else [])]

    def beside(self, row: GridRow) -> Paragraph:
        """What is said of a row, as wide as a picture; where it is too long for that, one line too high."""
        name, text = row_heading(str(self.arrangement.rows), row.head)
        face, width = self.measures.face(SMALL), self.measures.tile
        lines = int(MIN_ROW_HEIGHT * width / face.line) + 1
        return paragraph(text, face, width, lines=lines, colour=SOFT, lead=name)

    def _with(self, body: PageBody, step: LayoutStep) -> PageBody:
        """Make a copy of a page's body with one more line under the headings that it needs."""
        elements = [*body.placed]
        if self.arrangement.groups and (step.opens_group or step.opens_page):
            elements += self._group_heading(step)
        if self._heads and (step.opens_group or step.opens_page):
            elements += [
                ColumnHeaders(self._heads, self.measures),
                Rule(self.measures.inner),
                Gap(self.measures.margin // 5),
            ]
        if self.arrangement.rows and not self.measures.beside and (step.opens_row or step.opens_page):
            elements += self._row_heading(step)
        prompts = body.prompts
        if not self._prompt_is_told:
            prompts = first_per_value("prompt", [*prompts, *step.line.tiles])
        return PageBody([*elements, step.line], prompts)

    @cached_property
    def _heads(self) -> tuple[str, ...]:
        """What the columns are called; nothing where a row takes several lines, whose labels then tell."""
        across = self.arrangement.columns
        wrapped = max(len(row.cells) for group in self.groups for row in group.rows) > self.measures.columns
        if self.arrangement.rows is None or across is None or wrapped:
            return ()
        return tuple(axis_label(across, tile) for tile in first_per_value(across, self.tiles))

    @property
    def _prompt_is_told(self) -> bool:
        """Whether the whole prompt stands at the head, above each group or above each row."""
        return "prompt" in (*self.arrangement.shared, *self.arrangement.groups, self.arrangement.rows)

    def _group_heading(self, step: LayoutStep) -> list[Element]:
        strong, face, width = self.measures.face(BODY, strong=True), self.measures.face(SMALL), self.measures.inner
        name = " · ".join(axis_label(axis, step.group.head) for axis in self.arrangement.groups)
        name += "" if step.opens_group else " (continued)"
        # The head of the page ends in a rule of its own.
        heading: list[Element] = [] if step.opens_page else [Gap(face.size // 2), Rule(width), Gap(face.size // 2)]
        heading.append(paragraph(name, strong, width, lines=MAX_TEXT_LINES))
        if step.opens_group and "prompt" in self.arrangement.groups:
            heading.append(self._told(step.group.head.prompt_or_template))
        return [*heading, Gap(face.size // 2)]

    def _row_heading(self, step: LayoutStep) -> list[Element]:
        name, text = row_heading(str(self.arrangement.rows), step.row.head)
        told = self._told(text, name) if step.opens_row else self._told("", f"{name} (continued)")
        return [told, Gap(told.face.size // 2)]

    def _prompt_list(self, prompts: Sequence[CellView]) -> list[Element]:
        gap = self.measures.face(SMALL).size // 2
        listed: list[Element] = [Gap(gap)] if prompts else []
        for tile in prompts:
            listed += [self._told(tile.prompt_or_template, tile.prompt_name), Gap(gap)]
        return listed

    def _told(self, text: str, name: str = "") -> Paragraph:
        """A text across the page."""
        face, width = self.measures.face(SMALL), self.measures.inner
        return paragraph(abridged(text), face, width, lines=MAX_TEXT_LINES, colour=SOFT, lead=name)


def choose_metrics(groups: Sequence[GridGroup], arrangement: Arrangement) -> PageMetrics:
    """Choose the columns: all cells of a row, or, where they are too many, lines of equal length.

    What is said of a row stands beside its pictures where there are few, and it is not too long for that.
    """
    most = max(len(row.cells) for group in groups for row in group.rows)
    columns = -(-most // -(-most // MAX_COLUMNS))
    if arrangement.rows and most <= COLUMNS_BESIDE_TEXT:
        measures = PageMetrics(columns, beside=True)
        paging = Paging((), arrangement, groups, measures)
        if all(paging.beside(row).height <= MIN_ROW_HEIGHT * measures.tile for group in groups for row in group.rows):
            return measures
    return PageMetrics(columns)


FILE_NAME = "contact-sheet-{number}.png"
FILE_PATTERN = re.compile(r"contact-sheet-[0-9]+\.png")
# Two steps further cost three times the time and save a tenth of the bytes.
PNG_LEVEL = 4
# A notebook shows a page this wide, in pixels, and not more pages than it can carry: each is some 0.5 MB of HTML.
SHOWN_WIDTH = 1600
SHOWN_PAGES = 6


@dataclass(frozen=True)
class ContactSheet:
    """Pages of pictures. A notebook shows the first ones; `pages[0]` is one as a Pillow image, `save()` writes them all.

    `run` is the folder of the run that the pictures come from, None where the frame does not say.
    """

    title: str
    run: Path | None
    surround: PageFrame
    paging: Paging
    bodies: tuple[PageBody, ...]

    @property
    def pages(self) -> Pages:
        """The pages; each is drawn when it is asked for and not kept, so that a thousand pictures fit into memory."""
        return Pages(self)

    def draw(self, number: int) -> Image.Image:
        """Draw the page of this number, counted from 1."""
        return self.surround.page(self.paging.elements(self.bodies[number - 1]), number, len(self.bodies))

    def save(self, folder: Path | str | None = None) -> list[Path]:
        """Write contact-sheet-1.png … into the folder, else into the run's own; returns their paths.

        Pages that a longer sheet left there are removed. Raises ExplorationError where no folder is known, or it cannot
        be written.
        """
        where = Path(folder) if folder is not None else self.run
        if where is None:
            raise ExplorationError("The frame does not say which run it comes from: give save() a folder.")
        paths = [where / FILE_NAME.format(number=number) for number in range(1, len(self.bodies) + 1)]
        try:
            self._write_all(paths)
            for path in where.iterdir():
                if FILE_PATTERN.fullmatch(path.name) and path not in paths:
                    path.unlink()
        except OSError as error:
            raise ExplorationError(
                f"The contact sheet cannot be written into {where} ({error.strerror}): give save() another folder.",
            ) from error
        return paths

    def saved(self) -> ContactSheet:
        """Save the pages in the run's folder, and return the sheet; pages that cannot be kept are still shown."""
        try:
            self.save()
        except ExplorationError as error:
            print_line(str(error))
        return self

    def _write_all(self, paths: Sequence[Path]) -> None:
        # One page is written while the next is drawn; each is waited for before a third is begun, for the memory's sake.
        with ThreadPoolExecutor(1) as writer:
            writing = None
            for path, page in zip(paths, self.pages, strict=True):
                if writing is not None:
                    writing.result()
                writing = writer.submit(_write, path, page)
            if writing is not None:
                writing.result()

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": str(self)}

    def __str__(self) -> str:
        return f"Contact sheet “{self.title}”: {self._size()}. save() writes it."

    def _size(self) -> str:
        cells, pages = len(self.paging.tiles), len(self.bodies)
        return f"{cells} cell{'s' * (cells > 1)} on {pages} page{'s' * (pages > 1)}"

    def _html(self) -> str:
        count = len(self.bodies)
        shown = range(1, min(count, SHOWN_PAGES) + 1)
        sources = [data_uri(_narrowed(self.draw(number))) for number in shown]
        return render("exploration/contact_sheet.html.j2", title=self.title, sources=sources, count=count)


class Pages(Sequence[Image.Image]):
    """The pages of a sheet as images."""

    def __init__(self, sheet: ContactSheet) -> None:
        self._sheet = sheet

    def __len__(self) -> int:
        return len(self._sheet.bodies)

    @overload
    def __getitem__(self, place: int) -> Image.Image: ...

    @overload
    def __getitem__(self, place: slice) -> list[Image.Image]: ...

    def __getitem__(self, place: int | slice) -> Image.Image | list[Image.Image]:
        numbers = range(1, len(self) + 1)[place]
        return self._sheet.draw(numbers) if isinstance(numbers, int) else [self._sheet.draw(one) for one in numbers]


def contact_sheet(
    frame: pd.DataFrame,
    title: str | None = None,
    purpose: str | None = None,
    rows: str | None = None,
    columns: str | None = None,
) -> ContactSheet:
    """Lay out every cell of a result frame, with its label, on as many pages as that takes.

    Title and purpose are the run's where none are given. The axes that vary are found: the one with most values goes to
    the columns, unless it is the prompt, which goes to the rows; further ones make groups. `rows` and `columns` choose
    otherwise, out of prompt, model, size, cfg_scale, negative_prompt, seed and the variables' names. Raises ExplorationError for an axis that
    is none of these, and for a frame that is no result or has no rows.
    """
    tiles = cell_views(frame)
    arrangement = arrange(tiles, rows, columns)
    groups = group_cells(tiles, arrangement)
    measures = choose_metrics(groups, arrangement)
    context = context_of(frame)
    title = title or context.title or default_title(tiles, arrangement)
    purpose = context.purpose if purpose is None else purpose
    around = page_frame(
        measures,
        title=title,
        purpose=purpose,
        texts=shared_texts(tiles, arrangement),
        facts=sheet_facts(tiles, arrangement),
        foot=(
            outcome_sentence(tiles, context.target),
            origin_sentence(tiles, context.target, run_date(context.run)),
            *missing_glyphs_note(tiles, title, purpose),
        ),
    )
    paging = Paging(tiles, arrangement, groups, measures, current_scores(target_of(frame)))
    return ContactSheet(title, context.run, around, paging, tuple(paging.bodies(around.room)))


def _write(path: Path, page: Image.Image) -> None:
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=PNG_LEVEL)
    write_whole(path, buffer.getvalue())


def _narrowed(page: Image.Image) -> Image.Image:
    if page.width <= SHOWN_WIDTH:
        return page
    return page.resize((SHOWN_WIDTH, round(page.height * SHOWN_WIDTH / page.width)), Image.Resampling.LANCZOS)
