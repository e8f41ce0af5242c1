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


# A run's folder name begins with its start time.
_RUN_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)\d\d-")
# Values of one axis in a sheet's header; the others are on the cells' labels.
MAX_VALUES_LISTED = 12
# Longer than any prompt that Titan and Nova Canvas accept; Stability's 10,000 characters would fill a page.
MAX_TEXT_CHARACTERS = 1100
STATUS_WORDS = {
    Status.MADE: "new",
    Status.CACHED: "there already",
    Status.SAME: "the same as another",
    Status.REFUSED: "not sent",
}


def default_title(tiles: Sequence[CellView], arrangement: Arrangement) -> str:
    """Return the title of a sheet without one, like "3 prompts x 4 seeds"."""
    counts = {axis: len(first_per_value(axis, tiles)) for axis in arrangement.varying}
    return f" {TIMES} ".join(f"{count} {axis_name(axis)}s" for axis, count in counts.items()) or "One request"


def sheet_facts(tiles: Sequence[CellView], arrangement: Arrangement) -> list[tuple[str, str]]:
    """Return the rows of a sheet's header: where each axis is, its name, and its values with their count."""
    if arrangement.rows is None and arrangement.columns is None:
        names = ", ".join(axis_name(axis) for axis in arrangement.varying)
        facts = [("Varies", names)] if names else []
    else:
        facts = [("Rows", _axis_summary(arrangement.rows, tiles))] if arrangement.rows else []
        columns = "Columns" if arrangement.rows else "Pictures"
        facts += [(columns, _axis_summary(arrangement.columns, tiles))] if arrangement.columns else []
        groups = " · ".join(_axis_summary(axis, tiles) for axis in arrangement.groups)
        facts += [("Groups", groups)] if groups else []
    shared = [axis_label(axis, tiles[0]) for axis in arrangement.shared if _is_notable(axis, tiles[0])]
    return facts + ([("All cells", " · ".join(shared))] if shared else [])


def shared_texts(tiles: Sequence[CellView], arrangement: Arrangement) -> list[tuple[str, str]]:
    """Return the full prompt and negative prompt if all cells share them, and the texts of the variables' values."""
    labelled = [("Prompt", abridged(tiles[0].prompt_or_template))] if "prompt" in arrangement.shared else []
    for axis in arrangement.axes:
        values = [value for tile in first_per_value(axis, tiles) if (value := tile.variable(axis)) is not None]
        # A value whose name is its text is already in the rows, columns or labels.
        if any(value.text != value.name for value in values):
            texts = (f"{value.name} is “{value.text}”" for value in values[:MAX_VALUES_LISTED])
            more = " …" if len(values) > MAX_VALUES_LISTED else ""
            labelled.append((axis_name(axis), abridged(f"{', '.join(texts)}{more}")))
    if "negative_prompt" in arrangement.shared and tiles[0].negative_prompt is not None:
        labelled.append(("Negative prompt", abridged(tiles[0].negative_prompt)))
    return labelled


def abridged(text: str) -> str:
    """Return a text as a sheet shows it: in full or, if far too long, its beginning and its length."""
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return f"{text[:MAX_TEXT_CHARACTERS].rstrip()} … ({len(text):,} characters)"


def row_heading(axis: str, tile: CellView) -> tuple[str, str]:
    """Return a row's heading: the name in bold, and the text after it, which may be empty."""
    if axis == "prompt":
        return tile.prompt_name, tile.prompt_or_template
    if axis == "negative_prompt" and tile.negative_prompt is not None:
        return "without", tile.negative_prompt
    if axis == "model":
        return tile.model_name, tile.model if tile.model != tile.model_name else ""
    return axis_label(axis, tile), ""


def outcome_sentence(tiles: Sequence[CellView], target: str) -> str:
    """Summarize how many pictures there are, how the other cells ended, and what the new pictures cost."""
    statuses = Counter(tile.status for tile in tiles)
    with_picture = sum(statuses[status] for status in WITH_PICTURE)
    counts = [f"{statuses[status]} {STATUS_WORDS.get(status, status)}" for status in Status if statuses[status]]
    sentence = f"{with_picture} of {len(tiles)} pictures: {', '.join(counts)}."
    paid = sum(tile.usd for tile in tiles)
    if not paid:
        return sentence
    cost = f"{formatting.usd(paid, exact=True)} (prices of {PRICES_AS_OF})"
    return f"{sentence} Nothing was paid; on AWS: {cost}." if target == "local" else f"{sentence} Paid: {cost}."


