"""The jobs of a sweep: sent to SQS in batches, and their pictures and error notes read back from the bucket."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.core.errors import BlockedError, GenerationError, ThrottledError
from couch_explorers.core.jobs import message_body
from couch_explorers.exploration import bucket
from couch_explorers.exploration.prompt_templates import with_template
from couch_explorers.exploration.results import Outcome, Status
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.smoke.queue import DEPTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.cache import CachedPicture, ImageCache
    from couch_explorers.exploration.sweep_spec import Cell
    from couch_explorers.workspace import Workspace


# In the cache's record of a request: when its job was sent (UTC), and the version of the note that an earlier attempt had left
# in the bucket. Both are removed once the result is known.
SENT_FIELD = "sent"
OLD_NOTE_FIELD = "old_note"


class Sender(StrEnum):
    """The requester of a picture; the value becomes the reason in its row."""

    THIS_RUN = ""
    NOBODY = "Fetched from the bucket."
    EARLIER_RUN = "Sent by an earlier run."
    OTHER_RUN = "Made by another run meanwhile."


@dataclass
class QueueJob:
    """A cell and its job on the way through the queue.

    `sent` is when the job was sent, by time.monotonic; None while `sender` is nobody. `recorded` is the same time in the
    cache's record. `old_note` is the version of an outdated note; `fetching` is set while the result is being read.
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
        """Whether another run sent the job: then it may no longer be in the queue."""
        return self.sender in (Sender.EARLIER_RUN, Sender.OTHER_RUN)

    def recall(self, record: dict[str, Any]) -> None:
        """Restore from the cache's record what an earlier run has done."""
        self.recorded = _sent_text(record)
        if self.recorded:
            age = (datetime.now(UTC) - datetime.fromisoformat(self.recorded)).total_seconds()
            self.sender, self.sent = Sender.EARLIER_RUN, time.monotonic() - max(age, 0.0)
            self.old_note = str(record.get(OLD_NOTE_FIELD, ""))

    def begin(self, cache: ImageCache) -> None:
        """Record the sending before the job is sent; raises ExplorationError if the cache cannot be written."""
        self.recorded = datetime.now(UTC).isoformat()
        old_note = {OLD_NOTE_FIELD: self.old_note} if self.old_note else {}
        cache.note_request(self.job, **{SENT_FIELD: self.recorded}, **old_note)
        self.sender, self.sent = Sender.THIS_RUN, time.monotonic()

    def is_begun_elsewhere(self, record: dict[str, Any]) -> bool:
        """Check whether another run has recorded a sending since this one looked."""
        return _sent_text(record) not in ("", self.recorded)

    def leave_to_another_run(self, record: dict[str, Any]) -> None:
        """Wait for the job that another run is sending."""
        self.recorded = _sent_text(record)
        self.sender, self.sent = Sender.OTHER_RUN, time.monotonic()

    def forget(self, cache: ImageCache) -> None:
        """Record that the job is no longer in the queue, so that the next run sends it."""
        self.sender, self.sent, self.recorded = Sender.NOBODY, None, ""
        with suppress(ExplorationError):
            cache.note_request(self.job)


def _sent_text(record: dict[str, Any]) -> str:
    """Return when the job was sent; empty if it was not, if its picture is here, or if the time is invalid."""
    text = record.get(SENT_FIELD)
    if not isinstance(text, str) or "kept" in record:
        return ""
    try:
        return text if datetime.fromisoformat(text).tzinfo is not None else ""
    except ValueError:
        return ""


