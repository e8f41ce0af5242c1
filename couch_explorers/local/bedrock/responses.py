"""Bedrock's responses: pictures, content filters and errors of InvokeModel, and the models of ListFoundationModels.

Bedrock user guide (titan-image-models, Stable Image Core text-image response), Nova user guide (image-gen-req-resp-structure,
image-gen-errors), Bedrock API reference (InvokeModel, ListFoundationModels, GetFoundationModel, errors).
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import vision_models
from couch_explorers.core import errors, image_models, model_families

if TYPE_CHECKING:
    from collections.abc import Sequence

    from couch_explorers.aws.vision_models import VisionModel
    from couch_explorers.core.image_models import ImageModel

# Words that trigger the emulated content filters, as whole words in any case. Real filters judge the meaning; these make the two
# outcomes testable: the first list blocks the prompt, the second the generated picture.
BLOCKED_IN_PROMPT = ("blocked-word", "nsfw", "gore")
BLOCKED_IN_PICTURE = ("blocked-picture",)

PROMPT_BLOCKED = (
    "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
)
PICTURES_BLOCKED = "{share} of the generated images have been blocked by our content filters."
# Every error type with its HTTP status (bedrock-runtime's service model).
STATUS = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


def mentions(text: str, words: Sequence[str]) -> bool:
    """Whether a text contains one of these words, as a whole word in any case."""
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE) for word in words)


def failure(kind: str, message: str) -> Response:
    """An error response of Bedrock: the type in a header, the message in JSON."""
    headers = {"content-type": "application/json", "x-amzn-errortype": kind}
    return Response(STATUS[kind], headers, json.dumps({"message": message}).encode())


def invalid_model() -> Response:
    """The error for a model that this region does not have."""
    return failure("ValidationException", "The provided model identifier is invalid.")


def retired_model() -> Response:
    """The error of a model after its end of life."""
    return failure("ResourceNotFoundException", "This model version has reached the end of its life.")


def not_subscribed() -> Response:
    """Return the error for a model that the account has not agreed to, as AWS words it.

    https://repost.aws/knowledge-center/bedrock-resolve-marketplace-permission
    """
    return failure(
        "AccessDeniedException",
        "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions "
        "(aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. Refer to the Amazon Bedrock "
        "documentation for further details. Your AWS Marketplace subscription for this model cannot be completed at this time. If you "
        "recently fixed this issue, try again after 2 minutes.",
    )


def throttled() -> Response:
    """The error of a call beyond the quota."""
    return failure("ThrottlingException", "Too many requests, please wait before trying again.")


def unavailable() -> Response:
    """The error of an unavailable service."""
    return failure("ServiceUnavailableException", "Bedrock is unable to process your request.")


def prompt_blocked(model: ImageModel) -> Response:
    """The response to a prompt that the content filter blocks: an error from Amazon's models, a 200 from Stability's."""
    if model.family == "stability":
        return _ok({"seeds": [], "finish_reasons": ["Filter reason: prompt"], "images": []})
    return failure("ValidationException", PROMPT_BLOCKED)


def pictures(
    model: ImageModel, made: Sequence[bytes], seeds: Sequence[int], *, withheld: int = 0, mask: bytes | None = None
) -> Response:
    """The response with pictures.

    Args:
        model: The model that was called.
        made: The pictures, encoded.
        seeds: The seed of each picture.
        withheld: How many more pictures the content filter blocked.
        mask: The mask that was used, as a PNG, where the request asks for it.
    """
    images = [base64.b64encode(picture).decode("ascii") for picture in made]
    if model.family == "stability":
        reasons = ["Filter reason: output image"] if withheld else [None]
        return _ok({"seeds": [] if withheld else list(seeds), "finish_reasons": reasons, "images": images})
    error = PICTURES_BLOCKED.format(share="Some" if made else "All") if withheld else None
    returned = {} if mask is None else {"maskImage": base64.b64encode(mask).decode("ascii")}
    return _ok({"images": images, **returned, "error": error})


def _ok(content: dict[str, object]) -> Response:
    return Response(200, {"content-type": "application/json"}, json.dumps(content).encode())


def model_summaries(region: str) -> list[dict[str, Any]]:
    """List the image models of a region, and the vision models that can be reached from it."""
    painting = [_model_summary(model) for model in image_models.MODELS.values() if model.region == region]
    seeing = [_vision_summary(model, region) for model in vision_models.VISION_MODELS.values()]
    return painting + [summary for summary in seeing if summary is not None]


def model_details(model_id: str, region: str) -> dict[str, Any] | None:
    """Describe one model, given by id or ARN, or None where the region does not have it."""
    model = find_model(model_id, region)
    if model is not None:
        return _model_summary(model)
    vision = vision_models.VISION_MODELS.get(model_id.rpartition("foundation-model/")[2])
    return None if vision is None else _vision_summary(vision, region)


def find_model(id_or_arn: str, region: str) -> image_models.ImageModel | None:
    """The model of this id or ARN; None where this region does not have it."""
    try:
        model = image_models.get(id_or_arn)
    except errors.UnknownModelError:
        return None
    home = image_models.MODELS[model.id].region
    return model if model.region == region == home else None


def _vision_summary(model: VisionModel, region: str) -> dict[str, Any] | None:
    """Describe a vision model; None where the region does not have it."""
    if region not in model.destinations:
        return None
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model.id}",
        "modelId": model.id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        # The local cloud answers Converse only.
        "responseStreamingSupported": False,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE"],
        "modelLifecycle": {"status": model.lifecycle},
    }


def _model_summary(model: image_models.ImageModel) -> dict[str, Any]:
    lifecycle: dict[str, Any] = {"status": model.lifecycle}
    if model.end_of_life is not None:
        day = dt.date.fromisoformat(model.end_of_life)
        end_of_life = dt.datetime.combine(day, dt.time(), dt.UTC)
        lifecycle["endOfLifeTime"] = end_of_life.isoformat().replace("+00:00", "Z")
    return {
        "modelArn": model.arn,
        "modelId": model.id,
        "modelName": model.name,
        "providerName": model_families.FAMILIES[model.family].provider,
        # The Amazon models also take a picture to start from; the local cloud says what it takes.
        "inputModalities": ["TEXT"],
        "outputModalities": ["IMAGE"],
        "responseStreamingSupported": False,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": lifecycle,
    }
