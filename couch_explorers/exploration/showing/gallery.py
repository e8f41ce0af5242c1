"""The gallery: what all runs so far have found, newest first, by the words of a prompt, the model, or what people said."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import shown
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.rating.ratings import current, picture_id
from couch_explorers.exploration.rating.sidecar import MOST_STARS, VERDICTS, Rating
from couch_explorers.exploration.running import results
from couch_explorers.exploration.showing import gallery_page
from couch_explorers.exploration.showing.tiles import Tile, tiles_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from couch_explorers.exploration.running.results import RunInfo

# Pictures shown of one run, so that a large one does not hide those before it.
PICTURES_A_RUN = 12
LIMIT = 60


@dataclass(frozen=True)
class Wish:
    """Which pictures are asked for; None asks for all."""

    text: str | None = None
    model: str | None = None
    rating: str | int | None = None

    def __post_init__(self) -> None:
        if self.rating is None or self.rating in VERDICTS:
            return
        if not isinstance(self.rating, Integral) or isinstance(self.rating, bool) or not 1 <= self.rating <= MOST_STARS:
            raise ExplorationError(
                f"There is no rating {shown(self.rating)}: ask for {', '.join(VERDICTS)}, or at least 1 to {MOST_STARS} stars."
            )

    def takes(self, tile: Tile, said: Mapping[str, Rating]) -> bool:
        """Tell whether a cell is asked for; by a rating only cells with a picture are."""
        text, model = (self.text or "").casefold(), (self.model or "").casefold()
        if text not in tile.prompt.casefold() and text not in tile.prompt_name.casefold():
            return False
        if model not in tile.model.casefold() and model not in tile.model_name.casefold():
            return False
        if self.rating is None:
            return True
        rating = said.get(picture_id(tile)) if tile.path is not None else None
        if rating is None:
            return False
        return rating.verdict == self.rating if isinstance(self.rating, str) else (rating.stars or 0) >= self.rating

    def __str__(self) -> str:
        asked = [f"“{self.text}” in the prompt"] if self.text else []
        asked += [f"“{self.model}” in the model"] if self.model else []
        if self.rating is not None:
            asked.append(f"rated {self.rating}" if isinstance(self.rating, str) else f"{self.rating} stars or more")
        return ", ".join(asked)


@dataclass(frozen=True)
class GalleryRun:
    """A run and those of its cells that are asked for, with a picture or without.

    `most` is how many of its pictures are shown; `trouble` says why a run cannot be read.
    """

    info: RunInfo
    tiles: tuple[Tile, ...] = ()
    most: int = 0
    trouble: str = ""

    @property
    def pictures(self) -> list[Tile]:
        """The cells that have a picture."""
        return [tile for tile in self.tiles if tile.path is not None]

    @property
    def shown(self) -> list[Tile]:
        """The pictures that a notebook shows."""
        return self.pictures[: self.most]


@dataclass(frozen=True)
class Gallery:
    """Runs, newest first. A notebook shows them with at most `limit` pictures.

    `said` is what people said of pictures, by their ids; `older` counts the runs that were not looked at because `limit`
    was reached.
    """

    runs: tuple[GalleryRun, ...]
    wish: Wish
    said: Mapping[str, Rating]
    target: str
    limit: int
    older: int

    @property
    def frame(self) -> pd.DataFrame:
        """Every picture of these runs once, with the columns of a result and `run`, the name of the run's folder.

        `number` counts anew, so that the frame can be given to `contact_sheet`, `compare` and `rate`. Raises
        ExplorationError where there is no picture.
        """
        import pandas as pd  # noqa: PLC0415 - half a second, which the HTML need not spend

        found = []
        for run in (run for run in self.runs if run.pictures):
            rows = run.info.frame()
            numbers = [tile.number for tile in run.pictures]
            found.append(rows[rows["number"].isin(numbers)].assign(run=run.info.folder.name))
        if not found:
            raise ExplorationError(f"{self} A frame needs at least one picture.")
        rows = pd.concat(found, ignore_index=True).drop_duplicates("id", ignore_index=True)
        rows["number"] = range(1, len(rows) + 1)
        rows.attrs = {"run": "", "title": str(self), "purpose": "", "target": self.target}
        return rows

    def __len__(self) -> int:
        return len(self.runs)

    def __str__(self) -> str:
        return gallery_page.summary(self)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        lines = (f"{gallery_page.title(run)}: {gallery_page.facts(run)}" for run in self.runs)
        return {"text/html": gallery_page.html(self), "text/plain": "\n".join((str(self), *lines))}


def gallery(
    text: str | None = None,
    model: str | None = None,
    rating: str | int | None = None,
    target: str = "local",
    limit: int = LIMIT,
) -> Gallery:
    """Look through the saved runs of a target, newest first, until `limit` pictures are found.

    `text` is a part of the prompt or its name, `model` a part of a model's id or name, both in small or capital letters;
    `rating` is "keep", "reject", or the least number of stars (1 to 5). Of one run at most twelve pictures are shown. A
    picture that several runs have is shown in each. Raises ExplorationError for a rating, a target or a limit that is
    none.
    """
    if not isinstance(limit, Integral) or isinstance(limit, bool) or limit < 1:
        raise ExplorationError(f"The limit {shown(limit)} is no number of pictures: give 1 or more.")
    wish, said = Wish(text, model, rating), current(target)
    infos, left = results.runs(target), limit
    found: list[GalleryRun] = []
    for place, info in enumerate(infos):
        if left <= 0:
            return Gallery(tuple(found), wish, said, target, limit, len(infos) - place)
        run = _looked_through(info, wish, said, min(left, PICTURES_A_RUN))
        if run.tiles or run.trouble:
            found.append(run)
            left -= len(run.shown)
    return Gallery(tuple(found), wish, said, target, limit, 0)


def _looked_through(info: RunInfo, wish: Wish, said: Mapping[str, Rating], most: int) -> GalleryRun:
    try:
        tiles = tiles_of(info.frame())
    except ExplorationError as error:
        return GalleryRun(info, trouble=str(error))
    return GalleryRun(info, tuple(tile for tile in tiles if wish.takes(tile, said)), most)
