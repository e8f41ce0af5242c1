"""The state of SQS: each queue and each message as a record of plain JSON, which any version of the engine can read."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from localemu import config
from localemu.services.sqs.constants import DEDUPLICATION_INTERVAL_IN_SEC
from localemu.services.sqs.models import (
    FifoQueue,
    MessageMoveTask,
    MessageMoveTaskStatus,
    SqsMessage,
    SqsQueue,
    StandardQueue,
    sqs_stores,
)

from couch_explorers.local.engine.state.journal import Changes, Journal, Key

QUEUE, MESSAGE, DEDUPLICATION, REGION = "queue", "message", "deduplication", "queue-region"

# The operations that change messages only; each message's change is noted by itself.
_MESSAGE_OPERATIONS = frozenset(
    {
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "DeleteMessageBatch",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ReceiveMessage",
        "SendMessage",
        "SendMessageBatch",
    }
)
_MESSAGE_FIELDS = (
    "created",
    "delay_seconds",
    "first_received",
    "last_received",
    "message",
    "priority",
    "receive_count",
    "sequence_number",
    "visibility_deadline",
    "visibility_timeout",
)
_QUEUE_FIELDS = ("account_id", "attributes", "name", "purge_timestamp", "region", "tags")
_TASK_FIELDS = (
    "approximate_number_of_messages_moved",
    "approximate_number_of_messages_to_move",
    "destination_arn",
    "failure_reason",
    "max_number_of_messages_per_second",
    "source_arn",
    "status",
    "task_id",
)
_UNFINISHED = (MessageMoveTaskStatus.CREATED, MessageMoveTaskStatus.RUNNING, MessageMoveTaskStatus.CANCELLING)
# No message attribute can have this name: AWS allows letters, digits, "_", "-" and "." only.
_BYTES = "$base64"


class Queues:
    """The queues and messages that have changed since they were last written.

    A message keeps its ID when it moves to another queue, so its record names the queue: a move is one change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The queue of each message that has a record, or is about to have one.
        self._owners: dict[str, SqsQueue] = {}
        self._messages: dict[str, SqsMessage | None] = {}
        self._deduplication: dict[Key, bytes | None] = {}
        self._expiry: dict[Key, float] = {}
        self._attributes = False

    def put(self, queue: SqsQueue, message: SqsMessage) -> None:
        """Note a message that was put into a queue."""
        if queue.account_id == config.INTERNAL_RESOURCE_ACCOUNT:
            return
        identifier = message.message_id
        key = None
        if isinstance(queue, FifoQueue):
            if queue.deduplication.get(message.message_deduplication_id) is not message:
                return
            key = Key(DEDUPLICATION, f"{queue.arn} {message.message_deduplication_id}")
        with self._lock:
            self._owners[identifier] = queue
            self._messages[identifier] = message
            if key is not None:
                self._deduplication[key] = _encode(
                    {
                        "queue": queue.arn,
                        "id": message.message_deduplication_id,
                        "message": identifier,
                        "group": message.message_group_id,
                        "priority": message.priority,
                    }
                )
                self._expiry[key] = message.priority + DEDUPLICATION_INTERVAL_IN_SEC

    def change(self, queue: SqsQueue, messages: Iterable[SqsMessage]) -> None:
        """Note messages that were received, or whose visibility was changed."""
        with self._lock:
            for message in messages:
                if self._owners.get(message.message_id) is queue:
                    self._messages[message.message_id] = message

    def remove(self, queue: SqsQueue | None, messages: Iterable[SqsMessage]) -> None:
        """Note messages that are no longer in this queue; those that have moved to another queue remain there."""
        with self._lock:
            for message in messages:
                identifier = message.message_id
                owner = self._owners.get(identifier)
                if owner is not None and (queue is None or owner is queue):
                    del self._owners[identifier]
                    self._messages[identifier] = None

    def remove_all(self, queue: SqsQueue) -> None:
        """Note that a queue was purged."""
        with self._lock:
            for identifier in [name for name, owner in self._owners.items() if owner is queue]:
                del self._owners[identifier]
                self._messages[identifier] = None

    def called(self, operation: str) -> None:
        """Note an operation: one that is not about messages may have changed queues."""
        if operation not in _MESSAGE_OPERATIONS:
            self._attributes = True

    def changes(self, known: set[str]) -> Changes:
        """Return the new values of the records that are out of date, given the ARNs of the queues that have one."""
        found: dict[Key, bytes | None] = {}
        if self._attributes:
            self._attributes = False
            found.update(self._queue_changes(known))
        with self._lock:
            messages, self._messages = self._messages, {}
            owners = {identifier: self._owners.get(identifier) for identifier in messages}
            found.update(self._deduplication)
            self._deduplication = {}
            now = time.time()
            for key in [key for key, expiry in self._expiry.items() if expiry < now]:
                del self._expiry[key]
                found[key] = None
        for identifier, message in messages.items():
            queue = owners[identifier]
            record = None if message is None or queue is None else _message_record(queue, message)
            found[Key(MESSAGE, identifier)] = record
        return found

    def _queue_changes(self, known: set[str]) -> Changes:
        found: dict[Key, bytes | None] = {}
        queues = {}
        for account, region, store in list(sqs_stores.iter_stores()):
            queues.update({queue.arn: queue for queue in list(store.queues.values())})
            tasks = list(store.move_tasks.values())
            # A move task runs by itself, so queues are written until it has ended.
            self._attributes |= any(task.status in _UNFINISHED for task in tasks)
            found[Key(REGION, f"{account} {region}")] = _encode(
                {
                    "deleted": dict(store.deleted),
                    "tags": dict(store.tags._tags),
                    "move_tasks": [_move_task_record(task) for task in tasks],
                }
            )
        for arn, queue in queues.items():
            found[Key(QUEUE, arn)] = _encode({name: getattr(queue, name) for name in _QUEUE_FIELDS})
        found |= {Key(QUEUE, arn): None for arn in known - queues.keys()}
        # A deleted queue's messages are gone, even if another queue has its name now.
        with self._lock:
            for identifier in [name for name, owner in self._owners.items() if queues.get(owner.arn) is not owner]:
                del self._owners[identifier]
                self._messages[identifier] = None
        return found

    def restore(self, journal: Journal) -> None:
        """Restore every queue and message; messages in flight become visible again when their time-out ends."""
        for name, content in journal.records(REGION).items():
            account, region = name.split(" ")
            record = json.loads(content)
            store = sqs_stores[account][region]
            store.deleted.update(record["deleted"])
            store.tags._tags.update(record["tags"])
            store.move_tasks.update({task["task_id"]: _move_task(task) for task in record["move_tasks"]})
        queues: dict[str, SqsQueue] = {}
        for arn, content in journal.records(QUEUE).items():
            record = json.loads(content)
            kind = FifoQueue if record["attributes"].get("FifoQueue") == "true" else StandardQueue
            queue = kind(record["name"], record["region"], record["account_id"])
            for name in _QUEUE_FIELDS:
                setattr(queue, name, record[name])
            if isinstance(queue, FifoQueue):
                queue.deduplication_scope = queue.attributes["DeduplicationScope"]
            queues[arn] = sqs_stores[queue.account_id][queue.region].queues[queue.name] = queue
        messages = {}
        for identifier, content in journal.records(MESSAGE).items():
            record = json.loads(content, object_hook=_decode_bytes)
            if (owner := queues.get(record["queue"])) is not None:
                messages[identifier] = _message(record)
                self._owners[identifier] = owner
        for identifier in sorted(messages, key=lambda name: (messages[name].is_visible, messages[name].priority)):
            _put_back(self._owners[identifier], messages[identifier])
        self._restore_deduplication(journal, queues, messages)

    def _restore_deduplication(
        self, journal: Journal, queues: Mapping[str, SqsQueue], messages: Mapping[str, SqsMessage]
    ) -> None:
        for name, content in journal.records(DEDUPLICATION).items():
            record = json.loads(content)
            key = Key(DEDUPLICATION, name)
            self._expiry[key] = record["priority"] + DEDUPLICATION_INTERVAL_IN_SEC
            if isinstance(queue := queues.get(record["queue"]), FifoQueue):
                original = messages.get(record["message"]) or _deleted_message(record)
                queue.deduplication[record["id"]] = original


