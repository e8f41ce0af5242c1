"""Sending dead-letter messages back to the queue under the same ids: only what may succeed now, and nothing that is painted already.

A job is in the queue before its letter is deleted, so whatever interrupts this loses nothing. A job that is sent twice is
not paid twice: the worker looks for its picture first.
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
# How many ids an error lists.
IDS_LISTED = 10


def run(workspace: Workspace, ids: Iterable[str] = (), *, dry_run: bool = False, force: bool = False) -> Report:
    """Deal with the dead-letter messages of these jobs, or with all of them: what `couch redrive` does.

    `ids` are jobs' ids or messages' ids. A dry run decides and changes nothing. Raises OncallError, before anything is
    sent, for an id that has no dead-letter message and when queue or bucket cannot be read.
    """
    if workspace.dead_letter_url is None or workspace.queue_url is None:
        raise OncallError(f"{not_deployed('queue', workspace.target)}.")
    named = tuple(dict.fromkeys(ids))
    hidden = _count_hidden(workspace)
    with hold_all(workspace) as letters:
        decisions = decide(workspace, _select(letters, named), force=force)
        outcomes = _dry_run_outcomes(decisions) if dry_run else carry_out(workspace, decisions)
    queue = queue_name(workspace.dead_letter_url)
    return Report(
        workspace, queue, tuple(outcomes), named=named, hidden=hidden, hidden_note=letters.hidden_note, dry_run=dry_run
    )


def send(workspace: Workspace, letters: Sequence[DeadLetterMessage], *, force: bool = False) -> list[Outcome]:
    """Send back which of these letters may succeed now, or all of them by force; see `plan` and `carry_out`."""
    return carry_out(workspace, decide(workspace, letters, force=force))


def carry_out(
    workspace: Workspace,
    decisions: Sequence[Decision],
    *,
    stopped: Callable[[float], bool] | None = None,
) -> list[Outcome]:
    """Do what was decided and tell what became of each job, in the same order.

    `stopped` waits that many seconds before SQS is asked again, and tells whether to give up meanwhile.
    """
    sqs, s3 = workspace.client("sqs"), workspace.client("s3")
    going = {decision.letter.message_id: decision for decision in decisions if decision.action is Action.SEND}
    dropped = [decision for decision in decisions if decision.action is Action.DROP]
    # First: a worker may fail, and write the note again, before we would come to remove it.
    troubles = _remove_notes(s3, workspace, [*going.values(), *dropped])
    refused: dict[str, str] = {}
    for batch in queue_transport.message_batches((message_id, decision.body) for message_id, decision in going.items()):
        not_taken = queue_transport.send_batch(sqs, workspace.queue_url or "", batch, stopped or threading.Event().wait)
        refused |= not_taken
        # At once, not at the end: an interruption leaves few letters of jobs that are in the queue.
        taken = [letter for message_id in batch if message_id not in not_taken for letter in going[message_id].letters]
        _add(troubles, _delete(sqs, workspace, taken))
    _add(troubles, _delete(sqs, workspace, [letter for decision in dropped for letter in decision.letters]))
    return [_outcome(decision, refused, troubles) for decision in decisions]


def _add(troubles: dict[str, str], more: dict[str, str]) -> None:
    """Put the sentences of one message one after the other."""
    for message_id, trouble in more.items():
        troubles[message_id] = f"{troubles.get(message_id, '')} {trouble}".strip()


def _outcome(decision: Decision, refused: dict[str, str], troubles: dict[str, str]) -> Outcome:
    if decision.action is Action.REFUSE:
        return Outcome(decision, Result.REFUSED)
    if decision.letter.message_id in refused:
        return Outcome(decision, Result.FAILED, refused[decision.letter.message_id])
    of_letters = (troubles[letter.message_id] for letter in decision.letters if letter.message_id in troubles)
    trouble = " ".join(dict.fromkeys(of_letters))
    return Outcome(decision, Result.SENT if decision.action is Action.SEND else Result.DROPPED, trouble)


def _dry_run_outcomes(decisions: Iterable[Decision]) -> list[Outcome]:
    results = {Action.SEND: Result.SENT, Action.DROP: Result.DROPPED, Action.REFUSE: Result.REFUSED}
    return [Outcome(decision, results[decision.action]) for decision in decisions]


def _select(letters: Sequence[DeadLetterMessage], named: Sequence[str]) -> list[DeadLetterMessage]:
    """Pick the letters that are asked for; raises OncallError for an id that none has."""
    if not named:
        return list(letters)
    known = {known for letter in letters for known in (letter.job_id, letter.message_id)}
    if unknown := [name for name in named if name not in known]:
        there = list(dict.fromkeys(letter.job_id for letter in letters))
        more = f" and {len(there) - IDS_LISTED} more" if len(there) > IDS_LISTED else ""
        listed = f"There are {', '.join(there[:IDS_LISTED])}{more}." if there else "There are none at all."
        raise OncallError(f"No dead-letter message has the id {', '.join(unknown)}. {listed} Nothing was sent.")
    return [letter for letter in letters if letter.job_id in named or letter.message_id in named]


def _count_hidden(workspace: Workspace) -> int:
    """How many letters somebody else keeps out of sight, by SQS's estimate; 0 where that cannot be asked."""
    try:
        answer = workspace.client("sqs").get_queue_attributes(
            QueueUrl=workspace.dead_letter_url,
            AttributeNames=[IN_FLIGHT_ATTRIBUTE],
        )
    except (BotoCoreError, ClientError):
        # Without that right the letters themselves can still be read.
        return 0
    return int(answer.get("Attributes", {}).get(IN_FLIGHT_ATTRIBUTE, 0))


def _remove_notes(s3: Any, workspace: Workspace, decisions: Sequence[Decision]) -> dict[str, str]:
    """Remove the notes that say why there is no picture: anyone who waits for one would take them for the answer.

    A note that stays keeps no job from being sent. Says by the message id of a job's newest letter why its note is still
    there.
    """
    action = "s3:DeleteObject"
    by_key = {f"{workspace.prefix}/{decision.job_id}{bucket.NOTE_SUFFIX}": decision for decision in decisions}
    keys = list(by_key)
    left: dict[str, str] = {}
    for start in range(0, len(keys), bucket.MAX_KEYS):
        doomed = keys[start : start + bucket.MAX_KEYS]
        try:
            answer = s3.delete_objects(Bucket=workspace.bucket, Delete={"Objects": [{"Key": key} for key in doomed]})
        except (BotoCoreError, ClientError) as error:
            left |= dict.fromkeys(doomed, errors.reason(error, action))
        else:
            left |= errors.entry_failures(answer, action)
    after = "The note of its failure could not be removed: a client that waits for the picture reads it as the answer"
    return {by_key[key].letter.message_id: f"{after} ({reason})." for key, reason in left.items()}


def _delete(sqs: Any, workspace: Workspace, letters: Sequence[DeadLetterMessage]) -> dict[str, str]:
    """Delete letters and say by message id which are still there, and what that means."""
    action = "sqs:DeleteMessage"
    left: dict[str, str] = {}
    for batch in message_batches(letters):
        entries = [{"Id": letter.message_id, "ReceiptHandle": letter.receipt_handle} for letter in batch]
        try:
            answer = sqs.delete_message_batch(QueueUrl=workspace.dead_letter_url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            left |= dict.fromkeys((letter.message_id for letter in batch), errors.reason(error, action))
        else:
            left |= errors.entry_failures(answer, action)
    after = "Its dead-letter message could not be deleted. Once its picture is there, another redrive drops it"
    return {message_id: f"{after} ({reason})." for message_id, reason in left.items()}
