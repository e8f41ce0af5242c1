"""A cell's turn in a direct run: who holds it, what has been made of it, and how it ends when something goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from couch_explorers.core.errors import BlockedError, GenerationError, ModelTimeoutError, ThrottledError
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Outcome, Status

if TYPE_CHECKING:
    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.cells import Cell
    from couch_explorers.exploration.running.cache import CachedPicture, Claim

# How a cell ends that the model has turned away; every other error is FAILED.
STATUS_OF: dict[type[Exception], Status] = {BlockedError: Status.FILTERED, ThrottledError: Status.THROTTLED}


@dataclass
class Turn:
    """A cell on its way: who holds it, and what has been made of it so far."""

    cell: Cell
    job: Job
    claim: Claim | None = None
    png: bytes = field(default=b"", repr=False)
    # The seed that the model used.
    seed: int = 0
    outcome: Outcome | None = None

    def give_back_claim(self) -> None:
        """Let another process have the picture, or the right to pay for it."""
        if self.claim is not None:
            self.claim.release()


def with_file(outcome: Outcome, picture: CachedPicture) -> Outcome:
    """Say where the picture is here, and its size."""
    return replace(outcome, path=picture.path, width=picture.width, height=picture.height)


def failure(turn: Turn, error: Exception) -> Outcome:
    """Say what ended a turn; what was paid by then stays said."""
    status = STATUS_OF.get(type(error), Status.FAILED)
    return replace(turn.outcome or Outcome(turn.cell.number, status), status=status, reason=why(error))


def why(error: Exception) -> str:
    """Say what went wrong, for a person; a call that timed out may have cost something."""
    if isinstance(error, ModelTimeoutError):
        return f"{error.reason}: {error.detail} It may have been billed."
    if isinstance(error, GenerationError):
        return f"{error.reason}: {error.detail}"
    return str(error) if isinstance(error, ExplorationError) else f"{type(error).__name__}: {error}"
