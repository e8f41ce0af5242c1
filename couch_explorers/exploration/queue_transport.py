"""The jobs of a sweep on their way: sent to SQS in batches, and their pictures and error notes read back from the bucket."""

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


# In the cache's record of a request: when its job went to the queue (UTC), and the mark of the note that an earlier try had
# left in the bucket by then. They go when the answer is known.
SENT_FIELD = "sent"
OLD_NOTE_FIELD = "old_note"


class Sender(StrEnum):
    """Who has asked for the picture, in the words that its row says when it comes."""

    THIS_RUN = ""
    NOBODY = "Fetched from the bucket."
    EARLIER_RUN = "Sent by an earlier run."
    OTHER_RUN = "Made by another run meanwhile."


@dataclass
class QueueJob:
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
            self.old_note = str(record.get(OLD_NOTE_FIELD, ""))

    def begin(self, cache: ImageCache) -> None:
        """Note, before the job goes off, that it does; raises ExplorationError where the cache takes no note."""
        self.recorded = datetime.now(UTC).isoformat()
        old_note = {OLD_NOTE_FIELD: self.old_note} if self.old_note else {}
        cache.note_request(self.job, **{SENT_FIELD: self.recorded}, **old_note)
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
    text = record.get(SENT_FIELD)
    if not isinstance(text, str) or "kept" in record:
        return ""
    try:
        return text if datetime.fromisoformat(text).tzinfo is not None else ""
    except ValueError:
        return ""


class QueueJobs:
    """The errands that are not finished; each is reported once, from whichever thread."""

    def __init__(self, cells: Iterable[Cell], report: Callable[[Outcome], None]) -> None:
        self._left = {cell.id: QueueJob(cell, cell.job) for cell in cells if cell.job is not None}
        self._report = report
        self._guard = threading.Lock()

    def __bool__(self) -> bool:
        """Whether any is left."""
        return bool(self._left)

    def all(self) -> list[QueueJob]:
        """Those that are left."""
        with self._guard:
            return list(self._left.values())

    def to_look_for(self) -> list[QueueJob]:
        """Those of which no answer has been seen yet."""
        return [errand for errand in self.all() if not errand.fetching]

    def get(self, job_id: str) -> QueueJob | None:
        """The errand of this id, None when it is finished."""
        return self._left.get(job_id)

    def finish_with(
        self,
        errand: QueueJob,
        picture: CachedPicture,
        status: Status,
        sender: Sender,
        **more: Any,
    ) -> None:
        """Report an errand that has its picture."""
        size = {"path": picture.path, "width": picture.width, "height": picture.height}
        self.finish(errand, status, sender.value, **size, **more)

    def finish(self, errand: QueueJob, status: Status, reason: str = "", **more: Any) -> None:
        """Report how an errand ended, unless that was done; `more` are further fields of the Outcome."""
        with self._guard:
            if self._left.pop(errand.id, None) is None:
                return
        self._report(Outcome(errand.cell.number, status, reason, **more))


# SendMessageBatch takes ten messages (SQS API reference). Together they may have as many bytes as one message of these
# queues: SQS allows 1 MiB, but version 5 of the Terraform provider makes queues of 256 KiB.
BATCH_MESSAGES = 10
BATCH_BYTES = 256 * 1024

# Seconds before each further try, on top of botocore's own: long enough for a local cloud to be started again.
RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)

# What is wrong with the caller or the message stays wrong; but a caller who asks too often is answered 4xx as well.
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
    """Sends errands in threads of its own; `last_sent` is the time (time.monotonic) when the queue last took one."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        errands: QueueJobs,
        cache: ImageCache,
        threads: int,
        stop: threading.Event,
    ) -> None:
        self._sqs, self._queue_url, self._errands, self._cache = sqs, queue_url, errands, cache
        self._stop = stop
        self._threads = ThreadPoolExecutor(threads, "couch-send")
        self.last_sent = time.monotonic()

    def post(self, errands: Iterable[QueueJob]) -> None:
        """Let the threads send these; who cannot be sent is reported."""
        for batch in message_batches((errand.id, message_for(errand.job)) for errand in errands):
            self._threads.submit(self._guarded, batch)

    def is_queue_empty(self) -> bool:
        """Tell whether the queue says that it holds nothing, not even what is postponed or being served."""
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=list(DEPTHS))
        except (BotoCoreError, ClientError):
            # Without the right to ask, time alone tells what is lost.
            return False
        return not any(int(answer["Attributes"].get(name, 0)) for name in DEPTHS)

    def close(self) -> None:
        """Send nothing more; a call that is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _guarded(self, batch: dict[str, str]) -> None:
        """Send one batch; what nobody foresaw ends its errands alone."""
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            for errand in filter(None, map(self._errands.get, batch)):
                self._errands.finish(errand, Status.FAILED, f"{type(error).__name__}: {error}")

    def _send(self, batch: dict[str, str]) -> None:
        going = {job_id: body for job_id, body in batch.items() if not self._stop.is_set() and self._is_ours(job_id)}
        if not going:
            return
        refused = send_batch(self._sqs, self._queue_url, going, self._stop.wait)
        if len(refused) < len(going):
            self.last_sent = time.monotonic()
        for job_id, reason in refused.items():
            if (errand := self._errands.get(job_id)) is not None:
                errand.forget(self._cache)
                if not self._stop.is_set():
                    self._errands.finish(errand, Status.FAILED, reason)

    def _is_ours(self, job_id: str) -> bool:
        """Note that the job goes off now; False when it has an answer, or another run has asked for it meanwhile."""
        errand = self._errands.get(job_id)
        if errand is None or errand.fetching:
            return False
        try:
            claim = self._cache.try_claim(job_id)
            if claim is None:
                errand.leave_to_another_run(self._cache.record(job_id))
                return False
            with claim:
                if (picture := self._cache.find(job_id)) is not None:
                    self._errands.finish_with(errand, picture, Status.CACHED, Sender.OTHER_RUN)
                    return False
                record = self._cache.record(job_id)
                if errand.is_begun_elsewhere(record):
                    errand.leave_to_another_run(record)
                    return False
                # Before the call: a job that is in the queue without a note of it might be paid twice.
                errand.begin(self._cache)
        except ExplorationError as error:
            self._errands.finish(errand, Status.FAILED, str(error))
            return False
        return True


