"""How each family of image models is asked and how it answers: sizes, request and response, all pure functions."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any

from couch_explorers.core.errors import BlockedError, InvalidJobError, ModelAnswerError, ModelUnavailableError, shown

# Sides and pixels of Nova Canvas (Nova user guide, image-gen-access: supported image resolutions).
NOVA_SIDES = (320, 4096)
NOVA_STEP = 16
NOVA_RATIO = 4
NOVA_PIXELS = 4_194_304

# Stability takes no pixels; these bounds of ours catch a slip of the finger before it becomes a paid square picture.
STABILITY_SIDES = (64, 4096)

# The aspect ratios that Stability takes (Bedrock user guide, Stable Image Core request) and, for each, a size of about
# one megapixel.
STABILITY_SIZES = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}

# What the Titan models paint (Bedrock user guide, titan-image-models: allowed sizes).
TITAN_SIZES = (
    "1024x1024", "768x768", "512x512",
    "768x1152", "384x576", "1152x768", "576x384",
    "768x1280", "384x640", "1280x768", "640x384",
    "896x1152", "448x576", "1152x896", "576x448",
    "768x1408", "384x704", "1408x768", "704x384",
    "640x1408", "320x704", "1408x640", "704x320",
    "1152x640", "1173x640",
)  # fmt: skip

_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def parse_size(size: object) -> tuple[int, int]:
    """Read "WxH" as (width, height) in pixels; raises InvalidJobError for anything else."""
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        raise InvalidJobError(f'The size {shown(size)} is not valid: give width x height in pixels, like "1024x1024".')
    return int(match[1]), int(match[2])


def check_size(family: str, name: str, size: object) -> None:
    """Refuse a size that the family does not paint; raises InvalidJobError."""
    width, height = parse_size(size)
    if family == "titan":
        if size not in TITAN_SIZES:
            raise InvalidJobError(f"{name} does not paint {size}: use one of {', '.join(TITAN_SIZES)}.")
        return
    low, high = NOVA_SIDES if family == "nova-canvas" else STABILITY_SIDES
    if not (low <= width <= high and low <= height <= high):
        raise InvalidJobError(f"{name} does not paint {size}: each side must be {low} to {high} pixels.")
    if family != "nova-canvas":
        return
    if width % NOVA_STEP or height % NOVA_STEP:
        raise InvalidJobError(f"{name} does not paint {size}: each side must be a multiple of {NOVA_STEP} pixels.")
    if max(width, height) > NOVA_RATIO * min(width, height):
        raise InvalidJobError(
            f"{name} does not paint {size}: the ratio must lie between 1:{NOVA_RATIO} and {NOVA_RATIO}:1."
        )
    if width * height > NOVA_PIXELS:
        raise InvalidJobError(f"{name} does not paint {size}: a picture has at most {NOVA_PIXELS:,} pixels.")


def nearest_aspect_ratio(size: str) -> str:
    """Find the aspect ratio of Stability that is nearest to a size, measured as a factor."""
    width, height = parse_size(size)

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(width / height) - math.log(int(across) / int(down)))

    return min(STABILITY_SIZES, key=distance)


def amazon_request(
    *, prompt: str, negative_prompt: str | None, size: str, cfg_scale: float, seed: int, quality: str = "standard"
) -> dict[str, Any]:
    """Write the body for Titan and Nova Canvas (Bedrock user guide, titan-image-models; Nova user guide, image-gen)."""
    width, height = parse_size(size)
    text = {"text": prompt} if negative_prompt is None else {"text": prompt, "negativeText": negative_prompt}
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": text,
        "imageGenerationConfig": {
            "numberOfImages": 1,
            "quality": quality,
            "cfgScale": float(cfg_scale),
            "height": height,
            "width": width,
            "seed": seed,
        },
    }


def stability_request(*, prompt: str, negative_prompt: str | None, size: str, seed: int) -> dict[str, Any]:
    """Write the body for Stability (Bedrock user guide, Stable Image Core text-image request)."""
    body: dict[str, Any] = {
        "prompt": prompt,
        "mode": "text-to-image",
        "aspect_ratio": nearest_aspect_ratio(size),
        "seed": seed,
        "output_format": "png",
    }
    if negative_prompt is not None:
        body["negative_prompt"] = negative_prompt
    return body


def read_amazon(name: str, answer: dict[str, Any]) -> list[bytes]:
    """Read the pictures of Titan or Nova Canvas; raises BlockedError or ModelAnswerError (Nova: image-gen-errors)."""
    error = answer.get("error")
    if error:
        if is_content_filter(str(error)):
            raise BlockedError(f"{name} made the picture and its content filter withheld it: change the prompt.")
        raise ModelAnswerError(f"{name} answered with the error {shown(error, 300)}.")
    return _pictures(name, answer)


def read_stability(name: str, answer: dict[str, Any]) -> list[bytes]:
    """Read the pictures of a Stability model; raises BlockedError, ModelAnswerError or ModelUnavailableError."""
    reasons = answer.get("finish_reasons") or []
    if not isinstance(reasons, list):
        raise ModelAnswerError(f"{name} answered with finish_reasons {shown(reasons)}, which is no list.")
    for reason in reasons:
        if reason is None:
            continue
        if str(reason).casefold().startswith("filter reason"):
            raise BlockedError(f"{name} refused the picture ({reason}): change the prompt.")
        if str(reason).casefold() == "inference error":
            raise ModelUnavailableError(f"{name} failed while it painted ({reason}): try again later.")
        raise ModelAnswerError(f"{name} answered with the finish reason {shown(reason, 300)} and no picture.")
    return _pictures(name, answer)


def is_content_filter(message: str) -> bool:
    """Tell whether an error text of an Amazon model says that its content filter stepped in."""
    text = message.casefold()
    return "content filter" in text or ("blocked" in text and "image" in text)


def _pictures(name: str, answer: dict[str, Any]) -> list[bytes]:
    images = answer.get("images")
    if not isinstance(images, list) or not images:
        raise ModelAnswerError(f"{name} answered without a picture.")
    try:
        return [base64.b64decode(image, validate=True) for image in images]
    except (binascii.Error, TypeError, ValueError) as error:
        raise ModelAnswerError(f"{name} answered with a picture that is not base64.") from error