def origin_sentence(tiles: Sequence[CellView], target: str, date: str) -> str:
    """Return which models made the pictures, where and when."""
    models = ", ".join(tile.model_name for tile in first_per_value("model", tiles))
    if target == "local":
        return f"Local stand-in in place of {models}: no image model was asked. {date}"
    return f"Amazon Bedrock: {models}. {date}" if target == "aws" else f"{models}. {date}"


def missing_glyphs_note(tiles: Sequence[CellView], *texts: str) -> tuple[str, ...]:
    """Return the note on characters that no font has, in these texts or in the cells'; empty if there are none."""
    cell_texts = (
        text for tile in tiles for text in (tile.prompt_name, tile.prompt, tile.negative_prompt or "", tile.reason)
    )
    note = fonts.note(dict.fromkeys((*texts, *cell_texts)))
    return (note,) if note else ()


def run_date(run: Path | None) -> str:
    """Return when the run in this folder was started, or else the day on which the sheet was made; both in UTC."""
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
    """Return whether to list an axis: not if it is shown in full elsewhere, or was left to the model."""
    if axis == "cfg_scale":
        return tile.cfg_scale is not None
    return axis not in ("prompt", "negative_prompt")


@dataclass(frozen=True)
class LayoutStep:
    """A line of pictures, its group and row, and whether it opens a group, a row or a page."""

    line: PictureRow
    group: GridGroup
    row: GridRow
    opens_group: bool
    opens_row: bool
    opens_page: bool = False


@dataclass
class PageBody:
    """The content between header and footer of one page, and the prompts to list at its end."""

    placed: list[Element] = field(default_factory=list)
    prompts: list[CellView] = field(default_factory=list)


