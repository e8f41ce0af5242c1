"""Decides what to do with each dead-letter message: send it back, leave it because it would fail again, or drop it because it is done.

A transient failure is worth another attempt. For any other the current state is checked where possible: is the job valid, is
the model allowed and available, does the worker's role have the permission by now?

Timeouts of the model lie in between: they pass as a rule, but each may have been billed, and the worker has already tried
`MAX_MODEL_TIMEOUTS` times. A job that timed out is redriven once. If it comes back with as many timeouts again, its model is
too slow for it, and only `--force` pays for more.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import formatting
from couch_explorers.aws import errors, lifecycle
from couch_explorers.core import jobs
from couch_explorers.core.aws_errors import storage_error
from couch_explorers.core.errors import (
    UNEXPECTED,
    AccessDeniedError,
    BlockedError,
    BodyTooLargeError,
    ConflictError,
    GenerationError,
    InvalidJobError,
    ModelAnswerError,
    ModelTimeoutError,
    ModelUnavailableError,
    PaymentMethodError,
    RetiredModelError,
    StorageError,
    SubscriptionPendingError,
    ThrottledError,
    UnknownModelError,
)
from couch_explorers.core.generation import HASH_METADATA
from couch_explorers.core.jobs import Job
from couch_explorers.core.retries import MAX_MODEL_TIMEOUTS
from couch_explorers.exploration import bucket
from couch_explorers.oncall.dead_letters import OncallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from couch_explorers.aws.lifecycle import Lifecycle
    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.oncall.dead_letters import DeadLetterMessage
    from couch_explorers.workspace import Workspace


# A failure nobody foresaw may pass.
TRANSIENT = {kind.reason for kind in (ThrottledError, ModelUnavailableError, SubscriptionPendingError)} | {UNEXPECTED}
# Timeouts of the model in all deliveries of a job, from which on it is not redriven: those of its first message and of one redrive.
MAX_TIMEOUTS = 2 * MAX_MODEL_TIMEOUTS
# What `aws_errors.storage_error` says of a caller whom S3 refuses.
NO_PERMISSION = "No right to"


@dataclass(frozen=True)
class Eligibility:
    """Whether a job may succeed when it is sent again, and why in a sentence."""

    good: bool
    why: str


class EligibilityChecker:
    """Judges dead-letter messages; what it asks of the target it asks once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lifecycles: dict[str, Lifecycle] = {}
        self._rights: dict[tuple[str, str], tuple[bool | None, str]] = {}
        self._role = ""
        # What to ask before a job that failed for this reason is sent again.
        self._looks: dict[str, Callable[[Job], Eligibility]] = {
            InvalidJobError.reason: _valid,
            UnknownModelError.reason: _valid,
            BodyTooLargeError.reason: _valid,
            # Anyone who plans has looked, and found no picture of another request.
            ConflictError.reason: lambda _: Eligibility(good=True, why="The other picture that had its id is gone."),
            BlockedError.reason: _blocked,
            ModelAnswerError.reason: _answered,
            ModelTimeoutError.reason: self._timed_out,
            PaymentMethodError.reason: _unpaid,
            RetiredModelError.reason: lambda job: self._offered(job.model),
            AccessDeniedError.reason: lambda job: self._allowed("bedrock:InvokeModel", job.model.arn),
            StorageError.reason: self._may_store,
        }

    def of(self, letter: DeadLetterMessage, job: Job | GenerationError) -> Eligibility:
        """Judge one letter; `job` is what its body reads as today, or why it cannot be read."""
        if isinstance(job, GenerationError):
            return _unreadable(letter, job)
        look = self._looks.get(letter.reason)
        if look is None or (letter.reason == StorageError.reason and not letter.detail.startswith(NO_PERMISSION)):
            return _by_kind(letter)
        return look(job)

    def _offered(self, model: ImageModel) -> Eligibility:
        if model.id not in self._lifecycles:
            self._lifecycles |= lifecycle.fetch_all(self._workspace, [model])
        found = self._lifecycles[model.id]
        if found.status is lifecycle.LifecycleStatus.ACTIVE:
            return Eligibility(good=True, why=f"{model.name} ({model.id}) is offered today.")
        return Eligibility(good=False, why=lifecycle.warning(model, found))

    def _timed_out(self, job: Job) -> Eligibility:
        """Count the job's timeouts, which the worker notes in the bucket for each message: a redrive is a new message."""
        s3, place = self._workspace.client("s3"), self._workspace.bucket
        folder = jobs.timeouts_prefix(self._workspace.prefix, job.id)
        try:
            timeouts = s3.list_objects_v2(Bucket=place, Prefix=folder, MaxKeys=MAX_TIMEOUTS)["KeyCount"]
        except (BotoCoreError, ClientError) as error:
            return Eligibility(
                good=False, why=f"Its timeouts could not be counted. {storage_error('list', place, error).detail}"
            )
        if timeouts >= MAX_TIMEOUTS:
            return Eligibility(
                good=False,
                why=f"{job.model.name} timed out in at least {timeouts} deliveries of this job, a redrive included, and may have "
                "billed each: raise the worker's timeout or choose another model first.",
            )
        price = formatting.usd(MAX_MODEL_TIMEOUTS * job.model.price_usd(job.size))
        return Eligibility(
            good=True,
            why=f"Timeouts pass as a rule. If {job.model.name} is still too slow, up to {MAX_MODEL_TIMEOUTS} more calls may be "
            f"billed ({price}) before the job is given up again.",
        )

    def _may_store(self, job: Job) -> Eligibility:
        """Ask for both rights that the worker needs in the bucket: the picture is paid before it is stored."""
        thing = f"arn:aws:s3:::{self._workspace.bucket}/{job.key(self._workspace.prefix)}"
        # By the folder, so that one answer serves all jobs.
        place = thing.rpartition("/")[0] + "/*"
        read = self._allowed("s3:GetObject", place)
        return self._allowed("s3:PutObject", place) if read.good else read

    def _allowed(self, action: str, thing: str) -> Eligibility:
        if (action, thing) not in self._rights:
            self._rights[action, thing] = self._ask_right(action, thing)
        may, trouble = self._rights[action, thing]
        if may is None:
            return Eligibility(
                good=False,
                why=f"Whether the worker may call {action} by now could not be asked ({trouble}).",
            )
        if may:
            return Eligibility(good=True, why=f"The worker's role may call {action} on {thing}.")
        return Eligibility(good=False, why=f"The worker's role may still not call {action} on {thing}: allow it first.")

    def _ask_right(self, action: str, thing: str) -> tuple[bool | None, str]:
        """Let IAM evaluate the policies of the worker's role (IAM API reference, SimulatePrincipalPolicy)."""
        try:
            role = self._workers_role()
        except (BotoCoreError, ClientError) as error:
            return None, errors.reason(error, "lambda:GetFunctionConfiguration")
        if not role:
            return None, "the worker is not deployed"
        try:
            answer = self._workspace.client("iam").simulate_principal_policy(
                PolicySourceArn=role,
                ActionNames=[action],
                ResourceArns=[thing],
            )
        except (BotoCoreError, ClientError) as error:
            return None, errors.reason(error, "iam:SimulatePrincipalPolicy")
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"]), ""

    def _workers_role(self) -> str:
        worker = self._workspace.functions.get("worker")
        if worker and not self._role:
            configuration = self._workspace.client("lambda").get_function_configuration(FunctionName=worker)
            self._role = str(configuration["Role"])
        return self._role


