"""What is in a queue of the local cloud, without receiving it: for `couch job`, which AWS cannot answer without taking messages."""

from __future__ import annotations

import time
from typing import Any

from couch_explorers.aws import REGION


def messages_of(path: str) -> list[dict[str, Any]] | None:
    """Every message of a queue, in flight and delayed ones too.

    Args:
        path: The path of the queue's address, `/ACCOUNT/NAME`.

    Returns:
        `MessageId`, `Body`, `Attributes` and `MessageAttributes` as ReceiveMessage gives them, and `VisibleAt`: the Unix time at
        which the message can be received (again), None when it can be now. None where there is no such queue.
    """
    from localemu.services.sqs.models import sqs_stores  # noqa: PLC0415 - LocalEmu reads its settings on import

    account_id, _, name = path.strip("/").partition("/")
    queue = sqs_stores[account_id][REGION].queues.get(name)
    if queue is None:
        return None
    with queue.mutex:
        kept = [*queue.inflight, *queue.visible.queue, *queue.delayed]
        # A message that is moved between the two is in both for a moment.
        unique = {message.message_id: message for message in kept if not message.deleted}
        return [_shown(message) for message in unique.values()]


def _shown(message: Any) -> dict[str, Any]:
    attributes = {str(name): value for name, value in message.message["Attributes"].items()}
    attributes["ApproximateReceiveCount"] = str(message.receive_count)
    given = message.message.get("MessageAttributes") or {}
    due = message.visibility_deadline or message.created + (message.delay_seconds or 0)
    return {
        "MessageId": message.message_id,
        "Body": message.message["Body"],
        "Attributes": attributes,
        "MessageAttributes": {
            name: {"StringValue": value["StringValue"]} for name, value in given.items() if "StringValue" in value
        },
        "VisibleAt": due if due > time.time() else None,
    }
