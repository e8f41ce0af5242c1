"""Sends dead-letter messages back to the queue under the same ids: only those that may succeed now and have no picture yet.

A job is in the queue before its dead-letter message is deleted, so that an interruption loses nothing. A job that is sent twice
is not paid for twice: the worker looks for its picture first.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import errors
from couch_explorers.exploration import bucket, queue_transport
from couch_explorers.oncall.dead_letters import OncallError, hold_all, message_batches, queue_name
from couch_explorers.oncall.redrive_eligibility import Action, Decision, decide
from couch_explorers.oncall.redrive_report import Outcome, Report, Result
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from couch_explorers.oncall.dead_letters import DeadLetterMessage
    from couch_explorers.workspace import Workspace


IN_FLIGHT_ATTRIBUTE = "ApproximateNumberOfMessagesNotVisible"
# The most ids that an error lists.
IDS_LISTED = 10


def run(workspace: Workspace, ids: Iterable[str] = (), *, dry_run: bool = False, force: bool = False) -> Report:
    """Redrive the dead-letter messages of these jobs, or all of them, as `couch redrive` does.

    `ids` are ids of jobs or messages. A dry run decides and changes nothing. Raises OncallError, before anything is sent, for
    an id without a dead-letter message, and if queue or bucket cannot be read.
    """
    if workspace.dead_letter_url is None or workspace.queue_url is None:
        raise OncallError(f"{not_deployed('queue', workspace.target)}.")
    named = tuple(dict.fromkeys(ids))
    hidden = _count_hidden(workspace)
    with hold_all(workspace) as messages:
        decisions = decide(workspace, _select(messages, named), force=force)
        outcomes = _dry_run_outcomes(decisions) if dry_run else carry_out(workspace, decisions)
    queue = queue_name(workspace.dead_letter_url)
    return Report(
        workspace, queue, tuple(outcomes), named=named, hidden=hidden, hidden_note=messages.hidden_note, dry_run=dry_run
    )


def send(workspace: Workspace, messages: Sequence[DeadLetterMessage], *, force: bool = False) -> list[Outcome]:
    """Redrive those of these messages that may succeed now, or all of them by force; see `decide` and `carry_out`."""
    return carry_out(workspace, decide(workspace, messages, force=force))


def carry_out(
    workspace: Workspace,
    decisions: Sequence[Decision],
    *,
    stopped: Callable[[float], bool] | None = None,
) -> list[Outcome]:
    """Carry out the decisions and return the outcome of each job, in the same order.

    `stopped` waits that many seconds before SQS is called again, and returns whether to give up.
    """
    sqs, s3 = workspace.client("sqs"), workspace.client("s3")
    to_send = {decision.message.message_id: decision for decision in decisions if decision.action is Action.SEND}
    dropped = [decision for decision in decisions if decision.action is Action.DROP]
    # First: a worker may fail, and write the note again, before it would be removed.
    problems = _remove_notes(s3, workspace, [*to_send.values(), *dropped])
    refused: dict[str, str] = {}
    for batch in queue_transport.message_batches(
        (message_id, decision.body) for message_id, decision in to_send.items()
    ):
        failed = queue_transport.send_batch(sqs, workspace.queue_url or "", batch, stopped or threading.Event().wait)
        refused |= failed
        # At once, not at the end: an interruption leaves few dead-letter messages of jobs that are in the queue.
        sent = [message for message_id in batch if message_id not in failed for message in to_send[message_id].messages]
        _add(problems, _delete(sqs, workspace, sent))
    _add(problems, _delete(sqs, workspace, [message for decision in dropped for message in decision.messages]))
    return [_outcome(decision, refused, problems) for decision in decisions]


def _add(problems: dict[str, str], more: dict[str, str]) -> None:
    """Append the sentences for each message."""
    for message_id, problem in more.items():
        problems[message_id] = f"{problems.get(message_id, '')} {problem}".strip()


def _outcome(decision: Decision, refused: dict[str, str], problems: dict[str, str]) -> Outcome:
    if decision.action is Action.REFUSE:
        return Outcome(decision, Result.REFUSED)
    if decision.message.message_id in refused:
        return Outcome(decision, Result.FAILED, refused[decision.message.message_id])
    sentences = (problems[message.message_id] for message in decision.messages if message.message_id in problems)
    problem = " ".join(dict.fromkeys(sentences))
    return Outcome(decision, Result.SENT if decision.action is Action.SEND else Result.DROPPED, problem)


def _dry_run_outcomes(decisions: Iterable[Decision]) -> list[Outcome]:
    results = {Action.SEND: Result.SENT, Action.DROP: Result.DROPPED, Action.REFUSE: Result.REFUSED}
    return [Outcome(decision, results[decision.action]) for decision in decisions]


def _select(messages: Sequence[DeadLetterMessage], named: Sequence[str]) -> list[DeadLetterMessage]:
    """Select the requested messages; raises OncallError for an id that none has."""
    if not named:
        return list(messages)
    known = {known for message in messages for known in (message.job_id, message.message_id)}
    if unknown := [name for name in named if name not in known]:
        job_ids = list(dict.fromkeys(message.job_id for message in messages))
        more = f" and {len(job_ids) - IDS_LISTED} more" if len(job_ids) > IDS_LISTED else ""
        listed = f"There are {', '.join(job_ids[:IDS_LISTED])}{more}." if job_ids else "There are none at all."
        raise OncallError(f"No dead-letter message has the id {', '.join(unknown)}. {listed} Nothing was sent.")
    return [message for message in messages if message.job_id in named or message.message_id in named]


def _count_hidden(workspace: Workspace) -> int:
    """Return how many messages another reader has hidden, by SQS's estimate; 0 if unknown."""
    try:
        response = workspace.client("sqs").get_queue_attributes(
            QueueUrl=workspace.dead_letter_url,
            AttributeNames=[IN_FLIGHT_ATTRIBUTE],
        )
    except (BotoCoreError, ClientError):
        # Without this permission, the messages can still be read.
        return 0
    return int(response.get("Attributes", {}).get(IN_FLIGHT_ATTRIBUTE, 0))


