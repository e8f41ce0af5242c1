"""The gallery: the pictures of all saved runs, newest first, filtered by prompt, model, variables or rating."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from couch_explorers import formatting, paths
from couch_explorers.core.errors import shown
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration import results
from couch_explorers.exploration.cards import cards_html
from couch_explorers.exploration.grid import CellView, cell_views, distinguishing_labels
from couch_explorers.exploration.page_layout import missing_reason
from couch_explorers.exploration.ratings import MAX_STARS, VERDICTS, Rating, current_ratings, picture_id
from couch_explorers.exploration.scores import HIGHEST_SCORE, LOWEST_SCORE, current_scores, with_score
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import render
from couch_explorers.text_layout import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from couch_explorers.exploration.frames import RunFrame
    from couch_explorers.exploration.results import RunInfo
    from couch_explorers.exploration.scores import Judgement


# The most pictures shown per run, so that a large run does not crowd out earlier ones.
MAX_PICTURES_PER_RUN = 12
LIMIT = 60


@dataclass(frozen=True)
class GalleryFilter:
    """Which pictures to show; None means all.

    `variables` maps a variable's name to a part of its value's name or text, "" for any value; `score` is the lowest mean
    score of a judge.
    """

    text: str | None = None
    model: str | None = None
    rating: str | int | None = None
    variables: Mapping[str, str] | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        if self.score is not None and (
            not isinstance(self.score, Real)
            or isinstance(self.score, bool)
            or not LOWEST_SCORE <= self.score <= HIGHEST_SCORE
        ):
            raise ExplorationError(
                f"There is no score {shown(self.score)}: ask for at least {LOWEST_SCORE} to {HIGHEST_SCORE}.",
            )
        variables = {} if self.variables is None else self.variables
        if not isinstance(variables, Mapping) or not all(
            isinstance(text, str) for pair in variables.items() for text in pair
        ):
            raise ExplorationError(
                f'The variables {shown(variables)} are none: ask for parts of their values, like {{"medium": "photo"}}.',
            )
        if self.rating is None or self.rating in VERDICTS:
            return
        if not isinstance(self.rating, Integral) or isinstance(self.rating, bool) or not 1 <= self.rating <= MAX_STARS:
            raise ExplorationError(
                f"There is no rating {shown(self.rating)}: ask for {', '.join(VERDICTS)}, or at least 1 to {MAX_STARS} stars.",
            )

    def matches(
        self, tile: CellView, ratings: Mapping[str, Rating], judgements: Mapping[str, Judgement] | None = None
    ) -> bool:
        """Check whether a cell matches; a rating or a score matches only cells with a picture."""
        return self._has_texts(tile) and self._has_rating(tile, ratings) and self._has_score(tile, judgements or {})

    def _has_texts(self, tile: CellView) -> bool:
        text, model = (self.text or "").casefold(), (self.model or "").casefold()
        return (
            any(text in each.casefold() for each in (tile.prompt, tile.prompt_name))
            and any(model in each.casefold() for each in (tile.model, tile.model_name))
            and all(_has_value(tile, name, part) for name, part in (self.variables or {}).items())
        )

    def _has_rating(self, tile: CellView, ratings: Mapping[str, Rating]) -> bool:
        if self.rating is None:
            return True
        rating = ratings.get(picture_id(tile)) if tile.path is not None else None
        if rating is None:
            return False
        return rating.verdict == self.rating if isinstance(self.rating, str) else (rating.stars or 0) >= self.rating

    def _has_score(self, tile: CellView, judgements: Mapping[str, Judgement]) -> bool:
        judgement = judgements.get(picture_id(tile)) if tile.path is not None else None
        return self.score is None or (judgement is not None and judgement.mean >= self.score)

    def __str__(self) -> str:
        conditions = [f"“{self.text}” in the prompt"] if self.text else []
        conditions += [f"“{self.model}” in the model"] if self.model else []
        conditions += [
            f"“{part}” as {name}" if part else f"any {name}" for name, part in (self.variables or {}).items()
        ]
        if self.rating is not None:
            conditions.append(
                f"rated {self.rating}" if isinstance(self.rating, str) else f"{self.rating} stars or more"
            )
        if self.score is not None:
            conditions.append(f"judged {self.score:g} or more")
        return ", ".join(conditions)


def _has_value(tile: CellView, variable: str, part: str) -> bool:
    value = tile.variable(variable)
    return value is not None and any(part.casefold() in text.casefold() for text in (value.name, value.text))


@dataclass(frozen=True)
class GalleryRun:
    """A run and its matching cells, with or without a picture.

    `max_shown` is the most pictures shown of it; `trouble` says why a run cannot be read.
    """

    info: RunInfo
    tiles: tuple[CellView, ...] = ()
    max_shown: int = 0
    trouble: str = ""

    @property
    def pictures(self) -> list[CellView]:
        """The cells that have a picture."""
        return [tile for tile in self.tiles if tile.path is not None]

    @property
    def shown(self) -> list[CellView]:
        """The pictures that a notebook shows."""
        return self.pictures[: self.max_shown]


@dataclass(frozen=True)
class Gallery:
    """Runs, newest first. A notebook shows them with at most `limit` pictures.

    `ratings` and `judgements` are people's and a judge's, by picture id; `older` counts the runs that were skipped because
    `limit` was reached.
    """

    runs: tuple[GalleryRun, ...]
    filter: GalleryFilter
    ratings: Mapping[str, Rating]
    target: str
    limit: int
    older: int
    judgements: Mapping[str, Judgement] = field(default_factory=dict)

    @property
    def frame(self) -> RunFrame:
        """Each picture of these runs once, with the columns of a result and `run`, the name of the run's folder.

        `number` is reassigned, so that the frame can be passed to `contact_sheet`, `compare` and `rate`. Raises
        ExplorationError if there is no picture.
        """
        import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

        from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - likewise

        found = []
        for run in (run for run in self.runs if run.pictures):
            rows = run.info.frame()
            numbers = [tile.number for tile in run.pictures]
            found.append(rows[rows["number"].isin(numbers)].assign(run=run.info.folder.name))
        if not found:
            raise ExplorationError(f"{self} A frame needs at least one picture.")
        rows = RunFrame(pd.concat(found, ignore_index=True).drop_duplicates("id", ignore_index=True))
        rows["number"] = range(1, len(rows) + 1)
        rows.context = results.RunContext(self.target, title=str(self))
        return rows

    def __len__(self) -> int:
        return len(self.runs)

    def __str__(self) -> str:
        return gallery_sentence(self)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        lines = (f"{run_title(run)}: {run_facts(run)}" for run in self.runs)
        return {"text/html": gallery_html(self), "text/plain": "\n".join((str(self), *lines))}


def gallery(
    text: str | None = None,
    model: str | None = None,
    rating: str | int | None = None,
    target: str = "local",
    limit: int = LIMIT,
    variables: Mapping[str, str] | None = None,
    score: float | None = None,
) -> Gallery:
    """Search the saved runs of a target, newest first, until `limit` pictures are found.

    Args:
        text: a part of the prompt or its name, case-insensitive.
        model: a part of a model's id or name, likewise.
        rating: "keep", "reject", or the minimum number of stars (1 to 5).
        target: the target whose runs to search.
        limit: the number of pictures; at most twelve per run are shown.
        variables: a part of the value's name or text for a template's variable, like {"medium": "photo"}; "" for any.
        score: the minimum mean score of a judge (1 to 5).

    Returns:
        The runs with matching cells. A picture that several runs have is shown in each.

    Raises:
        ExplorationError: for an invalid rating, score, target, limit or variables.

    """
    if not isinstance(limit, Integral) or isinstance(limit, bool) or limit < 1:
        raise ExplorationError(f"The limit {shown(limit)} is no number of pictures: give 1 or more.")
    criteria = GalleryFilter(text, model, rating, variables, score)
    ratings, judgements = current_ratings(target), current_scores(target)
    infos, remaining = results.runs(target), limit
    found: list[GalleryRun] = []
    for place, info in enumerate(infos):
        if remaining <= 0:
            return Gallery(tuple(found), criteria, ratings, target, limit, len(infos) - place, judgements)
        run = _search_run(info, criteria, ratings, judgements, min(remaining, MAX_PICTURES_PER_RUN))
        if run.tiles or run.trouble:
            found.append(run)
            remaining -= len(run.shown)
    return Gallery(tuple(found), criteria, ratings, target, limit, 0, judgements)


def _search_run(
    info: RunInfo,
    criteria: GalleryFilter,
    ratings: Mapping[str, Rating],
    judgements: Mapping[str, Judgement],
    max_shown: int,
) -> GalleryRun:
    try:
        tiles = cell_views(info.frame())
    except ExplorationError as error:
        return GalleryRun(info, trouble=str(error))
    return GalleryRun(info, tuple(tile for tile in tiles if criteria.matches(tile, ratings, judgements)), max_shown)


TITLE_CHARACTERS = 80


def gallery_sentence(found: Gallery) -> str:
    """Summarize what was found."""
    criteria = str(found.filter)
    if not found.runs:
        return f"Nothing was found for {criteria}." if criteria else "There is no run yet: run a sweep, and it is here."
    pictures = sum(len(run.pictures) for run in found.runs)
    counts = f"{_count(pictures, 'picture')} in {_count(len(found.runs), 'run')}"
    return f"{counts}: {criteria}." if criteria else f"{counts}."


def run_title(run: GalleryRun) -> str:
    """Return a run's title, or else its prompts."""
    return run.info.title or shorten(", ".join(run.info.prompts), TITLE_CHARACTERS, placeholder=" …")


