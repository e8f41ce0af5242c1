"""Runs a sweep through the deployed queue: jobs go to SQS, the Lambda workers make the pictures, the results are in S3.

A job's id is its cell's, which is derived from its request: the worker looks for the picture before it calls the model, so that
a job that is sent twice is paid for once. Each job leaves its picture, or an error note with the reason, in the bucket.
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


# Seconds between two listings of the bucket: short at first, longer while nothing arrives. Listing takes at most a fifth of the
# time: on AWS that is about five requests a second ($0.09 an hour), locally it leaves the CPU to the image renderer.
FIRST_PAUSE_S = 0.2
PAUSE_GROWTH = 1.5
LONGEST_PAUSE_S = 3.0
PAUSE_PER_LOOK = 4.0
# Seconds between two checks of this run's own threads while the last results are being read.
READING_PAUSE_S = 0.02

# Seconds without a picture, a note or a sent job after which a run stops waiting. A model takes seconds, a throttled job returns
# after a few minutes; however long the queue is, some job finishes meanwhile.
SILENCE_S = 300.0

# Seconds after which a job sent by another run counts as lost if no job has had a result: the worker postpones a throttled job
# by up to this long. Sending it again is harmless, if slightly wasteful.
LOST_AFTER_S = 900.0
# An empty queue is trusted this long after sending (SQS API reference, GetQueueAttributes: the numbers are accurate a minute
# after the producers have stopped).
EMPTY_AFTER_S = 60.0

# botocore keeps ten connections per host: more threads would only wait for each other, and one lists the bucket.
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
    """Send each cell's job to the queue and fetch the results; calls `report` once per cell, from any thread.

    The cells are unique, have a job each, and are not in the cache. `concurrency` limits the threads that send and fetch;
    the deployment defines the number of workers. When `stop` is set, it returns within seconds, and sent jobs stay in the
    queue. Raises ExplorationError only if there is no queue.
    """
    if workspace.queue_url is None:
        raise ExplorationError(f"{not_deployed('queue', workspace.target)}.")
    QueueRun(cells, workspace, cache, min(max(concurrency, 1), MOST_THREADS), report, stop).go()


class QueueRun:
    """One run: the state shared by its threads, and the loop that polls the bucket."""

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
        self._jobs = QueueJobs(cells, report)
        self._s3 = workspace.client("s3")
        self._reader = ResultReader(self._s3, workspace, self._jobs, cache, threads)
        sqs, url = workspace.client("sqs"), str(workspace.queue_url)
        self._sender = JobSender(sqs, url, self._jobs, cache, threads, stop)
        self._last_count = time.monotonic()
        # Why the last listing failed; empty after a successful one.
        self._last_error = ""

    def go(self) -> None:
        """Run to the end; every job is reported when this returns."""
        try:
            self._refuse_foreign_models()
            if (listing := self._first_listing()) is not None:
                self._sender.post(self._sort(listing))
                self._poll()
        except StorageError as error:
            # Without the bucket the outcome of the jobs is unknown.
            self._give_up(f"{error.reason}: {error.detail}")
        finally:
            self._sender.close()
            self._reader.close()
            for queue_job in self._jobs.all():
                self._jobs.finish(queue_job, Status.STOPPED, NOT_SENT if queue_job.sent is None else STOPPED)

    def _refuse_foreign_models(self) -> None:
        """Refuse a model that the worker would refuse: one that it was not deployed with."""
        allowed = [parse_arn(arn)[1] for arn in self._workspace.model_arns]
        for queue_job in self._jobs.all():
            if queue_job.job.model.id not in allowed:
                sentence = f"The queue's worker may not use {queue_job.job.model.id}: use one of {', '.join(allowed)}."
                self._jobs.finish(queue_job, Status.REFUSED, sentence)

    def _first_listing(self) -> bucket.BucketListing | None:
        """List the bucket until it succeeds; None if there is nothing to look for, or it fails for too long."""
        while self._jobs and not self._stop.is_set():
            if (listing := self._list_results()) is not None:
                return listing
            if self._is_silent():
                self._give_up(f"Storage: {self._last_error}")
            self._stop.wait(LONGEST_PAUSE_S)
        return None

    def _sort(self, listing: bucket.BucketListing) -> list[QueueJob]:
        """Fetch existing results, wait for jobs that earlier runs have queued, and return the jobs to send."""
        for queue_job in self._jobs.all():
            queue_job.recall(self._cache.record(queue_job.id))
            note = listing.notes.get(queue_job.id, "")
            if queue_job.id in listing.pictures:
                # It existed before this run, no matter who requested it.
                queue_job.sender, queue_job.sent = Sender.NOBODY, None
                self._reader.read_picture(queue_job)
            elif queue_job.sent is None:
                queue_job.old_note = note
            elif note not in ("", queue_job.old_note):
                # The run that sent it had ended before the result came.
                self._reader.read_note(queue_job)
        to_send = [queue_job for queue_job in self._jobs.to_look_for() if queue_job.sent is None]
        noted = [queue_job.job for queue_job in to_send if queue_job.old_note]
        removed = bucket.remove_notes(self._s3, self._workspace.bucket, self._workspace.prefix, noted)
        for queue_job in to_send:
            if queue_job.id in removed:
                queue_job.old_note = ""
        return to_send + self._lost()

    def _poll(self) -> None:
        """Poll the bucket until every job has a result, nothing arrives any more, or the run is stopped."""
        idle_s, took_s = FIRST_PAUSE_S, 0.0
        while self._jobs:
            pending = bool(self._jobs.to_look_for())
            if self._stop.wait(max(idle_s, PAUSE_PER_LOOK * took_s) if pending else READING_PAUSE_S):
                return
            began = time.monotonic()
            listing = self._list_results()
            # A failed listing took as long as botocore's retries, which predicts nothing.
            took_s = time.monotonic() - began if listing is not None else 0.0
            arrived = listing is not None and self._read_new(listing)
            idle_s = FIRST_PAUSE_S if arrived else min(idle_s * PAUSE_GROWTH, LONGEST_PAUSE_S)
            if time.monotonic() - self._last_count >= EMPTY_AFTER_S:
                self._sender.post(self._lost())
            if self._is_silent():
                log = f"/aws/lambda/{self._workspace.functions.get('worker', 'the worker')}"
                why = f"Queue: nothing came for {SILENCE_S:.0f} s (the worker's log: {log})."
                self._give_up(f"{why} {self._last_error or self._reader.last_error}".strip())

    def _list_results(self) -> bucket.BucketListing | None:
        """List every result that is still missing; None after a transient error."""
        ids = [queue_job.id for queue_job in self._jobs.to_look_for()]
        try:
            listing = bucket.find_results(self._s3, self._workspace.bucket, self._workspace.prefix, ids)
        except StorageError as error:
            if not error.passing:
                raise
            self._last_error = error.detail
            return None
        self._last_error = ""
        return listing

    def _read_new(self, listing: bucket.BucketListing) -> bool:
        """Start reading new results; return whether there are any."""
        arrived = False
        for queue_job in self._jobs.to_look_for():
            if queue_job.id in listing.pictures:
                self._reader.read_picture(queue_job)
            elif listing.notes.get(queue_job.id, "") not in ("", queue_job.old_note):
                self._reader.read_note(queue_job)
            arrived = arrived or queue_job.fetching
        return arrived

    def _lost(self) -> list[QueueJob]:
        """Return the jobs of other runs that are probably no longer in the queue."""
        now = self._last_count = time.monotonic()
        others = [queue_job for queue_job in self._jobs.to_look_for() if queue_job.is_sent_by_others]
        empty = bool(others) and self._sender.is_queue_empty()
        # If results have arrived lately, the queue is long rather than the job lost.
        return [
            queue_job
            for queue_job in others
            if (empty and now - (queue_job.sent or 0.0) >= EMPTY_AFTER_S)
            or now - max(queue_job.sent or 0.0, self._reader.last_read) >= LOST_AFTER_S
        ]

    def _is_silent(self) -> bool:
        """Check whether nothing was sent or received for too long."""
        return time.monotonic() - max(self._sender.last_sent, self._reader.last_read) >= SILENCE_S

    def _give_up(self, why: str) -> None:
        """Report the jobs without a result; sent jobs are not lost."""
        for queue_job in self._jobs.to_look_for():
            self._jobs.finish(queue_job, Status.FAILED, f"{why} {NOT_SENT if queue_job.sent is None else NOT_LOST}")