class QueueJobs:
    """The jobs that are not finished; each is reported once, from any thread."""

    def __init__(self, cells: Iterable[Cell], report: Callable[[Outcome], None]) -> None:
        self._left = {cell.id: QueueJob(cell, cell.job) for cell in cells if cell.job is not None}
        self._report = report
        self._guard = threading.Lock()

    def __bool__(self) -> bool:
        """Whether any is left."""
        return bool(self._left)

    def all(self) -> list[QueueJob]:
        """Return the unfinished jobs."""
        with self._guard:
            return list(self._left.values())

    def to_look_for(self) -> list[QueueJob]:
        """Return the jobs whose result has not been seen yet."""
        return [queue_job for queue_job in self.all() if not queue_job.fetching]

    def get(self, job_id: str) -> QueueJob | None:
        """Return the job with this id, None if it is finished."""
        return self._left.get(job_id)

    def finish_with(
        self,
        queue_job: QueueJob,
        picture: CachedPicture,
        status: Status,
        sender: Sender,
        **more: Any,
    ) -> None:
        """Report a job that has its picture."""
        size = {"path": picture.path, "width": picture.width, "height": picture.height}
        self.finish(queue_job, status, sender.value, **size, **more)

    def finish(self, queue_job: QueueJob, status: Status, reason: str = "", **more: Any) -> None:
        """Report the outcome of a job, unless it was reported; `more` are further fields of the Outcome."""
        with self._guard:
            if self._left.pop(queue_job.id, None) is None:
                return
        self._report(Outcome(queue_job.cell.number, status, reason, **more))


# SendMessageBatch takes ten messages (SQS API reference). Their total size may be that of one message of these queues: SQS
# allows 1 MiB, but version 5 of the Terraform provider creates queues with 256 KiB.
BATCH_MESSAGES = 10
BATCH_BYTES = 256 * 1024

# Seconds before each retry, in addition to botocore's own: long enough for a local cloud to be restarted.
RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)

# Client errors are permanent, except throttling, which is a 4xx as well.
_THROTTLING_CODES = {
    "RequestThrottled",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "KmsThrottled",
}
_TOO_MANY, _SERVER_ERROR = 429, 500
# One message can make SQS refuse the whole call.
_BAD_MESSAGE_CODES = {"InvalidMessageContents", "BatchRequestTooLong", "InvalidParameterValue"}


class JobSender:
    """Sends jobs in its own threads; `last_sent` is when the queue last accepted one, by time.monotonic."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        queue_jobs: QueueJobs,
        cache: ImageCache,
        threads: int,
        stop: threading.Event,
    ) -> None:
        self._sqs, self._queue_url, self._jobs, self._cache = sqs, queue_url, queue_jobs, cache
        self._stop = stop
        self._threads = ThreadPoolExecutor(threads, "couch-send")
        self.last_sent = time.monotonic()

    def post(self, queue_jobs: Iterable[QueueJob]) -> None:
        """Have the threads send these jobs; those that cannot be sent are reported."""
        for batch in message_batches((queue_job.id, message_for(queue_job.job)) for queue_job in queue_jobs):
            self._threads.submit(self._guarded, batch)

    def is_queue_empty(self) -> bool:
        """Check whether the queue reports no messages, not even delayed or in flight."""
        try:
            response = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=list(DEPTHS))
        except (BotoCoreError, ClientError):
            # Without the permission, only the time shows which jobs are lost.
            return False
        return not any(int(response["Attributes"].get(name, 0)) for name in DEPTHS)

    def close(self) -> None:
        """Stop sending; a call in progress ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _guarded(self, batch: dict[str, str]) -> None:
        """Send one batch; an unexpected error ends its jobs only."""
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001 - any error is the job's outcome
            for queue_job in filter(None, map(self._jobs.get, batch)):
                self._jobs.finish(queue_job, Status.FAILED, f"{type(error).__name__}: {error}")

    def _send(self, batch: dict[str, str]) -> None:
        ours = {job_id: body for job_id, body in batch.items() if not self._stop.is_set() and self._is_ours(job_id)}
        if not ours:
            return
        refused = send_batch(self._sqs, self._queue_url, ours, self._stop.wait)
        if len(refused) < len(ours):
            self.last_sent = time.monotonic()
        for job_id, reason in refused.items():
            if (queue_job := self._jobs.get(job_id)) is not None:
                queue_job.forget(self._cache)
                if not self._stop.is_set():
                    self._jobs.finish(queue_job, Status.FAILED, reason)

    def _is_ours(self, job_id: str) -> bool:
        """Record that the job is being sent; False if it has a result, or another run has sent it meanwhile."""
        queue_job = self._jobs.get(job_id)
        if queue_job is None or queue_job.fetching:
            return False
        try:
            claim = self._cache.try_claim(job_id)
            if claim is None:
                queue_job.leave_to_another_run(self._cache.record(job_id))
                return False
            with claim:
                if (picture := self._cache.find(job_id)) is not None:
                    self._jobs.finish_with(queue_job, picture, Status.CACHED, Sender.OTHER_RUN)
                    return False
                record = self._cache.record(job_id)
                if queue_job.is_begun_elsewhere(record):
                    queue_job.leave_to_another_run(record)
                    return False
                # Before the call: a job that is in the queue without a record might be paid for twice.
                queue_job.begin(self._cache)
        except ExplorationError as error:
            self._jobs.finish(queue_job, Status.FAILED, str(error))
            return False
        return True


