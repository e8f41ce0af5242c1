"""Blind comparisons, two pictures at a time: which pair to show next, and the ranking that the answers give.

The model is Bradley and Terry's: each picture has a strength, and the difference of two is the log-odds with which one is
preferred. `choix` gives the strengths' mean and covariance by expectation propagation, with a normal prior, so that pictures
that were never compared have a wide interval rather than none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from couch_explorers import formatting
from couch_explorers.core.errors import shown
from couch_explorers.exploration.grid import AXES, axis_label, axis_value, cell_views
from couch_explorers.exploration.ratings import PAIR, picture_id, ratings_file, target_of
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import render

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Sequence

    import pandas as pd

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import Duel

# Precision of the prior: before any answer, one picture beats another by a log-odds of up to about three.
PRIOR_PRECISION = 0.5
# The 95 % interval of a normal distribution.
STANDARD_ERRORS = 1.959964
# Of a ranking, a notebook shows so many places; `frame` has all.
PLACES_SHOWN = 10
# Of more pictures, so many are drawn for the choice of a pair, so that it takes no longer than a click.
MAX_CANDIDATES = 120


@dataclass(frozen=True)
class Strength:
    """A picture's or a value's strength with its 95 % interval, on the scale of log-odds around 0, and its record."""

    name: str
    strength: float
    low: float
    high: float
    won: int
    lost: int


@dataclass(frozen=True)
class Ranking:
    """The ranking by blind comparisons, the strongest first. A notebook shows it.

    `by` is "cell" or the axis whose values are ranked; `answers` counts the comparisons that it rests on.
    """

    by: str
    places: tuple[Strength, ...]
    answers: int

    @property
    def frame(self) -> pd.DataFrame:
        """Columns rank, name, strength, low, high, won, lost."""
        import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

        columns = ["rank", "name", "strength", "low", "high", "won", "lost"]
        rows = [(rank, *vars(place).values()) for rank, place in enumerate(self.places, start=1)]
        return pd.DataFrame(rows, columns=columns)

    @property
    def sentence(self) -> str:
        """Who leads, and whether the answers are enough to say so."""
        if not self.answers:
            return "Nothing was compared yet: duel(pictures) shows two at a time."
        first, *others = self.places
        rests = f"after {formatting.count(self.answers, 'comparison')}"
        # Overlap of two intervals is more than chance needs: what does not overlap is safe to say.
        if others and all(first.low > other.high for other in others):
            return f"{first.name} is preferred to all others, {rests}."
        return f"{first.name} leads {rests}; its interval still overlaps with others': compare more."

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        shown = self.places[:PLACES_SHOWN] if self.answers else ()
        html = render(
            "exploration/ranking.html.j2",
            sentence=self.sentence,
            rows=[
                (
                    rank,
                    place.name,
                    f"{place.strength:+.1f}",
                    f"{place.low:+.1f} to {place.high:+.1f}",
                    place.won,
                    place.lost,
                )
                for rank, place in enumerate(shown, start=1)
            ],
            hidden=len(self.places) - len(shown) if shown else 0,
        )
        return {"text/html": html, "text/plain": self.sentence}


def ranking(pictures: pd.DataFrame, by: str = "cell", target: str | None = None) -> Ranking:
    """Rank a sweep's pictures by the answers of blind comparisons.

    Args:
        pictures: a sweep's result.
        by: "cell", or an axis such as "seed" or "model": then its values are ranked, by all comparisons between pictures that
            differ in it.
        target: whose ratings file; by default the frame's.

    Raises:
        ExplorationError: the frame is no sweep's result, the axis is none, or the file cannot be read.

    """
    cells = pictures_by_id(pictures)
    names = {name: _name(cell, by) for name, cell in cells.items()}
    items = list(dict.fromkeys(names.values()))
    labels = {
        _name(cell, by): f"cell {cell.number}" if by == "cell" else axis_label(by, cell)
        for cell in reversed(cells.values())
    }
    results = [
        (items.index(names[duel.won]), items.index(names[duel.lost]))
        for duel in ratings_file(target or target_of(pictures)).duels()
        if duel.won in names and duel.lost in names and names[duel.won] != names[duel.lost]
    ]
    mean, covariance = fit(len(items), results)
    spread = STANDARD_ERRORS * np.sqrt(np.diag(covariance))
    places = [
        Strength(
            labels[item],
            float(mean[place]),
            float(mean[place] - spread[place]),
            float(mean[place] + spread[place]),
            sum(won == place for won, _ in results),
            sum(lost == place for _, lost in results),
        )
        for place, item in enumerate(items)
    ]
    return Ranking(by, tuple(sorted(places, key=lambda place: -place.strength)), len(results))


def fit(count: int, results: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Estimate strengths from (winner, loser) pairs: their mean, and their covariance; those of the prior where there are none."""
    if not results:
        return np.zeros(count), np.eye(count) / PRIOR_PRECISION
    import choix  # noqa: PLC0415 - it brings SciPy, which takes its time

    mean, covariance = choix.ep_pairwise(count, list(results), PRIOR_PRECISION, model="logit")
    return np.asarray(mean), np.asarray(covariance)


def next_pair(names: Sequence[str], duels: Sequence[Duel], rng: random.Random) -> tuple[str, str]:
    """Choose the two pictures whose comparison teaches most, and their sides by chance.

    An answer teaches much where its outcome is open and the difference of the two strengths is still uncertain: the product of
    the outcome's variance and the difference's. Pairs that teach equally are drawn by chance.

    Raises:
        ExplorationError: there are fewer than two pictures.

    """
    if len(names) < PAIR:
        raise ExplorationError("A blind comparison takes at least two pictures.")
    candidates = list(names) if len(names) <= MAX_CANDIDATES else rng.sample(list(names), MAX_CANDIDATES)
    places = {name: place for place, name in enumerate(candidates)}
    results = [(places[duel.won], places[duel.lost]) for duel in duels if duel.won in places and duel.lost in places]
    mean, covariance = fit(len(candidates), results)
    variance = np.diag(covariance)
    uncertainty = variance[:, None] + variance[None, :] - 2 * covariance
    preferred = 1 / (1 + np.exp(mean[None, :] - mean[:, None]))
    worth = preferred * (1 - preferred) * uncertainty
    rows, columns = np.triu_indices(len(candidates), 1)
    values = worth[rows, columns]
    best = np.flatnonzero(values >= values.max() * (1 - 1e-9))
    chosen = int(rng.choice(best.tolist()))
    pair = [candidates[rows[chosen]], candidates[columns[chosen]]]
    rng.shuffle(pair)
    return pair[0], pair[1]


def pictures_by_id(pictures: pd.DataFrame) -> dict[str, CellView]:
    """The cells that have a picture, by its id; one that several cells show is taken once."""
    found: dict[str, CellView] = {}
    for cell in cell_views(pictures):
        if cell.path is not None:
            found.setdefault(picture_id(cell), cell)
    return found


def _name(cell: CellView, by: str) -> Hashable:
    if by == "cell":
        return cell.number
    known = ("cell", *AXES, *(value.variable for value in cell.variables))
    if by not in known:
        raise ExplorationError(f"There is no axis {shown(by)}: rank by one of {', '.join(known)}.")
    return axis_value(by, cell)
