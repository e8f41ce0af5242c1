"""What the stand-in says: answers and errors in the shapes of Bedrock, content filters included.

Sources: Bedrock user guide (titan-image-models, Stable Image Core text-image response), Nova user guide
(image-gen-req-resp-structure, image-gen-errors), Bedrock API reference (InvokeModel, errors).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from couch_explorers.core.image_models import ImageModel

# Words that trip the stand-in's content filters, whole and in any case. Real filters judge meaning; these only let a
# deploy be tried: the first list refuses the prompt, the second withholds the finished picture.
BLOCKED_IN_PROMPT = ("blocked-word", "nsfw", "gore")
BLOCKED_IN_PICTURE = ("blocked-picture",)

PROMPT_BLOCKED = (
    "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
)
PICTURES_BLOCKED = "{share} of the generated images have been blocked by our content filters."
# Every error type with its HTTP status (bedrock-runtime's service model).
STATUS = {
    "ValidationException": 400,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def mentions(text: str, words: Sequence[str]) -> bool:
    """Tell whether a text holds one of these words, whole and in any case."""
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE) for word in words)


def failure(kind: str, message: str) -> Answer:
    """An error as Bedrock answers it: the type in a header, the message in JSON."""
    headers = {"content-type": "application/json", "x-amzn-errortype": kind}
    return Answer(STATUS[kind], headers, json.dumps({"message": message}).encode())


def invalid_model() -> Answer:
    """The answer for a model that this region does not have."""
    return failure("ValidationException", "The provided model identifier is invalid.")


def retired_model() -> Answer:
    """The answer of a model after its end of life."""
    return failure("ResourceNotFoundException", "This model version has reached the end of its life.")


def throttled() -> Answer:
    """The answer to a caller who asks too often."""
    return failure("ThrottlingException", "Too many requests, please wait before trying again.")


def unavailable() -> Answer:
    """The answer of a service in trouble."""
    return failure("ServiceUnavailableException", "Bedrock is unable to process your request.")


def prompt_blocked(model: ImageModel) -> Answer:
    """The answer to a prompt that the content filter refuses: an error from Amazon, a 200 from Stability."""
    if model.family == "stability":
        return _success({"seeds": [], "finish_reasons": ["Filter reason: prompt"], "images": []})
    return failure("ValidationException", PROMPT_BLOCKED)


def pictures(
    model: ImageModel, made: Sequence[bytes], seeds: Sequence[int], *, withheld: int = 0, mask: bytes | None = None
) -> Answer:
    """The answer with pictures; `withheld` tells how many more the content filter kept back, `mask` is the one that was used."""
    images = [base64.b64encode(picture).decode("ascii") for picture in made]
    if model.family == "stability":
        reasons = ["Filter reason: output image"] if withheld else [None]
        return _success({"seeds": [] if withheld else list(seeds), "finish_reasons": reasons, "images": images})
    error = PICTURES_BLOCKED.format(share="Some" if made else "All") if withheld else None
    returned = {} if mask is None else {"maskImage": base64.b64encode(mask).decode("ascii")}
    return _success({"images": images, **returned, "error": error})


def _success(content: dict[str, object]) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(content).encode())
