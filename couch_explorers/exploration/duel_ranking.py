"""Blind comparisons, two pictures at a time: which pair to show next, and the resulting ranking.

The model is Bradley and Terry's: each picture has a strength, and the difference of two strengths is the log-odds that one is
preferred. `choix` computes their mean and covariance by expectation propagation, with a normal prior, so that pictures that
were never compared have a wide interval rather than none.
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
# The most places that a notebook shows; `frame` has all.
PLACES_SHOWN = 10
# From more pictures, this many are sampled to choose a pair, which must be as fast as a click.
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
    """The ranking from blind comparisons, strongest first. A notebook shows it.

    `by` is "cell" or the axis whose values are ranked; `answers` is the number of comparisons behind it.
    """

    by: str
    places: tuple[Strength, ...]
    answers: int

    @property
    def frame(self) -> pd.DataFrame:
        """The ranking with columns rank, name, strength, low, high, won, lost."""
        import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

        columns = ["rank", "name", "strength", "low", "high", "won", "lost"]
        rows = [(rank, *vars(place).values()) for rank, place in enumerate(self.places, start=1)]
        return pd.DataFrame(rows, columns=columns)

    @property
    def sentence(self) -> str:
        """The leader, and whether the answers suffice to say so."""
        if not self.answers:
            return "Nothing has been compared yet: duel(pictures) shows two at a time."
        first, *others = self.places
        after = f"after {formatting.count(self.answers, 'comparison')}"
        # Intervals may overlap for significantly different strengths: without overlap the claim is safe.
        if others and all(first.low > other.high for other in others):
            return f"{first.name} is preferred to all others, {after}."
        return f"{first.name} leads {after}; its interval still overlaps with others': compare more."

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
    """Rank a sweep's pictures by blind comparisons.

    Args:
        pictures: a sweep's result.
        by: "cell", or an axis such as "seed" or "model", whose values are then ranked by all comparisons of pictures that
            differ in it.
        target: whose ratings file; by default the frame's.

    Raises:
        ExplorationError: the frame is not a sweep's result, the axis does not exist, or the file cannot be read.

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
    """Estimate strengths from (winner, loser) pairs; return their mean and covariance, those of the prior without pairs."""
    if not results:
        return np.zeros(count), np.eye(count) / PRIOR_PRECISION
    import choix  # noqa: PLC0415 - imports SciPy, which is slow

    mean, covariance = choix.ep_pairwise(count, list(results), PRIOR_PRECISION, model="logit")
    return np.asarray(mean), np.asarray(covariance)


def next_pair(names: Sequence[str], duels: Sequence[Duel], rng: random.Random) -> tuple[str, str]:
    """Choose the two pictures whose comparison is most informative, in random order.

    A comparison is informative if its outcome is open and the difference of the strengths uncertain: the score is the product
    of both variances. Ties are broken at random.

    Raises:
        ExplorationError: there are fewer than two pictures.

    """
    if len(names) < PAIR:
        raise ExplorationError("A blind comparison takes at least two pictures.")
    candidates = list(names) if len(names) <= MAX_CANDIDATES else rng.sample(list(names), MAX_CANDIDATES)
    positions = {name: position for position, name in enumerate(candidates)}
    results = [
        (positions[duel.won], positions[duel.lost])
        for duel in duels
        if duel.won in positions and duel.lost in positions
    ]
    mean, covariance = fit(len(candidates), results)
    variance = np.diag(covariance)
    uncertainty = variance[:, None] + variance[None, :] - 2 * covariance
    preferred = 1 / (1 + np.exp(mean[None, :] - mean[:, None]))
    information = preferred * (1 - preferred) * uncertainty
    rows, columns = np.triu_indices(len(candidates), 1)
    values = information[rows, columns]
    best = np.flatnonzero(values >= values.max() * (1 - 1e-9))
    chosen = int(rng.choice(best.tolist()))
    pair = [candidates[rows[chosen]], candidates[columns[chosen]]]
    rng.shuffle(pair)
    return pair[0], pair[1]


def pictures_by_id(pictures: pd.DataFrame) -> dict[str, CellView]:
    """Return the cells that have a picture, by picture id; a picture that several cells share counts once."""
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
