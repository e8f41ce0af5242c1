"""Putting the jobs of a sweep on the queue: in batches as large as SQS takes, several at once, and none twice in vain."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.core.jobs import message_body
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.running.errands import Sender
from couch_explorers.smoke.queue import DEPTHS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.running.cache import ImageCache
    from couch_explorers.exploration.running.errands import Errand, Errands

# SendMessageBatch takes ten messages (SQS API reference). Together they may have as many bytes as one message of these
# queues: SQS allows 1 MiB, but version 5 of the Terraform provider makes queues of 256 KiB.
BATCH_MESSAGES = 10
BATCH_BYTES = 256 * 1024

# Seconds before each further try, on top of botocore's own: long enough for a local cloud to be started again.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)

# What is wrong with the caller or the message stays wrong; but a caller who asks too often is answered 4xx as well.
_THROTTLES = {"RequestThrottled", "ThrottlingException", "Throttling", "TooManyRequestsException", "KmsThrottled"}
_TOO_MANY, _SERVER_ERROR = 429, 500
# One message can make SQS refuse the whole call.
_SPOILT = {"InvalidMessageContents", "BatchRequestTooLong", "InvalidParameterValue"}


class Outbox:
    """Sends errands in threads of its own; `last_sent` is the time (time.monotonic) when the queue last took one."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        errands: Errands,
        cache: ImageCache,
        threads: int,
        stop: threading.Event,
    ) -> None:
        self._sqs, self._queue_url, self._errands, self._cache = sqs, queue_url, errands, cache
        self._stop = stop
        self._threads = ThreadPoolExecutor(threads, "couch-send")
        self.last_sent = time.monotonic()

    def post(self, errands: Iterable[Errand]) -> None:
        """Let the threads send these; who cannot be sent is reported."""
        for batch in batches((errand.id, body_of(errand.job)) for errand in errands):
            self._threads.submit(self._guarded, batch)

    def is_queue_empty(self) -> bool:
        """Tell whether the queue says that it holds nothing, not even what is put off or being served."""
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
        except Exception as error:  # noqa: BLE001 - the rows tell it; the other batches go on
            for errand in filter(None, map(self._errands.get, batch)):
                self._errands.finish(errand, Status.FAILED, f"{type(error).__name__}: {error}")

    def _send(self, batch: dict[str, str]) -> None:
        going = {job_id: body for job_id, body in batch.items() if not self._stop.is_set() and self._is_ours(job_id)}
        if not going:
            return
        refused = send(self._sqs, self._queue_url, going, self._stop.wait)
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


def body_of(job: Job) -> str:
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


def batches(bodies: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
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


def send(sqs: Any, queue_url: str, batch: Mapping[str, str], stopped: Callable[[float], bool]) -> dict[str, str]:
    """Send a batch and return why which ids are not in the queue, as {id: "Reason: sentence"}; empty when all are.

    `stopped` waits that many seconds and tells whether to give up meanwhile. An id may have reached the queue although
    it is among them, where the answer got lost.
    """
    left = dict(batch)
    refused: dict[str, str] = {}
    for wait in (*WAITS_S, None):
        passing, permanent = _try(sqs, queue_url, left)
        refused |= permanent
        left = {job_id: batch[job_id] for job_id in passing}
        if not left or wait is None or stopped(wait):
            break
    return refused | {job_id: passing[job_id] for job_id in left}


def _try(sqs: Any, queue_url: str, batch: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Send once; returns the reasons of the ids that may go later, and of those that never will."""
    entries = [{"Id": job_id, "MessageBody": body} for job_id, body in batch.items()]
    try:
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    except ClientError as error:
        code, status, message = describe(error)
        if _may_pass(code, status):
            return dict.fromkeys(batch, _sentence(code, message)), {}
        if len(batch) > 1 and code.rpartition(".")[2] in _SPOILT:
            return _one_by_one(sqs, queue_url, batch)
        return {}, dict.fromkeys(batch, _sentence(code, message))
    except BotoCoreError as error:
        return dict.fromkeys(batch, f"Queue: SQS cannot be reached ({type(error).__name__}): run again."), {}
    passing: dict[str, str] = {}
    permanent: dict[str, str] = {}
    for entry in answer.get("Failed", []):
        group = permanent if entry.get("SenderFault") and entry.get("Code") not in _THROTTLES else passing
        group[entry["Id"]] = _sentence(str(entry.get("Code", "")), str(entry.get("Message", "")))
    return passing, permanent


def _one_by_one(sqs: Any, queue_url: str, batch: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    passing: dict[str, str] = {}
    permanent: dict[str, str] = {}
    for job_id, body in batch.items():
        may_pass, never = _try(sqs, queue_url, {job_id: body})
        passing |= may_pass
        permanent |= never
    return passing, permanent


def _may_pass(code: str, status: int) -> bool:
    return code in _THROTTLES or status == _TOO_MANY or status >= _SERVER_ERROR


def _sentence(code: str, message: str) -> str:
    said = f"{code}: {message}" if message else code
    return f"Queue: SQS did not take the job ({said.rstrip('.')}): look at the queue, then run again."
