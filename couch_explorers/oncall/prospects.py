"""Would a job that was given up on fare better if it were sent again? By its reason, and by what the target says today.

A reason that passes is worth another try. One that does not is looked into where that can be asked: is the job valid, is
the model allowed and offered, has the worker's role the right by now?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import lifecycle
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
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
from couch_explorers.oncall.errors import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.aws.lifecycle import Lifecycle
    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.core.jobs import Job
    from couch_explorers.oncall.dead_letters import DeadLetter
    from couch_explorers.workspace import Workspace

# The worker's own word for a failure nobody foresaw (lambda_code/lambda_sqs.py): it may pass.
UNEXPECTED = "Unexpected"
PASSING = {
    kind.reason for kind in (ThrottledError, ModelUnavailableError, ModelTimeoutError, SubscriptionPendingError)
} | {UNEXPECTED}
# What `aws_errors.storage_error` says of a caller whom S3 refuses.
NO_RIGHT = "No right to"


@dataclass(frozen=True)
class Prospect:
    """Whether a job may succeed when it is sent again, and why in a sentence."""

    good: bool
    why: str


class Prospects:
    """Judges dead letters; what it asks of the target it asks once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lifecycles: dict[str, Lifecycle] = {}
        self._rights: dict[tuple[str, str], tuple[bool | None, str]] = {}
        self._role = ""
        # What to ask before a job that failed for this reason is sent again.
        self._looks: dict[str, Callable[[Job], Prospect]] = {
            InvalidJobError.reason: _valid,
            UnknownModelError.reason: _valid,
            # Whoever plans has looked, and found no picture of another request.
            ConflictError.reason: lambda _: Prospect(good=True, why="The other picture that had its id is gone."),
            BlockedError.reason: _blocked,
            ModelAnswerError.reason: _answered,
            PaymentMethodError.reason: _unpaid,
            RetiredModelError.reason: lambda job: self._offered(job.model),
            AccessDeniedError.reason: lambda job: self._allowed("bedrock:InvokeModel", job.model.arn),
            StorageError.reason: self._may_store,
        }

    def of(self, letter: DeadLetter, job: Job | GenerationError) -> Prospect:
        """Judge one letter; `job` is what its body reads as today, or why it cannot be read."""
        if isinstance(job, GenerationError):
            return _unreadable(letter, job)
        look = self._looks.get(letter.reason)
        if look is None or (letter.reason == StorageError.reason and not letter.detail.startswith(NO_RIGHT)):
            return _by_kind(letter)
        return look(job)

    def _offered(self, model: ImageModel) -> Prospect:
        if model.id not in self._lifecycles:
            self._lifecycles |= lifecycle.fetch_all(self._workspace, [model])
        found = self._lifecycles[model.id]
        if found.status is lifecycle.LifecycleStatus.ACTIVE:
            return Prospect(good=True, why=f"{model.name} ({model.id}) is offered today.")
        return Prospect(good=False, why=lifecycle.warning(model, found))

    def _may_store(self, job: Job) -> Prospect:
        """Ask for both rights that the worker needs in the bucket: the picture is paid before it is stored."""
        thing = f"arn:aws:s3:::{self._workspace.bucket}/{job.key(self._workspace.prefix)}"
        # By the folder, so that one answer serves all jobs.
        place = thing.rpartition("/")[0] + "/*"
        read = self._allowed("s3:GetObject", place)
        return self._allowed("s3:PutObject", place) if read.good else read

    def _allowed(self, action: str, thing: str) -> Prospect:
        if (action, thing) not in self._rights:
            self._rights[action, thing] = self._ask_right(action, thing)
        may, trouble = self._rights[action, thing]
        if may is None:
            return Prospect(
                good=False, why=f"Whether the worker may call {action} by now could not be asked ({trouble})."
            )
        if may:
            return Prospect(good=True, why=f"The worker's role may call {action} on {thing}.")
        return Prospect(good=False, why=f"The worker's role may still not call {action} on {thing}: allow it first.")

    def _ask_right(self, action: str, thing: str) -> tuple[bool | None, str]:
        """Let IAM evaluate the policies of the worker's role (IAM API reference, SimulatePrincipalPolicy)."""
        try:
            role = self._workers_role()
        except (BotoCoreError, ClientError) as error:
            return None, said(error, "lambda:GetFunctionConfiguration")
        if not role:
            return None, "the worker is not deployed"
        try:
            answer = self._workspace.client("iam").simulate_principal_policy(
                PolicySourceArn=role, ActionNames=[action], ResourceArns=[thing]
            )
        except (BotoCoreError, ClientError) as error:
            return None, said(error, "iam:SimulatePrincipalPolicy")
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"]), ""

    def _workers_role(self) -> str:
        worker = self._workspace.functions.get("worker")
        if worker and not self._role:
            configuration = self._workspace.client("lambda").get_function_configuration(FunctionName=worker)
            self._role = str(configuration["Role"])
        return self._role


def _unreadable(letter: DeadLetter, problem: GenerationError) -> Prospect:
    if (letter.reason, letter.detail) == (problem.reason, problem.detail):
        return Prospect(good=False, why="It would fail again in the same way.")
    return Prospect(good=False, why=f"The worker would refuse it today, {problem.reason}: {problem.detail}")


def _valid(_: Job) -> Prospect:
    return Prospect(good=True, why="The job is valid here by now.")


def _blocked(_: Job) -> Prospect:
    return Prospect(good=False, why="A content filter answers the same again, and may bill it: change the prompt.")


def _unpaid(job: Job) -> Prospect:
    return Prospect(
        good=False,
        why=f"{job.model.name} is refused until the account has a valid payment method: add one under AWS Billing first.",
    )


def _answered(job: Job) -> Prospect:
    return Prospect(good=False, why=f"{job.model.name} answers the same request in the same way, and may bill it.")


def _by_kind(letter: DeadLetter) -> Prospect:
    if letter.reason in PASSING:
        return Prospect(good=True, why="A failure of this kind passes.")
    if letter.reason == StorageError.reason:
        return Prospect(
            good=True, why="The bucket can be listed today; whether the worker can use it shows when it tries."
        )
    if not letter.reason and letter.moved_by_sqs:
        return Prospect(
            good=True,
            why="No worker lived to say why: each was stopped by a time-out, by lack of memory or from outside. "
            "If this one comes back, its prompt may be the cause.",
        )
    if not letter.reason:
        return Prospect(good=True, why="It carries no reason: it was not the worker that put it here.")
    return Prospect(good=False, why=f"What {letter.reason!r} means is not known here: look at the worker's log first.")
