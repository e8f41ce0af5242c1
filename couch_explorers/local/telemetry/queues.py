"""Counts what happens at MiniStack's queues, whoever does it: a client, an event source mapping, another service.

MiniStack 1.5.33 publishes no metric of a queue. What counts as what:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry.queue_depth import Message, Queue, arn_of, count_delivery
from couch_explorers.local.telemetry.sqs import QueueCounter, size_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Request = Mapping[str, Any]
    Answer = dict[str, Any]


def mend(counter: QueueCounter) -> None:
    """Let MiniStack's SQS tell the counter of everything that is sent, received, deleted, and asked."""
    from ministack.services import sqs  # noqa: PLC0415 - reads its settings from the environment on import

    get_queue: Callable[..., Queue] = sqs._get_q  # noqa: SLF001 - the pinned release has no public seam

    @functools.wraps(get_queue)
    def touched(url: str, action: str | None = None) -> Queue:
        queue = get_queue(url, action)
        counter.touch(arn_of(queue))
        return queue

    def named(url: str) -> str:
        return arn_of(get_queue(url))

    sqs._get_q = touched  # noqa: SLF001
    _mend_sends(sqs, counter, named)
    _mend_receives(sqs, counter, named)
    _mend_deletes(sqs, counter, named)


def _mend_sends(sqs: Any, counter: QueueCounter, named: Callable[[str], str]) -> None:
    send: Callable[[Request, str], Answer] = sqs._act_send_message  # noqa: SLF001

    @functools.wraps(send)
    def counted(data: Request, url: str) -> Answer:
        answer = send(data, url)
        size = size_of(data.get("MessageBody", ""), data.get("MessageAttributes"))
        counter.sent(named(data.get("QueueUrl", url)), size)
        return answer

    # A client's request goes through this table, a batch's messages through the name.
    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = counted  # noqa: SLF001


def _mend_receives(sqs: Any, counter: QueueCounter, named: Callable[[str], str]) -> None:
    receive: Callable[[Request, str], Awaitable[Answer]] = sqs._act_receive_message  # noqa: SLF001
    collect: Callable[[Queue, int, int], list[Message]] = sqs._collect_msgs  # noqa: SLF001
    poll: Callable[[str, int], list[Message]] = sqs._receive_messages_for_esm  # noqa: SLF001

    @functools.wraps(receive)
    async def counted_receive(data: Request, url: str) -> Answer:
        answer = await receive(data, url)
        if not answer:
            counter.empty_receive(named(data.get("QueueUrl", url)))
        return answer

    @functools.wraps(collect)
    def counted_collect(queue: Queue, most: int, visibility_s: int) -> list[Message]:
        messages = collect(queue, most, visibility_s)
        if messages:
            arn = arn_of(queue)
            for message in messages:
                count_delivery(counter, arn, message)
            counter.received(arn, len(messages))
        return messages

    @functools.wraps(poll)
    def counted_poll(url: str, most: int) -> list[Message]:
        messages = poll(url, most)
        if not messages:
            counter.empty_poll(named(url))
        return messages

    sqs._act_receive_message = sqs._HANDLERS["ReceiveMessage"] = counted_receive  # noqa: SLF001
    sqs._collect_msgs = counted_collect  # noqa: SLF001
    sqs._receive_messages_for_esm = counted_poll  # noqa: SLF001


def _mend_deletes(sqs: Any, counter: QueueCounter, named: Callable[[str], str]) -> None:
    delete: Callable[[Request, str], Answer] = sqs._act_delete_message  # noqa: SLF001
    delete_batch: Callable[[Request, str], Answer] = sqs._act_delete_message_batch  # noqa: SLF001
    delete_polled: Callable[[str, set[str]], None] = sqs._delete_messages_for_esm  # noqa: SLF001

    @functools.wraps(delete)
    def counted(data: Request, url: str) -> Answer:
        answer = delete(data, url)
        counter.deleted(named(data.get("QueueUrl", url)), 1)
        return answer

    @functools.wraps(delete_batch)
    def counted_batch(data: Request, url: str) -> Answer:
        answer = delete_batch(data, url)
        counter.deleted(named(data.get("QueueUrl", url)), len(answer["Successful"]))
        return answer

    @functools.wraps(delete_polled)
    def counted_polled(url: str, receipt_handles: set[str]) -> None:
        delete_polled(url, receipt_handles)
        # Every deletion that succeeds counts, a repeated one too.
        counter.deleted(named(url), len(receipt_handles))

    sqs._act_delete_message = sqs._HANDLERS["DeleteMessage"] = counted  # noqa: SLF001
    sqs._act_delete_message_batch = sqs._HANDLERS["DeleteMessageBatch"] = counted_batch  # noqa: SLF001
    sqs._delete_messages_for_esm = counted_polled  # noqa: SLF001
