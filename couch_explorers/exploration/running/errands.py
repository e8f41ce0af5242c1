"""What a run by the queue knows of each of its cells: whether its job was sent, by whom, and that it is told of once."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.cells import Cell
    from couch_explorers.exploration.outcomes import Status
    from couch_explorers.exploration.running.cache import CachedPicture, ImageCache

# In the cache's record of a request: when its job went to the queue (UTC), and the mark of the note that an earlier try had
# left in the bucket by then. They go when the answer is known.
SENT = "sent"
OLD_NOTE = "old_note"


class Sender(StrEnum):
    """Who has asked for the picture, in the words that its row says when it comes."""

    THIS_RUN = ""
    NOBODY = "Fetched from the bucket."
    EARLIER_RUN = "Sent by an earlier run."
    OTHER_RUN = "Made by another run meanwhile."


@dataclass
class Errand:
    """A cell and its job on the way through the queue.

    `sent` is when the job went off, as time.monotonic has it or would have had it; None while `sender` is nobody. `recorded`
    is the same as the cache's record has it. `old_note` is the mark of a note that is no news; `fetching` is set while the
    answer is read.
    """

    cell: Cell
    job: Job
    sender: Sender = Sender.NOBODY
    sent: float | None = None
    old_note: str = ""
    fetching: bool = False
    recorded: str = ""

    @property
    def id(self) -> str:
        """The id of the job, which names the picture."""
        return self.job.id

    @property
    def is_sent_by_others(self) -> bool:
        """Whether the job was sent, and not by this run: then nobody knows for sure that it is in the queue."""
        return self.sender in (Sender.EARLIER_RUN, Sender.OTHER_RUN)

    def recall(self, record: dict[str, Any]) -> None:
        """Take from the cache's record what an earlier run has done."""
        self.recorded = _sent_text(record)
        if self.recorded:
            age = (datetime.now(UTC) - datetime.fromisoformat(self.recorded)).total_seconds()
            self.sender, self.sent = Sender.EARLIER_RUN, time.monotonic() - max(age, 0.0)
            self.old_note = str(record.get(OLD_NOTE, ""))

    def begin(self, cache: ImageCache) -> None:
        """Note, before the job goes off, that it does; raises ExplorationError where the cache takes no note."""
        self.recorded = datetime.now(UTC).isoformat()
        old_note = {OLD_NOTE: self.old_note} if self.old_note else {}
        cache.note_request(self.job, **{SENT: self.recorded}, **old_note)
        self.sender, self.sent = Sender.THIS_RUN, time.monotonic()

    def is_begun_elsewhere(self, record: dict[str, Any]) -> bool:
        """Tell whether another run has noted a sending since this one looked."""
        return _sent_text(record) not in ("", self.recorded)

    def leave_to_another_run(self, record: dict[str, Any]) -> None:
        """Wait for what another run asks for just now."""
        self.recorded = _sent_text(record)
        self.sender, self.sent = Sender.OTHER_RUN, time.monotonic()

    def forget(self, cache: ImageCache) -> None:
        """Note that the job is not in the queue any more, so that the next run sends it."""
        self.sender, self.sent, self.recorded = Sender.NOBODY, None, ""
        with suppress(ExplorationError):
            cache.note_request(self.job)


def _sent_text(record: dict[str, Any]) -> str:
    """Read when the job went off; empty where it did not, where its picture is known, or where that is no time."""
    text = record.get(SENT)
    if not isinstance(text, str) or "kept" in record:
        return ""
    try:
        return text if datetime.fromisoformat(text).tzinfo is not None else ""
    except ValueError:
        return ""


class Errands:
    """The errands that are not finished; each is reported once, from whichever thread."""

    def __init__(self, cells: Iterable[Cell], report: Callable[[Outcome], None]) -> None:
        self._left = {cell.id: Errand(cell, cell.job) for cell in cells if cell.job is not None}
        self._report = report
        self._guard = threading.Lock()

    def __bool__(self) -> bool:
        """Whether any is left."""
        return bool(self._left)

    def all(self) -> list[Errand]:
        """Those that are left."""
        with self._guard:
            return list(self._left.values())

    def to_look_for(self) -> list[Errand]:
        """Those of which no answer has been seen yet."""
        return [errand for errand in self.all() if not errand.fetching]

    def get(self, job_id: str) -> Errand | None:
        """The errand of this id, None when it is finished."""
        return self._left.get(job_id)

    def finish_with(self, errand: Errand, picture: CachedPicture, status: Status, sender: Sender, **more: Any) -> None:
        """Report an errand that has its picture."""
        size = {"path": picture.path, "width": picture.width, "height": picture.height}
        self.finish(errand, status, sender.value, **size, **more)

    def finish(self, errand: Errand, status: Status, reason: str = "", **more: Any) -> None:
        """Report how an errand ended, unless that was done; `more` are further fields of the Outcome."""
        with self._guard:
            if self._left.pop(errand.id, None) is None:
                return
        self._report(Outcome(errand.cell.number, status, reason, **more))
