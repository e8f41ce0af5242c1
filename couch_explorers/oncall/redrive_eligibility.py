"""Decides what to do with each dead-letter message: send it back, refuse it because it would fail again, or drop it because it is done.

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


# An unexpected failure may be transient.
TRANSIENT = {kind.reason for kind in (ThrottledError, ModelUnavailableError, SubscriptionPendingError)} | {UNEXPECTED}
# Timeouts of the model in all deliveries of a job, from which on it is not redriven: those of its first message and of one redrive.
MAX_TIMEOUTS = 2 * MAX_MODEL_TIMEOUTS
# The beginning of `aws_errors.storage_error` for a denied caller.
NO_PERMISSION = "No right to"


@dataclass(frozen=True)
class Eligibility:
    """Whether a job may succeed if it is sent again, and why."""

    good: bool
    why: str


class EligibilityChecker:
    """Judges dead-letter messages; caches what it reads from the target."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lifecycles: dict[str, Lifecycle] = {}
        self._permissions: dict[tuple[str, str], tuple[bool | None, str]] = {}
        self._role = ""
        # The check before a job that failed for this reason is sent again.
        self._checks: dict[str, Callable[[Job], Eligibility]] = {
            InvalidJobError.reason: _valid,
            UnknownModelError.reason: _valid,
            BodyTooLargeError.reason: _valid,
            # `decide` has found no picture of another request.
            ConflictError.reason: lambda _: Eligibility(good=True, why="The other picture that had its id is gone."),
            BlockedError.reason: _blocked,
            ModelAnswerError.reason: _answered,
            ModelTimeoutError.reason: self._timed_out,
            PaymentMethodError.reason: _unpaid,
            RetiredModelError.reason: lambda job: self._offered(job.model),
            AccessDeniedError.reason: lambda job: self._allowed("bedrock:InvokeModel", job.model.arn),
            StorageError.reason: self._may_store,
        }

    def of(self, message: DeadLetterMessage, job: Job | GenerationError) -> Eligibility:
        """Judge one message; `job` is parsed from its body, or is the error why it cannot be parsed."""
        if isinstance(job, GenerationError):
            return _unreadable(message, job)
        check = self._checks.get(message.reason)
        if check is None or (message.reason == StorageError.reason and not message.detail.startswith(NO_PERMISSION)):
            return _by_kind(message)
        return check(job)

    def _offered(self, model: ImageModel) -> Eligibility:
        if model.id not in self._lifecycles:
            self._lifecycles |= lifecycle.fetch_all(self._workspace, [model])
        found = self._lifecycles[model.id]
        if found.status is lifecycle.LifecycleStatus.ACTIVE:
            return Eligibility(good=True, why=f"{model.name} ({model.id}) is offered today.")
        return Eligibility(good=False, why=lifecycle.warning(model, found))

    def _timed_out(self, job: Job) -> Eligibility:
        """Count the job's timeouts, which the worker records in the bucket for each message: a redrive is a new message."""
        s3, bucket_name = self._workspace.client("s3"), self._workspace.bucket
        folder = jobs.timeouts_prefix(self._workspace.prefix, job.id)
        try:
            timeouts = s3.list_objects_v2(Bucket=bucket_name, Prefix=folder, MaxKeys=MAX_TIMEOUTS)["KeyCount"]
        except (BotoCoreError, ClientError) as error:
            return Eligibility(
                good=False, why=f"Its timeouts could not be counted. {storage_error('list', bucket_name, error).detail}"
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
        """Check both permissions that the worker needs in the bucket: the picture is paid for before it is stored."""
        resource = f"arn:aws:s3:::{self._workspace.bucket}/{job.key(self._workspace.prefix)}"
        # For the folder, so that one response covers all jobs.
        folder = resource.rpartition("/")[0] + "/*"
        read = self._allowed("s3:GetObject", folder)
        return self._allowed("s3:PutObject", folder) if read.good else read

    def _allowed(self, action: str, resource: str) -> Eligibility:
        if (action, resource) not in self._permissions:
            self._permissions[action, resource] = self._simulate(action, resource)
        is_allowed, problem = self._permissions[action, resource]
        if is_allowed is None:
            return Eligibility(
                good=False,
                why=f"Whether the worker may call {action} by now could not be asked ({problem}).",
            )
        if is_allowed:
            return Eligibility(good=True, why=f"The worker's role may call {action} on {resource}.")
        return Eligibility(
            good=False, why=f"The worker's role may still not call {action} on {resource}: allow it first."
        )

    def _simulate(self, action: str, resource: str) -> tuple[bool | None, str]:
        """Simulate the policies of the worker's role (IAM API reference, SimulatePrincipalPolicy)."""
        try:
            role = self._workers_role()
        except (BotoCoreError, ClientError) as error:
            return None, errors.reason(error, "lambda:GetFunctionConfiguration")
        if not role:
            return None, "the worker is not deployed"
        try:
            response = self._workspace.client("iam").simulate_principal_policy(
                PolicySourceArn=role,
                ActionNames=[action],
                ResourceArns=[resource],
            )
        except (BotoCoreError, ClientError) as error:
            return None, errors.reason(error, "iam:SimulatePrincipalPolicy")
        return all(result["EvalDecision"] == "allowed" for result in response["EvaluationResults"]), ""

    def _workers_role(self) -> str:
        worker = self._workspace.functions.get("worker")
        if worker and not self._role:
            configuration = self._workspace.client("lambda").get_function_configuration(FunctionName=worker)
            self._role = str(configuration["Role"])
        return self._role


def _unreadable(message: DeadLetterMessage, problem: GenerationError) -> Eligibility:
    if (message.reason, message.detail) == (problem.reason, problem.detail):
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


def _by_kind(message: DeadLetterMessage) -> Eligibility:
    if message.reason in TRANSIENT:
        return Eligibility(good=True, why="A failure of this kind passes.")
    if message.reason == StorageError.reason:
        return Eligibility(
            good=True,
            why="The bucket can be listed today; whether the worker can use it shows when it tries.",
        )
    if not message.reason and message.moved_by_sqs:
        return Eligibility(
            good=True,
            why="No worker lived to say why: each was stopped by a time-out, by lack of memory or from outside. "
            "If this one comes back, its prompt may be the cause.",
        )
    if not message.reason:
        return Eligibility(good=True, why="It carries no reason: it was not the worker that put it here.")
    return Eligibility(
        good=False,
        why=f"What {message.reason!r} means is not known here: look at the worker's log first.",
    )


LOOKUP_THREADS = 8


class Action(StrEnum):
    """The action for a dead-letter message."""

    SEND = "send"
    REFUSE = "refuse"  # it stays where it is
    DROP = "drop"  # its picture is there


@dataclass(frozen=True)
class Decision:
    """The decision on one job, with its reason.

    `messages` are all of the job's, oldest first: a worker that was stopped between two steps has written two. `body` is what
    is sent; `forced` means that it is sent although it would be refused.
    """

    messages: tuple[DeadLetterMessage, ...]
    action: Action
    why: str
    body: str
    forced: bool = False

    @property
    def message(self) -> DeadLetterMessage:
        """The newest message, with the job's last failure."""
        return self.messages[-1]

    @property
    def job_id(self) -> str:
        """The id that the job keeps."""
        return self.message.job_id


def decide(workspace: Workspace, messages: Sequence[DeadLetterMessage], *, force: bool = False) -> list[Decision]:
    """Decide what to do with each job of these messages, in order; changes nothing.

    With `force`, jobs that would be refused are sent all the same; jobs with a picture are always dropped. Raises OncallError
    if the bucket cannot be listed: a picture might be paid for twice.
    """
    if messages and not workspace.model_arns:
        raise OncallError(
            "Which models are allowed here is not known, because no function is deployed: deploy the worker.",
        )
    parsed = {message.message_id: _parse_job(message, workspace.model_arns) for message in messages}
    pictures = _find_pictures(workspace, [job for job in parsed.values() if isinstance(job, Job)])
    checker = EligibilityChecker(workspace)
    claimed: dict[str, str] = {}
    decisions = []
    for group in _group_by_job(messages, parsed):
        message, job = group[-1], parsed[group[-1].message_id]
        if isinstance(job, Job) and pictures.get(job.id) == job.request_hash:
            why = f"Its picture is there: s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            decisions.append(Decision(tuple(group), Action.DROP, why, message.body))
            continue
        eligibility = _eligibility(workspace, checker, message, job, pictures, claimed)
        action = Action.SEND if eligibility.good or force else Action.REFUSE
        if action is Action.SEND and isinstance(job, Job):
            claimed.setdefault(job.id, job.request_hash)
        body = body_to_send(message, job)
        decisions.append(Decision(tuple(group), action, eligibility.why, body, forced=force and not eligibility.good))
    return decisions


def body_to_send(message: DeadLetterMessage, job: Job | GenerationError) -> str:
    """Add the job's id to a body without one: as a new message it would get a new id, hence another picture.

    A body that cannot be parsed is unchanged.
    """
    if not isinstance(job, Job):
        return message.body
    return jobs.with_id(message.body, job.id)


def _eligibility(
    workspace: Workspace,
    checker: EligibilityChecker,
    message: DeadLetterMessage,
    job: Job | GenerationError,
    pictures: dict[str, str],
    claimed: dict[str, str],
) -> Eligibility:
    if isinstance(job, Job):
        if job.id in pictures:
            uri = f"s3://{workspace.bucket}/{job.key(workspace.prefix)}"
            return Eligibility(good=False, why=f"The id belongs to another picture, {uri}: send it under another id.")
        if claimed.get(job.id, job.request_hash) != job.request_hash:
            return Eligibility(
                good=False, why="An older dead-letter message has the same id and asks for another picture."
            )
    return checker.of(message, job)


def _parse_job(message: DeadLetterMessage, model_arns: Sequence[str]) -> Job | GenerationError:
    try:
        return jobs.parse(message.body, fallback_id=message.job_id, model_arns=model_arns)
    except GenerationError as error:
        return error


def _group_by_job(
    messages: Iterable[DeadLetterMessage],
    parsed: dict[str, Job | GenerationError],
) -> list[list[DeadLetterMessage]]:
    """Group the messages with the same request under the same id."""
    groups: dict[tuple[str, ...], list[DeadLetterMessage]] = {}
    for message in messages:
        job = parsed[message.message_id]
        key = (job.id, job.request_hash) if isinstance(job, Job) else (message.message_id,)
        groups.setdefault(key, []).append(message)
    return list(groups.values())


def _find_pictures(workspace: Workspace, wanted: Sequence[Job]) -> dict[str, str]:
    """Return the hash of the request behind the picture of each of these jobs that has one, by job id."""
    if not wanted:
        return {}
    s3 = workspace.client("s3")
    try:
        found = bucket.find_results(s3, workspace.bucket, workspace.prefix, {job.id for job in wanted}).pictures
        existing = {job.id: job for job in wanted if job.id in found}
        with ThreadPoolExecutor(LOOKUP_THREADS, "redrive-look") as pool:
            hashes = pool.map(lambda job: _request_hash(s3, workspace, job), existing.values())
            return dict(zip(existing, hashes, strict=True))
    except StorageError as error:
        raise OncallError(f"{error.detail} Nothing was sent: a picture that is there would be paid again.") from error


def _request_hash(s3: Any, workspace: Workspace, job: Job) -> str:
    try:
        head = s3.head_object(Bucket=workspace.bucket, Key=job.key(workspace.prefix))
    except (BotoCoreError, ClientError) as error:
        raise storage_error("read", workspace.bucket, error) from error
    return str(head.get("Metadata", {}).get(HASH_METADATA, ""))
