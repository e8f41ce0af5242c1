"""Writes long lists of numbers and times at once: a page of metric data has 100,800 of each.

LocalEmu's serializers look up the shape of every item, and read each time as text first, which takes seconds a page. What they
write is the same: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html and
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_list": "bfa331eda6de",
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_timestamp": "37becfb56ab0",
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_double": "7e743809a73f",
    "localemu.aws.protocol.serializer:JSONResponseSerializer._serialize_type_list": "a281d8044459",
    "localemu.aws.protocol.serializer:JSONResponseSerializer._serialize_type_timestamp": "614376c305b5",
    "localemu.aws.protocol.serializer:ResponseSerializer._timestamp_unixtimestamp": "adfaaf9eaef9",
}

# Shorter lists are not worth it.
FEWEST = 16
DOUBLE = 0xFB  # major type 7, a double follows
EPOCH_TIME = 0xC1  # tag 1, a time in seconds follows
# How an item of each kind of list is laid out in CBOR.
LAYOUTS: dict[str, Any] = {
    "double": np.dtype([("mark", "u1"), ("value", ">f8")]),
    "timestamp": np.dtype([("tag", "u1"), ("mark", "u1"), ("value", ">f8")]),
}


def apply() -> None:
    """Let both serializers write long lists of numbers and times (as Unix time) at once."""
    from localemu.aws.protocol.serializer import (  # noqa: PLC0415 - LocalEmu reads its settings on import
        BaseCBORResponseSerializer,
        JSONResponseSerializer,
    )

    as_cbor: Callable[..., None] = BaseCBORResponseSerializer._serialize_type_list  # noqa: SLF001
    as_json: Callable[..., None] = JSONResponseSerializer._serialize_type_list  # noqa: SLF001

    @functools.wraps(as_cbor)
    def serialize_cbor(self: Any, serialized: bytearray, value: Any, shape: Any, name: str | None = None) -> None:
        numbers = plain_numbers(value, shape)
        if numbers is None:
            as_cbor(self, serialized, value, shape, name)
            return
        opening, closing = self._get_bytes_for_data_structure(value, self.LIST_MAJOR_TYPE)
        serialized.extend(opening)
        serialized.extend(packed(numbers, shape.member.type_name))
        if closing is not None:
            serialized.extend(closing)

    @functools.wraps(as_json)
    def serialize_json(self: Any, body: dict[str, Any], value: Any, shape: Any, key: str, mime_type: str) -> None:
        numbers = None if mime_type in self.CBOR_TYPES else plain_numbers(value, shape)
        if numbers is None or "timestampFormat" in shape.member.serialization:
            as_json(self, body, value, shape, key, mime_type)
        else:
            body[key] = numbers.tolist()

    BaseCBORResponseSerializer._serialize_type_list = serialize_cbor  # noqa: SLF001
    JSONResponseSerializer._serialize_type_list = serialize_json  # noqa: SLF001


def plain_numbers(values: Any, shape: Any) -> Any:
    """A long list of doubles or times as an array; None for any other list, and for one with a value that is not finite."""
    if not values or len(values) < FEWEST or shape is None or shape.member.type_name not in LAYOUTS:
        return None
    if not all(type(value) in (int, float) for value in values):
        return None
    numbers = np.array(values, dtype=np.float64)
    return numbers if np.isfinite(numbers).all() else None


def packed(numbers: Any, kind: str) -> bytes:
    """The items of a list of doubles or times in CBOR."""
    items = np.empty(len(numbers), dtype=LAYOUTS[kind])
    items["mark"] = DOUBLE
    items["value"] = numbers
    if kind == "timestamp":
        items["tag"] = EPOCH_TIME
    return items.tobytes()
