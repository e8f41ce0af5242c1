"""The result of a sweep as one sentence, and as checks for `couch run`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers import checks as found
from couch_explorers import formatting
from couch_explorers.checks import Check, Verdict
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.results import WITH_PICTURE, Status, context_of

if TYPE_CHECKING:
    import pandas as pd


# A refused or filtered cell has its answer; a failed one does not.
VERDICTS = {
    Status.REFUSED: Verdict.WARN,
    Status.FILTERED: Verdict.WARN,
    Status.THROTTLED: Verdict.BAD,
    Status.FAILED: Verdict.BAD,
    Status.STOPPED: Verdict.BAD,
}
MAX_REASONS_SHOWN = 3


@dataclass(frozen=True)
class SweepSummary:
    """The outcome of a sweep. Displayed by a notebook as a table of checks with the sentence above it."""

    sentence: str
    checks: tuple[Check, ...]

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        shown = found.bundle(self.checks, f"<p>{self.sentence}</p>{found.table(self.checks)}")
        return shown | {"text/plain": f"{self.sentence}\n{shown['text/plain']}"}


def conclude(pictures: pd.DataFrame) -> SweepSummary:
    """Judge the result of `Sweep.run`: BAD if a cell failed or the run was not started, WARN if a model or its filter refused, else OK."""
    statuses = Counter(Status(status) for status in pictures["status"])
    available = sum(statuses[status] for status in WITH_PICTURE)
    seconds = float(pictures["seconds"].fillna(0).sum())
    checks = [
        Check(
            "pictures",
            Verdict.OK if available == len(pictures) else Verdict.WARN if available else Verdict.BAD,
            round(seconds, 3),
            f"{available} of {len(pictures)} are there: {', '.join(f'{statuses[s]} {s}' for s in Status if statuses[s])}.",
        ),
    ]
    unstarted = context_of(pictures).unstarted
    if unstarted:
        checks.append(Check("run started", Verdict.BAD, 0.0, unstarted))
    for status, verdict in VERDICTS.items():
        # In a run that was not started, all stopped cells have the reason listed above.
        if statuses[status] and not (unstarted and status is Status.STOPPED):
            checks.append(Check(f"{status} cells", verdict, 0.0, _reasons(pictures, status)))
    return SweepSummary(_sentence(pictures, available, statuses), tuple(checks))


def _sentence(pictures: pd.DataFrame, available: int, statuses: Counter[Status]) -> str:
    new, paid = statuses[Status.MADE], formatting.usd(float(pictures["usd"].sum()), exact=True)
    sentence = f"{available} of {len(pictures)} pictures are there"
    if not new:
        return f"{sentence}, none of them new: nothing was paid."
    if context_of(pictures).target == "local":
        return f"{sentence}, {new} of them new; on AWS these would have cost {paid} (prices of {PRICES_AS_OF})."
    return f"{sentence}, {new} of them new, for {paid} (prices of {PRICES_AS_OF})."


def _reasons(pictures: pd.DataFrame, status: Status) -> str:
    """List each reason once, most frequent first."""
    reasons = Counter(pictures.loc[pictures["status"] == status, "reason"])
    shown = [f"{count} x {reason}" for reason, count in reasons.most_common(MAX_REASONS_SHOWN)]
    if len(reasons) > MAX_REASONS_SHOWN:
        shown.append(f"and {len(reasons) - MAX_REASONS_SHOWN} more reasons in results.csv")
    return "\n".join(shown)
