from __future__ import annotations

import base64

import pytest

from couch_explorers.core import image_models
from couch_explorers.core.errors import BlockedError, InvalidJobError, ModelAnswerError, ModelUnavailableError
from couch_explorers.core.model_families import STABILITY_SIZES

TITAN = image_models.get("amazon.titan-image-generator-v2:0")
NOVA = image_models.get("amazon.nova-canvas-v1:0")
CORE = image_models.get("stability.stable-image-core-v1:1")
PICTURE = base64.b64encode(b"picture").decode()


def test_the_body_for_titan_and_nova_is_the_documented_one():
    body = NOVA.build_request("A fjord", seed=7, size="512x768", negative_prompt="boats")

    assert body == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "A fjord", "negativeText": "boats"},
        "imageGenerationConfig": {
            "numberOfImages": 1,
            "quality": "standard",
            "cfgScale": 6.5,
            "height": 768,
            "width": 512,
            "seed": 7,
        },
    }


def test_the_body_for_stability_is_the_documented_one():
    body = CORE.build_request("A fjord", seed=7, size="1920x1080")

    assert body == {
        "prompt": "A fjord",
        "mode": "text-to-image",
        "aspect_ratio": "16:9",
        "seed": 7,
        "output_format": "png",
    }


def test_no_negative_prompt_leaves_no_trace_in_the_body():
    assert "negativeText" not in TITAN.build_request("A fjord", seed=1)["textToImageParams"]
    assert CORE.build_request("A fjord", seed=1, negative_prompt="boats")["negative_prompt"] == "boats"


@pytest.mark.parametrize(
    "size", ["1024", "1024X1024", "1024x", "0x0", "-1x5", "1024x1024 ", "\uff11x\uff11", "", 1024, None, True]
)
@pytest.mark.parametrize("model", [TITAN, NOVA, CORE], ids=lambda model: model.name)
def test_a_size_that_is_not_width_x_height_is_refused(model, size):
    with pytest.raises(InvalidJobError, match="give width x height"):
        model.check("A fjord", 1, size, None, None)


@pytest.mark.parametrize(
    ("model", "size", "reason"),
    [
        (TITAN, "1000x1000", "use one of 1024x1024"),
        (NOVA, "304x512", "320 to 4096"),
        (NOVA, "4112x1104", "320 to 4096"),
        (NOVA, "1000x1024", "multiple of 16"),
        (NOVA, "320x1296", "between 1:4 and 4:1"),
        (NOVA, "2064x2048", "4,194,304"),
        (CORE, "32x32", "64 to 4096"),
    ],
)
def test_a_size_that_the_model_does_not_paint_is_refused_with_the_rule(model, size, reason):
    with pytest.raises(InvalidJobError, match=reason):
        model.build_request("A fjord", seed=1, size=size)


@pytest.mark.parametrize(
    ("model", "size"),
    [(TITAN, "512x512"), (TITAN, "1408x768"), (NOVA, "320x1280"), (NOVA, "2048x2048"), (CORE, "512x512")],
)
def test_a_size_at_the_edge_of_the_rule_is_taken(model, size):
    assert model.build_request("A fjord", seed=1, size=size)


@pytest.mark.parametrize(
    ("size", "ratio"),
    [("512x512", "1:1"), ("1000x1024", "1:1"), ("1280x720", "16:9"), ("720x1280", "9:16"), ("600x900", "2:3")],
)
def test_a_size_maps_to_the_nearest_aspect_ratio(size, ratio):
    assert CORE.aspect_ratio(size) == ratio


@pytest.mark.parametrize("ratio", STABILITY_SIZES)
def test_stability_paints_about_a_megapixel_in_the_ratio_asked_for(ratio):
    width, height = STABILITY_SIZES[ratio]

    assert CORE.picture_size(f"{width}x{height}") == (width, height)
    assert CORE.aspect_ratio(f"{width}x{height}") == ratio
    assert 0.9e6 < width * height < 1.1e6


def test_amazon_paints_the_size_asked_for():
    assert TITAN.picture_size("768x1408") == (768, 1408)


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (TITAN, {"images": [PICTURE], "error": None}),
        (CORE, {"seeds": [1], "finish_reasons": [None], "images": [PICTURE]}),
    ],
)
def test_the_picture_is_read_out_of_the_answer(model, answer):
    assert model.read_response(answer) == [b"picture"]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (TITAN, {"images": [], "error": "All of the generated images have been blocked by our content filters."}),
        (
            NOVA,
            {"images": [PICTURE], "error": "Some of the generated images have been blocked by our content filters."},
        ),
        (CORE, {"seeds": [1], "finish_reasons": ["Filter reason: prompt"], "images": []}),
        (CORE, {"finish_reasons": ["Filter reason: output image"]}),
    ],
)
def test_a_picture_withheld_by_a_content_filter_is_a_block(model, answer):
    with pytest.raises(BlockedError, match="change the prompt"):
        model.read_response(answer)


def test_an_inference_error_of_stability_passes():
    with pytest.raises(ModelUnavailableError, match="try again later"):
        CORE.read_response({"finish_reasons": ["Inference error"]})


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (TITAN, {"images": [], "error": "Something else."}),
        (TITAN, {}),
        (TITAN, {"images": []}),
        (TITAN, {"images": "picture"}),
        (TITAN, {"images": ["%%%"]}),
        (TITAN, {"images": [None]}),
        (TITAN, []),
        (CORE, {"finish_reasons": [None]}),
        (CORE, {"finish_reasons": ["Tired"], "images": [PICTURE]}),
        (CORE, {"finish_reasons": "Tired"}),
    ],
)
def test_an_answer_without_a_picture_is_a_wrong_answer(model, answer):
    with pytest.raises(ModelAnswerError, match="answered"):
        model.read_response(answer)
