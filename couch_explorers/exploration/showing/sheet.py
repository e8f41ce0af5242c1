"""The contact sheet: all pictures of a sweep side by side, named and explained, on pages to show and to print."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from PIL import Image

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.running.progress import tell
from couch_explorers.exploration.showing import captions, shrinking
from couch_explorers.exploration.showing.axes import arrange, grouped
from couch_explorers.exploration.showing.paging import Body, Paging, measures_for
from couch_explorers.exploration.showing.surround import Surround, surround
from couch_explorers.exploration.showing.tiles import tiles_of
from couch_explorers.files import write_whole

if TYPE_CHECKING:
    import pandas as pd

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
    surround: Surround
    paging: Paging
    bodies: tuple[Body, ...]

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
                f"The contact sheet cannot be written into {where} ({error.strerror}): give save() another folder."
            ) from error
        return paths

    def saved(self) -> ContactSheet:
        """Save the pages in the run's folder, and return the sheet; pages that cannot be kept are still shown."""
        try:
            self.save()
        except ExplorationError as error:
            tell(str(error))
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
        style = "display:block;max-width:100%;height:auto;margin:0 0 1rem;border:1px solid #dfe3e8"
        shown = [
            f'<img src="{shrinking.data_uri(_narrowed(self.draw(number)))}" style="{style}" '
            f'alt="Contact sheet: {escape(self.title)}, page {number} of {count}">'
            for number in range(1, min(count, SHOWN_PAGES) + 1)
        ]
        if count > SHOWN_PAGES:
            rest = f"The first {SHOWN_PAGES} of {count} pages. All of them as files: <code>save()</code>; one more here: <code>pages[{SHOWN_PAGES}]</code>."
            shown.append(f"<p>{rest}</p>")
        return "".join(shown)


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
    otherwise, out of prompt, model, size, cfg_scale, negative_prompt and seed. Raises ExplorationError for an axis that
    is none of these, and for a frame that is no result or has no rows.
    """
    tiles = tiles_of(frame)
    arrangement = arrange(tiles, rows, columns)
    groups = grouped(tiles, arrangement)
    measures = measures_for(groups, arrangement)
    said = frame.attrs
    title = title or said.get("title") or captions.fallback_title(tiles, arrangement)
    purpose = said.get("purpose", "") if purpose is None else purpose
    run = Path(said["run"]) if said.get("run") else None
    around = surround(
        measures,
        title=title,
        purpose=purpose,
        texts=captions.shared_texts(tiles, arrangement),
        facts=captions.facts(tiles, arrangement),
        foot=(
            captions.outcome(tiles, said.get("target", "")),
            captions.origin(tiles, said.get("target", ""), captions.date_of(run)),
            *captions.unknown_characters(tiles, title, purpose),
        ),
    )
    paging = Paging(tiles, arrangement, groups, measures)
    return ContactSheet(title, run, around, paging, tuple(paging.bodies(around.room)))


def _write(path: Path, page: Image.Image) -> None:
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=PNG_LEVEL)
    write_whole(path, buffer.getvalue())


def _narrowed(page: Image.Image) -> Image.Image:
    if page.width <= SHOWN_WIDTH:
        return page
    return page.resize((SHOWN_WIDTH, round(page.height * SHOWN_WIDTH / page.width)), Image.Resampling.LANCZOS)
