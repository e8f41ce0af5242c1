"""Reads the body of an InvokeModel request into an `ImageRequest`, with the limits of each model family.

- Titan Image Generator and Nova Canvas, every task type: Bedrock user guide (model-parameters-titan-image) and Nova user guide
  (image-gen-access, image-gen-req-resp-structure)
- Stability, text to image and image to image: Bedrock user guide
  (model-parameters-diffusion-stable-image-core-text-image-request-response,
  model-parameters-diffusion-stable-ultra-text-image-request-response, model-parameters-diffusion-3-5-large)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from couch_explorers.core import errors, model_families
from couch_explorers.local.bedrock import request_schema
from couch_explorers.local.bedrock.request_schema import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from couch_explorers.core.image_models import ImageModel

# Makes the returned picture of a drawn one (None where the task draws nothing new) and a seed.
Transform = Callable[[Any, int], "Image.Image"]


@dataclass(frozen=True)
class ImageRequest:
    """The pictures that a valid request asks for; without a `seed`, one is drawn.

    `transform` is set by tasks that start from a picture of the caller's or apply a style; `paints` is False where nothing new is
    drawn, and `mask` is the mask that the response returns.
    """

    prompt: str
    negative_prompt: str | None
    width: int
    height: int
    seed: int | None
    cfg_scale: float | None = None
    count: int = 1
    output_format: str = "png"
    transform: Transform | None = None
    paints: bool = True
    mask: Image.Image | None = None


MOST_IMAGES = 5
QUALITIES = ("standard", "premium")
# The documented defaults.
DEFAULT_SEEDS = {"titan": 42, "nova-canvas": 12}
# The field with the parameters of each task type.
PARAMETERS = {
    "TEXT_IMAGE": "textToImageParams",
    "COLOR_GUIDED_GENERATION": "colorGuidedGenerationParams",
    "IMAGE_VARIATION": "imageVariationParams",
    "INPAINTING": "inPaintingParams",
    "OUTPAINTING": "outPaintingParams",
    "BACKGROUND_REMOVAL": "backgroundRemovalParams",
    "VIRTUAL_TRY_ON": "virtualTryOnParams",
}
# Task types that these models do not support.
TITAN_V1_LACKS = ("COLOR_GUIDED_GENERATION", "BACKGROUND_REMOVAL", "VIRTUAL_TRY_ON")
TITAN_LACKS = ("VIRTUAL_TRY_ON",)
# Side lengths and numbers of pixels of pictures in requests. Titan's documentation gives 1,408 by 1,408 for editing
# and 4,096 by 4,096 for variations; Nova's gives 320 to 4,096 a side.
TITAN_EDIT_SIDES, TITAN_SIDES, NOVA_SIDES = (64, 1408), (64, 4096), model_families.NOVA_SIDES
MOST_PIXELS = {"titan": 4096 * 4096, "nova-canvas": 4_194_304}
CONTROL_MODES = ("CANNY_EDGE", "SEGMENTATION")
OUTPAINTING_MODES = ("DEFAULT", "PRECISE")
STYLES = (
    "3D_ANIMATED_FAMILY_FILM", "DESIGN_SKETCH", "FLAT_VECTOR_ILLUSTRATION", "GRAPHIC_NOVEL_ILLUSTRATION", "MAXIMALISM",
    "MIDCENTURY_RETRO", "PHOTOREALISM", "SOFT_DIGITAL_PAINTING",
)  # fmt: skip
DEFAULT_STRENGTH = 0.7
SIMILARITY = (0.2, 1.0)
MOST_REFERENCES = 5
MOST_COLOURS = 10
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
MASK_TYPES = ("IMAGE", "GARMENT", "PROMPT")
GARMENTS = (
    "UPPER_BODY", "LOWER_BODY", "FULL_BODY", "FOOTWEAR", "LONG_SLEEVE_SHIRT", "SHORT_SLEEVE_SHIRT", "NO_SLEEVE_SHIRT",
    "OTHER_UPPER_BODY", "LONG_PANTS", "SHORT_PANTS", "OTHER_LOWER_BODY", "LONG_DRESS", "SHORT_DRESS",
    "FULL_BODY_OUTFIT", "OTHER_FULL_BODY", "SHOES", "BOOTS", "OTHER_FOOTWEAR",
)  # fmt: skip


@dataclass(frozen=True)
class _Task:
    """The parameters of a task."""

    prompt: str
    negative_prompt: str | None = None
    transform: Transform | None = None
    # The size of the picture that is edited, and so of the one that is returned.
    edited: tuple[int, int] | None = None
    paints: bool = True
    single: bool = False
    mask: Image.Image | None = None


def read_amazon(model: ImageModel, request: Mapping[str, Any]) -> ImageRequest:
    """Read a request for Titan or Nova Canvas.

    Raises:
        RequestRefusedError: The model does not accept it.
    """
    task_type = request.get("taskType")
    if task_type is None:
        raise RequestRefusedError("#: required key [taskType] not found")
    known = [name for name in PARAMETERS if name not in _lacks(model)]
    field = PARAMETERS[request_schema.choice("#/taskType", task_type, known)]
    request_schema.fields("#", request, required=("taskType", field), optional=("imageGenerationConfig",))
    task = TASK_READERS[task_type](model, f"#/{field}", request_schema.mapping(f"#/{field}", request[field]))
    place = "#/imageGenerationConfig"
    settings = request_schema.mapping(place, request.get("imageGenerationConfig", {}))
    request_schema.fields(
        place, settings, required=(), optional=("numberOfImages", "quality", "cfgScale", "height", "width", "seed")
    )
    request_schema.choice(f"{place}/quality", settings.get("quality", "standard"), QUALITIES)
    count = request_schema.whole(f"{place}/numberOfImages", settings.get("numberOfImages", 1), 1, MOST_IMAGES)
    width, height = _size(model, place, settings, task.edited)
    return ImageRequest(
        prompt=task.prompt,
        negative_prompt=task.negative_prompt,
        width=width,
        height=height,
        seed=request_schema.whole(
            f"{place}/seed", settings.get("seed", DEFAULT_SEEDS[model.family]), *model.seed_range
        ),
        cfg_scale=_cfg_scale(model, f"{place}/cfgScale", settings),
        count=1 if task.single else count,
        transform=task.transform,
        paints=task.paints,
        mask=task.mask,
    )


def _lacks(model: ImageModel) -> tuple[str, ...]:
    if model.family != "titan":
        return ()
    return TITAN_V1_LACKS if _is_titan_v1(model) else TITAN_LACKS


def _is_titan_v1(model: ImageModel) -> bool:
    return model.id.endswith("-v1")


def _size(
    model: ImageModel, place: str, settings: Mapping[str, Any], edited: tuple[int, int] | None
) -> tuple[int, int]:
    """The size of the returned picture: the requested one, but that of an edited picture where none is given or the model is Nova."""
    sides = [
        request_schema.whole(f"{place}/{name}", settings.get(name, 1024), 1, NOVA_SIDES[1])
        for name in ("width", "height")
    ]
    given = "width" in settings or "height" in settings
    if edited is not None and (model.family == "nova-canvas" or not given):
        return edited
    return request_schema.size(place, model, f"{sides[0]}x{sides[1]}")


def _cfg_scale(model: ImageModel, place: str, settings: Mapping[str, Any]) -> float | None:
    value = settings.get("cfgScale", model.default_cfg_scale)
    return request_schema.number(place, value, *(model.cfg_scale_range or (float("-inf"), float("inf"))))


def _picture(model: ImageModel, place: str, value: Any, *, edited: bool = False) -> Image.Image:
    sides = NOVA_SIDES if model.family == "nova-canvas" else TITAN_EDIT_SIDES if edited else TITAN_SIDES
    return request_schema.picture(place, value, sides=sides, pixels=MOST_PIXELS[model.family])


def _text_image(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    optional = ["negativeText"]
    if not _is_titan_v1(model):
        optional += ["conditionImage", "controlMode", "controlStrength"]
    if model.family == "nova-canvas":
        optional.append("style")
    request_schema.fields(place, values, required=("text",), optional=optional)
    prompt = request_schema.text(f"{place}/text", values["text"], model.prompt_limit)
    steps: list[Transform] = []
    mode = request_schema.choice(f"{place}/controlMode", values.get("controlMode", CONTROL_MODES[0]), CONTROL_MODES)
    strength = request_schema.number(
        f"{place}/controlStrength", values.get("controlStrength", DEFAULT_STRENGTH), 0.0, 1.0
    )
    if "conditionImage" in values:
        from couch_explorers.local.painter import edits  # noqa: PLC0415 - not needed for most requests

        image = _picture(model, f"{place}/conditionImage", values["conditionImage"])
        steps.append(partial(edits.conditioned, image=image, mode=mode, strength=strength))
    if "style" in values:
        from couch_explorers.local.painter import edits  # noqa: PLC0415 - not needed for most requests

        style = request_schema.choice(f"{place}/style", values["style"], STYLES)
        steps.append(partial(edits.styled, style=style))
    return _Task(
        prompt,
        request_schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(_in_turn, steps) if steps else None,
    )


def _in_turn(steps: Sequence[Transform], image: Any, seed: int) -> Image.Image:
    for step in steps:
        image = step(image, seed)
    return image  # type: ignore[no-any-return]


def _colour_guided(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    request_schema.fields(place, values, required=("colors", "text"), optional=("referenceImage", "negativeText"))
    colours = request_schema.listed(f"{place}/colors", values["colors"], 1, MOST_COLOURS)
    for index, colour in enumerate(colours):
        if not isinstance(colour, str) or not COLOUR.fullmatch(colour):
            raise RequestRefusedError(
                f"{place}/colors/{index}: string [{errors.shown(colour)}] does not match pattern ^#[0-9a-fA-F]{{6}}$"
            )
    reference = values.get("referenceImage")
    image = None if reference is None else _picture(model, f"{place}/referenceImage", reference)
    return _Task(
        request_schema.text(f"{place}/text", values["text"], model.prompt_limit),
        request_schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.recoloured, colours=tuple(colours), reference=image),
    )


def _variation(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    request_schema.fields(place, values, required=("images",), optional=("text", "negativeText", "similarityStrength"))
    images = tuple(
        _picture(model, f"{place}/images/{index}", image)
        for index, image in enumerate(request_schema.listed(f"{place}/images", values["images"], 1, MOST_REFERENCES))
    )
    similarity = values.get("similarityStrength", DEFAULT_STRENGTH)
    strength = request_schema.number(f"{place}/similarityStrength", similarity, *SIMILARITY)
    return _Task(
        request_schema.optional_text(place, values, "text", model.prompt_limit) or "",
        request_schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.varied, images=images, strength=strength),
    )


def _inpainting(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    request_schema.fields(
        place, values, required=("image",), optional=("maskPrompt", "maskImage", "text", "negativeText")
    )
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    # Black is inside the mask, and changed.
    inside = _mask(model, place, values, image)
    prompt = request_schema.optional_text(place, values, "text", model.prompt_limit)
    return _Task(
        prompt or "",
        request_schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.filled, source=image, mask=inside, seam=0.0),
        image.size,
        paints=prompt is not None,
    )


def _outpainting(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from PIL import ImageChops  # noqa: PLC0415 - heavy; loaded with the first picture

    from couch_explorers.local.painter import edits  # noqa: PLC0415

    optional = ("maskPrompt", "maskImage", "outPaintingMode", "negativeText")
    request_schema.fields(place, values, required=("image", "text"), optional=optional)
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    mode = request_schema.choice(
        f"{place}/outPaintingMode", values.get("outPaintingMode", OUTPAINTING_MODES[0]), OUTPAINTING_MODES
    )
    # White is outside the mask, and changed: smoothly by default, up to the mask's edge when precise.
    outside = ImageChops.invert(_mask(model, place, values, image))
    return _Task(
        request_schema.text(f"{place}/text", values["text"], model.prompt_limit),
        request_schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.filled, source=image, mask=outside, seam=0.0 if mode == "PRECISE" else edits.SMOOTH_SEAM),
        image.size,
    )


def _mask(model: ImageModel, place: str, values: Mapping[str, Any], image: Image.Image) -> Image.Image:
    """The mask of a task, as a picture in which the inside of the mask is white."""
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    if ("maskPrompt" in values) == ("maskImage" in values):
        raise RequestRefusedError(f"{place}: exactly one of [maskPrompt, maskImage] is required")
    if "maskPrompt" in values:
        return edits.mask_for(
            request_schema.text(f"{place}/maskPrompt", values["maskPrompt"], model.prompt_limit), image.size
        )
    return _mask_image(model, f"{place}/maskImage", values["maskImage"], image)


def _mask_image(model: ImageModel, place: str, value: Any, image: Image.Image) -> Image.Image:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    mask = _picture(model, place, value, edited=True).convert("L")
    if mask.size != image.size:
        raise RequestRefusedError(
            f"{place}: the mask has {mask.width}x{mask.height} pixels, the image {image.width}x{image.height}"
        )
    if not edits.is_black_and_white(mask):
        raise RequestRefusedError(f"{place}: the mask has pixels that are neither pure black nor pure white")
    return edits.inside(mask)


def _background_removal(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    request_schema.fields(place, values, required=("image",))
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    return _Task("", None, partial(edits.cut_out, source=image), image.size, paints=False, single=True)


def _try_on(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    masks = {"IMAGE": "imageBasedMask", "GARMENT": "garmentBasedMask", "PROMPT": "promptBasedMask"}
    optional = (*masks.values(), "maskExclusions", "mergeStyle", "returnMask")
    request_schema.fields(place, values, required=("sourceImage", "referenceImage", "maskType"), optional=optional)
    source = _picture(model, f"{place}/sourceImage", values["sourceImage"], edited=True)
    reference = _picture(model, f"{place}/referenceImage", values["referenceImage"], edited=True)
    kind = request_schema.choice(f"{place}/maskType", values["maskType"], MASK_TYPES)
    if masks[kind] not in values:
        raise RequestRefusedError(f"{place}: required key [{masks[kind]}] not found")
    own = request_schema.mapping(f"{place}/{masks[kind]}", values[masks[kind]])
    at = f"{place}/{masks[kind]}"
    if kind == "IMAGE":
        request_schema.fields(at, own, required=("maskImage",))
        mask = _mask_image(model, f"{at}/maskImage", own["maskImage"], source)
    elif kind == "GARMENT":
        request_schema.fields(at, own, required=("garmentClass",), optional=("maskShape", "garmentStyling"))
        mask = edits.mask_for(request_schema.choice(f"{at}/garmentClass", own["garmentClass"], GARMENTS), source.size)
    else:
        request_schema.fields(at, own, required=("maskPrompt",), optional=("maskShape",))
        mask = edits.mask_for(
            request_schema.text(f"{at}/maskPrompt", own["maskPrompt"], model.prompt_limit), source.size
        )
    if "maskShape" in own:
        request_schema.choice(f"{at}/maskShape", own["maskShape"], ("CONTOUR", "BOUNDING_BOX", "DEFAULT"))
    request_schema.choice(
        f"{place}/mergeStyle", values.get("mergeStyle", "BALANCED"), ("BALANCED", "SEAMLESS", "DETAILED")
    )
    returned = request_schema.flag(f"{place}/returnMask", values.get("returnMask", False))
    return _Task(
        "",
        None,
        partial(edits.worn, source=source, reference=reference, mask=mask),
        source.size,
        paints=False,
        mask=mask if returned else None,
    )


TASK_READERS = {
    "TEXT_IMAGE": _text_image,
    "COLOR_GUIDED_GENERATION": _colour_guided,
    "IMAGE_VARIATION": _variation,
    "INPAINTING": _inpainting,
    "OUTPAINTING": _outpainting,
    "BACKGROUND_REMOVAL": _background_removal,
    "VIRTUAL_TRY_ON": _try_on,
}


TEXT, IMAGE = "text-to-image", "image-to-image"
OUTPUT_FORMATS = ("png", "jpeg", "webp")
# Prefixes of the models that take a picture: Ultra in any mode, SD3.5 in the mode image-to-image.
SD3, ULTRA = "stability.sd3", "stability.stable-image-ultra"
INPUT_FORMATS = ("PNG", "JPEG", "WEBP")
# "Minimum 64 pixels a side, at most 9,437,184 pixels."
STABILITY_SIDES, MOST_STABILITY_PIXELS = (64, 16_384), 9_437_184
ULTRA_STRENGTH = 0.35


def read_stability(model: ImageModel, request: Mapping[str, Any]) -> ImageRequest:
    """Read a request for a model of Stability's.

    Raises:
        RequestRefusedError: The model does not accept it.
    """
    takes_image = model.id.startswith((SD3, ULTRA))
    optional = ["negative_prompt", "mode", "aspect_ratio", "seed", "output_format"]
    request_schema.fields(
        "#", request, required=("prompt",), optional=[*optional, *(("image", "strength") if takes_image else ())]
    )
    modes = (TEXT, IMAGE) if model.id.startswith(SD3) else (TEXT,)
    mode = request_schema.choice("#/mode", request.get("mode", TEXT), modes)
    image_request = ImageRequest(
        prompt=request_schema.text("#/prompt", request["prompt"], model.prompt_limit),
        negative_prompt=request_schema.optional_text("#", request, "negative_prompt", model.prompt_limit),
        width=0,
        height=0,
        # 0 means "any seed".
        seed=request_schema.whole("#/seed", request.get("seed", 0), *model.seed_range) or None,
        output_format=request_schema.choice("#/output_format", request.get("output_format", "png"), OUTPUT_FORMATS),
    )
    if mode == IMAGE or (model.id.startswith(ULTRA) and "image" in request):
        return _from_image(model, request, image_request)
    for name in ("image", "strength"):
        if name in request:
            raise RequestRefusedError(f"#: extraneous key [{name}] is not permitted in the mode {TEXT}")
    ratio = request_schema.choice(
        "#/aspect_ratio", request.get("aspect_ratio", "1:1"), tuple(model_families.STABILITY_SIZES)
    )
    return _with_size(image_request, model_families.STABILITY_SIZES[ratio])


def _from_image(model: ImageModel, request: Mapping[str, Any], image_request: ImageRequest) -> ImageRequest:
    """Image to image: with `strength` 0 the picture is returned as it is, with 1 nothing of it is left."""
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - heavy; loaded with the first picture

    is_ultra = model.id.startswith(ULTRA)
    for name in ("image",) if is_ultra else ("image", "strength"):
        if name not in request:
            raise RequestRefusedError(f"#: required key [{name}] not found")
    if "aspect_ratio" in request and not is_ultra:
        raise RequestRefusedError(f"#: extraneous key [aspect_ratio] is not permitted in the mode {IMAGE}")
    image = request_schema.picture(
        "#/image", request["image"], sides=STABILITY_SIDES, pixels=MOST_STABILITY_PIXELS, formats=INPUT_FORMATS
    )
    strength = request_schema.number("#/strength", request.get("strength", ULTRA_STRENGTH), 0.0, 1.0)
    return _with_size(image_request, image.size, transform=partial(edits.blended, image=image, share=strength))


def _with_size(image_request: ImageRequest, size: tuple[int, int], **changes: Any) -> ImageRequest:
    return replace(image_request, width=size[0], height=size[1], **changes)


# How each model family writes its requests.
READERS: dict[str, Callable[[ImageModel, Mapping[str, Any]], ImageRequest]] = {
    "titan": read_amazon,
    "nova-canvas": read_amazon,
    "stability": read_stability,
}


def read_request(model: ImageModel, body: bytes) -> ImageRequest:
    """Read the body of an InvokeModel request.

    Raises:
        RequestRefusedError: It is no JSON object, or breaks a limit of the model; the message is that of Bedrock's
            ValidationException.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        # RecursionError: brackets nested by the thousand.
        raise RequestRefusedError("#: the body is not JSON") from error
    if not isinstance(request, dict):
        raise RequestRefusedError(f"#: expected type: JSONObject, found: {type(request).__name__}")
    reader = READERS.get(model.family)
    if reader is None:
        raise RequestRefusedError(f"#: the local stand-in knows no request of the family {model.family}")
    return reader(model, request)
