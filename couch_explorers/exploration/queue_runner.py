"""Runs a sweep through the deployed queue: jobs are sent, the Lambda workers make the pictures, the bucket has the results.

A job's id is its cell's, which follows from its request: the worker looks for the picture before it pays for it, so that
a job which is sent twice is paid once. Each job leaves its picture in the bucket, or an error note that says why there is none.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from couch_explorers.core.errors import StorageError
from couch_explorers.core.image_models import parse_arn
from couch_explorers.exploration import bucket
from couch_explorers.exploration.queue_transport import JobSender, QueueJobs, ResultReader, Sender
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from couch_explorers.exploration.cache import ImageCache
    from couch_explorers.exploration.queue_transport import QueueJob
    from couch_explorers.exploration.results import Outcome
    from couch_explorers.exploration.sweep_spec import Cell
    from couch_explorers.workspace import Workspace


# Seconds between two looks into the bucket: soon at first, seldom while nothing comes. And looking takes at most a fifth
# of the time: on AWS that is some five paid requests a second ($0.09 an hour), here it leaves the processor to the painters.
FIRST_PAUSE_S = 0.2
PAUSE_GROWTH = 1.5
LONGEST_PAUSE_S = 3.0
PAUSE_PER_LOOK = 4.0
# Seconds between two glances at this run's own threads, when the rest of the answers are being read.
READING_PAUSE_S = 0.02

# Seconds without a picture, a note or a job sent after which a run stops waiting. A model takes seconds, a throttled job
# comes back after a few minutes; however long the queue is, somebody's turn comes meanwhile.
SILENCE_S = 300.0

# Seconds after which a job that another run has sent counts as lost when nothing is heard of any: the worker puts a
# throttled job off by as much. Sending it again is harmless, only a little waste.
LOST_AFTER_S = 900.0
# Where the queue says that it is empty, it is believed this long after the sending (SQS API reference, GetQueueAttributes:
# the numbers are right a minute after the producers have stopped).
EMPTY_AFTER_S = 60.0

# botocore keeps ten connections open to a host: more threads would only wait for each other, and one looks around.
MOST_THREADS = 8

NOT_SENT = "It was not sent: run again."
NOT_LOST = "The job is in the queue and not lost: run again to look for its picture."
STOPPED = "It was sent and will be made all the same: run again to fetch it."


def run(
    cells: Sequence[Cell],
    *,
    workspace: Workspace,
    cache: ImageCache,
    concurrency: int,
    report: Callable[[Outcome], None],
    stop: threading.Event,
) -> None:
    """Send each cell's job to the queue and fetch what the workers make; calls `report` once a cell, from any thread.

    The cells are unique, have a job each, and are not in the cache. `concurrency` bounds the threads that send and fetch;
    how many workers paint is the deploy's matter. When `stop` is set it returns within seconds, and what was sent stays
    in the queue. Raises ExplorationError only where there is no queue.
    """
    if workspace.queue_url is None:
        raise ExplorationError(f"{not_deployed('queue', workspace.target)}.")
    QueueRun(cells, workspace, cache, min(max(concurrency, 1), MOST_THREADS), report, stop).go()


class QueueRun:
    """One run: what its threads share, and the loop that looks into the bucket."""

    def __init__(
        self,
        cells: Sequence[Cell],
        workspace: Workspace,
        cache: ImageCache,
        threads: int,
        report: Callable[[Outcome], None],
        stop: threading.Event,
    ) -> None:
        self._workspace, self._cache, self._stop = workspace, cache, stop
        self._errands = QueueJobs(cells, report)
        self._s3 = workspace.client("s3")
        self._inbox = ResultReader(self._s3, workspace, self._errands, cache, threads)
        sqs, url = workspace.client("sqs"), str(workspace.queue_url)
        self._outbox = JobSender(sqs, url, self._errands, cache, threads, stop)
        self._last_count = time.monotonic()
        # Why the last look came to nothing; empty after one that did not.
        self._trouble = ""

    def go(self) -> None:
        """Do all of it; every errand is reported when this returns."""
        try:
            self._refuse_foreign_models()
            if (seen := self._first_look()) is not None:
                self._outbox.post(self._sort(seen))
                self._watch()
        except StorageError as error:
            # Without the bucket nobody can tell what came of the jobs.
            self._give_up(f"{error.reason}: {error.detail}")
        finally:
            self._outbox.close()
            self._inbox.close()
            for errand in self._errands.all():
                self._errands.finish(errand, Status.STOPPED, NOT_SENT if errand.sent is None else STOPPED)

    def _refuse_foreign_models(self) -> None:
        """Refuse what the worker would: a model that it was not deployed with."""
        allowed = [parse_arn(arn)[1] for arn in self._workspace.model_arns]
        for errand in self._errands.all():
            if errand.job.model.id not in allowed:
                sentence = f"The queue's worker may not use {errand.job.model.id}: use one of {', '.join(allowed)}."
                self._errands.finish(errand, Status.REFUSED, sentence)

    def _first_look(self) -> bucket.BucketListing | None:
        """Look until a look succeeds; None when there is nothing to look for, or nothing answers for too long."""
        while self._errands and not self._stop.is_set():
            if (seen := self._look()) is not None:
                return seen
            if self._is_silent():
                self._give_up(f"Storage: {self._trouble}")
            self._stop.wait(LONGEST_PAUSE_S)
        return None

    def _sort(self, seen: bucket.BucketListing) -> list[QueueJob]:
        """Fetch what is there, wait for what earlier runs have left in the queue, and return what is to be sent."""
        for errand in self._errands.all():
            errand.recall(self._cache.record(errand.id))
            note = seen.notes.get(errand.id, "")
            if errand.id in seen.pictures:
                # There before this run asked for it, no matter by whom.
                errand.sender, errand.sent = Sender.NOBODY, None
                self._inbox.read_picture(errand)
            elif errand.sent is None:
                errand.old_note = note
            elif note not in ("", errand.old_note):
                # The run that had sent it was gone when the answer came.
                self._inbox.read_note(errand)
        to_send = [errand for errand in self._errands.to_look_for() if errand.sent is None]
        noted = [errand.job for errand in to_send if errand.old_note]
        gone = bucket.remove_notes(self._s3, self._workspace.bucket, self._workspace.prefix, noted)
        for errand in to_send:
            if errand.id in gone:
                errand.old_note = ""
        return to_send + self._lost()

    def _watch(self) -> None:
        """Look into the bucket until every errand has its answer, nothing comes any more, or the run is stopped."""
        idle_s, took_s = FIRST_PAUSE_S, 0.0
        while self._errands:
            looking = bool(self._errands.to_look_for())
            if self._stop.wait(max(idle_s, PAUSE_PER_LOOK * took_s) if looking else READING_PAUSE_S):
                return
            began = time.monotonic()
            seen = self._look()
            # A look that failed took botocore's patience, which tells nothing about the next one.
            took_s = time.monotonic() - began if seen is not None else 0.0
            arrived = seen is not None and self._take(seen)
            idle_s = FIRST_PAUSE_S if arrived else min(idle_s * PAUSE_GROWTH, LONGEST_PAUSE_S)
            if time.monotonic() - self._last_count >= EMPTY_AFTER_S:
                self._outbox.post(self._lost())
            if self._is_silent():
                log = f"/aws/lambda/{self._workspace.functions.get('worker', 'the worker')}"
                why = f"Queue: nothing came for {SILENCE_S:.0f} s (the worker's log: {log})."
                self._give_up(f"{why} {self._trouble or self._inbox.trouble}".strip())

    def _look(self) -> bucket.BucketListing | None:
        """Look for every answer that is still missing; None where the bucket did not answer and may do so later."""
        ids = [errand.id for errand in self._errands.to_look_for()]
        try:
            seen = bucket.find_results(self._s3, self._workspace.bucket, self._workspace.prefix, ids)
        except StorageError as error:
            if not error.passing:
                raise
            self._trouble = error.detail
            return None
        self._trouble = ""
        return seen

    def _take(self, seen: bucket.BucketListing) -> bool:
        """Have read what has come, and tell whether anything has."""
        arrived = False
        for errand in self._errands.to_look_for():
            if errand.id in seen.pictures:
                self._inbox.read_picture(errand)
            elif seen.notes.get(errand.id, "") not in ("", errand.old_note):
                self._inbox.read_note(errand)
            arrived = arrived or errand.fetching
        return arrived

    def _lost(self) -> list[QueueJob]:
        """Find the jobs of other runs that are probably not in the queue any more."""
        now = self._last_count = time.monotonic()
        others = [errand for errand in self._errands.to_look_for() if errand.is_sent_by_others]
        empty = bool(others) and self._outbox.is_queue_empty()
        # Where something has come of late, the queue is long rather than the job lost.
        return [
            errand
            for errand in others
            if (empty and now - (errand.sent or 0.0) >= EMPTY_AFTER_S)
            or now - max(errand.sent or 0.0, self._inbox.heard) >= LOST_AFTER_S
        ]

    def _is_silent(self) -> bool:
        """Tell whether it is too long since anything was sent or came."""
        return time.monotonic() - max(self._outbox.last_sent, self._inbox.heard) >= SILENCE_S

    def _give_up(self, why: str) -> None:
        """Report what has no answer; what was sent is not lost."""
        for errand in self._errands.to_look_for():
            self._errands.finish(errand, Status.FAILED, f"{why} {NOT_SENT if errand.sent is None else NOT_LOST}")
