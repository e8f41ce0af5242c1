"""How far a judge's scores agree with people's stars: whether to trust the judge, and where to look.

Krippendorff's alpha is 1 where both always say the same, 0 where they agree no more than by chance, and negative where they
disagree more than that. It is computed on the interval scale of both, since a mean of several criteria lies between whole numbers.
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

# Krippendorff, Content Analysis (2004), p. 241: rely on what reaches 0.800, draw tentative conclusions from 0.667.
RELIABLE, TENTATIVE = 0.800, 0.667
# With fewer, the interval covers nearly everything that alpha can be.
MIN_PICTURES = 10
RESAMPLES = 1000
CONFIDENCE = 0.95
DIFFERENCES_SHOWN = 5
STAND_IN_WARNING = "Local stand-in: the scores come from no model, and this figure says nothing about one."


@dataclass(frozen=True)
class RatedPicture:
    """A picture that both people and the judge have seen: `stars` (1 to 5; none counts as 1) and the judge's mean score."""

    cell: CellView
    stars: int
    judgement: Judgement

    @property
    def difference(self) -> float:
        """By how much the judge's score is higher."""
        return self.judgement.mean - self.stars


@dataclass(frozen=True)
class Agreement:
    """A judge's agreement with people. A notebook shows it, with the pictures on which they differ most.

    `alpha` is Krippendorff's, `low` and `high` bound its bootstrap interval of 95 %; all are None where it is not known, and
    `unknown` says why. `pictures` are those that both have seen, the largest difference first.
    """

    pictures: tuple[RatedPicture, ...]
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    unknown: str = ""

    @property
    def n(self) -> int:
        """How many pictures both have seen."""
        return len(self.pictures)

    @property
    def stand_in(self) -> bool:
        """Whether any of the scores is the local cloud's stand-in."""
        return any(each.judgement.stand_in for each in self.pictures)

    @property
    def verdict(self) -> Verdict:
        """OK where even the interval's lower end is reliable enough for tentative conclusions.

        NO DATA where alpha is not known, and for a stand-in, whose agreement says nothing.
        """
        if self.alpha is None or self.low is None or self.stand_in:
            return Verdict.NO_DATA
        if self.low >= TENTATIVE:
            return Verdict.OK
        return Verdict.WARN if self.alpha >= TENTATIVE else Verdict.BAD

    @property
    def sentence(self) -> str:
        """What was found, and what follows from it."""
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
        """The verdict, for `couch run`: a judge that does not agree is worth a warning, and no failure of the sweep.

        None where no picture has both stars and scores.
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
        """Draw the judge's scores over people's stars; a stand-in is marked across the plot."""
        from couch_explorers import plot_style  # noqa: PLC0415 - it takes its time, and the sentence needs none of it

        with plot_style.sheet():
            return self._draw()

    def _draw(self) -> Figure:
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above

        from couch_explorers import plot_style  # noqa: PLC0415 - as above

        drawn = Figure(figsize=(4.6, 4.0), layout="constrained")
        axes = drawn.add_subplot()
        points: dict[tuple[int, float], int] = {}
        for each in self.pictures:
            place = (each.stars, round(each.judgement.mean, 1))
            points[place] = points.get(place, 0) + 1
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
        known = (
            f"alpha {self.alpha:.2f} ({self.low:.2f} to {self.high:.2f})"
            if self.alpha is not None
            else "alpha not known"
        )
        axes.set_title(f"{known}, n = {self.n}", loc="left")
        axes.grid(axis="x")
        if self.stand_in:
            axes.text(
                0.5, 0.5, "STAND-IN\nno model was asked", transform=axes.transAxes, ha="center", va="center",
                rotation=28, fontsize=18, color=plot_style.ALARM, alpha=0.35, zorder=3,
            )  # fmt: skip
        return drawn

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
    """Compare a judge's newest scores of a sweep's pictures with the stars that people gave them.

    Args:
        pictures: a sweep's result; pictures without stars or without scores are left out.
        target: whose ratings and scores; by default the frame's.

    Returns:
        Alpha with its interval; not known where fewer than MIN_PICTURES have both, or where either side always says the same.

    Raises:
        ExplorationError: the frame is no sweep's result, or a file cannot be read.

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
    cells: Sequence[CellView], said: Mapping[str, Rating], judged: Mapping[str, Judgement]
) -> list[RatedPicture]:
    """Find the pictures that have both; one that several cells show is taken once."""
    found: dict[str, RatedPicture] = {}
    for cell in cells:
        name = picture_id(cell) if cell.path is not None else ""
        rating, judgement = said.get(name), judged.get(name)
        if rating is not None and rating.stars is not None and judgement is not None:
            found.setdefault(name, RatedPicture(cell, max(1, rating.stars), judgement))
    return list(found.values())


def _alpha(table: np.ndarray) -> float | None:
    """Compute Krippendorff's alpha of two rows; None where all values are the same, for which it is not defined."""
    import krippendorff  # noqa: PLC0415 - loaded where it is needed

    if np.unique(table).size == 1:
        return None
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="interval"))


def _interval(table: np.ndarray) -> tuple[float, float]:
    """Bound alpha by a bootstrap over the pictures, drawn with a fixed seed so that the same ratings give the same interval."""
    rng = np.random.default_rng(0)
    count = table.shape[1]
    drawn = (_alpha(table[:, rng.integers(0, count, count)]) for _ in range(RESAMPLES))
    values = [value for value in drawn if value is not None]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _reasons(judgement: Judgement) -> str:
    return " ".join(f"{criterion}: {score.score}, {score.reason}" for criterion, score in judgement.scores.items())


def _svg(figure: Figure) -> str:
    from couch_explorers import plot_style  # noqa: PLC0415 - as above

    buffer = io.StringIO()
    with plot_style.sheet():
        # Without the date: the same scores give the same page.
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    # Without the declaration before it, so that it can stand inside of HTML.
    return text[text.index("<svg") :]
