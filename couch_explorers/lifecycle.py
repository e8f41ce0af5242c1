"""Is a model still offered? Asked of the target before the first paid call, because it tells earlier than that call does.

GetFoundationModel knows two states, ACTIVE and LEGACY (Bedrock API reference, FoundationModelLifecycle); a model that is
gone it does not find. An account that has not used a LEGACY model of late is refused all the same when it asks for a
picture, which no question shows beforehand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core import image_models
from couch_explorers.core.aws_errors import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.workspace import Workspace

# A region that does not have the model answers the second.
NOT_FOUND = ("ResourceNotFoundException", "ValidationException")
NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
AT_A_TIME = 8


class Standing(StrEnum):
    """How a model stands with the target."""

    ACTIVE = "ACTIVE"
    LEGACY = "LEGACY"  # its provider takes it off
    GONE = "GONE"  # the region does not have it, or not any more
    NOT_ALLOWED = "NOT_ALLOWED"  # the caller has no right to ask
    UNKNOWN = "UNKNOWN"  # asked, and not answered


@dataclass(frozen=True)
class Lifecycle:
    """How a model stands, AWS's own words where it did not tell, and the day of its end where that is known (ISO)."""

    standing: Standing
    said: str = ""
    end_of_life: str = ""


def check(workspace: Workspace, models: Iterable[ImageModel]) -> dict[str, Lifecycle]:
    """Ask for the lifecycle of each model in its own region, several at a time; the answers come by model id.

    Raises nothing when a target refuses or does not answer: that model is NOT_ALLOWED or UNKNOWN.
    """
    asked = {model.id: model for model in models}
    if not asked:
        return {}
    # Here, one after the other: boto3 may use a client in several threads, but not make one.
    clients = {region: workspace.client("bedrock", region) for region in {model.region for model in asked.values()}}

    def answer(model: ImageModel) -> Lifecycle:
        try:
            return ask(clients[model.region], model.id)
        except BotoCoreError as error:
            return Lifecycle(Standing.UNKNOWN, f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(max_workers=min(AT_A_TIME, len(asked)), thread_name_prefix="lifecycle") as pool:
        return dict(zip(asked, pool.map(answer, asked.values()), strict=True))


def ask(bedrock: Any, model_id: str) -> Lifecycle:
    """Ask a region's client for the lifecycle of one model; raises BotoCoreError when nobody answers."""
    try:
        stands = bedrock.get_foundation_model(modelIdentifier=model_id)["modelDetails"].get("modelLifecycle", {})
    except ClientError as error:
        code, _, message = describe(error)
        standing = Standing.UNKNOWN
        if code in NOT_FOUND:
            standing = Standing.GONE
        elif code in NOT_ALLOWED:
            standing = Standing.NOT_ALLOWED
        return Lifecycle(standing, f"{code}: {message}")
    # The API's reference lists two states, AWS's page on lifecycles a third, end-of-life: whatever is not active warns.
    standing = Standing.ACTIVE if stands.get("status", "ACTIVE") == "ACTIVE" else Standing.LEGACY
    end = stands.get("endOfLifeTime")
    return Lifecycle(standing, end_of_life=f"{end.astimezone(UTC):%Y-%m-%d}" if end else "")


def sentence(model: ImageModel, found: Lifecycle) -> str:
    """Say to a person how a model stands and what to use instead; empty for an active one."""
    named = f"{model.name} ({model.id})"
    said = found.said.rstrip(". ")
    instead = f"use {image_models.alternative(model).id}, which works"
    if found.standing is Standing.LEGACY:
        end = f" (end of life {found.end_of_life})" if found.end_of_life else ""
        return f"{named} is LEGACY in {model.region}{end} and may be refused any day: {instead}."
    if found.standing is Standing.GONE:
        return f"{named} is not offered in {model.region} ({said}): {instead}."
    if found.standing is Standing.NOT_ALLOWED:
        return f"No right to ask whether {named} is still offered: allow bedrock:GetFoundationModel, or see how it answers."
    if found.standing is Standing.UNKNOWN:
        return f"Whether {named} is still offered could not be asked ({said}): see how it answers."
    return ""
