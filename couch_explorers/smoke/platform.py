"""The smoke test's first part: identity, region, the image models' lifecycles, and the prerequisites of paid calls.

Each function reports the SDK of its runtime: one that is too old would pay for an image and then fail to store it. Bedrock
reports whether the account has agreed to the default model: without the agreement, a function's calls would be refused.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.aws import lifecycle
from couch_explorers.aws.errors import is_access_denied
from couch_explorers.aws.lifecycle import LifecycleStatus
from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.core import image_models, sdk
from couch_explorers.core.aws_errors import describe
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.smoke.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from couch_explorers.workspace import Workspace


def check(workspace: Workspace, clients: Callable[..., Any]) -> Part:
    """Check identity, region and the lifecycle of every model of the deployment."""
    checks = [ask("identity and region", lambda: _identity(workspace, clients))]
    if not workspace.model_arns:
        reason = "The deploy names no models: deploy the API or the queue, whose setting MODEL_ARNS lists them."
        checks.append(Check("image models", Verdict.BAD, 0.0, reason))
    checks += [_model(arn, clients, default=index == 0) for index, arn in enumerate(workspace.model_arns)]
    return Part(tuple(checks))


def _identity(workspace: Workspace, clients: Callable[..., Any]) -> tuple[Verdict, str]:
    caller = clients("sts").get_caller_identity()
    who = f"{caller['Arn']} (account {caller['Account']}) in {workspace.region}"
    return Verdict.OK, f"{who}; target {workspace.target}, candidate {workspace.candidate}."


def _model(arn: str, clients: Callable[..., Any], *, default: bool) -> Check:
    region, model_id = image_models.parse_arn(arn)
    name = f"model {model_id}{' (default)' if default else ''}"
    return ask(name, lambda: _lifecycle(clients("bedrock", region), region, model_id, default=default))


def _lifecycle(bedrock: Any, region: str, model_id: str, *, default: bool) -> tuple[Verdict, str]:
    """Check a model's lifecycle, which announces its end before the first paid call fails."""
    found = lifecycle.fetch(bedrock, model_id)
    dates = f" ({announced})" if (announced := found.announced()) else ""
    if found.status is LifecycleStatus.ACTIVE:
        if found.announced(datetime.now(UTC).date()):
            return (
                Verdict.WARN,
                f"{found.status} in {region}, but not for long{dates}. {_way_out(model_id, default=default)}",
            )
        return Verdict.OK, f"{found.status} in {region}{dates}."
    if found.status is LifecycleStatus.LEGACY:
        way_out = _way_out(model_id, default=default)
        return Verdict.WARN, f"{found.status} in {region}{dates}: deprecated by its provider. {way_out}"
    if found.status is LifecycleStatus.NOT_ALLOWED:
        return Verdict.WARN, f"The caller may not ask (bedrock:GetFoundationModel is missing). {found.detail}"
    # Without its default model nothing works; other models are optional.
    verdict = Verdict.BAD if default else Verdict.WARN
    if found.status is LifecycleStatus.GONE:
        return verdict, f"Not offered in {region} any more. {found.detail}"
    return verdict, f"Could not be asked in {region}. {found.detail}"


def _way_out(model_id: str, *, default: bool) -> str:
    if model_id == image_models.DEFAULT_MODEL_ID:
        return "Name a newer model in model_arns."
    other = image_models.DEFAULT_MODEL_ID
    return f"Put {other} first in model_arns." if default else f"{other} works."


@dataclass(frozen=True)
class Prerequisites:
    """The checks before anything is paid for."""

    checks: tuple[Check, ...] = ()

    @property
    def blocking(self) -> str:
        """The reason not to run the parts that cost money, as one sentence; empty if nothing prevents it."""
        failed = [check.name for check in self.checks if check.verdict is Verdict.BAD]
        return f"Nothing was paid, because a check before it failed: {'; '.join(failed)}." if failed else ""


def check_prerequisites(workspace: Workspace, clients: Callable[..., Any], functions: Sequence[str]) -> Prerequisites:
    """Check what must be true before anything is paid for.

    Args:
        workspace: the deployment under test.
        clients: returns the client of a service.
        functions: which of `workspace.functions` to check: "api", "worker".
    """
    deployed = [name for name in functions if name in workspace.functions]
    checks = [ask(f"SDK of the {name} Lambda", partial(_sdk, workspace.functions[name], clients)) for name in deployed]
    # An invalid ARN is reported by `check`.
    with suppress(IndexError, UnknownModelError):
        region, model_id = image_models.parse_arn(workspace.model_arns[0])
        checks.append(ask("agreement to the default model", partial(_agreement, clients, region, model_id)))
    return Prerequisites(tuple(checks))


def _agreement(clients: Callable[..., Any], region: str, model_id: str) -> tuple[Verdict, str]:
    """Check whether calls of the model will be accepted.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetFoundationModelAvailability.html
    """
    try:
        found = clients("bedrock", region).get_foundation_model_availability(modelId=model_id)
    except ClientError as error:
        if is_access_denied(error):
            return Verdict.WARN, "Not asked: the caller lacks bedrock:GetFoundationModelAvailability."
        code, _, message = describe(error)
        return Verdict.WARN, f"Could not be asked. {code}: {message}"
    if problem := _obstacle(found, region, model_id):
        return Verdict.BAD, problem
    return Verdict.OK, f"In force for {model_id}; authorized, and available in {region}."


def _obstacle(found: Mapping[str, Any], region: str, model_id: str) -> str:
    """Return why Bedrock would refuse the model's calls, and what to do; empty if it would not."""
    agreement = found["agreementAvailability"]
    if agreement["status"] == "PENDING":
        return f"The agreement to {model_id} is not in force yet: that takes up to 15 minutes. Then run this again."
    if agreement["status"] != "AVAILABLE" or found["entitlementAvailability"] != "AVAILABLE":
        error = f" ({agreement['errorMessage']})" if agreement.get("errorMessage") else ""
        options = f"--model-id {model_id} --region {region}"
        return (
            f"This account has not agreed to {model_id}{error}. Run: aws bedrock list-foundation-model-agreement-offers {options}; "
            f"aws bedrock create-foundation-model-agreement {options} --offer-token TOKEN; then wait up to 15 minutes."
        )
    if found["authorizationStatus"] != "AUTHORIZED":
        return f"This account is not authorized to use {model_id}: ask AWS Support, or choose another model."
    if found["regionAvailability"] != "AVAILABLE":
        return f"{model_id} is not available in {region}: name an ARN of another region in MODEL_ARNS."
    return ""


def _sdk(function: str, clients: Callable[..., Any]) -> tuple[Verdict, str]:
    try:
        response = clients("lambda").invoke(FunctionName=function, Payload=json.dumps({sdk.PROBE: "sdk"}))
    except ClientError as error:
        if is_access_denied(error):
            return Verdict.WARN, "Not asked: the caller lacks lambda:InvokeFunction."
        raise
    found = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        error_text = f"{found.get('errorType')}: {found.get('errorMessage')}"
        return Verdict.BAD, f"{function} does not start, or is of a release that cannot be asked. {error_text}"
    oldest = ".".join(map(str, sdk.OLDEST_BOTOCORE))
    if not sdk.is_new_enough(found["botocore"]):
        return Verdict.BAD, f"botocore {found['botocore']} is older than {oldest}: images could not be stored."
    return Verdict.OK, f"boto3 {found['boto3']}, botocore {found['botocore']} (at least {oldest})."
