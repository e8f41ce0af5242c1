"""The painter: deterministic pictures in which a prompt's words show."""

import hashlib
import io
import os
import subprocess
import sys

import pytest
from PIL import Image, ImageChops, ImageStat

from couch_explorers.local.painter import prompt as tables
from couch_explorers.local.painter.renderer import paint

pytestmark = pytest.mark.drawing

PARIS = "Me at a classic Parisian café with the Eiffel Tower in the background, an old polaroid, soft faded tones"
SAFARI = "Place me in a jeep on an African savanna with lions and elephants under a golden sunset, analog 1980s, grainy"
CLIFF = "Me on the edge of a cliff with dramatic, snow-capped mountains behind me, early morning light, retro film"


def picture(prompt, *, seed=1, width=320, height=320, model="amazon.nova-canvas-v1:0", **rest):
    png = paint(prompt, seed=seed, width=width, height=height, model=model, **rest)
    return Image.open(io.BytesIO(png))


def brightness(image):
    return ImageStat.Stat(image.convert("L")).mean[0]


def share_of_changed_pixels(one, other):
    changed = (
        ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L").point(lambda v: 255 * (v > 24))
    )
    return ImageStat.Stat(changed).mean[0] / 255


def test_the_same_request_gives_the_same_bytes():
    first = paint(SAFARI, seed=7, width=512, height=384, model="m")

    assert paint(SAFARI, seed=7, width=512, height=384, model="m") == first


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_bytes_do_not_depend_on_hash_randomisation_or_the_process(hash_seed):
    program = (
        "import hashlib; from couch_explorers.local.painter.renderer import paint; "
        f"print(hashlib.sha256(paint({SAFARI!r}, seed=3, width=320, height=320, model='m')).hexdigest())"
    )
    here = hashlib.sha256(paint(SAFARI, seed=3, width=320, height=320, model="m")).hexdigest()

    there = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
    )

    assert there.stdout.strip() == here


@pytest.mark.parametrize("prompt", [PARIS, SAFARI, CLIFF])
def test_another_seed_gives_another_composition(prompt):
    one, other = picture(prompt, seed=1), picture(prompt, seed=2)

    assert share_of_changed_pixels(one, other) > 0.05


def test_another_model_gives_another_picture():
    assert picture(CLIFF, model="a").tobytes() != picture(CLIFF, model="b").tobytes()


@pytest.mark.parametrize(
    ("width", "height"),
    [(320, 320), (4096, 1024), (1024, 4096), (640, 1408), (1173, 640), (1536, 640), (321, 703)],
)
def test_a_picture_has_exactly_the_size_that_was_asked_for(width, height):
    assert picture(SAFARI, width=width, height=height).size == (width, height)


@pytest.mark.parametrize("place", [*tables.PLACES, "hills"])
@pytest.mark.parametrize("hour", [*tables.HOURS, "day"])
def test_every_place_can_be_painted_at_every_hour(place, hour):
    spoken = " ".join((tables.PLACES.get(place, ("somewhere",))[0], tables.HOURS.get(hour, ("noon",))[0]))

    assert picture(spoken).size == (320, 320)


@pytest.mark.parametrize("subject", [*tables.SUBJECTS])
def test_a_subject_shows_and_a_negative_prompt_takes_it_out(subject):
    word = tables.SUBJECTS[subject][0]
    with_it, without = f"a {word} in the hills", "in the hills"

    shown = picture(with_it)

    assert share_of_changed_pixels(shown, picture(with_it, negative_prompt=word)) > 0
    assert tables.parse_prompt(with_it, word) == tables.parse_prompt(without)


def test_night_is_darker_than_day():
    assert brightness(picture("a city at night")) < brightness(picture("a city")) - 40


def test_black_and_white_has_no_colour_within_its_frame():
    red, green, blue = picture("London in black and white").convert("RGB").crop((40, 40, 280, 240)).split()

    assert ImageStat.Stat(ImageChops.difference(red, blue)).mean[0] < 2
    assert ImageStat.Stat(ImageChops.difference(red, green)).mean[0] < 2


def test_a_polaroid_has_the_broad_lower_margin():
    plain, polaroid = picture("Paris").convert("L"), picture("Paris, polaroid").convert("L")

    in_the_margin = (100, 276, 160, 280)

    assert ImageStat.Stat(polaroid.crop(in_the_margin)).mean[0] > 235
    assert ImageStat.Stat(plain.crop(in_the_margin)).mean[0] < 200


def test_grain_shows_as_noise():
    def roughness(image):
        sky = image.convert("L").crop((20, 20, 300, 60))
        return ImageStat.Stat(ImageChops.difference(sky, ImageChops.offset(sky, 1))).mean[0]

    assert roughness(picture("savanna, grainy")) > 2 * roughness(picture("savanna"))


def test_a_higher_cfg_scale_gives_stronger_colours():
    def saturation(cfg_scale):
        return ImageStat.Stat(picture("sea at sunset", cfg_scale=cfg_scale).convert("HSV")).mean[1]

    assert saturation(10.0) > saturation(1.1) + 5


def test_a_picture_says_in_its_metadata_what_it_is():
    assert picture(SAFARI).text == {"Software": "couch-stand-in"}


@pytest.mark.parametrize(("width", "height"), [(320, 320), (1024, 1024), (1408, 640)])
def test_a_picture_says_on_its_lower_margin_what_it_is(width, height):
    margin = (
        picture("hills", width=width, height=height).convert("L").crop((width * 3 // 4, height - 60, width, height))
    )

    assert margin.crop((0, 60 - min(width, height) // 14, margin.width, 60)).getextrema()[0] < 150


@pytest.mark.parametrize("prompt", ["", "🦁" * 50, "\ud800", "x" * 10_000, "\x00", "שקיעה"])
def test_a_prompt_without_a_known_word_gives_the_fallback_landscape(prompt):
    assert tables.parse_prompt(prompt).place == "hills"
    assert picture(prompt).size == (320, 320)


def test_the_task_s_sample_prompts_are_understood():
    assert tables.parse_prompt(PARIS).place == "paris"
    assert set(tables.parse_prompt(PARIS).subjects) == {"cafe", "person"}
    assert tables.parse_prompt(SAFARI).subjects == ("elephant", "lion", "jeep", "person")
    assert tables.parse_prompt(SAFARI).several == ("elephant", "lion")
    assert tables.parse_prompt(SAFARI).hour == "sunset"
    assert tables.parse_prompt(CLIFF).place == "mountains"
    assert tables.parse_prompt(CLIFF).hour == "morning"
    assert tables.parse_prompt("en solnedgang over fjorden med fjell i bakgrunnen").place == "fjord"


def test_a_word_is_found_only_as_a_whole():
    assert tables.parse_prompt("a seasonal cityscapeless carpet").place == "hills"
    assert tables.parse_prompt("a seasonal cityscapeless carpet").subjects == ()