def run_facts(run: GalleryRun) -> str:
    """Return when a run was started, how many pictures it has, and what they cost."""
    info = run.info
    cost = f"{formatting.usd(info.usd, exact=True)} (prices of {PRICES_AS_OF})" if info.usd else ""
    if cost:
        cost = f"nothing paid; on AWS {cost}" if info.target == "local" else f"paid {cost}"
    pictures = f"{info.pictures} of {_count(info.requests, 'picture')}, {info.made} new"
    return SEPARATOR.join(filter(None, (f"{info.started:%Y-%m-%d %H:%M} UTC", pictures, cost)))


def gallery_html(found: Gallery) -> str:
    """Render each run with its pictures (HTML)."""
    return render(
        "exploration/gallery.html.j2",
        summary=gallery_sentence(found),
        runs=[_run_values(found, run) for run in found.runs],
        older=_count(found.older, "older run") if found.older else "",
        limit=found.limit,
    )


def _run_values(found: Gallery, run: GalleryRun) -> dict[str, Any]:
    """Return the template's values for a run."""
    ratings = [found.ratings.get(picture_id(cell)) or Rating(cell.id) for cell in run.shown]
    labels = [
        with_score(label, found.judgements.get(picture_id(cell)))
        for label, cell in zip(distinguishing_labels(run.shown), run.shown, strict=True)
    ]
    cards = zip(run.shown, labels, ratings, strict=True)
    return {
        "title": run_title(run),
        "purpose": run.info.purpose,
        "facts": run_facts(run),
        "trouble": run.trouble,
        "cards": cards_html(cards) if run.shown else "",
        "without": _missing_counts(run.tiles),
        "hidden": len(run.pictures) - len(run.shown),
        "folder": paths.display(run.info.folder),
    }


def _missing_counts(tiles: Sequence[CellView]) -> str:
    """Count the cells without a picture by status; empty if there are none."""
    counts = Counter(missing_reason(tile)[0].word.lower() for tile in tiles if tile.path is None)
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