def _remove_notes(s3: Any, workspace: Workspace, decisions: Sequence[Decision]) -> dict[str, str]:
    """Remove the jobs' error notes, which a client waiting for the picture would take as the result.

    A note that cannot be removed does not keep a job from being sent. Returns the reasons by the id of the job's newest
    message.
    """
    action = "s3:DeleteObject"
    by_key = {f"{workspace.prefix}/{decision.job_id}{bucket.NOTE_SUFFIX}": decision for decision in decisions}
    keys = list(by_key)
    failures: dict[str, str] = {}
    for start in range(0, len(keys), bucket.MAX_KEYS):
        batch = keys[start : start + bucket.MAX_KEYS]
        try:
            response = s3.delete_objects(Bucket=workspace.bucket, Delete={"Objects": [{"Key": key} for key in batch]})
        except (BotoCoreError, ClientError) as error:
            failures |= dict.fromkeys(batch, errors.reason(error, action))
        else:
            failures |= errors.entry_failures(response, action)
    problem = "The note of its failure could not be removed: a client that waits for the picture reads it as the answer"
    return {by_key[key].message.message_id: f"{problem} ({reason})." for key, reason in failures.items()}


def _delete(sqs: Any, workspace: Workspace, messages: Sequence[DeadLetterMessage]) -> dict[str, str]:
    """Delete messages; return the failures and their consequence by message id."""
    action = "sqs:DeleteMessage"
    failures: dict[str, str] = {}
    for batch in message_batches(messages):
        entries = [{"Id": message.message_id, "ReceiptHandle": message.receipt_handle} for message in batch]
        try:
            response = sqs.delete_message_batch(QueueUrl=workspace.dead_letter_url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            failures |= dict.fromkeys((message.message_id for message in batch), errors.reason(error, action))
        else:
            failures |= errors.entry_failures(response, action)
    problem = "Its dead-letter message could not be deleted. Once its picture is there, another redrive drops it"
    return {message_id: f"{problem} ({reason})." for message_id, reason in failures.items()}
