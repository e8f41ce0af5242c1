"""The request and response formats of each family of image models, and their sizes; all pure functions."""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import BlockedError, InvalidJobError, ModelAnswerError, ModelUnavailableError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

# Sides and pixels of Nova Canvas (Nova user guide, image-gen-access: supported image resolutions).
NOVA_SIDES = (320, 4096)
NOVA_STEP = 16
NOVA_RATIO = 4
NOVA_PIXELS = 4_194_304

# Stability has no sizes in pixels; these limits catch a typo before it becomes a paid square picture.
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
# The sign between two sides: a lower- or upper-case x, or the multiplication sign.
_TIMES = re.compile(r"(?<=[0-9])\s*[xX\u00d7]\s*(?=[0-9])")


def with_plain_x(size: Any) -> Any:
    """Write a size as models know it, "1024 \u00d7 1024" as "1024x1024"; what is no text stays as it is."""
    return _TIMES.sub("x", size.strip()) if isinstance(size, str) else size


def parse_size(size: object) -> tuple[int, int]:
    """Read "WxH" as (width, height) in pixels; raises InvalidJobError for anything else."""
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        raise InvalidJobError(f'The size {shown(size)} is not valid: give width x height in pixels, like "1024x1024".')
    return int(match[1]), int(match[2])


def any_size(_name: str, size: object) -> None:
    """Raise InvalidJobError only for an invalid size."""
    parse_size(size)


def titan_size(name: str, size: object) -> None:
    """Raise InvalidJobError for a size that Titan does not list."""
    parse_size(size)
    if size not in TITAN_SIZES:
        raise InvalidJobError(f"{name} does not paint {size}: use one of {', '.join(TITAN_SIZES)}.")


def nova_size(name: str, size: object) -> None:
    """Raise InvalidJobError for a size whose sides, ratio or pixels Nova Canvas does not support."""
    _check_sides(name, size, NOVA_SIDES)
    width, height = parse_size(size)
    if width % NOVA_STEP or height % NOVA_STEP:
        raise InvalidJobError(f"{name} does not paint {size}: each side must be a multiple of {NOVA_STEP} pixels.")
    if max(width, height) > NOVA_RATIO * min(width, height):
        raise InvalidJobError(
            f"{name} does not paint {size}: the ratio must lie between 1:{NOVA_RATIO} and {NOVA_RATIO}:1."
        )
    if width * height > NOVA_PIXELS:
        raise InvalidJobError(f"{name} does not paint {size}: a picture has at most {NOVA_PIXELS:,} pixels.")


def stability_size(name: str, size: object) -> None:
    """Raise InvalidJobError for a size that is surely a typo."""
    _check_sides(name, size, STABILITY_SIDES)


def _check_sides(name: str, size: object, sides: tuple[int, int]) -> None:
    low, high = sides
    if not all(low <= side <= high for side in parse_size(size)):
        raise InvalidJobError(f"{name} does not paint {size}: each side must be {low} to {high} pixels.")


@lru_cache(maxsize=64)
def nearest_aspect_ratio(size: str) -> str:
    """Return Stability's aspect ratio that is nearest to a size, measured as a factor."""
    width, height = parse_size(size)

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(width / height) - math.log(int(across) / int(down)))

    return min(STABILITY_SIZES, key=distance)


def stability_picture_size(size: str) -> tuple[int, int]:
    """Return the (width, height) of Stability's picture for a requested size."""
    return STABILITY_SIZES[nearest_aspect_ratio(size)]


def amazon_request(
    *, prompt: str, negative_prompt: str | None, size: str, cfg_scale: float | None, seed: int
) -> dict[str, Any]:
    """Write the body for Titan and Nova Canvas (Bedrock user guide, titan-image-models; Nova user guide, image-gen)."""
    if cfg_scale is None:
        raise ValueError("Titan and Nova Canvas are always asked with a cfg_scale: give the model a default_cfg_scale.")
    width, height = parse_size(size)
    text = {"text": prompt} if negative_prompt is None else {"text": prompt, "negativeText": negative_prompt}
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": text,
        "imageGenerationConfig": {
            "numberOfImages": 1,
            "quality": "standard",
            "cfgScale": float(cfg_scale),
            "height": height,
            "width": width,
            "seed": seed,
        },
    }


def stability_request(
    *, prompt: str, negative_prompt: str | None, size: str, cfg_scale: float | None, seed: int
) -> dict[str, Any]:
    """Write the body for Stability, which knows no cfg_scale (Bedrock user guide, Stable Image Core text-image request)."""
    if cfg_scale is not None:
        raise ValueError(f"Stability is never asked with a cfg_scale, but was given {cfg_scale}.")
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
    return read_images(name, answer)


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
    return read_images(name, answer)


def is_content_filter(message: str) -> bool:
    """Check whether an Amazon model's error text says that its content filter intervened."""
    text = message.casefold()
    return "content filter" in text or ("blocked" in text and "image" in text)


def read_images(name: str, answer: dict[str, Any]) -> list[bytes]:
    """Read the pictures of an answer that lists them under "images", in base64; raises ModelAnswerError for any other."""
    images = answer.get("images")
    if not isinstance(images, list) or not images:
        raise ModelAnswerError(f"{name} answered without a picture.")
    try:
        return [base64.b64decode(image, validate=True) for image in images]
    except (binascii.Error, TypeError, ValueError) as error:
        raise ModelAnswerError(f"{name} answered with a picture that is not base64.") from error


@dataclass(frozen=True)
class Family:
    """A family of models: one request format, one response format.

    `request` writes a body from `prompt`, `negative_prompt`, `size`, `cfg_scale` and `seed`, all by name; `read` takes the
    model's name and an answer; `check_size` takes the name and a size, and refuses what is not painted; `picture_size`
    tells what comes back.
    """

    provider: str
    request: Callable[..., dict[str, Any]]
    read: Callable[[str, dict[str, Any]], list[bytes]]
    check_size: Callable[[str, object], None] = any_size
    picture_size: Callable[[str], tuple[int, int]] = parse_size


FAMILIES = {
    "titan": Family("Amazon", amazon_request, read_amazon, titan_size),
    "nova-canvas": Family("Amazon", amazon_request, read_amazon, nova_size),
    "stability": Family("Stability AI", stability_request, read_stability, stability_size, stability_picture_size),
}
