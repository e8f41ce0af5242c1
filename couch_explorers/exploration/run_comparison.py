"""Comparison of two runs of the same cells, such as before and after a model was replaced.

Cells are paired by their whole request except the model. A pair's pictures are compared by their pixels and, if these differ,
by a perceptual hash (pHash): 64 bits that summarize a picture, most of which similar pictures share.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from couch_explorers import checks, formatting
from couch_explorers.checks import Check, Verdict
from couch_explorers.exploration import results
from couch_explorers.exploration.cards import picture_html
from couch_explorers.exploration.contact_sheet import origin_sentence, run_date
from couch_explorers.exploration.grid import axis_label, cell_views
from couch_explorers.exploration.page_layout import PageMetrics, PictureRow, page_frame, picture_slot
from couch_explorers.exploration.ratings import current_ratings, picture_id, target_of
from couch_explorers.exploration.scores import STAND_IN_MARK, current_scores
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.thumbnails import load_rgb
from couch_explorers.files import write_whole
from couch_explorers.html import render
from couch_explorers.text_layout import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pandas as pd
    from PIL import Image

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import Rating
    from couch_explorers.exploration.scores import Judgement

# Of 64 bits. Pictures of one scene that differ in grain, light or compression are up to about ten apart
# (https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html); unrelated ones are about 32 apart.
NEAR_BITS = 10
HASH_BITS = 64
# How far the pairs' mean score may fall without a warning, on a scale from 1 to 5.
SCORE_TOLERANCE = 0.5
PAIRS_SHOWN = 24
PAIRS_A_PAGE = 4


class Change(StrEnum):
    """The difference between the two pictures of a pair."""

    SAME = "same"  # byte for byte, or pixel by pixel
    NEAR = "near"  # at most NEAR_BITS of the perceptual hash
    CHANGED = "changed"
    LOST = "lost"  # the old run has a picture, the new one has none
    GAINED = "gained"  # the new run has a picture, the old one has none
    MISSING = "missing"  # neither has one


@dataclass(frozen=True)
class Pair:
    """A cell of the old run and the cell of the new run with the same request, except for the model.

    `distance` is the number of bits in which the perceptual hashes differ, None unless both have a picture; missing ratings
    and judgements are None.
    """

    old: CellView
    new: CellView
    change: Change
    distance: int | None = None
    ratings: tuple[Rating | None, Rating | None] = (None, None)
    judgements: tuple[Judgement | None, Judgement | None] = (None, None)

    @property
    def label(self) -> str:
        """The common request: prompt, values, seed and size."""
        variables = (value.name for value in self.old.variables)
        return SEPARATOR.join(
            (self.old.prompt_name, *variables, axis_label("seed", self.old), axis_label("size", self.old))
        )

    @property
    def score_change(self) -> float | None:
        """The change of the judge's mean score."""
        old, new = self.judgements
        return None if old is None or new is None else new.mean - old.mean


