from __future__ import annotations

import io
import json
import zlib

import pytest
from PIL import Image, PngImagePlugin

from couch_explorers.core import png
from couch_explorers.core.png import BrokenPictureError, ForeignPictureError
from tests import hostile

PARAMETERS = {
    "created": "2026-11-23T08:00:00Z",
    "id": "paris-1",
    "model": "amazon.titan-image-generator-v1",
    "request": {
        "cfg_scale": 8.0,
        "model": "amazon.titan-image-generator-v1",
        "negative_prompt": "rain, cars",
        "prompt": "Café på brygga 🛋️\nat dusk",
        "seed": 42,
        "size": "1024x1024",
    },
    "seed": 42,
}
CANONICAL = json.dumps(PARAMETERS, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
LINE = (
    "Café på brygga 🛋️\nat dusk\n"
    "Negative prompt: rain, cars\n"
    "CFG scale: 8.0, Seed: 42, Size: 48x32, Model: amazon.titan-image-generator-v1, "
    'Created: "2026-11-23T08:00:00Z"'
)


# The flags of an iTXt chunk: packed by zlib or not.
PLAIN, PACKED = b"\x00\x00", b"\x01\x00"


def itxt(flags, text):
    """An iTXt chunk with the keyword couch; `text` is what stands after the flags."""
    return chunk_of(b"iTXtcouch\x00" + flags + text)


def chunk_of(body):
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def saved_by_pillow(picture, **texts):
    info = PngImagePlugin.PngInfo()
    for keyword, (text, compressed) in texts.items():
        info.add_itxt(keyword, text, zip=compressed)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_parameters_that_were_written_are_read_back(picture):
    assert png.read_parameters(png.add_parameters(picture, PARAMETERS)) == PARAMETERS


def test_another_program_opens_the_picture_and_finds_both_texts(picture):
    written = png.add_parameters(picture, PARAMETERS)

    with Image.open(io.BytesIO(picture)) as before, Image.open(io.BytesIO(written)) as after:
        # Read before the pixels are: the texts must stand in front of them.
        assert after.text == {"couch": CANONICAL, "parameters": LINE}
        assert [(text.lang, text.tkey) for text in after.text.values()] == [("", ""), ("", "")]
        assert after.tobytes() == before.tobytes()
        assert (after.size, after.mode) == (before.size, before.mode)


def test_a_picture_holds_its_parameters_once_however_often_they_are_written(picture):
    first = png.add_parameters(picture, PARAMETERS | {"seed": 1})

    assert png.add_parameters(first, PARAMETERS) == png.add_parameters(picture, PARAMETERS)


def test_other_texts_of_the_picture_stay(picture):
    written = png.add_parameters(saved_by_pillow(picture, Comment=("local stand-in", False)), PARAMETERS)

    with Image.open(io.BytesIO(written)) as image:
        assert image.text["Comment"] == "local stand-in"
        assert image.text["couch"] == CANONICAL


def test_parameters_are_found_behind_other_texts(picture):
    texts = {"Comment": ("local stand-in", False), "couch": (CANONICAL, False)}

    assert png.read_parameters(saved_by_pillow(picture, **texts)) == PARAMETERS


@pytest.mark.parametrize("packed", [True, False])
def test_parameters_that_another_program_has_written_are_read(picture, packed):
    assert png.read_parameters(saved_by_pillow(picture, couch=(CANONICAL, packed))) == PARAMETERS


def test_packed_parameters_may_hold_any_byte(picture):
    # Stored without compression; the zero is one of zlib's own bytes.
    packed = zlib.compress(b'{"seed":1}', 0)
    assert b"\x00" in packed

    assert png.read_parameters(picture[:33] + itxt(PACKED, b"en\x00sofa\x00" + packed) + picture[33:]) == {"seed": 1}


def test_a_model_without_negative_prompt_and_cfg_scale_gets_a_line_without_them(picture):
    request = PARAMETERS["request"] | {"cfg_scale": None, "negative_prompt": None, "prompt": "A fjord"}

    line = png.tools_line(PARAMETERS | {"request": request, "model": "stability.sd3-5-large-v1:0"}, (640, 1536))

    assert line == (
        'A fjord\nSeed: 42, Size: 640x1536, Model: "stability.sd3-5-large-v1:0", Created: "2026-11-23T08:00:00Z"'
    )


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({}, "\nSize: 48x32"),
        ({"request": {"prompt": "A", "seed": 7, "model": "m"}}, "A\nSeed: 7, Size: 48x32, Model: m"),
        # What was used counts, not what was asked for: Stability draws a seed of its own for 0.
        (
            {"seed": 8, "model": "n", "request": {"prompt": "A", "seed": 0, "model": "m"}},
            "A\nSeed: 8, Size: 48x32, Model: n",
        ),
        ({"model": "SDXL", "request": {"prompt": "A\x00B"}}, "AB\nSize: 48x32, Model: SDXL"),
        ({"model": "blå: 2", "created": "i\ndag"}, '\nSize: 48x32, Model: "blå: 2", Created: "i\\ndag"'),
    ],
)
def test_line_for_image_tools_has_what_the_parameters_have(parameters, line):
    assert png.tools_line(parameters, (48, 32)) == line


