"""Counts what happens at LocalEmu's queues, and looks into them once a minute.

LocalEmu tells a dispatcher of each receive and deletion; ours takes its place. Of a sent message the dispatcher knows the body's
size only, so sends are counted where a message is put. A message moved to a dead-letter queue is a new one there: its clock and
its receives begin anew.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry import sqs as metrics
from couch_explorers.local.telemetry.sqs import POLLERS, MessageState, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from couch_explorers.local.telemetry.recorder import Recorder
    from couch_explorers.local.telemetry.sqs import QueueCounter

SEAMS = {
    "localemu.services.sqs.models:SqsMessage": "9ac92d2712a1",
    "localemu.services.sqs.models:FifoQueue.__init__": "9adb2bf80773",
    "localemu.services.sqs.models:StandardQueue.__init__": "3bedf73448eb",
    "localemu.services.sqs.provider:CloudwatchDispatcher": "16b607a8e01d",
    "localemu.services.sqs.provider:SqsProvider._put_message": "029829bc0eda",
    "localemu.services.sqs.provider:SqsProvider._resolve_queue": "92360c1367df",
    "localemu.services.sqs.provider:SqsProvider._init_cloudwatch_metrics_reporting": "491cb5d0181c",
}


def attach(counter: QueueCounter) -> None:
    """Let SQS tell the counter of everything that is sent, received, deleted and asked."""
    from localemu.services.sqs import provider  # noqa: PLC0415 - LocalEmu reads its settings on import

    service = provider.SqsProvider
    put: Callable[..., Any] = service._put_message  # noqa: SLF001
    resolve: Callable[..., Any] = service._resolve_queue  # noqa: SLF001

    @functools.wraps(put)
    def counted_put(self: Any, queue: Any, context: Any, message_body: str, *arguments: Any, **named: Any) -> Any:
        message = put(self, queue, context, message_body, *arguments, **named)
        counter.sent(queue.arn, size_of(message_body, message.message.get("MessageAttributes")))
        return message

    @functools.wraps(resolve)
    def touched(self: Any, context: Any, *arguments: Any, **named: Any) -> Any:
        queue = resolve(self, context, *arguments, **named)
        counter.touch(queue.arn)
        caller.is_mapping = (context.internal_request_params or {}).get("service_principal") == "lambda"
        return queue

    def report_here(self: Any) -> None:
        self.cloudwatch_disabled = True  # LocalEmu's own reports: nothing is started or stopped
        self._cloudwatch_publish_worker = None
        self._cloudwatch_dispatcher = Dispatcher(counter)

    service._put_message = counted_put  # noqa: SLF001
    service._resolve_queue = touched  # noqa: SLF001
    service._init_cloudwatch_metrics_reporting = report_here  # noqa: SLF001


caller = threading.local()
"""Whether the request that this thread serves comes from an event source mapping; it serves one at a time"""


class Dispatcher:
    """Stands where LocalEmu's dispatcher of metrics stands."""

    def __init__(self, counter: QueueCounter) -> None:
        self._counter = counter

    def dispatch_metric_message_sent(self, queue: Any, message_body_size: int) -> None:
        """Nothing: a message counts once it is in the queue, with its attributes."""

    def dispatch_metric_message_deleted(self, queue: Any, deleted: int = 1) -> None:
        """Count deletions that succeeded."""
        self._counter.deleted(queue.arn, deleted)

    def dispatch_metric_received(self, queue: Any, received: int) -> None:
        """Count messages that were handed out, or a receive that brought nothing."""
        if received:
            self._counter.received(queue.arn, received)
        else:
            # The local poller's long poll stands for one of each of Lambda's pollers.
            self._counter.empty_receive(queue.arn, POLLERS if getattr(caller, "is_mapping", False) else 1)


def publish(recorder: Recorder, counter: QueueCounter, minute_s: int, now_s: float) -> None:
    """Record the minute that has ended: what happened in it, and what lies in each active queue now."""
    looks = {}
    for queue in queues():
        messages = list(_messages(queue, now_s))
        if messages or counter.is_active(queue.arn, now_s):
            looks[queue.arn] = metrics.depth(queue.arn, messages, minute_s, now_s)
    metrics.publish(recorder, counter, looks, minute_s, now_s)


def queues() -> Iterable[Any]:
    """Every queue of every account and region."""
    from localemu.services.sqs.models import sqs_stores  # noqa: PLC0415 - see above

    return [queue for _, _, store in list(sqs_stores.iter_stores()) for queue in list(store.queues.values())]


def _messages(queue: Any, now_s: float) -> Iterator[MessageState]:
    """What lies in a queue; a message that is visible again may still be where LocalEmu keeps those in flight."""
    with queue.mutex:
        if groups := getattr(queue, "message_groups", None):
            waiting = [message for group in groups.values() for message in group.messages]
        else:
            waiting = list(queue.visible.queue) if hasattr(queue, "visible") else []
        in_flight, delayed = list(queue.inflight), list(queue.delayed)
    kept_s = queue.message_retention_period
    for messages, state in ((waiting, "visible"), (in_flight, "in_flight"), (delayed, "delayed")):
        for message in messages:
            if message.deleted or now_s - message.created >= kept_s:
                continue
            hidden = (state == "in_flight" and not message.is_visible) or (state == "delayed" and message.is_delayed)
            yield MessageState(state if hidden else "visible", message.created, message.receive_count)  # type: ignore[arg-type]