@dataclass(frozen=True)
class RunComparison:
    """Two runs, cell by cell. A notebook shows the verdicts and the pairs; `save(path)` writes a sheet of the pairs.

    `only_old` and `only_new` are cells that the other run does not have.
    """

    pairs: tuple[Pair, ...]
    only_old: tuple[CellView, ...]
    only_new: tuple[CellView, ...]
    targets: tuple[str, str]
    runs: tuple[Path | None, Path | None]

    @property
    def counts(self) -> dict[Change, int]:
        """The number of pairs of each kind, without zeros."""
        found = Counter(pair.change for pair in self.pairs)
        return {change: found[change] for change in Change if found[change]}

    @property
    def frame(self) -> pd.DataFrame:
        """One row per pair.

        Columns: number_old, number_new, prompt_name, seed, size, model_old, model_new, change, distance (bits of 64), verdict_old,
        verdict_new, stars_old, stars_new, score_old, score_new; any of them may be missing.
        """
        import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

        rows = [
            {
                "number_old": pair.old.number,
                "number_new": pair.new.number,
                "prompt_name": pair.old.prompt_name,
                "seed": pair.old.seed,
                "size": pair.old.size,
                "model_old": pair.old.model,
                "model_new": pair.new.model,
                "change": str(pair.change),
                "distance": pair.distance,
                **{f"verdict_{side}": rating.verdict if rating else None for side, rating in _sides(pair.ratings)},
                **{f"stars_{side}": rating.stars if rating else None for side, rating in _sides(pair.ratings)},
                **{f"score_{side}": found.mean if found else None for side, found in _sides(pair.judgements)},
            }
            for pair in self.pairs
        ]
        frame = pd.DataFrame(rows)
        return frame.astype(dict.fromkeys(("distance", "stars_old", "stars_new"), "Int64"))

    @property
    def checks(self) -> tuple[Check, ...]:
        """The verdicts that a workflow can fail on, see `checks.raise_for_verdicts` and its `fail_on`.

        BAD: a picture was lost, or a cell is missing in the new run. WARN: a picture has changed, a kept picture has changed,
        or the mean score fell by more than SCORE_TOLERANCE. NO DATA: no pair was judged in both runs.
        """
        return (self._pictures(), self._kept(), self._scores(), self._cells())

    def _pictures(self) -> Check:
        counts = self.counts
        verdict = Verdict.BAD if counts.get(Change.LOST) else Verdict.WARN if counts.get(Change.CHANGED) else Verdict.OK
        lost = [
            f"{pair.label}: {pair.new.reason or pair.new.status}" for pair in self.pairs if pair.change is Change.LOST
        ]
        more = f" Lost: {'; '.join(lost[:3])}" if lost else ""
        return Check("pictures", verdict, 0.0, f"{self.sentence}{more}")

    def _kept(self) -> Check:
        kept = [pair for pair in self.pairs if pair.ratings[0] is not None and pair.ratings[0].verdict == "keep"]
        if not kept:
            return Check("kept pictures", Verdict.NO_DATA, 0.0, "No picture of the old run was kept.")
        changed = [pair for pair in kept if pair.change not in (Change.SAME, Change.NEAR)]
        verdict = Verdict.WARN if changed else Verdict.OK
        summary = f"{len(kept) - len(changed)} of {len(kept)} kept pictures look as before."
        named = f" Rate again: {'; '.join(pair.label for pair in changed[:3])}." if changed else ""
        return Check("kept pictures", verdict, 0.0, summary + named)

    def _scores(self) -> Check:
        both = [pair for pair in self.pairs if pair.score_change is not None]
        if not both:
            return Check(
                "judge's scores", Verdict.NO_DATA, 0.0, "No pair was judged in both runs: judge(pictures, rubric)."
            )
        fell = -fmean(pair.score_change or 0.0 for pair in both)
        old, new = (fmean(each.mean for pair in both if (each := pair.judgements[side])) for side in (0, 1))
        stand_in = any(each.stand_in for pair in both for each in pair.judgements if each)
        mark = f" ({STAND_IN_MARK}: no model has looked at the pictures)" if stand_in else ""
        summary = f"Mean score {old:.2f} before, {new:.2f} after, in {formatting.count(len(both), 'pair')}{mark}."
        return Check("judge's scores", Verdict.WARN if fell > SCORE_TOLERANCE else Verdict.OK, 0.0, summary)

    def _cells(self) -> Check:
        if not self.only_old and not self.only_new:
            return Check(
                "cells", Verdict.OK, 0.0, f"Both runs have the same {formatting.count(len(self.pairs), 'cell')}."
            )
        summary = f"{len(self.only_old)} only in the old run, {len(self.only_new)} only in the new one."
        return Check("cells", Verdict.BAD if self.only_old else Verdict.WARN, 0.0, summary)

    @property
    def sentence(self) -> str:
        """The number of pairs of each kind, and the models."""
        counts = ", ".join(f"{count} {change}" for change, count in self.counts.items())
        old, new = (
            " and ".join(dict.fromkeys(each.model_name for each in side))
            for side in zip(*self._cells_of_pairs, strict=True)
        )
        return f"{formatting.count(len(self.pairs), 'pair')}, {old} against {new}: {counts}."

    @property
    def _cells_of_pairs(self) -> list[tuple[CellView, CellView]]:
        return [(pair.old, pair.new) for pair in self.pairs]

    def pages(self) -> list[Image.Image]:
        """Draw the pairs, the old picture on the left and the new one on the right, PAIRS_A_PAGE per page."""
        metrics = PageMetrics(2)
        groups = [self.pairs[start : start + PAIRS_A_PAGE] for start in range(0, len(self.pairs), PAIRS_A_PAGE)]
        images = []
        for number, page_pairs in enumerate(groups, start=1):
            frame = page_frame(
                metrics,
                title="Before and after",
                purpose=self.sentence,
                texts=[],
                facts=[],
                foot=tuple(
                    origin_sentence(
                        [pair.old if side == 0 else pair.new for pair in page_pairs],
                        self.targets[side],
                        run_date(self.runs[side]),
                    )
                    for side in (0, 1)
                ),
            )
            rows = [
                PictureRow(
                    (
                        picture_slot(pair.old, [pair.label, pair.old.model_name], metrics),
                        picture_slot(pair.new, [_change_label(pair), pair.new.model_name], metrics),
                    ),
                    metrics,
                )
                for pair in page_pairs
            ]
            images.append(frame.page(rows, number, len(groups)))
        return images

    def save(self, folder: Path | str) -> list[Path]:
        """Write the pages as `pairs-1.png` and so on into a folder, and return their paths."""
        written = []
        for number, page in enumerate(self.pages(), start=1):
            buffer = io.BytesIO()
            page.save(buffer, "PNG")
            written.append(write_whole(Path(folder) / f"pairs-{number}.png", buffer.getvalue()))
        return written

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        # The largest changes come first.
        order = sorted(self.pairs, key=lambda pair: -(HASH_BITS if pair.distance is None else pair.distance))
        shown = render(
            "exploration/run_comparison.html.j2",
            sentence=self.sentence,
            pairs=[
                {
                    "label": pair.label,
                    "change": _change_label(pair),
                    "sides": [_side(cell, rating, judgement) for cell, rating, judgement in _both(pair)],
                }
                for pair in order[:PAIRS_SHOWN]
            ],
            hidden=max(0, len(order) - PAIRS_SHOWN),
        )
        return checks.bundle(self.checks, checks.table(self.checks) + shown) | {"text/plain": self.sentence}


