"""The requests of Stability's image models: text to image, and image to image where the model has it.

Bedrock user guide: model-parameters-diffusion-stable-image-core-text-image-request-response,
model-parameters-diffusion-stable-ultra-text-image-request-response, model-parameters-diffusion-3-5-large.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from couch_explorers.core import model_families
from couch_explorers.local.stand_in import schema
from couch_explorers.local.stand_in.orders import Order
from couch_explorers.local.stand_in.schema import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.core.image_models import ImageModel

TEXT, IMAGE = "text-to-image", "image-to-image"
OUTPUT_FORMATS = ("png", "jpeg", "webp")
# Which models take a picture, by how their ids begin; Ultra takes one beside `mode`, SD3.5 in its own mode.
SD3, ULTRA = "stability.sd3", "stability.stable-image-ultra"
INPUT_FORMATS = ("PNG", "JPEG", "WEBP")
# "Minimum 64 pixels a side, at most 9,437,184 pixels."
SIDES, MOST_PIXELS = (64, 16_384), 9_437_184
ULTRA_STRENGTH = 0.35


def read(model: ImageModel, request: Mapping[str, Any]) -> Order:
    """Read a request's body; raises RequestRefusedError."""
    takes_image = model.id.startswith((SD3, ULTRA))
    optional = ["negative_prompt", "mode", "aspect_ratio", "seed", "output_format"]
    schema.fields(
        "#", request, required=("prompt",), optional=[*optional, *(("image", "strength") if takes_image else ())]
    )
    modes = (TEXT, IMAGE) if model.id.startswith(SD3) else (TEXT,)
    mode = schema.choice("#/mode", request.get("mode", TEXT), modes)
    order = Order(
        prompt=schema.text("#/prompt", request["prompt"], model.prompt_limit),
        negative_prompt=schema.optional_text("#", request, "negative_prompt", model.prompt_limit),
        width=0,
        height=0,
        # 0 means "any seed".
        seed=schema.whole("#/seed", request.get("seed", 0), *model.seed_range) or None,
        output_format=schema.choice("#/output_format", request.get("output_format", "png"), OUTPUT_FORMATS),
    )
    if mode == IMAGE or (model.id.startswith(ULTRA) and "image" in request):
        return _from_image(model, request, order)
    for name in ("image", "strength"):
        if name in request:
            raise RequestRefusedError(f"#: extraneous key [{name}] is not permitted in the mode {TEXT}")
    ratio = schema.choice("#/aspect_ratio", request.get("aspect_ratio", "1:1"), tuple(model_families.STABILITY_SIZES))
    return _sized(order, model_families.STABILITY_SIZES[ratio])


def _from_image(model: ImageModel, request: Mapping[str, Any], order: Order) -> Order:
    """`strength` 0 gives the picture back, 1 takes nothing of it."""
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    is_ultra = model.id.startswith(ULTRA)
    for name in ("image",) if is_ultra else ("image", "strength"):
        if name not in request:
            raise RequestRefusedError(f"#: required key [{name}] not found")
    if "aspect_ratio" in request and not is_ultra:
        raise RequestRefusedError(f"#: extraneous key [aspect_ratio] is not permitted in the mode {IMAGE}")
    image = schema.picture("#/image", request["image"], sides=SIDES, pixels=MOST_PIXELS, formats=INPUT_FORMATS)
    strength = schema.number("#/strength", request.get("strength", ULTRA_STRENGTH), 0.0, 1.0)
    return _sized(order, image.size, transform=partial(edits.blended, image=image, share=strength))


def _sized(order: Order, size: tuple[int, int], **changes: Any) -> Order:
    from dataclasses import replace  # noqa: PLC0415

    return replace(order, width=size[0], height=size[1], **changes)
