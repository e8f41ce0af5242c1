"""What lies in each queue at the end of a minute, published together with what happened in it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry.queue_counts import NAMESPACE, Counts, QueueCounter
from couch_explorers.local.telemetry.retention import MINUTE_S
from couch_explorers.local.telemetry.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from couch_explorers.local.telemetry.recorder import Recorder

Message = dict[str, Any]
Queue = dict[str, Any]

# "If a message is received three or more times and not deleted, SQS moves it to the back of the queue": its age counts no more.
AGE_ENDS_AT_RECEIVES = 3

# SQS's default, where a queue names none (4 days):
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
RETENTION_S = 345_600

# What we note in MiniStack's messages; it keeps them with its state.
MOVED_S, RECEIVES_AT_MOVE = "couch_moved_s", "couch_receives_at_move"


def publish(recorder: Recorder, counter: QueueCounter, minute_s: int, now_s: float) -> None:
    """Record the minute that has ended: what happened in it, and what lies in each active queue now."""
    from ministack.services import sqs  # noqa: PLC0415 - see above

    looks: dict[str, tuple[Sample, ...]] = {}
    for _, queue in sqs._queues.all_items():  # noqa: SLF001
        arn = arn_of(queue)
        messages = list(queue["messages"])
        for message in messages:
            counter.delivered(arn, message)
        if messages or counter.is_active(arn, now_s):
            looks[arn] = _look(queue, messages, minute_s, now_s)
    publish_counts(recorder, counter, now_s // MINUTE_S * MINUTE_S, {(minute_s, arn): Counts() for arn in looks})
    for arn, samples in looks.items():
        recorder.record(samples, _region(arn))


def publish_counts(
    recorder: Recorder,
    counter: QueueCounter,
    until_s: float,
    quiet: Mapping[tuple[int, str], Counts] | None = None,
) -> None:
    """Record what happened in the minutes before that time; zeros for the queues and minutes of `quiet` where nothing did."""
    for (minute_s, arn), counts in ({**(quiet or {})} | counter.take(until_s)).items():
        recorder.record(counts.samples(_name(arn), minute_s), _region(arn))


def _look(queue: Queue, messages: Iterable[Message], minute_s: int, now_s: float) -> tuple[Sample, ...]:
    """What lies in a queue: how many messages in which state, and the age of the oldest that counts, 0 without any."""
    kept_s = float(queue["attributes"].get("MessageRetentionPeriod", RETENTION_S))
    visible = delayed = in_flight = 0
    age_s = 0.0
    for message in messages:
        sent_s: float = message.get("sent_at", now_s)
        if now_s - sent_s >= kept_s:
            # MiniStack drops it when somebody next asks for messages.
            continue
        receives = message.get("receive_count", 0)
        if message.get("visible_at", sent_s) <= now_s:
            visible += 1
        elif receives:
            in_flight += 1
        else:
            delayed += 1
        since_s, receives = _since_move(message, sent_s, receives, now_s)
        if receives < AGE_ENDS_AT_RECEIVES:
            age_s = max(age_s, now_s - since_s)
    dimensions = {"QueueName": _name(arn_of(queue))}
    return tuple(
        Sample.of(NAMESPACE, metric, value, time_s=minute_s, unit=unit, dimensions=dimensions)
        for metric, value, unit in (
            ("ApproximateNumberOfMessagesVisible", visible, "Count"),
            ("ApproximateNumberOfMessagesNotVisible", in_flight, "Count"),
            ("ApproximateNumberOfMessagesDelayed", delayed, "Count"),
            ("ApproximateAgeOfOldestMessage", int(age_s), "Seconds"),
        )
    )


def _since_move(message: Message, sent_s: float, receives: int, now_s: float) -> tuple[float, int]:
    """Since when a message lies in this queue, and how often it was received here: a dead letter's count begins at its move.

    MiniStack keeps both from the first queue. The first look after a move finds its time in the message's visibility.
    """
    if "DeadLetterQueueSourceArn" not in message.get("sys", {}):
        return sent_s, receives
    if MOVED_S not in message:
        untouched = message.get("receipt_handle") is None
        message[MOVED_S] = message["visible_at"] if untouched else now_s
        message[RECEIVES_AT_MOVE] = receives
    moved_s: float = message[MOVED_S]
    return moved_s, receives - message[RECEIVES_AT_MOVE]


def arn_of(queue: Queue) -> str:
    """A queue's ARN."""
    arn: str = queue["attributes"]["QueueArn"]
    return arn


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _region(arn: str) -> str:
    return arn.split(":")[3]
