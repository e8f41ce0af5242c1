"""Agreement between a judge's scores and people's stars: whether to trust the judge, and which pictures to look at.

Krippendorff's alpha is 1 for perfect agreement, 0 for agreement by chance, and negative where both
disagree more than that. It uses the interval scale, because the mean of several criteria is not a whole number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from couch_explorers import checks, formatting
from couch_explorers.checks import Check, Verdict
from couch_explorers.exploration.cards import picture_html
from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.ratings import current_ratings, picture_id, target_of
from couch_explorers.exploration.scores import current_scores
from couch_explorers.html import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import Rating
    from couch_explorers.exploration.scores import Judgement

# Krippendorff, Content Analysis (2004), p. 241: rely on 0.800 and above, draw tentative conclusions from 0.667.
RELIABLE, TENTATIVE = 0.800, 0.667
# With fewer, the interval covers nearly the whole range of alpha.
MIN_PICTURES = 10
RESAMPLES = 1000
CONFIDENCE = 0.95
DIFFERENCES_SHOWN = 5
STAND_IN_WARNING = "Local stand-in: the scores come from no model, and this figure says nothing about one."


@dataclass(frozen=True)
class RatedPicture:
    """A picture with both a rating and a score: `stars` (1 to 5; 0 counts as 1) and the judge's mean score."""

    cell: CellView
    stars: int
    judgement: Judgement

    @property
    def difference(self) -> float:
        """The judge's score minus the stars."""
        return self.judgement.mean - self.stars


@dataclass(frozen=True)
class Agreement:
    """A judge's agreement with people. A notebook shows it, with the pictures on which they differ most.

    `alpha` is Krippendorff's, `low` and `high` bound its 95 % bootstrap interval; all are None if alpha is unknown, and
    `unknown` says why. `pictures` have both stars and scores, sorted by the largest difference.
    """

    pictures: tuple[RatedPicture, ...]
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    unknown: str = ""

    @property
    def n(self) -> int:
        """The number of pictures with both stars and scores."""
        return len(self.pictures)

    @property
    def stand_in(self) -> bool:
        """Whether any score comes from the local cloud's stand-in."""
        return any(each.judgement.stand_in for each in self.pictures)

    @property
    def verdict(self) -> Verdict:
        """OK if the interval's lower bound still allows tentative conclusions.

        NO DATA if alpha is unknown, and for a stand-in, whose agreement means nothing.
        """
        if self.alpha is None or self.low is None or self.stand_in:
            return Verdict.NO_DATA
        if self.low >= TENTATIVE:
            return Verdict.OK
        return Verdict.WARN if self.alpha >= TENTATIVE else Verdict.BAD

    @property
    def sentence(self) -> str:
        """The result and what follows from it."""
        if self.alpha is None:
            return f"Agreement with people is not known. {self.unknown}"
        figure = (
            f"Krippendorff's alpha is {self.alpha:.2f} (95 % interval {self.low:.2f} to {self.high:.2f}, n = {self.n})"
        )
        if self.stand_in:
            return f"{figure}. {STAND_IN_WARNING}"
        advice = {
            Verdict.OK: "the judge scores much as people do",
            Verdict.WARN: "that may be enough, but the interval reaches below 0.667: rate more pictures before trusting the judge",
            Verdict.BAD: "below 0.667: do not choose by the judge's scores alone",
        }[self.verdict]
        return f"{figure}: {advice}."

    @property
    def checks(self) -> tuple[Check, ...]:
        """The verdict for `couch run`: a judge that disagrees is a warning, not a failure of the sweep.

        Empty if no picture has both stars and scores.
        """
        if not self.pictures:
            return ()
        verdict = Verdict.WARN if self.verdict is Verdict.BAD else self.verdict
        return (Check("agreement with people", verdict, 0.0, self.sentence),)

    @property
    def frame(self) -> pd.DataFrame:
        """Each picture: columns number, id, stars, score, difference, reasons; the largest difference first."""
        import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

        rows = [
            (
                each.cell.number,
                each.judgement.id,
                each.stars,
                each.judgement.mean,
                each.difference,
                _reasons(each.judgement),
            )
            for each in self.pictures
        ]
        return pd.DataFrame(rows, columns=["number", "id", "stars", "score", "difference", "reasons"])

    def figure(self) -> Figure:
        """Plot the judge's scores against people's stars; a stand-in is marked across the plot."""
        from couch_explorers import plot_style  # noqa: PLC0415 - slow to import, and the sentence doesn't need it

        with plot_style.sheet():
            return self._draw()

    def _draw(self) -> Figure:
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above

        from couch_explorers import plot_style  # noqa: PLC0415 - as above

        figure = Figure(figsize=(4.6, 4.0), layout="constrained")
        axes = figure.add_subplot()
        points: dict[tuple[int, float], int] = {}
        for each in self.pictures:
            point = (each.stars, round(each.judgement.mean, 1))
            points[point] = points.get(point, 0) + 1
        axes.plot([1, 5], [1, 5], color=plot_style.FRAME, linewidth=1, linestyle=plot_style.DASHED, zorder=1)
        axes.scatter(
            [stars for stars, _ in points], [score for _, score in points], s=[36 * count for count in points.values()],
            color=plot_style.BLUE, alpha=0.8, edgecolors=plot_style.PAPER, zorder=2,
        )  # fmt: skip
        axes.set(
            xlim=(0.5, 5.5),
            ylim=(0.5, 5.5),
            xticks=range(1, 6),
            yticks=range(1, 6),
            xlabel="people's stars",
            ylabel="judge's mean score",
            aspect="equal",
        )
        title = (
            f"alpha {self.alpha:.2f} ({self.low:.2f} to {self.high:.2f})"
            if self.alpha is not None
            else "alpha not known"
        )
        axes.set_title(f"{title}, n = {self.n}", loc="left")
        axes.grid(axis="x")
        if self.stand_in:
            axes.text(
                0.5, 0.5, "STAND-IN\nno model was asked", transform=axes.transAxes, ha="center", va="center",
                rotation=28, fontsize=18, color=plot_style.ALARM, alpha=0.35, zorder=3,
            )  # fmt: skip
        return figure

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        shown = render(
            "exploration/agreement.html.j2",
            sentence=self.sentence,
            figure=_svg(self.figure()) if self.pictures else "",
            differing=[
                {
                    "picture": picture_html(each.cell.path, each.cell.prompt),
                    "number": each.cell.number,
                    "name": each.cell.prompt_name,
                    "stars": each.stars,
                    "score": f"{each.judgement.mean:.1f}{' (stand-in)' if each.judgement.stand_in else ''}",
                    "reasons": _reasons(each.judgement),
                }
                for each in self.pictures[:DIFFERENCES_SHOWN]
                if each.difference
            ],
        )
        return checks.bundle(self.checks, shown) | {"text/plain": self.sentence}