def compare_runs(old: pd.DataFrame | Path | str, new: pd.DataFrame | Path | str) -> RunComparison:
    """Pair the cells of two runs by their whole request except the model, and compare their pictures.

    Args:
        old: a sweep's result, or the folder of a saved run.
        new: likewise. Where a run has several models, each prompt, seed and size is paired in the order of the models.

    Raises:
        ExplorationError: one of them is not a result, or they have no cell in common.

    """
    frames = [results.load(each) if isinstance(each, str | Path) else each for each in (old, new)]
    targets = [target_of(frame) for frame in frames]
    ratings = [current_ratings(target) for target in targets]
    judgements = [current_scores(target) for target in targets]
    matched, unmatched = _match(cell_views(frames[0]), cell_views(frames[1]))
    pairs = []
    for before, after in matched:
        names = [_name(before), _name(after)]
        change, distance = compare_pictures(before, after)
        pair_ratings = (ratings[0].get(names[0]), ratings[1].get(names[1]))
        pairs.append(
            Pair(
                before,
                after,
                change,
                distance,
                pair_ratings,
                (judgements[0].get(names[0]), judgements[1].get(names[1])),
            )
        )
    if not pairs:
        raise ExplorationError(
            "The two runs have no cell in common: give runs with the same prompts, seeds and sizes; only the model may differ.",
        )
    runs = (results.context_of(frames[0]).run, results.context_of(frames[1]).run)
    return RunComparison(tuple(pairs), tuple(unmatched[0]), tuple(unmatched[1]), (targets[0], targets[1]), runs)


def compare_pictures(old: CellView, new: CellView) -> tuple[Change, int | None]:
    """Compare the pictures of two cells; return the change, and the distance of their perceptual hashes in bits.

    A picture whose file is missing or damaged counts as none.
    """
    images = [load_rgb(cell.path) if cell.path is not None else None for cell in (old, new)]
    if images[0] is None or images[1] is None:
        if images[0] is None and images[1] is None:
            return Change.MISSING, None
        return (Change.GAINED if images[0] is None else Change.LOST), None
    if images[0].size == images[1].size and images[0].tobytes() == images[1].tobytes():
        return Change.SAME, 0
    import imagehash  # noqa: PLC0415 - imports SciPy, which is slow

    distance = int(imagehash.phash(images[0]) - imagehash.phash(images[1]))
    return (Change.NEAR if distance <= NEAR_BITS else Change.CHANGED), distance


def _match(
    old: Sequence[CellView], new: Sequence[CellView]
) -> tuple[list[tuple[CellView, CellView]], tuple[list[CellView], list[CellView]]]:
    """Pair the cells, in the old run's order; also return those without a counterpart."""

    def request(cell: CellView, *, with_cfg_scale: bool) -> Hashable:
        return (cell.prompt, cell.seed, cell.size, cell.negative_prompt, cell.cfg_scale if with_cfg_scale else None)

    found: dict[int, CellView] = {}
    unmatched = list(new)
    # A cfg scale that only one of the models accepts must not keep two cells apart.
    for with_cfg_scale in (True, False):
        by_request: dict[Hashable, list[CellView]] = {}
        for cell in unmatched:
            by_request.setdefault(request(cell, with_cfg_scale=with_cfg_scale), []).append(cell)
        for index, cell in enumerate(old):
            candidates = by_request.get(request(cell, with_cfg_scale=with_cfg_scale), [])
            if index not in found and candidates:
                found[index] = candidates.pop(0)
        unmatched = [cell for cells in by_request.values() for cell in cells]
    pairs = [(cell, found[index]) for index, cell in enumerate(old) if index in found]
    return pairs, ([cell for index, cell in enumerate(old) if index not in found], unmatched)


def _name(cell: CellView) -> str:
    return picture_id(cell) if cell.path is not None else ""


def _sides(values: tuple[Any, Any]) -> list[tuple[str, Any]]:
    return list(zip(("old", "new"), values, strict=True))


def _both(pair: Pair) -> list[tuple[CellView, Rating | None, Judgement | None]]:
    return list(zip((pair.old, pair.new), pair.ratings, pair.judgements, strict=True))


def _side(cell: CellView, rating: Rating | None, judgement: Judgement | None) -> Mapping[str, Any]:
    details = [cell.model_name]
    if rating is not None and rating.verdict is not None:
        details.append({"keep": "kept", "reject": "rejected"}[rating.verdict])
    if rating is not None and rating.stars is not None:
        details.append(formatting.count(rating.stars, "star"))
    if judgement is not None:
        details.append(judgement.label)
    picture = picture_html(cell.path, cell.prompt) if cell.path is not None else ""
    return {"picture": picture, "reason": cell.reason or str(cell.status), "details": SEPARATOR.join(details)}


def _change_label(pair: Pair) -> str:
    return str(pair.change) if pair.distance is None else f"{pair.change} ({pair.distance} of {HASH_BITS} bits)"