def message_for(job: Job) -> str:
    """Return a job's message body with every parameter of its request, so that the worker derives the same one."""
    return message_body(
        job.prompt,
        id=job.id,
        model=job.model.id,
        seed=job.seed,
        size=job.size,
        cfg_scale=job.cfg_scale,
        negative_prompt=job.negative_prompt,
    )


def message_batches(bodies: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Split (id, body) pairs into batches {id: body} for one call each, in order."""
    batch: dict[str, str] = {}
    room = BATCH_BYTES
    for job_id, body in bodies:
        size = len(body.encode())
        if batch and (len(batch) == BATCH_MESSAGES or size > room):
            yield batch
            batch, room = {}, BATCH_BYTES
        batch[job_id] = body
        room -= size
    if batch:
        yield batch


def send_batch(sqs: Any, queue_url: str, batch: Mapping[str, str], stopped: Callable[[float], bool]) -> dict[str, str]:
    """Send a batch and return the reasons of the ids that failed, as {id: "Reason: sentence"}; empty if all succeeded.

    `stopped` waits that many seconds and returns whether to give up. An id may be in the queue although it is reported as
    failed, if the response was lost.
    """
    left = dict(batch)
    refused: dict[str, str] = {}
    for wait_s in (*RETRY_WAITS_S, None):
        passing, permanent = _send_once(sqs, queue_url, left)
        refused |= permanent
        left = {job_id: batch[job_id] for job_id in passing}
        if not left or wait_s is None or stopped(wait_s):
            break
    return refused | {job_id: passing[job_id] for job_id in left}


def _send_once(sqs: Any, queue_url: str, batch: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Send once; return the reasons of the ids that may be retried, and of those that never succeed."""
    entries = [{"Id": job_id, "MessageBody": body} for job_id, body in batch.items()]
    try:
        response = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    except ClientError as error:
        code, status, message = describe(error)
        if _is_transient(code, status):
            return dict.fromkeys(batch, _queue_error(code, message)), {}
        if len(batch) > 1 and code.rpartition(".")[2] in _BAD_MESSAGE_CODES:
            return _one_by_one(sqs, queue_url, batch)
        return {}, dict.fromkeys(batch, _queue_error(code, message))
    except BotoCoreError as error:
        return dict.fromkeys(batch, f"Queue: SQS cannot be reached ({type(error).__name__}): run again."), {}
    passing: dict[str, str] = {}
    permanent: dict[str, str] = {}
    for entry in response.get("Failed", []):
        failures = permanent if entry.get("SenderFault") and entry.get("Code") not in _THROTTLING_CODES else passing
        failures[entry["Id"]] = _queue_error(str(entry.get("Code", "")), str(entry.get("Message", "")))
    return passing, permanent


def _one_by_one(sqs: Any, queue_url: str, batch: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    passing: dict[str, str] = {}
    permanent: dict[str, str] = {}
    for job_id, body in batch.items():
        may_pass, never = _send_once(sqs, queue_url, {job_id: body})
        passing |= may_pass
        permanent |= never
    return passing, permanent


def _is_transient(code: str, status: int) -> bool:
    return code in _THROTTLING_CODES or status == _TOO_MANY or status >= _SERVER_ERROR


def _queue_error(code: str, message: str) -> str:
    cause = f"{code}: {message}" if message else code
    return f"Queue: SQS did not take the job ({cause.rstrip('.')}): look at the queue, then run again."


# The status of a cell by its note's reason; with any other reason it is FAILED.
STATUS_BY_REASON = {BlockedError.reason: Status.FILTERED, ThrottledError.reason: Status.THROTTLED}
# Seconds to finish reading when the run is stopped.
GRACE_S = 2.0


class ResultReader:
    """Reads results in its own threads.

    `last_read` is when the last one was read, by time.monotonic; `last_error` says why the last attempt failed that will be
    retried.
    """

    def __init__(self, s3: Any, workspace: Workspace, queue_jobs: QueueJobs, cache: ImageCache, threads: int) -> None:
        self._location = (s3, workspace.bucket, workspace.prefix)
        self._jobs, self._cache = queue_jobs, cache
        self._threads = ThreadPoolExecutor(threads, "couch-read")
        self._futures: list[Future[None]] = []
        self.last_read = -math.inf
        self.last_error = ""

    def read_picture(self, queue_job: QueueJob) -> None:
        """Fetch a picture listed in the bucket, and report the job."""
        self._read(queue_job, self._picture)

    def read_note(self, queue_job: QueueJob) -> None:
        """Fetch a note listed in the bucket, and report the job."""
        self._read(queue_job, self._note)

    def close(self) -> None:
        """Stop reading; a picture in progress is still saved."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self._futures if not future.cancelled()], timeout=GRACE_S)

    def _read(self, queue_job: QueueJob, reader: Callable[[QueueJob, float | None], bool]) -> None:
        queue_job.fetching = True
        # Timed until the result is seen: reading it depends on this machine.
        seconds = None if queue_job.sent is None else round(time.monotonic() - queue_job.sent, 3)
        self._futures.append(self._threads.submit(self._guarded, queue_job, reader, seconds))

    def _guarded(
        self,
        queue_job: QueueJob,
        reader: Callable[[QueueJob, float | None], bool],
        seconds: float | None,
    ) -> None:
        """Read one result; an error ends this job only, or leaves it to a later listing."""
        try:
            if reader(queue_job, seconds):
                self.last_read = time.monotonic()
            else:
                queue_job.fetching = False
        except GenerationError as error:
            if error.passing:
                self.last_error = error.detail
                queue_job.fetching = False
            else:
                self._jobs.finish(queue_job, Status.FAILED, f"{error.reason}: {error.detail}")
        except ExplorationError as error:
            self._jobs.finish(queue_job, Status.FAILED, f"The picture is in the bucket. {error}")
        except Exception as error:  # noqa: BLE001 - any error is the job's outcome
            self._jobs.finish(queue_job, Status.FAILED, f"{type(error).__name__}: {error}")

    def _picture(self, queue_job: QueueJob, seconds: float | None) -> bool:
        """Fetch a picture into the cache; False if it is gone."""
        s3, name, prefix = self._location
        png = bucket.fetch_picture(s3, name, prefix, queue_job.job)
        if png is None:
            return False
        # The queue's messages contain only the prompt.
        png = with_template(png, queue_job.cell.template, queue_job.cell.variables)
        key = queue_job.job.key(prefix)
        if queue_job.sender not in (Sender.THIS_RUN, Sender.EARLIER_RUN):
            picture = self._cache.keep(queue_job.job, png, bucket=name, key=key)
            self._jobs.finish_with(queue_job, picture, Status.CACHED, queue_job.sender, key=key)
            return True
        usd = queue_job.job.model.price_usd(queue_job.job.size)
        # Not as the record's "seconds", which time the model: these include the time in the queue.
        picture = self._cache.keep(queue_job.job, png, usd=usd, bucket=name, key=key, queue_seconds=seconds)
        self._jobs.finish_with(queue_job, picture, Status.MADE, queue_job.sender, seconds=seconds, usd=usd, key=key)
        return True

    def _note(self, queue_job: QueueJob, seconds: float | None) -> bool:
        """Fetch the error note; False if it is gone."""
        s3, name, prefix = self._location
        note = bucket.fetch_note(s3, name, prefix, queue_job.job)
        if note is None:
            return False
        reason, detail = note
        queue_job.forget(self._cache)
        self._jobs.finish(
            queue_job,
            STATUS_BY_REASON.get(reason, Status.FAILED),
            f"{reason}: {detail}",
            seconds=seconds,
        )
        return True