@dataclass(frozen=True)
class Paging:
    """The distribution of a sheet's cells over pages."""

    tiles: Sequence[CellView]
    arrangement: Arrangement
    groups: Sequence[GridGroup]
    metrics: PageMetrics
    # By picture id.
    judgements: Mapping[str, Judgement] = field(default_factory=dict)

    def bodies(self, room: int) -> list[PageBody]:
        """Distribute all lines over pages whose body is at most `room` pixels high, at least one line each."""
        bodies: list[PageBody] = []
        for step in self._steps():
            body = self._with(bodies[-1], step) if bodies else None
            if body is not None and sum(element.height for element in self.elements(body)) <= room:
                bodies[-1] = body
            else:
                bodies.append(self._with(PageBody(), replace(step, opens_page=True)))
        return bodies

    def elements(self, body: PageBody) -> list[Element]:
        """Return everything on a page between header and footer."""
        return body.placed + self._prompt_list(body.prompts)

    def _steps(self) -> Iterator[LayoutStep]:
        for group in self.groups:
            for row in group.rows:
                starts = range(0, len(row.cells), self.metrics.columns)
                lines = [row.cells[start : start + self.metrics.columns] for start in starts]
                for count, cells in enumerate(filter(any, lines)):
                    yield LayoutStep(self._line(cells, row), group, row, row is group.rows[0] and not count, not count)

    def _line(self, cells: Sequence[CellView | None], row: GridRow) -> PictureRow:
        axes = self.arrangement.varying or ("size", "seed")
        slots = (
            cell if cell is None else picture_slot(cell, self.labels_of(cell, axes), self.metrics) for cell in cells
        )
        return PictureRow(tuple(slots), self.metrics, self.beside(row) if self.metrics.beside else None)

    def labels_of(self, cell: CellView, axes: Sequence[str]) -> list[str]:
        """Return a cell's values on these axes, and its score if a judge gave one."""
        judgement = self.judgements.get(picture_id(cell)) if cell.path is not None else None
        return [*(axis_label(axis, cell) for axis in axes), *([judgement.label] if judgement is not None else [])]

    def beside(self, row: GridRow) -> Paragraph:
        """Return a row's heading, as wide as a picture; if it is too long for that, one line too high."""
        name, text = row_heading(str(self.arrangement.rows), row.head)
        face, width = self.metrics.face(SMALL), self.metrics.tile
        lines = int(MIN_ROW_HEIGHT * width / face.line) + 1
        return paragraph(text, face, width, lines=lines, colour=SOFT, lead=name)

    def _with(self, body: PageBody, step: LayoutStep) -> PageBody:
        """Return a copy of a page's body with one more line, under the headings that it needs."""
        elements = [*body.placed]
        if self.arrangement.groups and (step.opens_group or step.opens_page):
            elements += self._group_heading(step)
        if self._column_headings and (step.opens_group or step.opens_page):
            elements += [
                ColumnHeaders(self._column_headings, self.metrics),
                Rule(self.metrics.inner),
                Gap(self.metrics.margin // 5),
            ]
        if self.arrangement.rows and not self.metrics.beside and (step.opens_row or step.opens_page):
            elements += self._row_heading(step)
        prompts = body.prompts
        if not self._prompt_in_heading:
            prompts = first_per_value("prompt", [*prompts, *step.line.tiles])
        return PageBody([*elements, step.line], prompts)

    @cached_property
    def _column_headings(self) -> tuple[str, ...]:
        """The column headings; empty if a row takes several lines, whose labels then carry the values."""
        across = self.arrangement.columns
        wrapped = max(len(row.cells) for group in self.groups for row in group.rows) > self.metrics.columns
        if self.arrangement.rows is None or across is None or wrapped:
            return ()
        return tuple(axis_label(across, tile) for tile in first_per_value(across, self.tiles))

    @property
    def _prompt_in_heading(self) -> bool:
        """Whether the full prompt is in the header, above each group or above each row."""
        return "prompt" in (*self.arrangement.shared, *self.arrangement.groups, self.arrangement.rows)

    def _group_heading(self, step: LayoutStep) -> list[Element]:
        strong, face, width = self.metrics.face(BODY, strong=True), self.metrics.face(SMALL), self.metrics.inner
        name = " · ".join(axis_label(axis, step.group.head) for axis in self.arrangement.groups)
        name += "" if step.opens_group else " (continued)"
        # The page's header ends in a rule of its own.
        heading: list[Element] = [] if step.opens_page else [Gap(face.size // 2), Rule(width), Gap(face.size // 2)]
        heading.append(paragraph(name, strong, width, lines=MAX_TEXT_LINES))
        if step.opens_group and "prompt" in self.arrangement.groups:
            heading.append(self._full_width_text(step.group.head.prompt_or_template))
        return [*heading, Gap(face.size // 2)]

    def _row_heading(self, step: LayoutStep) -> list[Element]:
        name, text = row_heading(str(self.arrangement.rows), step.row.head)
        heading = (
            self._full_width_text(text, name) if step.opens_row else self._full_width_text("", f"{name} (continued)")
        )
        return [heading, Gap(heading.face.size // 2)]

    def _prompt_list(self, prompts: Sequence[CellView]) -> list[Element]:
        gap = self.metrics.face(SMALL).size // 2
        listed: list[Element] = [Gap(gap)] if prompts else []
        for tile in prompts:
            listed += [self._full_width_text(tile.prompt_or_template, tile.prompt_name), Gap(gap)]
        return listed

    def _full_width_text(self, text: str, name: str = "") -> Paragraph:
        """Return a paragraph across the page."""
        face, width = self.metrics.face(SMALL), self.metrics.inner
        return paragraph(abridged(text), face, width, lines=MAX_TEXT_LINES, colour=SOFT, lead=name)


def choose_metrics(groups: Sequence[GridGroup], arrangement: Arrangement) -> PageMetrics:
    """Choose the number of columns: all cells of a row or, if there are too many, lines of equal length.

    The heading of a row is beside its pictures if there are few and it is short enough.
    """
    most = max(len(row.cells) for group in groups for row in group.rows)
    columns = -(-most // -(-most // MAX_COLUMNS))
    if arrangement.rows and most <= COLUMNS_BESIDE_TEXT:
        metrics = PageMetrics(columns, beside=True)
        paging = Paging((), arrangement, groups, metrics)
        if all(paging.beside(row).height <= MIN_ROW_HEIGHT * metrics.tile for group in groups for row in group.rows):
            return metrics
    return PageMetrics(columns)


FILE_NAME = "contact-sheet-{number}.png"
FILE_PATTERN = re.compile(r"contact-sheet-[0-9]+\.png")
# Two levels higher takes three times as long and saves a tenth of the bytes.
PNG_LEVEL = 4
# The width of a page in a notebook, in pixels, and the most pages in one: each is about 0.5 MB of HTML.
SHOWN_WIDTH = 1600
SHOWN_PAGES = 6


@dataclass(frozen=True)
class ContactSheet:
    """Pages of pictures. A notebook shows the first ones; `pages[0]` is a Pillow image, `save()` writes them all.

    `run` is the folder of the run that the pictures come from, None if the frame does not say.
    """

    title: str
    run: Path | None
    frame: PageFrame
    paging: Paging
    bodies: tuple[PageBody, ...]

    @property
    def pages(self) -> Pages:
        """The pages; each is drawn on access and not kept, so that a thousand pictures fit into memory."""
        return Pages(self)

    def draw(self, number: int) -> Image.Image:
        """Draw the page of this number, counted from 1."""
        return self.frame.page(self.paging.elements(self.bodies[number - 1]), number, len(self.bodies))

    def save(self, folder: Path | str | None = None) -> list[Path]:
        """Write contact-sheet-1.png … to the folder, by default the run's; return their paths.

        Pages left by a longer sheet are removed. Raises ExplorationError if no folder is known, or it cannot
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
        """Save the pages in the run's folder and return the sheet; pages that cannot be saved are still shown."""
        try:
            self.save()
        except ExplorationError as error:
            print_line(str(error))
        return self

    def _write_all(self, paths: Sequence[Path]) -> None:
        # One page is written while the next is drawn; a third waits for the first, to limit memory.
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
        numbers = range(1, min(count, SHOWN_PAGES) + 1)
        sources = [data_uri(_narrowed(self.draw(number))) for number in numbers]
        return render("exploration/contact_sheet.html.j2", title=self.title, sources=sources, count=count)


class Pages(Sequence[Image.Image]):
    """The pages of a sheet as images."""

    def __init__(self, sheet: ContactSheet) -> None:
        self._sheet = sheet

    def __len__(self) -> int:
        return len(self._sheet.bodies)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...

    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        numbers = range(1, len(self) + 1)[index]
        return (
            self._sheet.draw(numbers) if isinstance(numbers, int) else [self._sheet.draw(number) for number in numbers]
        )


def contact_sheet(
    frame: pd.DataFrame,
    title: str | None = None,
    purpose: str | None = None,
    rows: str | None = None,
    columns: str | None = None,
) -> ContactSheet:
    """Lay out every cell of a result frame, with its label, on as many pages as that takes.

    Title and purpose default to the run's. The axes that vary are found: the one with the most values becomes the
    columns, unless it is the prompt, which becomes the rows; further ones become groups. `rows` and `columns` override
    this with prompt, model, size, cfg_scale, negative_prompt, seed or a variable's name. Raises ExplorationError for any
    other axis, and for a frame that is not a result or has no rows.
    """
    tiles = cell_views(frame)
    arrangement = arrange(tiles, rows, columns)
    groups = group_cells(tiles, arrangement)
    metrics = choose_metrics(groups, arrangement)
    context = context_of(frame)
    title = title or context.title or default_title(tiles, arrangement)
    purpose = context.purpose if purpose is None else purpose
    page = page_frame(
        metrics,
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
    paging = Paging(tiles, arrangement, groups, metrics, current_scores(target_of(frame)))
    return ContactSheet(title, context.run, page, paging, tuple(paging.bodies(page.room)))


def _write(path: Path, page: Image.Image) -> None:
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=PNG_LEVEL)
    write_whole(path, buffer.getvalue())


def _narrowed(page: Image.Image) -> Image.Image:
    if page.width <= SHOWN_WIDTH:
        return page
    return page.resize((SHOWN_WIDTH, round(page.height * SHOWN_WIDTH / page.width)), Image.Resampling.LANCZOS)