def test_the_size_is_read_from_the_header_alone(picture):
    assert png.size(picture) == (48, 32)
    assert png.size(picture[:33]) == (48, 32)


NO_JSON = "The picture's couch parameters are no JSON: make the picture again."


@pytest.mark.parametrize(
    ("chunk", "sentence"),
    [
        (itxt(PLAIN, b"\x00\x00no JSON"), NO_JSON),
        (itxt(PLAIN, b"\x00\x00" + b"[" * 100_000), NO_JSON),
        (itxt(PLAIN, b"\x00\x00\xff"), NO_JSON),
        (itxt(PLAIN, b"a field is missing\x00{}"), NO_JSON),
        (itxt(PACKED, b"\x00\x00not packed"), NO_JSON),
        (
            itxt(PLAIN, b"\x00\x00[1]"),
            "The picture's couch parameters are no JSON object: make the picture again.",
        ),
        (b"", "The picture holds no couch parameters: it was made or saved by another program."),
    ],
    ids=["text", "deep", "bytes", "field", "packing", "list", "none"],
)
def test_couch_parameters_that_are_none_of_ours_are_foreign(picture, chunk, sentence):
    with pytest.raises(ForeignPictureError) as refused:
        png.read_parameters(picture[:33] + chunk + picture[33:])

    assert str(refused.value) == sentence


def test_parameters_that_unpack_to_gigabytes_are_not_unpacked(picture):
    # Valid JSON, so that nothing but its length speaks against it.
    bomb = itxt(PACKED, b"\x00\x00" + zlib.compress(b"{}" + b" " * png.TEXT_LIMIT_BYTES))

    with pytest.raises(ForeignPictureError) as refused:
        png.read_parameters(picture[:33] + bomb + picture[33:])

    assert str(refused.value.__cause__) == "The iTXt chunk unpacks to more than 1048576 bytes."


@pytest.mark.parametrize("other", [b"\xff\xd8\xff\xe0 JPEG", b"<html>", b"GIF89a"])
def test_bytes_that_are_no_png_are_foreign(other):
    for read in (png.read_parameters, png.size, lambda data: png.add_parameters(data, PARAMETERS)):
        with pytest.raises(ForeignPictureError, match=r"^The file is no PNG picture\.$"):
            read(other)


def test_a_picture_cut_off_anywhere_is_broken(picture):
    written = png.add_parameters(picture, PARAMETERS)

    for end in range(len(written)):
        with pytest.raises(BrokenPictureError, match="cut off"):
            list(png.chunks(written[:end]))


def test_a_flipped_bit_anywhere_is_noticed(picture):
    # The signature tells what a file is; a flaw in it makes the file something else than a PNG.
    for place in range(len(png.SIGNATURE), len(picture)):
        damaged = bytearray(picture)
        damaged[place] ^= 1
        with pytest.raises(BrokenPictureError):
            list(png.chunks(bytes(damaged)))


HEADER, PIXELS, END = b"IHDR" + bytes(13), b"IDAT", b"IEND"


@pytest.mark.parametrize(
    ("bodies", "sentence"),
    [
        ([PIXELS, END], "The picture does not begin with its header: fetch it again."),
        ([HEADER[:-1], PIXELS, END], "The picture does not begin with its header: fetch it again."),
        ([b"tEXt" + bytes(13), HEADER, PIXELS, END], "The picture does not begin with its header: fetch it again."),
        ([HEADER, END], "The picture holds no pixels: fetch it again."),
    ],
)
def test_a_picture_without_header_or_pixels_is_broken(bodies, sentence):
    with pytest.raises(BrokenPictureError) as broken:
        list(png.chunks(png.SIGNATURE + b"".join(map(chunk_of, bodies))))

    assert str(broken.value) == sentence


def test_damage_is_found_where_it_is(picture):
    damaged = picture[:30] + b"\xff" + picture[31:]

    with pytest.raises(BrokenPictureError) as broken:
        list(png.chunks(damaged))

    assert str(broken.value) == "The picture is damaged at byte 8 (its sum is wrong): fetch it again."


def test_length_of_four_gigabytes_is_more_than_there_is(picture):
    with pytest.raises(BrokenPictureError, match=f"^The picture is cut off after {len(picture)} bytes: fetch it again"):
        list(png.chunks(picture[:8] + b"\xff\xff\xff\xff" + picture[12:]))


def test_parameters_that_json_cannot_hold_are_refused(picture):
    with pytest.raises(ValueError, match="not JSON compliant"):
        png.add_parameters(picture, {"seed": float("nan")})


@pytest.mark.parametrize(
    "text", [*hostile.TEXTS.values(), "A fjord " * (1024 * 1024 // 8)], ids=[*hostile.TEXTS, "1 MiB"]
)
def test_a_hostile_prompt_is_text_in_the_picture_and_is_read_back_as_it_was(picture, text):
    request = PARAMETERS["request"] | {"prompt": text, "negative_prompt": text}

    written = png.add_parameters(picture, PARAMETERS | {"request": request})

    assert png.read_parameters(written)["request"] == request
    assert [chunk.kind for chunk in png.chunks(written)].count(b"iTXt") == 2
    with Image.open(io.BytesIO(picture)) as before, Image.open(io.BytesIO(written)) as after:
        assert after.text.keys() == {"couch", "parameters"}
        assert after.tobytes() == before.tobytes()
