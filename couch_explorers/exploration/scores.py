"""A judge's scores of pictures, in a JSON Lines file that is also the judge's cache.

Each line is one answer: the question's hash (`key`), the picture (`id`), and a score from 1 to 5 with a reason for each criterion.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from couch_explorers.core.jobs import ID_PATTERN, canonical_json
from couch_explorers.exploration import json_lines
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.paths import Home
from couch_explorers.text_layout import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOWEST_SCORE, HIGHEST_SCORE = 1, 5
STAND_IN_MARK = "stand-in"


class BrokenScoreWarning(UserWarning):
    """A line of a scores file cannot be read; the warning names the file and the line's number."""


@dataclass(frozen=True)
class Score:
    """A judge's score of a picture by one criterion, 1 (not at all) to 5 (fully), with the reason."""

    score: int
    reason: str


@dataclass(frozen=True)
class Judgement:
    """A judge's answer for one picture.

    `scores` are by criterion, in the rubric's order; `usd` is the cost; `stand_in` means that no model has seen the picture;
    `at` is ISO, UTC; `key` is the hash of the question.
    """

    key: str
    id: str
    model: str
    scores: Mapping[str, Score]
    usd: float
    stand_in: bool
    at: str
    note: str = ""

    @property
    def mean(self) -> float:
        """The mean of all criteria."""
        return fmean(score.score for score in self.scores.values())

    @property
    def label(self) -> str:
        """The mean as shown beside a picture, such as "judged 4.3" or "judged 4.3 (stand-in)"."""
        return f"judged {self.mean:.1f}{f' ({STAND_IN_MARK})' if self.stand_in else ''}"

    def to_json(self) -> dict[str, Any]:
        """Return the line's object."""
        # A list, because the keys of an object are sorted on writing.
        scores = [{"criterion": criterion, **asdict(score)} for criterion, score in self.scores.items()]
        return asdict(self) | {"scores": scores}

    @classmethod
    def from_json(cls, value: Any) -> Judgement:
        """Parse a line's object; raises ValueError with a sentence for any other."""
        try:
            scores = {
                str(each["criterion"]): Score(int(each["score"]), str(each["reason"])) for each in value["scores"]
            }
            found = cls(
                key=str(value["key"]),
                id=str(value["id"]),
                model=str(value["model"]),
                scores=scores,
                usd=float(value["usd"]),
                stand_in=bool(value["stand_in"]),
                at=str(value["at"]),
                note=str(value.get("note", "")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError("it lacks what a judge's answer has.") from error
        out_of_range = any(not LOWEST_SCORE <= each.score <= HIGHEST_SCORE for each in scores.values())
        if not scores or out_of_range or not ID_PATTERN.fullmatch(found.id):
            raise ValueError("its scores or its id are out of range.")
        return found


@dataclass(frozen=True)
class ScoresFile:
    """A target's scores file, which need not exist yet. Several programs may append to it at once."""

    path: Path

    def read(self) -> list[Judgement]:
        """Read all answers, newest last; warns and raises like `tail`."""
        return self.tail(0)[0]

    def tail(self, start: int) -> tuple[list[Judgement], int]:
        """Read the answers from a byte offset on, newest last; skips invalid lines with a BrokenScoreWarning.

        Returns:
            The answers, and the offset after the last complete line.

        Raises:
            ExplorationError: the file cannot be read.

        """
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return [], start
        except OSError as error:
            raise ExplorationError(f"The scores in {self.path} cannot be read: {error.strerror or error}.") from error
        whole = data[: data.rfind(b"\n") + 1]
        found, broken = json_lines.parse(whole, lambda row: Judgement.from_json(json.loads(row)))
        for number, problem in broken.items():
            reason = "it is no JSON." if isinstance(problem, json.JSONDecodeError) else str(problem)
            warnings.warn(
                f"Line {number} of {self.path} is no score and is left out: {reason} Delete the line.",
                BrokenScoreWarning,
                stacklevel=3,
            )
        return found, start + len(whole)

    def add(self, judgement: Judgement) -> None:
        """Append an answer, on disk when this returns.

        Raises:
            ExplorationError: the file cannot be written.

        """
        with json_lines.locked(self.path, "score"):
            json_lines.append(self.path, [canonical_json(judgement.to_json())])


def with_score(label: str, judgement: Judgement | None) -> str:
    """Return a picture's label with its score, if there is one."""
    return label if judgement is None else f"{label}{SEPARATOR}{judgement.label}"


def scores_file(target: str) -> ScoresFile:
    """Return a target's scores file."""
    return ScoresFile(Home.current().scores(target))


def current_scores(target: str = "local") -> dict[str, Judgement]:
    """Return the newest answer for each picture, by id; raises like `ScoresFile.read`."""
    return {found.id: found for found in scores_file(target).read()}
