"""Checks the fields of InvokeModel requests, with the error messages of Bedrock's JSON schema validation."""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING, Any

from couch_explorers.core import errors, model_families

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from couch_explorers.core.image_models import ImageModel


class RequestRefusedError(Exception):
    """A request that the model refuses; str() is the message of the ValidationException."""

    def __init__(self, violation: str) -> None:
        super().__init__(f"Malformed input request: {violation}, please reformat your input and try again.")


def fields(place: str, value: Mapping[str, Any], *, required: Sequence[str], optional: Sequence[str] = ()) -> None:
    """Check that an object has all required fields and no unknown ones."""
    for name in required:
        if name not in value:
            raise RequestRefusedError(f"{place}: required key [{name}] not found")
    for name in value:
        if name not in (*required, *optional):
            raise RequestRefusedError(f"{place}: extraneous key [{name}] is not permitted")


def mapping(place: str, value: Any) -> dict[str, Any]:
    """Read a JSON object."""
    if not isinstance(value, dict):
        raise RequestRefusedError(f"{place}: expected type: JSONObject, found: {errors.shown(value)}")
    return value


def listed(place: str, value: Any, low: int, high: int) -> list[Any]:
    """Read a JSON array with between `low` and `high` items."""
    if not isinstance(value, list):
        raise RequestRefusedError(f"{place}: expected type: JSONArray, found: {errors.shown(value)}")
    if len(value) < low:
        raise RequestRefusedError(f"{place}: expected minimum item count: {low}, found: {len(value)}")
    if len(value) > high:
        raise RequestRefusedError(f"{place}: expected maximum item count: {high}, found: {len(value)}")
    return value


def text(place: str, value: Any, limit: int) -> str:
    """Read a text of 1 to `limit` characters."""
    if not isinstance(value, str):
        raise RequestRefusedError(f"{place}: expected type: String, found: {errors.shown(value)}")
    if not value.strip():
        raise RequestRefusedError(f"{place}: expected minLength: 1, actual: 0")
    if len(value) > limit:
        raise RequestRefusedError(f"{place}: expected maxLength: {limit}, actual: {len(value)}")
    return value


def optional_text(place: str, values: Mapping[str, Any], name: str, limit: int) -> str | None:
    """Read a text that may be left out."""
    value = values.get(name)
    return None if value is None else text(f"{place}/{name}", value, limit)


def size(place: str, model: ImageModel, value: Any) -> tuple[int, int]:
    """Read a size, "WxH", that the model supports."""
    try:
        model.check_size(value)
    except errors.InvalidJobError as error:
        raise RequestRefusedError(f"{place}: {error.detail.rstrip('.')}") from error
    return model_families.parse_size(value)


def choice(place: str, value: Any, accepted: Sequence[str]) -> str:
    """Read one of the accepted values."""
    if not isinstance(value, str) or value not in accepted:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not a valid enum value ({', '.join(accepted)})")
    return value


def flag(place: str, value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise RequestRefusedError(f"{place}: expected type: Boolean, found: {errors.shown(value)}")
    return value


def whole(place: str, value: Any, low: int, high: int) -> int:
    """Read a whole number between `low` and `high`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestRefusedError(f"{place}: expected type: Integer, found: {errors.shown(value)}")
    _range(place, value, low, high)
    return value


def number(place: str, value: Any, low: float, high: float) -> float:
    """Read a number between `low` and `high`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestRefusedError(f"{place}: expected type: Number, found: {errors.shown(value)}")
    _range(place, value, low, high)
    return float(value)


def _range(place: str, value: float, low: float, high: float) -> None:
    # Negated comparisons, so that NaN is refused too.
    if not value >= low:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not greater or equal to {low}")
    if not value <= high:
        raise RequestRefusedError(f"{place}: {errors.shown(value)} is not less or equal to {high}")


def picture(
    place: str, value: Any, *, sides: tuple[int, int], pixels: int, formats: tuple[str, ...] = ("PNG", "JPEG")
) -> Image.Image:
    """Read an opaque picture in Base64, given the range of its sides and its largest number of pixels."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - loaded with the first picture

    if not isinstance(value, str):
        raise RequestRefusedError(f"{place}: expected type: String, found: {errors.shown(value)}")
    try:
        # Only these formats are tried, and a size is refused before anything is decoded.
        image = Image.open(io.BytesIO(base64.b64decode(value, validate=True)), formats=formats)
    except (binascii.Error, ValueError) as error:
        raise RequestRefusedError(f"{place}: the image is not in Base64") from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise RequestRefusedError(f"{place}: the image is no {' or '.join(formats)}") from error
    for name, side in zip(("width", "height"), image.size, strict=True):
        if not sides[0] <= side <= sides[1]:
            raise RequestRefusedError(
                f"{place}: the image's {name} {side} is not within range [{sides[0]}, {sides[1]}]"
            )
    if image.width * image.height > pixels:
        raise RequestRefusedError(f"{place}: the image has {image.width * image.height} pixels, at most {pixels}")
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        raise RequestRefusedError(f"{place}: the image cannot be decoded") from error
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise RequestRefusedError(f"{place}: the image has transparent pixels")
    return image.convert("RGB")