def _unreadable(letter: DeadLetterMessage, problem: GenerationError) -> Eligibility:
    if (letter.reason, letter.detail) == (problem.reason, problem.detail):
        return Eligibility(good=False, why="It would fail again in the same way.")
    return Eligibility(good=False, why=f"The worker would refuse it today, {problem.reason}: {problem.detail}")


def _valid(_: Job) -> Eligibility:
    return Eligibility(good=True, why="The job is valid here by now.")


def _blocked(_: Job) -> Eligibility:
    return Eligibility(good=False, why="A content filter answers the same again, and may bill it: change the prompt.")


def _unpaid(job: Job) -> Eligibility:
    return Eligibility(
        good=False,
        why=f"{job.model.name} is refused until the account has a valid payment method: add one under AWS Billing first.",
    )


def _answered(job: Job) -> Eligibility:
    return Eligibility(good=False, why=f"{job.model.name} answers the same request in the same way, and may bill it.")


def _by_kind(letter: DeadLetterMessage) -> Eligibility:
    if letter.reason in TRANSIENT:
        return Eligibility(good=True, why="A failure of this kind passes.")
    if letter.reason == StorageError.reason:
        return Eligibility(
            good=True,
            why="The bucket can be listed today; whether the worker can use it shows when it tries.",
        )
    if not letter.reason and letter.moved_by_sqs:
        return Eligibility(
            good=True,
            why="No worker lived to say why: each was stopped by a time-out, by lack of memory or from outside. "
            "If this one comes back, its prompt may be the cause.",
        )
    if not letter.reason:
        return Eligibility(good=True, why="It carries no reason: it was not the worker that put it here.")
    return Eligibility(
        good=False,
        why=f"What {letter.reason!r} means is not known here: look at the worker's log first.",
    )


LOOKUP_THREADS = 8


class Action(StrEnum):
    """What is to become of a dead-letter message."""

    SEND = "send"
    REFUSE = "refuse"  # it stays where it is
    DROP = "drop"  # its picture is there


