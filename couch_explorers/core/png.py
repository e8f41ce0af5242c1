"""A picture's parameters, written into the picture itself as two iTXt chunks.

`couch` holds the canonical JSON, `parameters` the line that image tools since AUTOMATIC1111's web UI read. The format
is that of the PNG specification, third edition: https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from couch_explorers.core.jobs import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COUCH_KEYWORD = b"couch"
TOOLS_KEYWORD = b"parameters"

# A compressed text may be small and unfold to gigabytes; parameters never come near this.
TEXT_LIMIT_BYTES = 1 << 20

_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
# Width, height, bit depth, colour type, compression, filter, interlace.
_HEADER = struct.Struct(">IIBBBBB")


class BrokenPictureError(ValueError):
    """The bytes begin as a PNG, but are truncated or damaged."""


class ForeignPictureError(ValueError):
    """The picture was not made by Couch Explorers, or another program has removed its parameters."""


class Chunk(NamedTuple):
    """One chunk of a PNG: its four-letter kind, its data, and the place of its first byte in the picture."""

    kind: bytes
    data: bytes
    start: int


def add_parameters(png: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Embed the parameters in a picture, before its pixels, replacing existing ones.

    Raises ForeignPictureError for bytes that are no PNG, BrokenPictureError for a damaged one, and ValueError for
    parameters that JSON cannot hold.
    """
    texts = _itxt(COUCH_KEYWORD, canonical_json(dict(parameters)))
    texts += _itxt(TOOLS_KEYWORD, tools_line(parameters, size(png)))
    kept = [
        chunk
        for chunk in chunks(png)
        if chunk.kind not in _TEXT_KINDS or _keyword(chunk.data) not in (COUCH_KEYWORD, TOOLS_KEYWORD)
    ]
    written = [png[chunk.start : chunk.start + len(chunk.data) + 12] for chunk in kept]
    written.insert([chunk.kind for chunk in kept].index(b"IDAT"), texts)
    return SIGNATURE + b"".join(written)


def read_parameters(png: bytes) -> dict[str, Any]:
    """Read the `couch` parameters of a picture.

    Raises ForeignPictureError when there are none, BrokenPictureError when the picture is damaged.
    """
    for chunk in chunks(png):
        if chunk.kind == b"iTXt" and _keyword(chunk.data) == COUCH_KEYWORD:
            try:
                parameters = json.loads(_itxt_text(chunk.data))
            except (ValueError, RecursionError, zlib.error) as error:
                raise ForeignPictureError(
                    "The picture's couch parameters are no JSON: make the picture again."
                ) from error
            if isinstance(parameters, dict):
                return parameters
            raise ForeignPictureError("The picture's couch parameters are no JSON object: make the picture again.")
    raise ForeignPictureError("The picture holds no couch parameters: it was made or saved by another program.")


def size(png: bytes) -> tuple[int, int]:
    """Read (width, height) in pixels from the picture's header."""
    header = next(chunks(png))
    width, height, *_ = _HEADER.unpack(header.data)
    return width, height


def chunks(png: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a picture, checking each one's checksum.

    Raises ForeignPictureError for bytes that are no PNG and BrokenPictureError where the picture is cut off or damaged.
    """
    if not png.startswith(SIGNATURE):
        if png and not SIGNATURE.startswith(png):
            raise ForeignPictureError("The file is no PNG picture.")
        raise BrokenPictureError(f"The picture is cut off after {len(png)} bytes: fetch it again.")
    start = len(SIGNATURE)
    kinds: set[bytes] = set()
    while True:
        kind, data = _chunk_at(png, start)
        if start == len(SIGNATURE) and (kind != b"IHDR" or len(data) != _HEADER.size):
            raise BrokenPictureError("The picture does not begin with its header: fetch it again.")
        kinds.add(kind)
        if kind == b"IEND" and b"IDAT" not in kinds:
            raise BrokenPictureError("The picture holds no pixels: fetch it again.")
        yield Chunk(kind, data, start)
        if kind == b"IEND":
            return
        start += len(data) + 12


def tools_line(parameters: Mapping[str, Any], picture_size: tuple[int, int]) -> str:
    """Return the text that image tools read: the prompt, the negative prompt, and one line of named values."""
    request = parameters.get("request") or {}
    width, height = picture_size
    values = {
        "CFG scale": request.get("cfg_scale"),
        "Seed": parameters.get("seed", request.get("seed")),
        "Size": f"{width}x{height}",
        "Model": parameters.get("model", request.get("model")),
        "Created": parameters.get("created"),
    }
    lines = [str(request.get("prompt", ""))]
    if request.get("negative_prompt") is not None:
        lines.append(f"Negative prompt: {request['negative_prompt']}")
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in values.items() if value is not None))
    # The chunk's text may not hold NUL, which ends its fields.
    return "\n".join(lines).replace("\x00", "")


def _quoted(value: object) -> str:
    """Quote as the web UI does: a value that holds a comma, a colon or a line break stands in JSON quotes."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text


def _chunk_at(png: bytes, start: int) -> tuple[bytes, bytes]:
    if len(png) < start + 12:
        raise BrokenPictureError(f"The picture is cut off after {len(png)} bytes: fetch it again.")
    length, kind = struct.unpack_from(">I4s", png, start)
    end = start + 8 + length
    if len(png) < end + 4:
        raise BrokenPictureError(f"The picture is cut off after {len(png)} bytes: fetch it again.")
    (stated,) = struct.unpack_from(">I", png, end)
    if zlib.crc32(png[start + 4 : end]) != stated:
        raise BrokenPictureError(f"The picture is damaged at byte {start} (its sum is wrong): fetch it again.")
    return kind, png[start + 8 : end]


def _itxt(keyword: bytes, text: str) -> bytes:
    """Write an uncompressed iTXt chunk with neither language nor translated keyword."""
    body = b"iTXt" + keyword + b"\x00" + b"\x00\x00" + b"\x00" + b"\x00" + text.encode()
    return (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def _keyword(data: bytes) -> bytes:
    return data.partition(b"\x00")[0]


def _itxt_text(data: bytes) -> str:
    """Read the text of an iTXt chunk, compressed or not; raises ValueError or zlib.error when it cannot be read."""
    rest = data.partition(b"\x00")[2]
    _language, _translated_keyword, text = rest[2:].split(b"\x00", 2)
    if rest[:1] == b"\x01":
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(text, TEXT_LIMIT_BYTES)
        if unpacker.unconsumed_tail:
            raise ValueError(f"The iTXt chunk unpacks to more than {TEXT_LIMIT_BYTES} bytes.")
    return text.decode()
