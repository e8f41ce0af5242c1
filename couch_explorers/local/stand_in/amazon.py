"""The requests of Titan Image Generator and Nova Canvas: every task type of their documentation.

Bedrock user guide (model-parameters-titan-image) and Nova user guide (image-gen-access, image-gen-req-resp-structure).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from couch_explorers.core import errors, model_families
from couch_explorers.local.stand_in import schema
from couch_explorers.local.stand_in.orders import Order, Transform
from couch_explorers.local.stand_in.schema import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from couch_explorers.core.image_models import ImageModel

MOST_IMAGES = 5
QUALITIES = ("standard", "premium")
# Seeds that count when none is given: the documented defaults.
DEFAULT_SEEDS = {"titan": 42, "nova-canvas": 12}
# By task type, the field that holds the task's own parameters.
PARAMETERS = {
    "TEXT_IMAGE": "textToImageParams",
    "COLOR_GUIDED_GENERATION": "colorGuidedGenerationParams",
    "IMAGE_VARIATION": "imageVariationParams",
    "INPAINTING": "inPaintingParams",
    "OUTPAINTING": "outPaintingParams",
    "BACKGROUND_REMOVAL": "backgroundRemovalParams",
    "VIRTUAL_TRY_ON": "virtualTryOnParams",
}
# What each model lacks of them.
TITAN_V1_LACKS = ("COLOR_GUIDED_GENERATION", "BACKGROUND_REMOVAL", "VIRTUAL_TRY_ON")
TITAN_LACKS = ("VIRTUAL_TRY_ON",)
# Sides in pixels, and pixels, of pictures that a request brings along. Titan's documentation gives 1,408 by 1,408 for editing
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
    """A task's own parameters, read."""

    prompt: str
    negative_prompt: str | None = None
    transform: Transform | None = None
    # The size of the picture that is edited, which is that of the answer.
    edited: tuple[int, int] | None = None
    paints: bool = True
    single: bool = False
    mask: Image.Image | None = None


