"""Every task type of Titan's and Nova Canvas's documentation, and Stability's pictures from pictures."""

import asyncio
import base64
import io
import json
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from couch_explorers.core import image_models
from couch_explorers.local.bedrock import requests
from couch_explorers.local.bedrock.emulator import ImageModelEmulator
from couch_explorers.local.painter import edits

pytestmark = pytest.mark.drawing

TITAN_V1 = image_models.get("amazon.titan-image-generator-v1")
TITAN = image_models.get("amazon.titan-image-generator-v2:0")
NOVA = image_models.get("amazon.nova-canvas-v1:0")
CORE = image_models.get(image_models.DEFAULT_MODEL_ID)
ULTRA = image_models.get("stability.stable-image-ultra-v1:1")
SD3 = image_models.get("stability.sd3-5-large-v1:0")
SIZE = (384, 320)


def encoded(image, kind="PNG"):
    out = io.BytesIO()
    image.save(out, kind)
    return base64.b64encode(out.getvalue()).decode()


def photo(size=SIZE):
    """A red disc before a wall that grows lighter to the right."""
    image = Image.merge("RGB", [Image.linear_gradient("L").resize(size).point(lambda value: 120 + value // 8)] * 3)
    width, height = size
    ImageDraw.Draw(image).ellipse((width * 0.3, height * 0.3, width * 0.7, height * 0.7), fill="#c81e1e")
    return image


def mask(size=SIZE, box=(100, 80, 250, 220)):
    """White, with a black rectangle: the mask's inside."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle(box, fill="black")
    return image


@pytest.fixture(scope="module")
def models():
    async def no_sleep(_seconds):
        return None

    emulator = ImageModelEmulator(rng=random.Random(1), sleep=no_sleep)
    yield emulator
    emulator.close()


def ask(models, model, body):
    answer = asyncio.run(models.invoke_model(model.id, json.dumps(body).encode(), model.region))
    return answer.status, json.loads(answer.body)


def made(models, model, body):
    status, content = ask(models, model, body)
    assert status == 200, content
    return [Image.open(io.BytesIO(base64.b64decode(image))) for image in content["images"]]


def task(kind, own, **settings):
    return {"taskType": kind, requests.PARAMETERS[kind]: own} | (
        {"imageGenerationConfig": settings} if settings else {}
    )


SOURCE, MASK = encoded(photo()), encoded(mask())
SMALL = {"width": 512, "height": 512}

TASKS = {
    "condition": task("TEXT_IMAGE", {"text": "a lake", "conditionImage": SOURCE, "controlMode": "CANNY_EDGE"}, **SMALL),
    "areas": task(
        "TEXT_IMAGE",
        {"text": "a lake", "conditionImage": SOURCE, "controlMode": "SEGMENTATION", "controlStrength": 0.3},
        **SMALL,
    ),
    "colours": task("COLOR_GUIDED_GENERATION", {"text": "a jar", "colors": ["#ff8080", "#ffb280", "#ffe680"]}, **SMALL),
    "palette": task(
        "COLOR_GUIDED_GENERATION", {"text": "a jar", "colors": ["#112233"], "referenceImage": SOURCE}, **SMALL
    ),
    "variation": task("IMAGE_VARIATION", {"images": [SOURCE], "similarityStrength": 0.7}, **SMALL),
    "mixture": task("IMAGE_VARIATION", {"images": [SOURCE] * 5, "text": "at night", "negativeText": "people"}, **SMALL),
    "inpaint": task("INPAINTING", {"image": SOURCE, "maskImage": MASK, "text": "a fountain"}),
    "remove": task("INPAINTING", {"image": SOURCE, "maskPrompt": "disc"}),
    "outpaint": task(
        "OUTPAINTING", {"image": SOURCE, "maskImage": MASK, "text": "a beach", "outPaintingMode": "PRECISE"}
    ),
    "outpaint by words": task("OUTPAINTING", {"image": SOURCE, "maskPrompt": "disc", "text": "a beach"}),
    "background": task("BACKGROUND_REMOVAL", {"image": SOURCE}),
    "style": task("TEXT_IMAGE", {"text": "a lake", "style": "DESIGN_SKETCH"}, **SMALL),
    "try on": task(
        "VIRTUAL_TRY_ON",
        {
            "sourceImage": SOURCE,
            "referenceImage": SOURCE,
            "maskType": "GARMENT",
            "garmentBasedMask": {"garmentClass": "UPPER_BODY"},
        },
    ),
}
EDITS = {"inpaint", "remove", "outpaint", "outpaint by words", "background", "try on"}


@pytest.mark.parametrize("name", TASKS)
def test_nova_canvas_answers_every_task_in_its_size(models, name):
    (image,) = made(models, NOVA, TASKS[name])

    assert image.size == (SIZE if name in EDITS else (512, 512))
    assert image.info["Software"] == "couch-stand-in"


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"style", "try on"}))
def test_titan_v2_answers_every_task_of_its_own(models, name):
    (image,) = made(models, TITAN, TASKS[name])

    assert image.size == (SIZE if name in EDITS else (512, 512))


@pytest.mark.parametrize("name", ["colours", "background", "condition", "style", "try on"])
def test_titan_v1_refuses_what_came_later(models, name):
    status, content = ask(models, TITAN_V1, TASKS[name])

    assert status == 400
    assert "not a valid enum value" in content["message"] or "extraneous key" in content["message"]


def test_inpainting_leaves_what_is_outside_the_mask_unchanged(models):
    (image,) = made(models, NOVA, TASKS["inpaint"])

    changed = np.any(np.asarray(image.convert("RGB")) != np.asarray(photo()), axis=2)
    inside = np.asarray(mask().convert("L")) == 0
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9


def test_outpainting_leaves_what_is_inside_the_mask_unchanged(models):
    for mode in ("DEFAULT", "PRECISE"):
        body = task("OUTPAINTING", {"image": SOURCE, "maskImage": MASK, "text": "a beach", "outPaintingMode": mode})
        (image,) = made(models, NOVA, body)
        changed = np.any(np.asarray(image.convert("RGB")) != np.asarray(photo()), axis=2)
        inside = np.asarray(mask().convert("L")) == 0
        assert not changed[inside].any()
        assert changed[~inside].mean() > 0.8


def test_removal_without_a_text_paints_nothing_new(models):
    first, second = (
        made(models, NOVA, task("INPAINTING", {"image": SOURCE, "maskImage": MASK}, seed=seed))[0] for seed in (1, 2)
    )

    assert first.tobytes() == second.tobytes()


def test_background_removal_makes_it_transparent_and_keeps_the_rest(models):
    (image,) = made(models, NOVA, TASKS["background"])

    pixels = np.asarray(image)
    assert image.mode == "RGBA"
    assert pixels[0, 0, 3] == 0
    assert tuple(pixels[160, 192]) == (0xC8, 0x1E, 0x1E, 255)


def test_variations_repeat_by_seed_and_differ_between_seeds(models):
    def variation(seed):
        body = task("IMAGE_VARIATION", {"images": [SOURCE], "similarityStrength": 1.0}, seed=seed, **SMALL)
        return made(models, NOVA, body)[0].tobytes()

    assert variation(1) == variation(1)
    assert variation(1) != variation(2)


def test_similar_variation_is_nearer_to_the_picture(models):
    def distance(strength):
        body = task("IMAGE_VARIATION", {"images": [SOURCE], "similarityStrength": strength}, **SMALL)
        (image,) = made(models, NOVA, body)
        return np.abs(np.asarray(image, dtype=float) - np.asarray(photo().resize((512, 512)), dtype=float)).mean()

    assert distance(1.0) < distance(0.2)


def test_palette_holds_no_other_colours(models):
    body = task("COLOR_GUIDED_GENERATION", {"text": "a jar", "colors": ["#000000", "#0000ff"]}, **SMALL)
    (image,) = made(models, NOVA, body)

    red, green, blue = (channel.getextrema() for channel in image.convert("RGB").split())
    assert (red, green) == ((0, 0), (0, 0))
    assert blue[1] > 200


def test_each_style_looks_different(models):
    pictures = {
        style: made(models, NOVA, task("TEXT_IMAGE", {"text": "a lake", "style": style}, **SMALL))[0].tobytes()
        for style in requests.STYLES
    }

    assert len(set(pictures.values())) == len(requests.STYLES) == len(edits.STYLES)


def test_mask_comes_back_where_it_is_asked_for(models):
    own = TASKS["try on"]["virtualTryOnParams"] | {"returnMask": True}
    _, content = ask(models, NOVA, task("VIRTUAL_TRY_ON", own))

    assert Image.open(io.BytesIO(base64.b64decode(content["maskImage"]))).size == SIZE


def test_every_image_is_billed(models):
    before = models.stats.images

    assert len(made(models, TITAN, task("IMAGE_VARIATION", {"images": [SOURCE]}, numberOfImages=3, **SMALL))) == 3
    assert len(made(models, NOVA, task("BACKGROUND_REMOVAL", {"image": SOURCE}, numberOfImages=3))) == 1
    assert models.stats.images - before == 4


JPEG = encoded(photo(), "JPEG")
SHADOWED = photo().convert("RGBA")
SHADOWED.putpixel((0, 0), (0, 0, 0, 128))

# What, the request, and what the refusal tells.
REFUSED = [
    ({"taskType": "PAINT_OVER"}, "not a valid enum value"),
    ({"taskType": "INPAINTING", "textToImageParams": {"text": "a"}}, "required key [inPaintingParams] not found"),
    (task("INPAINTING", {"image": SOURCE, "text": "a"}), "exactly one of [maskPrompt, maskImage]"),
    (task("INPAINTING", {"image": SOURCE, "maskImage": MASK, "maskPrompt": "a"}), "exactly one of"),
    (task("INPAINTING", {"image": SOURCE, "maskImage": encoded(mask((400, 400)))}), "the mask has 400x400 pixels"),
    (task("INPAINTING", {"image": SOURCE, "maskImage": SOURCE}), "neither pure black nor pure white"),
    (task("INPAINTING", {"image": "no picture!", "maskPrompt": "a"}), "not in Base64"),
    (task("INPAINTING", {"image": base64.b64encode(b"GIF89a").decode(), "maskPrompt": "a"}), "no PNG or JPEG"),
    (task("INPAINTING", {"image": encoded(SHADOWED), "maskPrompt": "a"}), "transparent pixels"),
    (task("INPAINTING", {"image": SOURCE[:2000], "maskPrompt": "a"}), "cannot be decoded"),
    (task("INPAINTING", {"image": encoded(photo((300, 400))), "maskPrompt": "a"}), "width 300 is not within range"),
    (task("OUTPAINTING", {"image": SOURCE, "maskPrompt": "a"}), "required key [text] not found"),
    (task("OUTPAINTING", {"image": SOURCE, "maskPrompt": "a", "text": "b", "outPaintingMode": "WIDE"}), "outPaintingMode"),
    (task("IMAGE_VARIATION", {"images": []}), "minimum item count: 1"),
    (task("IMAGE_VARIATION", {"images": [SOURCE] * 6}), "maximum item count: 5"),
    (task("IMAGE_VARIATION", {"images": [SOURCE], "similarityStrength": 0.1}), "not greater or equal to 0.2"),
    (task("COLOR_GUIDED_GENERATION", {"text": "a", "colors": ["red"]}), "does not match pattern"),
    (task("COLOR_GUIDED_GENERATION", {"text": "a", "colors": ["#000000"] * 11}), "maximum item count: 10"),
    (task("TEXT_IMAGE", {"text": "a", "conditionImage": JPEG, "controlStrength": 1.1}), "not less or equal to 1.0"),
    (task("TEXT_IMAGE", {"text": "a", "conditionImage": JPEG, "controlMode": "DEPTH"}), "controlMode"),
    (task("TEXT_IMAGE", {"text": "a", "style": "CUBISM"}), "style"),
    (task("BACKGROUND_REMOVAL", {}), "required key [image] not found"),
    (task("BACKGROUND_REMOVAL", {"image": SOURCE, "text": "a"}), "extraneous key [text]"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), REFUSED)
def test_task_that_breaks_the_documentation_is_refused(models, body, expected):
    status, content = ask(models, NOVA, body)

    assert status == 400
    assert content["message"].startswith("Malformed input request: #")
    assert expected in content["message"]


@pytest.mark.parametrize("model", [SD3, ULTRA])
def test_stability_answers_a_picture_with_one_of_its_size(models, model):
    body = {"prompt": "a lake", "image": SOURCE, "strength": 0.5}
    (image,) = made(models, model, body | ({"mode": "image-to-image"} if model is SD3 else {}))

    assert image.size == SIZE


def test_strength_is_how_little_of_the_picture_stays(models):
    def answer(strength):
        body = {"prompt": "a lake", "mode": "image-to-image", "image": SOURCE, "strength": strength, "seed": 1}
        return np.asarray(made(models, SD3, body)[0].convert("RGB"), dtype=float)

    original = np.asarray(photo(), dtype=float)
    assert np.array_equal(answer(0.0), original)
    assert np.abs(answer(0.3) - original).mean() < np.abs(answer(1.0) - original).mean()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_stability_answers_in_the_format_that_is_asked_for(models, kind):
    (image,) = made(models, CORE, {"prompt": "a lake", "output_format": kind, "aspect_ratio": "16:9"})

    assert image.format == kind.upper()


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (CORE, {"image": SOURCE}, "extraneous key [image]"),
        (CORE, {"mode": "image-to-image"}, "not a valid enum value"),
        (SD3, {"image": SOURCE}, "extraneous key [image]"),
        (SD3, {"mode": "image-to-image", "image": SOURCE}, "required key [strength]"),
        (SD3, {"mode": "image-to-image", "strength": 0.5}, "required key [image]"),
        (SD3, {"mode": "image-to-image", "image": SOURCE, "strength": 1.5}, "not less or equal to 1.0"),
        (SD3, {"mode": "image-to-image", "image": SOURCE, "strength": 0.5, "aspect_ratio": "1:1"}, "[aspect_ratio]"),
        (SD3, {"mode": "image-to-image", "image": encoded(photo((32, 64))), "strength": 0.5}, "not within range [64"),
    ],
)
def test_stability_refuses_what_its_documentation_refuses(models, model, body, expected):
    status, content = ask(models, model, {"prompt": "a lake"} | body)

    assert status == 400
    assert expected in content["message"]
