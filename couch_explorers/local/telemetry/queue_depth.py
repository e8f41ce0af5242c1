"""What lies in MiniStack's queues at the end of a minute, as the metrics see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry import sqs as metrics
from couch_explorers.local.telemetry.sqs import MessageState, QueueCounter, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from couch_explorers.local.telemetry.recorder import Recorder

Message = dict[str, Any]
Queue = dict[str, Any]

# SQS's default, where a queue names none (4 days):
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
RETENTION_S = 345_600

# What we note in MiniStack's messages; it keeps them with its state.
COUNTED, MOVED_S, RECEIVES_AT_MOVE = "couch_counted", "couch_moved_s", "couch_receives_at_move"


def publish(recorder: Recorder, counter: QueueCounter, minute_s: int, now_s: float) -> None:
    """Record the minute that has ended: what happened in it, and what lies in each active queue now."""
    from ministack.services import sqs  # noqa: PLC0415 - see above

    looks = {}
    for _, queue in sqs._queues.all_items():  # noqa: SLF001
        arn = arn_of(queue)
        messages = list(queue["messages"])
        for message in messages:
            count_delivery(counter, arn, message)
        if messages or counter.is_active(arn, now_s):
            looks[arn] = metrics.depth(arn, _states(queue, messages, now_s), minute_s, now_s)
    metrics.publish(recorder, counter, looks, minute_s, now_s)


def count_delivery(counter: QueueCounter, arn: str, message: Message) -> None:
    """Count a message that another service (a topic, a bucket) put into the queue by itself, once, at its time.

    Such a one lacks what MiniStack's SendMessage writes into each message.
    """
    if "dedup_cache_key" not in message and COUNTED not in message:
        message[COUNTED] = True
        counter.sent(arn, size_of(message.get("body", ""), message.get("message_attributes")), message.get("sent_at"))


def _states(queue: Queue, messages: Iterable[Message], now_s: float) -> Iterator[MessageState]:
    kept_s = float(queue["attributes"].get("MessageRetentionPeriod", RETENTION_S))
    for message in messages:
        sent_s: float = message.get("sent_at", now_s)
        if now_s - sent_s >= kept_s:
            # MiniStack drops it when somebody next asks for messages.
            continue
        receives = message.get("receive_count", 0)
        since_s, receives_here = _since_move(message, sent_s, receives, now_s)
        if message.get("visible_at", sent_s) <= now_s:
            yield MessageState("visible", since_s, receives_here)
        else:
            yield MessageState("in_flight" if receives else "delayed", since_s, receives_here)


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
