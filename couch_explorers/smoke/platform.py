"""The smoke test's first part: who asks, in which region, and whether the image models are still offered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import lifecycle
from couch_explorers.aws.lifecycle import LifecycleStatus
from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.core import image_models
from couch_explorers.smoke.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.workspace import Workspace


def check(workspace: Workspace, clients: Callable[..., Any]) -> Part:
    """Check identity, region and the lifecycle of every model that the deploy may use."""
    checks = [ask("identity and region", lambda: _identity(workspace, clients))]
    if not workspace.model_arns:
        reason = "The deploy names no models: deploy the API or the queue, whose setting MODEL_ARNS lists them."
        checks.append(Check("image models", Verdict.BAD, 0.0, reason))
    checks += [_model(arn, clients, default=place == 0) for place, arn in enumerate(workspace.model_arns)]
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
    """Ask for the lifecycle: it tells of a model's end before the first paid call does."""
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
    # Without its default model nothing works; one of the others is missed only by who asks for it.
    verdict = Verdict.BAD if default else Verdict.WARN
    if found.status is LifecycleStatus.GONE:
        return verdict, f"Not offered in {region} any more. {found.detail}"
    return verdict, f"Could not be asked in {region}. {found.detail}"


def _way_out(model_id: str, *, default: bool) -> str:
    if model_id == image_models.DEFAULT_MODEL_ID:
        return "Name a newer model in model_arns."
    other = image_models.DEFAULT_MODEL_ID
    return f"Put {other} first in model_arns." if default else f"{other} works."
