"""Reads the messages of the dead-letter queue without losing one: all of them, each once, and made visible again afterwards."""

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
    """What was asked for could not be done; the message says why and what to do."""


# How many messages SQS gives or takes in one call at most (SQS quotas).
BATCH_MESSAGES = 10
# A long poll asks every server of the queue, a short one a part of them: only its empty answer is to be believed
# (SQS developer guide, "Amazon SQS short and long polling").
WAIT_S = 1
# Who reads takes the letters out of everybody else's sight; this long at most, should the reader be killed.
VISIBILITY_TIMEOUT_S = 120
# What SQS answers of a message that was deleted, or that is in sight already
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
GONE_CODES = (
    "InvalidParameterValue",
    "MessageNotInflight",
    "AWS.SimpleQueueService.MessageNotInflight",
    "ReceiptHandleIsInvalid",
)
# Answers in a row without a new letter: by then those that were read first are coming back.
MAX_STALE_RECEIVES = 3


@dataclass(frozen=True)
class DeadLetterMessage:
    """A job that was given up on.

    `reason` and `detail` are the worker's; both are empty when SQS moved the message itself (`moved_by_sqs`), because
    each worker that received it was stopped before it could say anything. `since` is when the worker gave up, or when a
    moved message was first sent. `receives` counts every receive, looks like this one included.
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
        """Everything that says something to another program."""
        plain = asdict(self) | {"since": iso_time(self.since)}
        del plain["receipt_handle"]
        return plain


def read_all(workspace: Workspace) -> HeldLetters:
    """Read every dead-letter message, oldest first, and put them back at once. Raises OncallError."""
    with hold_all(workspace) as letters:
        return letters


class HeldLetters(list[DeadLetterMessage]):
    """Dead-letter messages, oldest first.

    `still_hidden` says by message id why SQS did not put a message back at the end: it comes back by itself within
    VISIBILITY_TIMEOUT_S, and until then neither others nor the alarm on the dead-letter queue see it.
    """

    still_hidden: dict[str, str]

    def __init__(self, letters: Iterable[DeadLetterMessage]) -> None:
        super().__init__(letters)
        self.still_hidden = {}

    @property
    def hidden_note(self) -> str:
        """Say how many are still hidden, and why; empty where none is."""
        if not self.still_hidden:
            return ""
        return (
            f"{count(len(self.still_hidden), 'dead-letter message')} could not be put back into sight "
            f"({next(iter(self.still_hidden.values()))}): hidden for up to {duration(VISIBILITY_TIMEOUT_S)}, and not "
            "counted by the alarm meanwhile."
        )


@contextmanager
def hold_all(workspace: Workspace) -> Iterator[HeldLetters]:
    """Keep every dead-letter message out of others' sight while they are dealt with, oldest first; what is left is put back.

    A killed reader loses nothing: its letters come back by themselves after VISIBILITY_TIMEOUT_S. Raises OncallError.
    """
    url = workspace.dead_letter_url
    if url is None:
        raise OncallError(f"{not_deployed('queue', workspace.target)}.")
    sqs = workspace.client("sqs")
    letters: dict[str, DeadLetterMessage] = {}
    held = HeldLetters(())
    try:
        try:
            _receive_all(sqs, url, letters)
        except (BotoCoreError, ClientError) as error:
            raise OncallError(
                f"The dead-letter queue could not be read: {errors.reason(error, 'sqs:ReceiveMessage')}.",
            ) from error
        held.extend(sorted(letters.values(), key=lambda letter: (letter.since, letter.job_id)))
        yield held
    finally:
        # At once: an alarm on the number of letters does not count those that are hidden.
        held.still_hidden |= _make_visible(sqs, url, letters.values())


def queue_name(queue_url: str) -> str:
    """The queue's name, which its URL ends with."""
    return queue_url.rsplit("/", 1)[-1]


def message_batches(letters: Iterable[DeadLetterMessage]) -> Iterator[list[DeadLetterMessage]]:
    """Part letters into groups that one call takes."""
    left = iter(letters)
    while batch := list(itertools.islice(left, BATCH_MESSAGES)):
        yield batch


def parse_message(message: Mapping[str, Any]) -> DeadLetterMessage:
    """Read a dead-letter message from a message as ReceiveMessage gives it, with all its attributes."""
    system = message.get("Attributes", {})
    given = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    # A letter that the worker wrote, that was sent back with its attributes, and that SQS then moved: their reason is old.
    moved = "DeadLetterQueueSourceArn" in system
    return DeadLetterMessage(
        job_id=jobs.id_of(message["Body"], given.get("job_id") or message["MessageId"]),
        message_id=message["MessageId"],
        reason="" if moved else given.get("reason", ""),
        detail="" if moved else given.get("detail", ""),
        body=message["Body"],
        since=from_milliseconds(float(system.get("SentTimestamp", 0))),
        receives=int(system.get("ApproximateReceiveCount", 0)),
        moved_by_sqs=moved,
        receipt_handle=message.get("ReceiptHandle", ""),
    )


def _receive_all(sqs: Any, url: str, letters: dict[str, DeadLetterMessage]) -> None:
    stale = 0
    while stale < MAX_STALE_RECEIVES:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH_MESSAGES,
            VisibilityTimeout=VISIBILITY_TIMEOUT_S,
            WaitTimeSeconds=WAIT_S,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        known = len(letters)
        # Of a letter that came twice only the newest receipt handle is good.
        letters.update((message["MessageId"], parse_message(message)) for message in messages)
        stale = stale + 1 if len(letters) == known else 0


def _make_visible(sqs: Any, url: str, letters: Iterable[DeadLetterMessage]) -> dict[str, str]:
    """Let others see the letters again, but for those that are deleted by now; why SQS did not, by message id."""
    action = "sqs:ChangeMessageVisibility"
    left: dict[str, str] = {}
    for batch in message_batches(letters):
        entries = [
            {"Id": letter.message_id, "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
            for letter in batch
        ]
        try:
            answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            left |= dict.fromkeys((letter.message_id for letter in batch), errors.reason(error, action))
        else:
            failed = errors.entry_failures(answer, action)
            left |= {name: reason for name, reason in failed.items() if not reason.startswith(GONE_CODES)}
    return left


def couch_command(workspace: Workspace, words: str) -> str:
    """Write a `couch` command that works on the same target."""
    on_aws = f" --target aws --candidate {workspace.candidate}" if workspace.target == "aws" else ""
    return f"couch {words}{on_aws}"
