"""Reads all messages of the dead-letter queue without losing any, and makes them visible again afterwards."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime  # noqa: TC003 - a field's type
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import errors
from couch_explorers.core import jobs
from couch_explorers.formatting import count, duration, from_milliseconds, iso_time
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from couch_explorers.workspace import Workspace


class OncallError(Exception):
    """The request could not be carried out; the message says why and what to do."""


# The most messages per SQS call (SQS quotas).
BATCH_MESSAGES = 10
# A long poll queries every server of the queue, a short one a subset: only a long poll's empty response is reliable
# (SQS developer guide, "Amazon SQS short and long polling").
WAIT_S = 1
# Reading hides the messages from everyone else; at most this long if the reader is killed.
VISIBILITY_TIMEOUT_S = 120
# SQS's errors for a message that was deleted, or that is visible already
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
GONE_CODES = (
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ReceiptHandleIsInvalid",
)
# Responses in a row without a new message: by then, the first ones are returning.
MAX_STALE_RECEIVES = 3


@dataclass(frozen=True)
class DeadLetterMessage:
    """A job that was given up on.

    `reason` and `detail` are the worker's; both are empty if SQS moved the message itself (`moved_by_sqs`), because every
    worker that received it was stopped before it could report. `since` is when the worker gave up, or when a moved message was
    first sent. `receives` counts every receive, including this one.
    """

    job_id: str
    message_id: str
    reason: str
    detail: str
    body: str
    since: datetime
    receives: int
    moved_by_sqs: bool
    receipt_handle: str = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, without the receipt handle."""
        plain = asdict(self) | {"since": iso_time(self.since)}
        del plain["receipt_handle"]
        return plain


def read_all(workspace: Workspace) -> HeldMessages:
    """Read every dead-letter message, oldest first, and make them visible again at once. Raises OncallError."""
    with hold_all(workspace) as messages:
        return messages


class HeldMessages(list[DeadLetterMessage]):
    """Dead-letter messages, oldest first.

    `still_hidden` has, by message id, why SQS did not make a message visible again: it becomes visible by itself within
    VISIBILITY_TIMEOUT_S; until then, neither others nor the alarm on the dead-letter queue see it.
    """

    still_hidden: dict[str, str]

    def __init__(self, messages: Iterable[DeadLetterMessage]) -> None:
        super().__init__(messages)
        self.still_hidden = {}

    @property
    def hidden_note(self) -> str:
        """A note on the messages that are still hidden, and why; empty if there are none."""
        if not self.still_hidden:
            return ""
        return (
            f"{count(len(self.still_hidden), 'dead-letter message')} could not be made visible again "
            f"({next(iter(self.still_hidden.values()))}): hidden for up to {duration(VISIBILITY_TIMEOUT_S)}, and not "
            "counted by the alarm meanwhile."
        )


@contextmanager
def hold_all(workspace: Workspace) -> Iterator[HeldMessages]:
    """Hide every dead-letter message from others during the `with` block, oldest first; the remaining ones become visible again.

    A killed reader loses nothing: its messages become visible by themselves after VISIBILITY_TIMEOUT_S. Raises OncallError.
    """
    url = workspace.dead_letter_url
    if url is None:
        raise OncallError(f"{not_deployed('queue', workspace.target)}.")
    sqs = workspace.client("sqs")
    messages: dict[str, DeadLetterMessage] = {}
    held = HeldMessages(())
    try:
        try:
            _receive_all(sqs, url, messages)
        except (BotoCoreError, ClientError) as error:
            raise OncallError(
                f"The dead-letter queue could not be read: {errors.reason(error, 'sqs:ReceiveMessage')}.",
            ) from error
        held.extend(sorted(messages.values(), key=lambda message: (message.since, message.job_id)))
        yield held
    finally:
        # At once: the alarm does not count hidden messages.
        held.still_hidden |= _make_visible(sqs, url, messages.values())


def queue_name(queue_url: str) -> str:
    """Return a queue's name, the last part of its URL."""
    return queue_url.rsplit("/", 1)[-1]


def message_batches(messages: Iterable[DeadLetterMessage]) -> Iterator[list[DeadLetterMessage]]:
    """Split messages into batches for one call each."""
    remaining = iter(messages)
    while batch := list(itertools.islice(remaining, BATCH_MESSAGES)):
        yield batch


def parse_message(message: Mapping[str, Any]) -> DeadLetterMessage:
    """Parse a dead-letter message from a message of ReceiveMessage with all its attributes."""
    system = message.get("Attributes", {})
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    # A worker's dead-letter message may be sent back with its attributes and then moved by SQS: its reason is outdated.
    moved = "DeadLetterQueueSourceArn" in system
    return DeadLetterMessage(
        job_id=jobs.id_of(message["Body"], attributes.get("job_id") or message["MessageId"]),
        message_id=message["MessageId"],
        reason="" if moved else attributes.get("reason", ""),
        detail="" if moved else attributes.get("detail", ""),
        body=message["Body"],
        since=from_milliseconds(float(system.get("SentTimestamp", 0))),
        receives=int(system.get("ApproximateReceiveCount", 0)),
        moved_by_sqs=moved,
        receipt_handle=message.get("ReceiptHandle", ""),
    )


def _receive_all(sqs: Any, url: str, received: dict[str, DeadLetterMessage]) -> None:
    stale = 0
    while stale < MAX_STALE_RECEIVES:
        response = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH_MESSAGES,
            VisibilityTimeout=VISIBILITY_TIMEOUT_S,
            WaitTimeSeconds=WAIT_S,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = response.get("Messages", [])
        if not messages:
            return
        known = len(received)
        # Only the newest receipt handle of a message is valid.
        received.update((message["MessageId"], parse_message(message)) for message in messages)
        stale = stale + 1 if len(received) == known else 0


def _make_visible(sqs: Any, url: str, messages: Iterable[DeadLetterMessage]) -> dict[str, str]:
    """Make the messages visible again, except deleted ones; return the failures by message id."""
    action = "sqs:ChangeMessageVisibility"
    failures: dict[str, str] = {}
    for batch in message_batches(messages):
        entries = [
            {"Id": message.message_id, "ReceiptHandle": message.receipt_handle, "VisibilityTimeout": 0}
            for message in batch
        ]
        try:
            response = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            failures |= dict.fromkeys((message.message_id for message in batch), errors.reason(error, action))
        else:
            failed = errors.entry_failures(response, action)
            failures |= {name: reason for name, reason in failed.items() if not reason.startswith(GONE_CODES)}
    return failures


def couch_command(workspace: Workspace, words: str) -> str:
    """Return a `couch` command for the same target."""
    on_aws = f" --target aws --candidate {workspace.candidate}" if workspace.target == "aws" else ""
    return f"couch {words}{on_aws}"
