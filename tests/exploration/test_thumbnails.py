import base64
import io

import pytest
from PIL import Image

from couch_explorers.exploration.thumbnails import data_uri, load_rgb, thumbnail, thumbnails


@pytest.fixture
def red(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (400, 200), (200, 30, 30)).save(path)
    return path


def test_a_picture_fits_its_place_and_keeps_its_shape(red):
    assert thumbnail(red, (100, 100)).size == (100, 50)


def test_a_picture_that_fits_stays_as_it_is(red):
    assert thumbnail(red, (900, 900)).size == (400, 200)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1", "I;16"])
def test_any_kind_of_png_becomes_rgb(mode, tmp_path):
    path = tmp_path / "any.png"
    Image.new(mode, (20, 20)).save(path)

    assert load_rgb(path).mode == "RGB"


def test_what_is_transparent_becomes_paper(tmp_path):
    path = tmp_path / "clear.png"
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(path)

    assert load_rgb(path).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("content", [None, b"", b"no picture", "half"])
def test_a_file_that_is_gone_or_damaged_is_no_picture(content, red, tmp_path):
    path = tmp_path / "other.png"
    if content == "half":
        path.write_bytes(red.read_bytes()[:-40])
    elif content is not None:
        path.write_bytes(content)

    assert load_rgb(path) is None


def test_several_pictures_come_in_the_order_given(red, tmp_path):
    gone = tmp_path / "gone.png"

    first, second, third = thumbnails([red, gone, red], (50, 50))

    assert (first.size, second, third.size) == ((50, 25), None, (50, 25))


def test_an_address_holds_the_picture_itself(red):
    kind, text = data_uri(load_rgb(red)).split(",")

    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (400, 200)