@dataclass(frozen=True)
class Decision:
    """What is to become of one job, and why.

    `letters` are all that ask for it, oldest first: a worker that was stopped between two steps has written it twice.
    `body` is what is sent; `forced` tells that it is sent although it would be refused.
    """

    letters: tuple[DeadLetterMessage, ...]
    action: Action
    why: str
    body: str
    forced: bool = False

    @property
    def letter(self) -> DeadLetterMessage:
        """The newest letter, which tells how the job failed last."""
        return self.letters[-1]

    @property
    def job_id(self) -> str:
        """The id that the job keeps."""
        return self.letter.job_id


def decide(workspace: Workspace, letters: Sequence[DeadLetterMessage], *, force: bool = False) -> list[Decision]:
    """Decide about each job among the letters, in their order; nothing is changed.

    With `force` what would be refused is sent all the same; what is painted is dropped in any case. Raises OncallError
    when the bucket cannot be looked into: without that look a picture might be paid twice.
    """
    if letters and not workspace.model_arns:
        raise OncallError(
            "Which models are allowed here is not known, because no function is deployed: deploy the worker.",
        )
    read = {letter.message_id: _parse_job(letter, workspace.model_arns) for letter in letters}
    painted = _find_pictures(workspace, [job for job in read.values() if isinstance(job, Job)])
    prospects = EligibilityChecker(workspace)
    claimed: dict[str, str] = {}
    decisions = []
    for group in _group_by_job(letters, read):
        letter, job = group[-1], read[group[-1].message_id]
        if isinstance(job, Job) and painted.get(job.id) == job.request_hash:
            why = f"Its picture is there: s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            decisions.append(Decision(tuple(group), Action.DROP, why, letter.body))
            continue
        prospect = _eligibility(workspace, prospects, letter, job, painted, claimed)
        action = Action.SEND if prospect.good or force else Action.REFUSE
        if action is Action.SEND and isinstance(job, Job):
            claimed.setdefault(job.id, job.request_hash)
        body = body_to_send(letter, job)
        decisions.append(Decision(tuple(group), action, prospect.why, body, forced=force and not prospect.good))
    return decisions


def body_to_send(letter: DeadLetterMessage, job: Job | GenerationError) -> str:
    """Write the job's id into a body that has none: as a new message it would get a new id, hence another picture.

    A body that cannot be read stays as it is.
    """
    if not isinstance(job, Job):
        return letter.body
    return jobs.with_id(letter.body, job.id)


def _eligibility(
    workspace: Workspace,
    prospects: EligibilityChecker,
    letter: DeadLetterMessage,
    job: Job | GenerationError,
    painted: dict[str, str],
    claimed: dict[str, str],
) -> Eligibility:
    if isinstance(job, Job):
        if job.id in painted:
            place = f"s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            return Eligibility(good=False, why=f"The id belongs to another picture, {place}: send it under another id.")
        if claimed.get(job.id, job.request_hash) != job.request_hash:
            return Eligibility(
                good=False, why="An older dead-letter message has the same id and asks for another picture."
            )
    return prospects.of(letter, job)


def _parse_job(letter: DeadLetterMessage, model_arns: Sequence[str]) -> Job | GenerationError:
    try:
        return jobs.parse(letter.body, fallback_id=letter.job_id, model_arns=model_arns)
    except GenerationError as error:
        return error


def _group_by_job(
    letters: Iterable[DeadLetterMessage],
    read: dict[str, Job | GenerationError],
) -> list[list[DeadLetterMessage]]:
    """Bring together the letters that ask for the same picture under the same id."""
    groups: dict[tuple[str, ...], list[DeadLetterMessage]] = {}
    for letter in letters:
        job = read[letter.message_id]
        same = (job.id, job.request_hash) if isinstance(job, Job) else (letter.message_id,)
        groups.setdefault(same, []).append(letter)
    return list(groups.values())


def _find_pictures(workspace: Workspace, wanted: Sequence[Job]) -> dict[str, str]:
    """Find which of these jobs' ids have a picture, with the hash of the request that it came from."""
    if not wanted:
        return {}
    s3 = workspace.client("s3")
    try:
        found = bucket.find_results(s3, workspace.bucket, workspace.prefix, {job.id for job in wanted}).pictures
        there = {job.id: job for job in wanted if job.id in found}
        with ThreadPoolExecutor(LOOKUP_THREADS, "redrive-look") as pool:
            hashes = pool.map(lambda job: _request_hash(s3, workspace, job), there.values())
            return dict(zip(there, hashes, strict=True))
    except StorageError as error:
        raise OncallError(f"{error.detail} Nothing was sent: a picture that is there would be paid again.") from error


def _request_hash(s3: Any, workspace: Workspace, job: Job) -> str:
    try:
        head = s3.head_object(Bucket=workspace.bucket, Key=job.key(workspace.prefix))
    except (BotoCoreError, ClientError) as error:
        raise storage_error("read", workspace.bucket, error) from error
    return str(head.get("Metadata", {}).get(HASH_METADATA, ""))
