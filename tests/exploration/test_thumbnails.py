import base64
import io
import os

import pytest
from PIL import Image

from couch_explorers.exploration import thumbnails as thumbnails_module
from couch_explorers.exploration.thumbnails import data_uri, load_rgb, thumbnail, thumbnails
from couch_explorers.paths import Home


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


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A picture among the images of a target, larger than a copy of it."""
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    path = Home.current().images("local") / "image-1.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (1024, 768), (200, 30, 30)).save(path)
    return path


def test_a_copy_of_a_large_picture_is_kept_and_read_in_its_place(large, monkeypatch):
    assert thumbnail(large, (400, 400)).size == (400, 300)

    copy = large.parent / "thumbnails" / "image-1.jpg"
    read = []
    monkeypatch.setattr(thumbnails_module, "load_rgb", lambda path: read.append(path) or load_rgb(path))
    again = thumbnail(large, (400, 400))
    assert read == [copy]
    assert again.size == (400, 300)
    assert again.getpixel((5, 5)) == pytest.approx((200, 30, 30), abs=3)


def test_a_picture_that_was_made_again_gets_a_new_copy(large):
    thumbnail(large, (400, 400))
    Image.new("RGB", (1024, 768), (30, 30, 200)).save(large)
    os.utime(large, ns=(1, 1))

    assert thumbnail(large, (400, 400)).getpixel((5, 5)) == pytest.approx((30, 30, 200), abs=3)


def test_a_damaged_copy_is_made_anew(large):
    thumbnail(large, (400, 400))
    copy = large.parent / "thumbnails" / "image-1.jpg"
    changed = copy.stat().st_mtime_ns
    copy.write_bytes(b"no picture")
    os.utime(copy, ns=(changed, changed))

    assert thumbnail(large, (400, 400)).size == (400, 300)
    assert load_rgb(copy).size == (512, 384)


def test_no_copy_is_kept_of_small_pictures_for_large_places_or_of_foreign_files(large, red):
    small = large.with_name("image-2.png")
    Image.new("RGB", (500, 500)).save(small)

    thumbnail(small, (400, 400))
    thumbnail(large, (800, 800))
    thumbnail(red, (100, 100))

    assert not (large.parent / "thumbnails").exists()
    assert sorted(path.name for path in red.parent.iterdir()) == ["home", "red.png"]


def test_a_picture_is_shown_where_no_copy_can_be_kept(large):
    (large.parent / "thumbnails").write_text("in the way")

    assert thumbnail(large, (400, 400)).size == (400, 300)