def read(model: ImageModel, request: Mapping[str, Any]) -> Order:
    """Read a request's body; raises RequestRefusedError."""
    task_type = request.get("taskType")
    if task_type is None:
        raise RequestRefusedError("#: required key [taskType] not found")
    known = [name for name in PARAMETERS if name not in _lacks(model)]
    field = PARAMETERS[schema.choice("#/taskType", task_type, known)]
    schema.fields("#", request, required=("taskType", field), optional=("imageGenerationConfig",))
    task = READERS[task_type](model, f"#/{field}", schema.mapping(f"#/{field}", request[field]))
    place = "#/imageGenerationConfig"
    settings = schema.mapping(place, request.get("imageGenerationConfig", {}))
    schema.fields(
        place, settings, required=(), optional=("numberOfImages", "quality", "cfgScale", "height", "width", "seed")
    )
    schema.choice(f"{place}/quality", settings.get("quality", "standard"), QUALITIES)
    count = schema.whole(f"{place}/numberOfImages", settings.get("numberOfImages", 1), 1, MOST_IMAGES)
    width, height = _size(model, place, settings, task.edited)
    return Order(
        prompt=task.prompt,
        negative_prompt=task.negative_prompt,
        width=width,
        height=height,
        seed=schema.whole(f"{place}/seed", settings.get("seed", DEFAULT_SEEDS[model.family]), *model.seed_range),
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
    """The size of the answer: what is asked for, but that of the picture that is edited where it says nothing, or is Nova's."""
    asked = [
        schema.whole(f"{place}/{name}", settings.get(name, 1024), 1, NOVA_SIDES[1]) for name in ("width", "height")
    ]
    given = "width" in settings or "height" in settings
    if edited is not None and (model.family == "nova-canvas" or not given):
        return edited
    return schema.size(place, model, f"{asked[0]}x{asked[1]}")


def _cfg_scale(model: ImageModel, place: str, settings: Mapping[str, Any]) -> float | None:
    value = settings.get("cfgScale", model.default_cfg_scale)
    return schema.number(place, value, *(model.cfg_scale_range or (float("-inf"), float("inf"))))


def _picture(model: ImageModel, place: str, value: Any, *, edited: bool = False) -> Image.Image:
    sides = NOVA_SIDES if model.family == "nova-canvas" else TITAN_EDIT_SIDES if edited else TITAN_SIDES
    return schema.picture(place, value, sides=sides, pixels=MOST_PIXELS[model.family])


def _text_image(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    optional = ["negativeText"]
    if not _is_titan_v1(model):
        optional += ["conditionImage", "controlMode", "controlStrength"]
    if model.family == "nova-canvas":
        optional.append("style")
    schema.fields(place, values, required=("text",), optional=optional)
    prompt = schema.text(f"{place}/text", values["text"], model.prompt_limit)
    steps: list[Transform] = []
    mode = schema.choice(f"{place}/controlMode", values.get("controlMode", CONTROL_MODES[0]), CONTROL_MODES)
    strength = schema.number(f"{place}/controlStrength", values.get("controlStrength", DEFAULT_STRENGTH), 0.0, 1.0)
    if "conditionImage" in values:
        from couch_explorers.local.painter import edits  # noqa: PLC0415 - not needed for most requests

        image = _picture(model, f"{place}/conditionImage", values["conditionImage"])
        steps.append(partial(edits.conditioned, image=image, mode=mode, strength=strength))
    if "style" in values:
        from couch_explorers.local.painter import edits  # noqa: PLC0415 - not needed for most requests

        style = schema.choice(f"{place}/style", values["style"], STYLES)
        steps.append(partial(edits.styled, style=style))
    return _Task(
        prompt,
        schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(_in_turn, steps) if steps else None,
    )


def _in_turn(steps: Sequence[Transform], image: Any, seed: int) -> Image.Image:
    for step in steps:
        image = step(image, seed)
    return image  # type: ignore[no-any-return]


def _colour_guided(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    schema.fields(place, values, required=("colors", "text"), optional=("referenceImage", "negativeText"))
    colours = schema.listed(f"{place}/colors", values["colors"], 1, MOST_COLOURS)
    for index, colour in enumerate(colours):
        if not isinstance(colour, str) or not COLOUR.fullmatch(colour):
            raise RequestRefusedError(
                f"{place}/colors/{index}: string [{errors.shown(colour)}] does not match pattern ^#[0-9a-fA-F]{{6}}$"
            )
    reference = values.get("referenceImage")
    image = None if reference is None else _picture(model, f"{place}/referenceImage", reference)
    return _Task(
        schema.text(f"{place}/text", values["text"], model.prompt_limit),
        schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.recoloured, colours=tuple(colours), reference=image),
    )


def _variation(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    schema.fields(place, values, required=("images",), optional=("text", "negativeText", "similarityStrength"))
    images = tuple(
        _picture(model, f"{place}/images/{index}", image)
        for index, image in enumerate(schema.listed(f"{place}/images", values["images"], 1, MOST_REFERENCES))
    )
    similarity = values.get("similarityStrength", DEFAULT_STRENGTH)
    strength = schema.number(f"{place}/similarityStrength", similarity, *SIMILARITY)
    return _Task(
        schema.optional_text(place, values, "text", model.prompt_limit) or "",
        schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.varied, images=images, strength=strength),
    )


def _inpainting(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    schema.fields(place, values, required=("image",), optional=("maskPrompt", "maskImage", "text", "negativeText"))
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    # What is black is inside the mask, and changed.
    inside = _mask(model, place, values, image)
    prompt = schema.optional_text(place, values, "text", model.prompt_limit)
    return _Task(
        prompt or "",
        schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.filled, source=image, mask=inside, seam=0.0),
        image.size,
        paints=prompt is not None,
    )


def _outpainting(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from PIL import ImageChops  # noqa: PLC0415 - loaded with the first picture

    from couch_explorers.local.painter import edits  # noqa: PLC0415

    optional = ("maskPrompt", "maskImage", "outPaintingMode", "negativeText")
    schema.fields(place, values, required=("image", "text"), optional=optional)
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    mode = schema.choice(
        f"{place}/outPaintingMode", values.get("outPaintingMode", OUTPAINTING_MODES[0]), OUTPAINTING_MODES
    )
    # What is white is outside the mask, and changed: smoothly by default, up to the mask's edge when precise.
    outside = ImageChops.invert(_mask(model, place, values, image))
    return _Task(
        schema.text(f"{place}/text", values["text"], model.prompt_limit),
        schema.optional_text(place, values, "negativeText", model.prompt_limit),
        partial(edits.filled, source=image, mask=outside, seam=0.0 if mode == "PRECISE" else edits.SMOOTH_SEAM),
        image.size,
    )


def _mask(model: ImageModel, place: str, values: Mapping[str, Any], image: Image.Image) -> Image.Image:
    """The mask that a task names, as a picture in which the mask's inside is white."""
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    if ("maskPrompt" in values) == ("maskImage" in values):
        raise RequestRefusedError(f"{place}: exactly one of [maskPrompt, maskImage] is required")
    if "maskPrompt" in values:
        return edits.mask_for(schema.text(f"{place}/maskPrompt", values["maskPrompt"], model.prompt_limit), image.size)
    return _mask_image(model, f"{place}/maskImage", values["maskImage"], image)


def _mask_image(model: ImageModel, place: str, value: Any, image: Image.Image) -> Image.Image:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    mask = _picture(model, place, value, edited=True).convert("L")
    if mask.size != image.size:
        raise RequestRefusedError(
            f"{place}: the mask has {mask.width}x{mask.height} pixels, the image {image.width}x{image.height}"
        )
    if not edits.is_black_and_white(mask):
        raise RequestRefusedError(f"{place}: the mask has pixels that are neither pure black nor pure white")
    return edits.inside(mask)


def _background_removal(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    schema.fields(place, values, required=("image",))
    image = _picture(model, f"{place}/image", values["image"], edited=True)
    return _Task("", None, partial(edits.cut_out, source=image), image.size, paints=False, single=True)


def _try_on(model: ImageModel, place: str, values: Mapping[str, Any]) -> _Task:
    from couch_explorers.local.painter import edits  # noqa: PLC0415 - loaded with the first picture

    masks = {"IMAGE": "imageBasedMask", "GARMENT": "garmentBasedMask", "PROMPT": "promptBasedMask"}
    optional = (*masks.values(), "maskExclusions", "mergeStyle", "returnMask")
    schema.fields(place, values, required=("sourceImage", "referenceImage", "maskType"), optional=optional)
    source = _picture(model, f"{place}/sourceImage", values["sourceImage"], edited=True)
    reference = _picture(model, f"{place}/referenceImage", values["referenceImage"], edited=True)
    kind = schema.choice(f"{place}/maskType", values["maskType"], MASK_TYPES)
    if masks[kind] not in values:
        raise RequestRefusedError(f"{place}: required key [{masks[kind]}] not found")
    own = schema.mapping(f"{place}/{masks[kind]}", values[masks[kind]])
    at = f"{place}/{masks[kind]}"
    if kind == "IMAGE":
        schema.fields(at, own, required=("maskImage",))
        mask = _mask_image(model, f"{at}/maskImage", own["maskImage"], source)
    elif kind == "GARMENT":
        schema.fields(at, own, required=("garmentClass",), optional=("maskShape", "garmentStyling"))
        mask = edits.mask_for(schema.choice(f"{at}/garmentClass", own["garmentClass"], GARMENTS), source.size)
    else:
        schema.fields(at, own, required=("maskPrompt",), optional=("maskShape",))
        mask = edits.mask_for(schema.text(f"{at}/maskPrompt", own["maskPrompt"], model.prompt_limit), source.size)
    if "maskShape" in own:
        schema.choice(f"{at}/maskShape", own["maskShape"], ("CONTOUR", "BOUNDING_BOX", "DEFAULT"))
    schema.choice(f"{place}/mergeStyle", values.get("mergeStyle", "BALANCED"), ("BALANCED", "SEAMLESS", "DETAILED"))
    returned = schema.flag(f"{place}/returnMask", values.get("returnMask", False))
    return _Task(
        "",
        None,
        partial(edits.worn, source=source, reference=reference, mask=mask),
        source.size,
        paints=False,
        mask=mask if returned else None,
    )


READERS = {
    "TEXT_IMAGE": _text_image,
    "COLOR_GUIDED_GENERATION": _colour_guided,
    "IMAGE_VARIATION": _variation,
    "INPAINTING": _inpainting,
    "OUTPAINTING": _outpainting,
    "BACKGROUND_REMOVAL": _background_removal,
    "VIRTUAL_TRY_ON": _try_on,
}
