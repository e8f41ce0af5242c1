from __future__ import annotations

import io
import json
import zlib

import pytest
from PIL import Image, PngImagePlugin

from couch_explorers.core import png
from couch_explorers.core.png import BrokenPictureError, ForeignPictureError

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


def test_parameters_that_another_program_has_packed_are_read(picture):
    assert png.read_parameters(saved_by_pillow(picture, couch=(CANONICAL, True))) == PARAMETERS


def test_a_model_without_negative_prompt_and_cfg_scale_gets_a_line_without_them(picture):
    request = PARAMETERS["request"] | {"cfg_scale": None, "negative_prompt": None, "prompt": "A fjord"}

    line = png.tools_line(PARAMETERS | {"request": request, "model": "stability.sd3-5-large-v1:0"}, (640, 1536))

    assert line == (
        'A fjord\nSeed: 42, Size: 640x1536, Model: "stability.sd3-5-large-v1:0", Created: "2026-11-23T08:00:00Z"'
    )


def test_the_size_is_read_from_the_header_alone(picture):
    assert png.size(picture) == (48, 32)
    assert png.size(picture[:33]) == (48, 32)


@pytest.mark.parametrize("text", ["no JSON", "[1]", "[" * 100_000])
def test_couch_parameters_that_are_none_of_ours_are_foreign(picture, text):
    with pytest.raises(ForeignPictureError, match="couch parameters are no JSON"):
        png.read_parameters(saved_by_pillow(picture, couch=(text, False)))


def test_parameters_that_unpack_to_gigabytes_are_not_unpacked(picture):
    bomb = zlib.compress(b" " * (png.TEXT_LIMIT_BYTES + 1))
    body = b"iTXtcouch\x00\x01\x00\x00\x00" + bomb
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    with pytest.raises(ForeignPictureError):
        png.read_parameters(picture[:33] + chunk + picture[33:])


def test_a_picture_without_parameters_is_foreign(picture):
    with pytest.raises(ForeignPictureError, match="holds no couch parameters"):
        png.read_parameters(picture)


@pytest.mark.parametrize("other", [b"\xff\xd8\xff\xe0 JPEG", b"<html>", b"GIF89a"])
def test_bytes_that_are_no_png_are_foreign(other):
    for read in (png.read_parameters, png.size, lambda data: png.add_parameters(data, PARAMETERS)):
        with pytest.raises(ForeignPictureError, match="no PNG"):
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


def test_a_picture_without_header_or_pixels_is_broken(picture):
    kept = [(chunk.kind, picture[chunk.start : chunk.start + len(chunk.data) + 12]) for chunk in png.chunks(picture)]

    for missing, sentence in ((b"IHDR", "begin with its header"), (b"IDAT", "no pixels")):
        with pytest.raises(BrokenPictureError, match=sentence):
            list(png.chunks(png.SIGNATURE + b"".join(chunk for kind, chunk in kept if kind != missing)))


def test_parameters_that_json_cannot_hold_are_refused(picture):
    with pytest.raises(ValueError, match="not JSON compliant"):
        png.add_parameters(picture, {"seed": float("nan")})
