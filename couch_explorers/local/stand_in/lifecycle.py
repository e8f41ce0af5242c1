"""What the stand-in tells about its models: the shapes of ListFoundationModels and GetFoundationModel (Bedrock API reference)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from couch_explorers.core import errors, image_models, model_families


def summaries(region: str) -> list[dict[str, Any]]:
    """List the image models of a region; the others have none of them."""
    return [_describe(model) for model in image_models.MODELS.values() if model.region == region]


def details(model_id: str, region: str) -> dict[str, Any] | None:
    """Describe one model, given by id or ARN, or None where the region does not have it."""
    model = find(model_id, region)
    return None if model is None else _describe(model)


def find(id_or_arn: str, region: str) -> image_models.ImageModel | None:
    """Find a model that stands in this region; None for any other."""
    try:
        model = image_models.get(id_or_arn)
    except errors.UnknownModelError:
        return None
    home = image_models.MODELS[model.id].region
    return model if model.region == region == home else None


def _describe(model: image_models.ImageModel) -> dict[str, Any]:
    lifecycle: dict[str, Any] = {"status": model.lifecycle}
    if model.end_of_life is not None:
        day = dt.date.fromisoformat(model.end_of_life)
        moment = dt.datetime.combine(day, dt.time(), dt.UTC)
        lifecycle["endOfLifeTime"] = moment.isoformat().replace("+00:00", "Z")
    return {
        "modelArn": model.arn,
        "modelId": model.id,
        "modelName": model.name,
        "providerName": model_families.FAMILIES[model.family].provider,
        # The Amazon models also take a picture to start from; the stand-in does not, and says what it takes.
        "inputModalities": ["TEXT"],
        "outputModalities": ["IMAGE"],
        "responseStreamingSupported": False,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": lifecycle,
    }
