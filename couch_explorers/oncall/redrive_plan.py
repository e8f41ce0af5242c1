"""What to do with each dead letter: send it back, refuse it because it would only fail again, or drop it because it is done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core import jobs
from couch_explorers.core.aws_errors import storage_error
from couch_explorers.core.errors import GenerationError, StorageError
from couch_explorers.core.generation import HASH_METADATA
from couch_explorers.core.jobs import Job
from couch_explorers.exploration.running import bucket
from couch_explorers.oncall.errors import OncallError
from couch_explorers.oncall.prospects import Prospect, Prospects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from couch_explorers.oncall.dead_letters import DeadLetter
    from couch_explorers.workspace import Workspace


LOOKS_AT_A_TIME = 8


class Action(StrEnum):
    """What is to become of a dead letter."""

    SEND = "send"
    REFUSE = "refuse"  # it stays where it is
    DROP = "drop"  # its picture is there


@dataclass(frozen=True)
class Decision:
    """What is to become of one job, and why.

    `letters` are all that ask for it, oldest first: a worker that was stopped between two steps has written it twice.
    `body` is what is sent; `forced` tells that it is sent although it would be refused.
    """

    letters: tuple[DeadLetter, ...]
    action: Action
    why: str
    body: str
    forced: bool = False

    @property
    def letter(self) -> DeadLetter:
        """The newest letter, which tells how the job failed last."""
        return self.letters[-1]

    @property
    def job_id(self) -> str:
        """The id that the job keeps."""
        return self.letter.job_id


def plan(workspace: Workspace, letters: Sequence[DeadLetter], *, force: bool = False) -> list[Decision]:
    """Decide about each job among the letters, in their order; nothing is changed.

    With `force` what would be refused is sent all the same; what is painted is dropped in any case. Raises OncallError
    when the bucket cannot be looked into: without that look a picture might be paid twice.
    """
    if letters and not workspace.model_arns:
        raise OncallError(
            "Which models are allowed here is not known, because no function is deployed: deploy the worker."
        )
    read = {letter.message_id: _read(letter, workspace.model_arns) for letter in letters}
    painted = _painted(workspace, [job for job in read.values() if isinstance(job, Job)])
    prospects = Prospects(workspace)
    claimed: dict[str, str] = {}
    decisions = []
    for group in _same_jobs(letters, read):
        letter, job = group[-1], read[group[-1].message_id]
        if isinstance(job, Job) and painted.get(job.id) == job.request_hash:
            why = f"Its picture is there: s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            decisions.append(Decision(tuple(group), Action.DROP, why, letter.body))
            continue
        prospect = _prospect(workspace, prospects, letter, job, painted, claimed)
        action = Action.SEND if prospect.good or force else Action.REFUSE
        if action is Action.SEND and isinstance(job, Job):
            claimed.setdefault(job.id, job.request_hash)
        body = body_to_send(letter, job)
        decisions.append(Decision(tuple(group), action, prospect.why, body, forced=force and not prospect.good))
    return decisions


def body_to_send(letter: DeadLetter, job: Job | GenerationError) -> str:
    """Write the job's id into a body that has none: as a new message it would get a new id, hence another picture.

    A body that cannot be read stays as it is.
    """
    if not isinstance(job, Job):
        return letter.body
    return jobs.with_id(letter.body, job.id)


def _prospect(
    workspace: Workspace,
    prospects: Prospects,
    letter: DeadLetter,
    job: Job | GenerationError,
    painted: dict[str, str],
    claimed: dict[str, str],
) -> Prospect:
    if isinstance(job, Job):
        if job.id in painted:
            place = f"s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            return Prospect(good=False, why=f"The id belongs to another picture, {place}: send it under another id.")
        if claimed.get(job.id, job.request_hash) != job.request_hash:
            return Prospect(good=False, why="An older dead letter has the same id and asks for another picture.")
    return prospects.of(letter, job)


def _read(letter: DeadLetter, model_arns: Sequence[str]) -> Job | GenerationError:
    try:
        return jobs.parse(letter.body, fallback_id=letter.job_id, model_arns=model_arns)
    except GenerationError as error:
        return error


def _same_jobs(letters: Iterable[DeadLetter], read: dict[str, Job | GenerationError]) -> list[list[DeadLetter]]:
    """Bring together the letters that ask for the same picture under the same id."""
    groups: dict[tuple[str, ...], list[DeadLetter]] = {}
    for letter in letters:
        job = read[letter.message_id]
        same = (job.id, job.request_hash) if isinstance(job, Job) else (letter.message_id,)
        groups.setdefault(same, []).append(letter)
    return list(groups.values())


def _painted(workspace: Workspace, wanted: Sequence[Job]) -> dict[str, str]:
    """Find which of these jobs' ids have a picture, with the hash of the request that it came from."""
    if not wanted:
        return {}
    s3 = workspace.client("s3")
    try:
        found = bucket.look(s3, workspace.bucket, workspace.prefix, {job.id for job in wanted}).pictures
        there = {job.id: job for job in wanted if job.id in found}
        with ThreadPoolExecutor(LOOKS_AT_A_TIME, "redrive-look") as pool:
            hashes = pool.map(lambda job: _hash_of(s3, workspace, job), there.values())
            return dict(zip(there, hashes, strict=True))
    except StorageError as error:
        raise OncallError(f"{error.detail} Nothing was sent: a picture that is there would be paid again.") from error


def _hash_of(s3: Any, workspace: Workspace, job: Job) -> str:
    try:
        head = s3.head_object(Bucket=workspace.bucket, Key=job.key(workspace.prefix))
    except (BotoCoreError, ClientError) as error:
        raise storage_error("read", workspace.bucket, error) from error
    return str(head.get("Metadata", {}).get(HASH_METADATA, ""))
