"""An event source mapping on a queue: polls as Lambda does, invokes a function with batches, deletes the handled messages.

It depends on neither LocalEmu nor AWS: the queue and the function implement `Queue` and `Function`.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Protocol

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html: Lambda starts with five batches at a time, adds up to 300
# a minute while the queue has messages, and stops at 1,250.
START_CONCURRENCY = 5
GROWTH_PER_S = 300 / 60
MAX_CONCURRENCY = 1250
# Messages a call. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
MAX_RECEIVE = 10
# Seconds of a long poll, the longest that SQS takes.
LONG_POLL_S = 20
# Bytes of a synchronous invocation's payload, less what surrounds the records.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD = 6 * 1024 * 1024 - 64
# Seconds between two tries of a throttled invocation, and between two polls of a queue that cannot be read; both double.
FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0

Message = dict[str, Any]
Record = dict[str, Any]


class ThrottledError(Exception):
    """The function's concurrency is currently used up."""


class Queue(Protocol):
    """A queue, as the function's role may use it."""

    arn: str
    fifo: bool

    def receive(self, count: int, wait_s: float, stopping: threading.Event) -> list[Message]:
        """Return up to `count` messages with all attributes, as ReceiveMessage does; wait for one until `stopping` is set."""

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete at most ten messages."""

    def visibility_timeout_s(self) -> float:
        """Return how many seconds a received message stays hidden."""


class Function(Protocol):
    """A function that takes batches."""

    def exists(self) -> bool:
        """Whether the function exists; nothing is received while it does not."""

    def invoke(self, payload: bytes) -> tuple[bytes, bool]:
        """Invoke the function.

        Returns:
            Its response, and whether that is an error.

        Raises:
            ThrottledError: Its concurrency is used up.

        """


@dataclass(frozen=True)
class MappingSettings:
    """The parameters of CreateEventSourceMapping that polling depends on."""

    region: str
    batch_size: int = 10
    window_s: float = 0.0
    maximum_concurrency: int = MAX_CONCURRENCY
    report_item_failures: bool = False
    # Whether a record matches the filter criteria; None where there are none.
    matches: Callable[[Record], bool] | None = None


class SqsMapping:
    """A mapping that polls from `start` until `stop`."""

    def __init__(self, name: str, settings: MappingSettings, queue: Queue, function: Function) -> None:
        self.name = name
        self.settings = settings
        self.queue = queue
        self.function = function
        self._stopping = threading.Event()
        self._concurrency = Concurrency(min(settings.maximum_concurrency, MAX_CONCURRENCY))
        self._workers = ThreadPoolExecutor(MAX_CONCURRENCY, thread_name_prefix=f"mapping-{name}")

    def start(self) -> None:
        """Begin to poll, on a thread of its own."""
        threading.Thread(target=self._poll, name=f"mapping-{self.name}", daemon=True).start()

    def stop(self) -> None:
        """Receive no more messages; those that were received are still handled."""
        self._stopping.set()
        self._concurrency.wake()

    def _poll(self) -> None:
        try:
            self._poll_until_stopped()
        finally:
            # Not in `stop`: a message received just then would not be handled, and stay hidden for its visibility time-out.
            self._workers.shutdown(wait=False)

    def _poll_until_stopped(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                if not self.function.exists():
                    self._stopping.wait(LAST_PAUSE_S)
                    continue
                free = self._concurrency.wait_for_free(self._stopping)
                if self._stopping.is_set():
                    return
                batches = self._gather(free)
                pause_s = FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001 - a queue that is gone or forbidden may come back
                logger.info("The mapping %s cannot read %s: %s", self.name, self.queue.arn, error)
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, LAST_PAUSE_S)
                continue
            if not batches:
                self._concurrency.rest()
            for batch in batches:
                self._concurrency.take()
                self._workers.submit(self._handle, batch, time.monotonic())

    def _gather(self, free: int) -> list[list[Message]]:
        """Receive batches: at most `free`, each within the batch size and the payload limit."""
        size = self.settings.batch_size
        # With batches of one and five free slots, one call fetches five batches. A FIFO queue's groups make batches of their own.
        wanted = size if self.queue.fifo or self.settings.window_s else size * free
        messages = self._receive(wanted, LONG_POLL_S)
        until = time.monotonic() + self.settings.window_s
        while (
            messages
            and len(messages) < size
            and (left_s := until - time.monotonic()) > 0
            and not self._stopping.is_set()
        ):
            if sum(map(_size, messages)) > MAX_PAYLOAD:
                break
            messages += self._receive(size - len(messages), min(left_s, LONG_POLL_S))
        if self.queue.fifo:
            # One batch of a group at a time: SQS returns no more messages of a group while some of them are in flight.
            messages.sort(key=_group)
            return [list(batch) for _, group in groupby(messages, key=_group) for batch in _batches(group, size)]
        return [list(batch) for batch in _batches(messages, size)]

    def _receive(self, count: int, wait_s: float) -> list[Message]:
        """Receive messages that match the filter criteria; the others are deleted, as Lambda does."""
        messages = self.queue.receive(min(count, MAX_RECEIVE), wait_s, self._stopping)
        matches = self.settings.matches
        if matches is None:
            return messages
        passed = [message for message in messages if matches(_record(message))]
        self._delete([message for message in messages if message not in passed])
        return passed

    def _handle(self, batch: list[Message], received_at: float) -> None:
        try:
            handled = self._invoke(batch, received_at)
            self._delete([message for message in batch if message["MessageId"] in handled])
        except Exception:
            logger.exception("The mapping %s could not handle a batch of %s", self.name, self.queue.arn)
        finally:
            self._concurrency.release()

    def _invoke(self, batch: list[Message], received_at: float) -> set[str]:
        """Return the IDs of the messages that were handled; the others become visible again."""
        payload = json.dumps({"Records": [self._sourced(_record(message)) for message in batch]}).encode()
        ids = {message["MessageId"] for message in batch}
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer, failed = self.function.invoke(payload)
                break
            except ThrottledError:
                # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html: retried until the visibility ends.
                self._concurrency.back_off(0.5)
                if time.monotonic() + pause_s - received_at > self.queue.visibility_timeout_s() or self._stopping.wait(
                    pause_s
                ):
                    return set()
                pause_s = min(pause_s * 2, LAST_PAUSE_S)
        if failed:
            self._concurrency.back_off(0.9)
            return set()
        return ids - failed_items(answer, ids) if self.settings.report_item_failures else ids

    def _sourced(self, record: Record) -> Record:
        return {**record, "eventSource": "aws:sqs", "eventSourceARN": self.queue.arn, "awsRegion": self.settings.region}

    def _delete(self, messages: list[Message]) -> None:
        for start in range(0, len(messages), MAX_RECEIVE):
            self.queue.delete(messages[start : start + MAX_RECEIVE])


class Concurrency:
    """The number of batches that may be handled at a time: few at first, more while all are in use, fewer while the function fails."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._changed = threading.Condition()
        self._level = float(min(START_CONCURRENCY, maximum))
        self._busy = 0

    def wait_for_free(self, stopping: threading.Event) -> int:
        """Wait until a batch may be started; return how many may be."""
        with self._changed:
            while self._busy >= int(self._level) and not stopping.is_set():
                if self._level < self.maximum:
                    begun = time.monotonic()
                    self._changed.wait(1 / GROWTH_PER_S)
                    self._level = min(self.maximum, self._level + (time.monotonic() - begun) * GROWTH_PER_S)
                else:
                    self._changed.wait()
            return int(self._level) - self._busy

    def take(self) -> None:
        """Begin a batch."""
        with self._changed:
            self._busy += 1

    def release(self) -> None:
        """End a batch."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def back_off(self, factor: float) -> None:
        """Allow fewer batches: an invocation was throttled or has failed."""
        with self._changed:
            self._level = max(1.0, self._level * factor)

    def rest(self) -> None:
        """Start the next burst with few batches again: the queue was empty."""
        with self._changed:
            self._level = min(self._level, float(min(START_CONCURRENCY, self.maximum)))

    def wake(self) -> None:
        """Let `wait_for_free` check its event."""
        with self._changed:
            self._changed.notify_all()


def failed_items(answer: bytes, ids: set[str]) -> set[str]:
    """Return the IDs that a function reports as failed; all of them where its report is invalid.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    try:
        report = json.loads(answer) if answer else None
    except ValueError:
        return ids
    if report is None or report == {}:
        return set()
    failures = report.get("batchItemFailures") if isinstance(report, dict) else report
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return ids
    named = [failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures]
    known = [item for item in named if isinstance(item, str) and item in ids]
    return set(known) if len(known) == len(named) else ids


def _record(message: Message) -> Record:
    """Return a message as functions receive it."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
    }
    if digest := message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = digest
    return {**record, "md5OfBody": message["MD5OfBody"]}


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute


def _group(message: Message) -> str:
    return str(message.get("Attributes", {}).get("MessageGroupId", ""))


def _size(message: Message) -> int:
    return len(json.dumps(_record(message)).encode()) + 200  # and the event source


def _batches(messages: Sequence[Message] | Iterator[Message], size: int) -> Iterator[list[Message]]:
    """Split messages into batches within the batch size and the payload limit."""
    remaining = iter(messages)
    while batch := list(islice(remaining, size)):
        part: list[Message] = []
        total = 0
        for message in batch:
            if part and total + _size(message) > MAX_PAYLOAD:
                yield part
                part, total = [], 0
            part.append(message)
            total += _size(message)
        yield part