def resume_moves(submit: Callable[[MessageMoveTask], None]) -> None:
    """Resume the message move tasks that a stop has interrupted."""
    for _, _, store in list(sqs_stores.iter_stores()):
        for task in list(store.move_tasks.values()):
            if task.status in _UNFINISHED:
                with suppress(Exception):
                    # A task whose queue is gone sets its own status to failed.
                    submit(task)


def _encode(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, default=_encode_bytes, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )


def _encode_bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    raise TypeError(f"A message holds a {type(value).__name__}, which JSON has no form for.")


def _decode_bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value[_BYTES]) if value.keys() == {_BYTES} else value


def _message_record(queue: SqsQueue, message: SqsMessage) -> bytes:
    record = {name: getattr(message, name) for name in _MESSAGE_FIELDS}
    # Receipt handles may be added meanwhile by a receive.
    return _encode(record | {"queue": queue.arn, "receipt_handles": list(message.receipt_handles.copy())})


def _message(record: Mapping[str, Any]) -> SqsMessage:
    message = SqsMessage(record["priority"], record["message"])
    for name in _MESSAGE_FIELDS:
        setattr(message, name, record[name])
    message.receipt_handles = set(record["receipt_handles"])
    return message


def _put_back(queue: SqsQueue, message: SqsMessage) -> None:
    for handle in message.receipt_handles:
        queue.receipts[handle] = message
    if message.is_delayed and not message.receive_count:
        queue.delayed.add(message)
    elif not message.is_visible:
        queue.add_inflight_message(message)
        if isinstance(queue, FifoQueue):
            queue.inflight_groups.add(queue.get_message_group(message.message_group_id))
    else:
        queue._put_message(message)


def _deleted_message(record: Mapping[str, Any]) -> SqsMessage:
    """Return a placeholder for a deleted message whose deduplication ID is still in use."""
    message = SqsMessage(
        record["priority"],
        {"MessageId": record["message"]},
        message_deduplication_id=record["id"],
        message_group_id=record["group"],
    )
    message.deleted = True
    return message


def _move_task_record(task: MessageMoveTask) -> dict[str, Any]:
    started = task.started_timestamp
    return {name: getattr(task, name) for name in _TASK_FIELDS} | {"started": started and started.timestamp()}


def _move_task(record: Mapping[str, Any]) -> MessageMoveTask:
    task = MessageMoveTask(record["source_arn"], record["destination_arn"])
    for name in _TASK_FIELDS:
        setattr(task, name, record[name])
    task.started_timestamp = record["started"] and datetime.fromtimestamp(record["started"], UTC)
    return task
