"""What the stand-in takes: the body of an InvokeModel call, held against the limits of the model's family."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from couch_explorers.local.stand_in import amazon, stability
from couch_explorers.local.stand_in.amazon import MOST_IMAGES
from couch_explorers.local.stand_in.orders import Order
from couch_explorers.local.stand_in.schema import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.core.image_models import ImageModel

__all__ = ["MOST_IMAGES", "READERS", "Order", "RequestRefusedError", "read"]

# By family.
READERS: dict[str, Callable[[ImageModel, Mapping[str, Any]], Order]] = {
    "titan": amazon.read,
    "nova-canvas": amazon.read,
    "stability": stability.read,
}


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
