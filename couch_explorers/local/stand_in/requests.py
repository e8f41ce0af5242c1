"""What the stand-in takes: the body of an InvokeModel call, held against the limits of the model's family.

The fields and their ranges are those of the Bedrock user guide (titan-image-models, Stable Image Core text-image
request) and the Nova user guide (image-gen-req-resp-structure); the numbers come from `core.image_models`. The sentences
of a refusal are worded as Bedrock's schema check words them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.core import errors, model_families

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.core.image_models import ImageModel

MOST_IMAGES = 5
QUALITIES = ("standard", "premium")
# The service has more; the stand-in does what the project uses, and says so.
TASK, MODE = "TEXT_IMAGE", "text-to-image"
OUTPUT_FORMATS = ("png", "jpeg")
# Seeds that count when none is given: the documented defaults.
DEFAULT_SEEDS = {"titan": 42, "nova-canvas": 12}


class RequestRefusedError(Exception):
    """A request that the model does not take; str() is the message of the ValidationException."""

    def __init__(self, violation: str) -> None:
        super().__init__(f"Malformed input request: {violation}, please reformat your input and try again.")


@dataclass(frozen=True)
class Order:
    """The pictures that a valid request asks for; without a `seed`, any will do."""

    prompt: str
    negative_prompt: str | None
    width: int
    height: int
    seed: int | None
    cfg_scale: float | None = None
    count: int = 1
    output_format: str = "png"


def read(model: ImageModel, body: bytes) -> Order:
    """Read a request's body; raises RequestRefusedError."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Brackets nested by the thousand are the second.
        raise RequestRefusedError("#: the body is not JSON") from error
    if not isinstance(request, dict):
        raise RequestRefusedError(f"#: expected type: JSONObject, found: {type(request).__name__}")
    reader = READERS.get(model.family)
    if reader is None:
        raise RequestRefusedError(f"#: the local stand-in knows no request of the family {model.family}")
    return reader(model, request)


def _amazon(model: ImageModel, request: Mapping[str, Any]) -> Order:
    _fields("#", request, required=("taskType", "textToImageParams"), optional=("imageGenerationConfig",))
    if request["taskType"] != TASK:
        raise RequestRefusedError(
            f"#/taskType: the local stand-in knows {TASK} only, not {errors.shown(request['taskType'])}"
        )
    texts = _object("#/textToImageParams", request["textToImageParams"])
    _fields("#/textToImageParams", texts, required=("text",), optional=("negativeText",))
    settings = _object("#/imageGenerationConfig", request.get("imageGenerationConfig", {}))
    place = "#/imageGenerationConfig"
    _fields(place, settings, required=(), optional=("numberOfImages", "quality", "cfgScale", "height", "width", "seed"))
    _choice(f"{place}/quality", settings.get("quality", "standard"), QUALITIES)
    width = _whole(f"{place}/width", settings.get("width", 1024), 1, model_families.NOVA_SIDES[1])
    height = _whole(f"{place}/height", settings.get("height", 1024), 1, model_families.NOVA_SIDES[1])
    _size(place, model, f"{width}x{height}")
    negative = texts.get("negativeText")
    return Order(
        prompt=_text("#/textToImageParams/text", texts["text"], model.prompt_limit),
        negative_prompt=None
        if negative is None
        else _text("#/textToImageParams/negativeText", negative, model.prompt_limit),
        width=width,
        height=height,
        seed=_whole(f"{place}/seed", settings.get("seed", DEFAULT_SEEDS[model.family]), *model.seed_range),
        cfg_scale=_cfg_scale(model, f"{place}/cfgScale", settings),
        count=_whole(f"{place}/numberOfImages", settings.get("numberOfImages", 1), 1, MOST_IMAGES),
    )


def _stability(model: ImageModel, request: Mapping[str, Any]) -> Order:
    optional = ("negative_prompt", "mode", "aspect_ratio", "seed", "output_format")
    _fields("#", request, required=("prompt",), optional=optional)
    _choice("#/mode", request.get("mode", MODE), (MODE,))
    ratio = _choice("#/aspect_ratio", request.get("aspect_ratio", "1:1"), tuple(model_families.STABILITY_SIZES))
    width, height = model_families.STABILITY_SIZES[ratio]
    negative = request.get("negative_prompt")
    return Order(
        prompt=_text("#/prompt", request["prompt"], model.prompt_limit),
        negative_prompt=None if negative is None else _text("#/negative_prompt", negative, model.prompt_limit),
        width=width,
        height=height,
        # 0 means "any seed".
        seed=_whole("#/seed", request.get("seed", 0), *model.seed_range) or None,
        output_format=_choice("#/output_format", request.get("output_format", "png"), OUTPUT_FORMATS),
    )


# By family.
READERS: dict[str, Callable[[ImageModel, Mapping[str, Any]], Order]] = {
    "titan": _amazon,
    "nova-canvas": _amazon,
    "stability": _stability,
}


def _fields(place: str, value: Mapping[str, Any], *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    for name in required:
        if name not in value:
            raise RequestRefusedError(f"{place}: required key [{name}] not found")
    for name in value:
        if name not in (*required, *optional):
            raise RequestRefusedError(f"{place}: extraneous key [{name}] is not permitted")


def _object(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestRefusedError(f"{place}: expected type: JSONObject, found: {errors.shown(value)}")
    return value


def _text(place: str, value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise RequestRefusedError(f"{place}: expected type: String, found: {errors.shown(value)}")
    if not value.strip():
        raise RequestRefusedError(f"{place}: expected minLength: 1, actual: 0")
    if len(value) > limit:
        raise RequestRefusedError(f"{place}: expected maxLength: {limit}, actual: {len(value)}")
    return value


def _size(place: str, model: ImageModel, value: Any) -> tuple[int, int]:
    """Read "WxH", if the model paints that."""
    try:
        model.check_size(value)
    except errors.InvalidJobError as error:
        raise RequestRefusedError(f"{place}: {error.detail.rstrip('.')}") from error
    return model_families.parse_size(value)


def _choice(place: str, value: Any, accepted: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in accepted:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not a valid enum value ({', '.join(accepted)})")
    return value


def _whole(place: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestRefusedError(f"{place}: expected type: Integer, found: {errors.shown(value)}")
    _range(place, value, low, high)
    return value


def _cfg_scale(model: ImageModel, place: str, settings: Mapping[str, Any]) -> float | None:
    value = settings.get("cfgScale", model.default_cfg_scale)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestRefusedError(f"{place}: expected type: Number, found: {errors.shown(value)}")
    if model.cfg_scale_range is not None:
        _range(place, value, *model.cfg_scale_range)
    return float(value)


def _range(place: str, value: float, low: float, high: float) -> None:
    # Asked this way round, NaN is refused too.
    if not value >= low:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not greater or equal to {low}")
    if not value <= high:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not less or equal to {high}")
