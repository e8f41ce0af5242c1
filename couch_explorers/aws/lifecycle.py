"""The lifecycle of image models, checked before the first paid call, because Bedrock announces a model's end.

GetFoundationModel knows two states, ACTIVE and LEGACY (Bedrock API reference, FoundationModelLifecycle); a model that is
gone is not found. An account that has not used a LEGACY model of late is refused all the same when it asks for a
picture, which nothing shows beforehand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws.errors import is_access_denied
from couch_explorers.core import image_models
from couch_explorers.core.aws_errors import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.core.aws_errors import CalledModel
    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.workspace import Workspace

# A region without the model returns the second one.
NOT_FOUND = ("ResourceNotFoundException", "ValidationException")
AT_A_TIME = 8
# Long enough to try another model, ask for its agreement and deploy it.
WARN_DAYS_AHEAD = 90


class LifecycleStatus(StrEnum):
    """Whether a target offers a model."""

    ACTIVE = "ACTIVE"
    LEGACY = "LEGACY"  # deprecated by its provider
    GONE = "GONE"  # not offered in the region, or no longer
    NOT_ALLOWED = "NOT_ALLOWED"  # the caller has no permission
    UNKNOWN = "UNKNOWN"  # Bedrock could not be reached


@dataclass(frozen=True)
class Lifecycle:
    """A model's status, AWS's error where there is one, and the dates (ISO) of its becoming LEGACY and of its end of life, where known."""

    status: LifecycleStatus
    detail: str = ""
    end_of_life: str = ""
    legacy: str = ""

    def announced(self, today: date | None = None) -> str:
        """Return the known dates: "LEGACY on 2027-01-31, end of life 2027-07-31"; empty if there are none.

        Args:
            today: leaves out a date that is more than WARN_DAYS_AHEAD away from this day; None leaves out none.
        """
        last = None if today is None else f"{today + timedelta(days=WARN_DAYS_AHEAD):%Y-%m-%d}"
        dates = (("LEGACY on", self.legacy), ("end of life", self.end_of_life))
        return ", ".join(f"{what} {day}" for what, day in dates if day and (last is None or day <= last))


def fetch_all(workspace: Workspace, models: Iterable[ImageModel]) -> dict[str, Lifecycle]:
    """Fetch the lifecycle of each model from its own region, several at a time.

    Returns:
        Lifecycles by model id. Where a target refuses or cannot be reached, the status is NOT_ALLOWED or UNKNOWN.

    """
    by_id = {model.id: model for model in models}
    if not by_id:
        return {}
    # Created here: boto3's clients are thread-safe, creating them is not.
    clients = {region: workspace.client("bedrock", region) for region in {model.region for model in by_id.values()}}

    def answer(model: ImageModel) -> Lifecycle:
        try:
            return fetch(clients[model.region], model.id)
        except BotoCoreError as error:
            return Lifecycle(LifecycleStatus.UNKNOWN, f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(max_workers=min(AT_A_TIME, len(by_id)), thread_name_prefix="lifecycle") as pool:
        return dict(zip(by_id, pool.map(answer, by_id.values()), strict=True))


def fetch(bedrock: Any, model_id: str) -> Lifecycle:
    """Fetch the lifecycle of one model with a region's client.

    Raises:
        BotoCoreError: Bedrock cannot be reached.

    """
    try:
        reported = bedrock.get_foundation_model(modelIdentifier=model_id)["modelDetails"].get("modelLifecycle", {})
    except ClientError as error:
        code, _, message = describe(error)
        status = LifecycleStatus.UNKNOWN
        if code in NOT_FOUND:
            status = LifecycleStatus.GONE
        elif is_access_denied(error):
            status = LifecycleStatus.NOT_ALLOWED
        return Lifecycle(status, f"{code}: {message}")
    # The API's reference lists two states, AWS's page on lifecycles a third, end-of-life: whatever is not active warns.
    status = LifecycleStatus.ACTIVE if reported.get("status", "ACTIVE") == "ACTIVE" else LifecycleStatus.LEGACY
    return Lifecycle(status, end_of_life=_day(reported.get("endOfLifeTime")), legacy=_day(reported.get("legacyTime")))


def _day(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d}" if time else ""


def warning(model: CalledModel, found: Lifecycle, instead_id: str | None = None) -> str:
    """Return a warning for a deprecated or retired model, with an alternative; empty for an active one.

    Args:
        model: the model.
        found: what was found.
        instead_id: the id of a model that works; by default an image model's.

    """
    named = f"{model.name} ({model.id})"
    detail = found.detail.rstrip(". ")
    instead = f"use {instead_id or image_models.alternative(model.id).id}, which works"
    if found.status is LifecycleStatus.LEGACY:
        end = f" (end of life {found.end_of_life})" if found.end_of_life else ""
        return f"{named} is LEGACY in {model.region}{end} and may be refused any day: {instead}."
    if found.status is LifecycleStatus.GONE:
        return f"{named} is not offered in {model.region} ({detail}): {instead}."
    if found.status is LifecycleStatus.NOT_ALLOWED:
        return f"No right to ask whether {named} is still offered: allow bedrock:GetFoundationModel, or see how it answers."
    if found.status is LifecycleStatus.UNKNOWN:
        return f"Whether {named} is still offered could not be asked ({detail}): see how it answers."
    return ""