def agreement(pictures: pd.DataFrame, target: str | None = None) -> Agreement:
    """Compare a judge's newest scores of a sweep's pictures with people's stars.

    Args:
        pictures: a sweep's result; pictures without stars or without scores are left out.
        target: whose ratings and scores; by default the frame's.

    Returns:
        Alpha with its interval; unknown if fewer than MIN_PICTURES have both, or if either side gave all pictures the same.

    Raises:
        ExplorationError: the frame is not a sweep's result, or a file cannot be read.

    """
    target = target or target_of(pictures)
    both = _rated(cell_views(pictures), current_ratings(target), current_scores(target))
    both.sort(key=lambda each: -abs(each.difference))
    if len(both) < MIN_PICTURES:
        missing = MIN_PICTURES - len(both)
        return Agreement(
            tuple(both),
            unknown=f"{formatting.count(len(both), 'picture').capitalize()} {'have' if len(both) > 1 else 'has'} both stars and scores, "
            f"and it takes {MIN_PICTURES}: rate or judge {missing} more.",
        )
    table = np.array([[each.stars for each in both], [each.judgement.mean for each in both]], dtype=float)
    alpha = _alpha(table)
    if alpha is None or any(len(set(row)) == 1 for row in table):
        return Agreement(
            tuple(both), unknown="People or the judge gave every picture the same: rate pictures that differ."
        )
    low, high = _interval(table)
    return Agreement(tuple(both), alpha, low, high)


def _rated(
    cells: Sequence[CellView], ratings: Mapping[str, Rating], judgements: Mapping[str, Judgement]
) -> list[RatedPicture]:
    """Find the pictures with both; one that several cells show counts once."""
    found: dict[str, RatedPicture] = {}
    for cell in cells:
        name = picture_id(cell) if cell.path is not None else ""
        rating, judgement = ratings.get(name), judgements.get(name)
        if rating is not None and rating.stars is not None and judgement is not None:
            found.setdefault(name, RatedPicture(cell, max(1, rating.stars), judgement))
    return list(found.values())


def _alpha(table: np.ndarray) -> float | None:
    """Compute Krippendorff's alpha of two rows; None if all values are equal, where it is undefined."""
    import krippendorff  # noqa: PLC0415 - loaded where it is needed

    if np.unique(table).size == 1:
        return None
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="interval"))


def _interval(table: np.ndarray) -> tuple[float, float]:
    """Return alpha's bootstrap interval over the pictures, with a fixed seed so that equal ratings give equal intervals."""
    rng = np.random.default_rng(0)
    count = table.shape[1]
    samples = (_alpha(table[:, rng.integers(0, count, count)]) for _ in range(RESAMPLES))
    values = [value for value in samples if value is not None]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _reasons(judgement: Judgement) -> str:
    return " ".join(f"{criterion}: {score.score}, {score.reason}" for criterion, score in judgement.scores.items())


def _svg(figure: Figure) -> str:
    from couch_explorers import plot_style  # noqa: PLC0415 - as above

    buffer = io.StringIO()
    with plot_style.sheet():
        # Without the date, so that the same scores give the same page.
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # Without the XML declaration, so that it can be embedded in HTML.
    return text[text.index("<svg") :]
