"""The metrics of a queue: what happens at it in a minute, counted as it happens, and what lies in it at the end.

Every metric of a standard queue in
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Left out: those of FIFO queues (ApproximateNumberOfGroupsWithInflightMessages, NumberOfDeduplicatedSentMessages) and of fair
queues (ApproximateNumberOfNoisyGroups, …InQuietGroups): no sender here uses message groups.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from couch_explorers.local.cloudwatch.store import MINUTE_S, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from couch_explorers.local.telemetry.recorder import Recorder

NAMESPACE = "AWS/SQS"

# "A queue stays active for up to six hours from the last activity (for example, any API call)":
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
ACTIVE_S = 6 * 3600

# Lambda begins with five pollers, each of which waits for up to 20 s; a local poller may look in more often.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLERS, LONG_POLL_S = 5, 20

# "If a message is received three or more times and not deleted, SQS moves it to the back of the queue": its age counts no more.
AGE_ENDS_AT_RECEIVES = 3

State = Literal["visible", "in_flight", "delayed"]


class MessageState(NamedTuple):
    """A message in a queue: the time it arrived (Unix time), and how often it was received there.

    Both begin again when a message is moved to a dead-letter queue.
    """

    state: State
    since_s: float
    receives: int


@dataclass
class Counts:
    """The activity of one queue in one minute; sizes in bytes.

    `reported` names the metrics of the minute that were recorded before: they need no zero at its end.
    """

    sent: int = 0
    received: int = 0
    deleted: int = 0
    empty_receives: int = 0
    bytes_sent: int = 0
    smallest: int = 0
    largest: int = 0
    reported: frozenset[str] = frozenset()

    def add_sent(self, size: int) -> None:
        """Count a message that came in."""
        self.smallest = min(self.smallest, size) if self.sent else size
        self.largest = max(self.largest, size)
        self.sent += 1
        self.bytes_sent += size

    def by_metric(self) -> dict[str, int]:
        """The number of times each event happened."""
        return {
            "NumberOfMessagesSent": self.sent,
            "NumberOfMessagesReceived": self.received,
            "NumberOfMessagesDeleted": self.deleted,
            "NumberOfEmptyReceives": self.empty_receives,
        }

    def samples(self, name: str, minute_s: int, *, zeros: bool = True) -> Iterator[Sample]:
        """The metrics of what happened, with `zeros` also of what did not; of the sizes only where something was sent."""
        dimensions = {"QueueName": name}
        for metric, value in self.by_metric().items():
            if value or (zeros and metric not in self.reported):
                yield Sample.of(NAMESPACE, metric, value, time_s=minute_s, dimensions=dimensions)
        if self.sent:
            yield Sample(
                NAMESPACE,
                "SentMessageSize",
                minute_s,
                "Bytes",
                self.sent,
                self.bytes_sent,
                self.smallest,
                self.largest,
                dimensions,
            )


class QueueCounter:
    """Counts what happens at every queue, by queue (its ARN) and minute; safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[int, str], Counts] = {}
        self._active_s: dict[str, float] = {}

    def touch(self, queue: str) -> None:
        """Record a call on the queue."""
        self._active_s[queue] = self._clock()

    def sent(self, queue: str, size: int, time_s: float | None = None) -> None:
        """Count a message that came in, now or at that time."""
        with self._lock:
            self._of(queue, time_s).add_sent(size)

    def received(self, queue: str, messages: int) -> None:
        """Count received messages."""
        with self._lock:
            self._of(queue).received += messages

    def deleted(self, queue: str, messages: int) -> None:
        """Count deletions that succeeded."""
        with self._lock:
            self._of(queue).deleted += messages

    def empty_receive(self, queue: str, times: int = 1) -> None:
        """Count a ReceiveMessage that brought nothing, or several."""
        with self._lock:
            self._of(queue).empty_receives += times

    def is_active(self, queue: str, now_s: float) -> bool:
        """Return whether the queue had any requests in the last six hours. A new queue was created just now."""
        return now_s - self._active_s.setdefault(queue, now_s) < ACTIVE_S

    def take(self, until_s: float) -> dict[tuple[int, str], Counts]:
        """Return and clear the counts of all minutes that began before that time, by minute and queue."""
        with self._lock:
            taken = {key: counts for key, counts in self._counts.items() if key[0] < until_s}
            for key in taken:
                del self._counts[key]
        return taken

    def drain(self) -> dict[tuple[int, str], Counts]:
        """Return the counts since the last call, by minute and queue; a minute continues from zero."""
        with self._lock:
            drained = dict(self._counts)
            for key, counts in drained.items():
                happened = {metric for metric, value in counts.by_metric().items() if value}
                self._counts[key] = Counts(reported=counts.reported | happened)
        return drained

    def _of(self, queue: str, time_s: float | None = None) -> Counts:
        now_s = self._clock()
        self._active_s[queue] = now_s
        minute_s = int((now_s if time_s is None else time_s) // MINUTE_S) * MINUTE_S
        return self._counts.setdefault((minute_s, queue), Counts())


def depth(queue: str, messages: Iterable[MessageState], minute_s: int, now_s: float) -> tuple[Sample, ...]:
    """The contents of a queue (its ARN) at the end of a minute: the number of messages, and the age of the oldest that counts."""
    counts: dict[State, int] = {"visible": 0, "in_flight": 0, "delayed": 0}
    age_s = 0.0
    for message in messages:
        counts[message.state] += 1
        if message.receives < AGE_ENDS_AT_RECEIVES:
            age_s = max(age_s, now_s - message.since_s)
    dimensions = {"QueueName": queue_name(queue)}
    return tuple(
        Sample.of(NAMESPACE, metric, value, time_s=minute_s, unit=unit, dimensions=dimensions)
        for metric, value, unit in (
            ("ApproximateNumberOfMessagesVisible", counts["visible"], "Count"),
            ("ApproximateNumberOfMessagesNotVisible", counts["in_flight"], "Count"),
            ("ApproximateNumberOfMessagesDelayed", counts["delayed"], "Count"),
            ("ApproximateAgeOfOldestMessage", int(age_s), "Seconds"),
        )
    )


def publish(
    recorder: Recorder,
    counter: QueueCounter,
    depths: Mapping[str, tuple[Sample, ...]],
    minute_s: int,
    now_s: float,
) -> None:
    """Record the minute that has ended: what happened in it, zeros where nothing did, and what lies in each active queue."""
    publish_counts(recorder, counter, now_s // MINUTE_S * MINUTE_S, {(minute_s, arn): Counts() for arn in depths})
    for arn, samples in depths.items():
        recorder.record(samples, region_of(arn))


def publish_counts(
    recorder: Recorder,
    counter: QueueCounter,
    until_s: float,
    quiet: Mapping[tuple[int, str], Counts] | None = None,
) -> None:
    """Record what happened in the minutes before that time; zeros for the queues and minutes of `quiet` where nothing did."""
    for (minute_s, arn), counts in ({**(quiet or {})} | counter.take(until_s)).items():
        recorder.record(counts.samples(queue_name(arn), minute_s), region_of(arn))


def publish_so_far(recorder: Recorder, counter: QueueCounter) -> None:
    """Record what has happened since the last time: a minute need not be over to be seen."""
    for (minute_s, arn), counts in counter.drain().items():
        recorder.record(counts.samples(queue_name(arn), minute_s, zeros=False), region_of(arn))


def queue_name(arn: str) -> str:
    """The name in a queue's ARN."""
    return arn.rsplit(":", 1)[-1]


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":")[3]


def size_of(body: str, attributes: Mapping[str, Mapping[str, Any]] | None) -> int:
    """A message's size in bytes: its body, and each attribute's name, type and value."""
    size = len(body.encode())
    for name, attribute in (attributes or {}).items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or ""
        size += len(name.encode()) + len(attribute.get("DataType", "")) + len(str(value).encode())
    return size