def message_for(job: Job) -> str:
    """Write the message of a job with every parameter of its request, so that the worker comes to the same one."""
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
    """Part (id, body) pairs into batches {id: body} that one call takes, in their order."""
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
    """Send a batch and return why which ids are not in the queue, as {id: "Reason: sentence"}; empty when all are.

    `stopped` waits that many seconds and tells whether to give up meanwhile. An id may have reached the queue although
    it is among them, where the answer got lost.
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
    """Send once; returns the reasons of the ids that may go later, and of those that never will."""
    entries = [{"Id": job_id, "MessageBody": body} for job_id, body in batch.items()]
    try:
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
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
    for entry in answer.get("Failed", []):
        group = permanent if entry.get("SenderFault") and entry.get("Code") not in _THROTTLING_CODES else passing
        group[entry["Id"]] = _queue_error(str(entry.get("Code", "")), str(entry.get("Message", "")))
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
    said = f"{code}: {message}" if message else code
    return f"Queue: SQS did not take the job ({said.rstrip('.')}): look at the queue, then run again."


# How a cell ends whose note gives this reason; with any other it is FAILED.
STATUS_BY_REASON = {BlockedError.reason: Status.FILTERED, ThrottledError.reason: Status.THROTTLED}
# Seconds for what is being read when the run is stopped.
GRACE_S = 2.0


class ResultReader:
    """Reads answers in threads of its own.

    `heard` is the time (time.monotonic) when the last one was read; `trouble` says why the last attempt failed that a later
    look repeats.
    """

    def __init__(self, s3: Any, workspace: Workspace, errands: QueueJobs, cache: ImageCache, threads: int) -> None:
        self._place = (s3, workspace.bucket, workspace.prefix)
        self._errands, self._cache = errands, cache
        self._threads = ThreadPoolExecutor(threads, "couch-read")
        self._under_way: list[Future[None]] = []
        self.heard = -math.inf
        self.trouble = ""

    def read_picture(self, errand: QueueJob) -> None:
        """Fetch the picture that has been seen in the bucket, and report the errand."""
        self._read(errand, self._picture)

    def read_note(self, errand: QueueJob) -> None:
        """Fetch the note that has been seen in the bucket, and report the errand."""
        self._read(errand, self._note)

    def close(self) -> None:
        """Read nothing more; a picture that is under way is still kept."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self._under_way if not future.cancelled()], timeout=GRACE_S)

    def _read(self, errand: QueueJob, reader: Callable[[QueueJob, float | None], bool]) -> None:
        errand.fetching = True
        # The errand ends for anyone who waits when its answer is seen; reading it is this machine's matter.
        seconds = None if errand.sent is None else round(time.monotonic() - errand.sent, 3)
        self._under_way.append(self._threads.submit(self._guarded, errand, reader, seconds))

    def _guarded(
        self,
        errand: QueueJob,
        reader: Callable[[QueueJob, float | None], bool],
        seconds: float | None,
    ) -> None:
        """Let one answer be read; what goes wrong ends this errand alone, or leaves it to a later look."""
        try:
            if reader(errand, seconds):
                self.heard = time.monotonic()
            else:
                errand.fetching = False
        except GenerationError as error:
            if error.passing:
                self.trouble = error.detail
                errand.fetching = False
            else:
                self._errands.finish(errand, Status.FAILED, f"{error.reason}: {error.detail}")
        except ExplorationError as error:
            self._errands.finish(errand, Status.FAILED, f"The picture is in the bucket. {error}")
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            self._errands.finish(errand, Status.FAILED, f"{type(error).__name__}: {error}")

    def _picture(self, errand: QueueJob, seconds: float | None) -> bool:
        """Fetch a picture into the cache; False where it is gone."""
        s3, name, prefix = self._place
        png = bucket.fetch_picture(s3, name, prefix, errand.job)
        if png is None:
            return False
        # The queue is sent the prompt alone.
        png = with_template(png, errand.cell.template, errand.cell.variables)
        key = errand.job.key(prefix)
        if errand.sender not in (Sender.THIS_RUN, Sender.EARLIER_RUN):
            picture = self._cache.keep(errand.job, png, bucket=name, key=key)
            self._errands.finish_with(errand, picture, Status.CACHED, errand.sender, key=key)
            return True
        usd = errand.job.model.price_usd(errand.job.size)
        # Not as the record's "seconds": those tell how long a model takes, these how long the queue was too.
        picture = self._cache.keep(errand.job, png, usd=usd, bucket=name, key=key, queue_seconds=seconds)
        self._errands.finish_with(errand, picture, Status.MADE, errand.sender, seconds=seconds, usd=usd, key=key)
        return True

    def _note(self, errand: QueueJob, seconds: float | None) -> bool:
        """Fetch why there is no picture; False where the note is gone."""
        s3, name, prefix = self._place
        note = bucket.fetch_note(s3, name, prefix, errand.job)
        if note is None:
            return False
        reason, detail = note
        errand.forget(self._cache)
        self._errands.finish(
            errand,
            STATUS_BY_REASON.get(reason, Status.FAILED),
            f"{reason}: {detail}",
            seconds=seconds,
        )
        return True
