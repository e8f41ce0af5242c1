from __future__ import annotations

import base64

import pytest

from couch_explorers.core import image_models, model_families
from couch_explorers.core.errors import BlockedError, InvalidJobError, ModelAnswerError, ModelUnavailableError, shown
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
    assert TITAN.build_request("A fjord", seed=1)["textToImageParams"] == {"text": "A fjord"}
    assert "negative_prompt" not in CORE.build_request("A fjord", seed=1)
    assert CORE.build_request("A fjord", seed=1, negative_prompt="boats")["negative_prompt"] == "boats"


@pytest.mark.parametrize(
    ("request_of", "cfg_scale", "sentence"),
    [
        (
            model_families.amazon_request,
            None,
            "Titan and Nova Canvas are always asked with a cfg_scale: give the model a default_cfg_scale.",
        ),
        (model_families.stability_request, 7.0, "Stability is never asked with a cfg_scale, but was given 7.0."),
    ],
)
def test_model_whose_cfg_scale_does_not_suit_its_family_is_a_mistake_of_ours(request_of, cfg_scale, sentence):
    with pytest.raises(ValueError, match="cfg_scale") as caught:
        request_of(prompt="A fjord", negative_prompt=None, size="512x512", cfg_scale=cfg_scale, seed=1)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("size", "plain"),
    [
        ("512x768", "512x768"),
        ("512X768", "512x768"),
        (" 512 \u00d7 768\n", "512x768"),
        ("wide X high", "wide X high"),
        (512, 512),
        (None, None),
    ],
)
def test_size_is_written_with_a_plain_x(size, plain):
    assert model_families.with_plain_x(size) == plain


@pytest.mark.parametrize(
    "size", ["1024", "1024X1024", "1024x", "0x0", "-1x5", "1024x1024 ", "\uff11x\uff11", "", 1024, None, True]
)
@pytest.mark.parametrize("model", [TITAN, NOVA, CORE], ids=lambda model: model.name)
def test_a_size_that_is_not_width_x_height_is_refused(model, size):
    with pytest.raises(InvalidJobError) as refused:
        model.check("A fjord", 1, size, None, None)

    assert refused.value.detail == (
        f'The size {shown(size)} is not valid: give width x height in pixels, like "1024x1024".'
    )


def test_family_without_a_rule_for_sizes_takes_any():
    model_families.any_size("Any", "17x4000")
    with pytest.raises(InvalidJobError, match='The size "big" is not valid'):
        model_families.any_size("Any", "big")


@pytest.mark.parametrize(
    ("model", "size", "reason"),
    [
        (TITAN, "1000x1000", f"use one of {', '.join(model_families.TITAN_SIZES)}"),
        (NOVA, "304x512", "each side must be 320 to 4096 pixels"),
        (NOVA, "4112x1104", "each side must be 320 to 4096 pixels"),
        (NOVA, "1000x1024", "each side must be a multiple of 16 pixels"),
        (NOVA, "320x1296", "the ratio must lie between 1:4 and 4:1"),
        (NOVA, "2064x2048", "a picture has at most 4,194,304 pixels"),
        (CORE, "63x64", "each side must be 64 to 4096 pixels"),
        (CORE, "4096x4097", "each side must be 64 to 4096 pixels"),
    ],
)
def test_a_size_that_the_model_does_not_paint_is_refused_with_the_rule(model, size, reason):
    with pytest.raises(InvalidJobError) as refused:
        model.build_request("A fjord", seed=1, size=size)

    assert refused.value.detail == f"{model.name} does not paint {size}: {reason}."


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (TITAN, "512x512"),
        (TITAN, "1408x768"),
        (NOVA, "320x1280"),
        (NOVA, "2048x2048"),
        (NOVA, "4096x1024"),
        (CORE, "64x4096"),
    ],
)
def test_a_size_at_the_edge_of_the_rule_is_taken(model, size):
    assert model.build_request("A fjord", seed=1, size=size)


@pytest.mark.parametrize(
    ("size", "ratio"),
    [("512x512", "1:1"), ("1000x1024", "1:1"), ("1280x720", "16:9"), ("720x1280", "9:16"), ("600x900", "2:3")],
)
def test_a_size_maps_to_the_nearest_aspect_ratio(size, ratio):
    assert model_families.nearest_aspect_ratio(size) == ratio


@pytest.mark.parametrize("ratio", STABILITY_SIZES)
def test_stability_paints_about_a_megapixel_in_the_ratio_asked_for(ratio):
    width, height = STABILITY_SIZES[ratio]

    assert CORE.picture_size(f"{width}x{height}") == (width, height)
    assert model_families.nearest_aspect_ratio(f"{width}x{height}") == ratio
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


ALL_BLOCKED = "All of the generated images have been blocked by our content filters."
WITHHELD = "{} made the picture and its content filter withheld it: change the prompt."


@pytest.mark.parametrize(
    ("model", "answer", "sentence"),
    [
        (TITAN, {"images": [], "error": ALL_BLOCKED}, WITHHELD),
        (NOVA, {"images": [PICTURE], "error": "Some of the generated images have been blocked."}, WITHHELD),
        (TITAN, {"error": "Stopped by our Content Filter."}, WITHHELD),
        (
            CORE,
            {"seeds": [1], "finish_reasons": ["Filter reason: prompt"], "images": []},
            "{} refused the picture (Filter reason: prompt): change the prompt.",
        ),
        (
            CORE,
            {"finish_reasons": [None, "Filter reason: output image"], "images": [PICTURE]},
            "{} refused the picture (Filter reason: output image): change the prompt.",
        ),
    ],
)
def test_a_picture_withheld_by_a_content_filter_is_a_block(model, answer, sentence):
    with pytest.raises(BlockedError) as blocked:
        model.read_response(answer)

    assert blocked.value.detail == sentence.format(model.name)


def test_an_inference_error_of_stability_passes():
    with pytest.raises(ModelUnavailableError) as failed:
        CORE.read_response({"finish_reasons": ["Inference error"]})

    assert failed.value.detail == ("Stable Image Core failed while it painted (Inference error): try again later.")


LONG, CUT = "x" * 400, f'"{"x" * 298}…'


@pytest.mark.parametrize(
    ("model", "answer", "problem"),
    [
        (TITAN, {"images": [], "error": "Something else."}, 'with the error "Something else."'),
        (TITAN, {"error": "The image is too large."}, 'with the error "The image is too large."'),
        (TITAN, {"error": "The caller is blocked."}, 'with the error "The caller is blocked."'),
        (TITAN, {"error": LONG}, f"with the error {CUT}"),
        (TITAN, {}, "without a picture"),
        (TITAN, {"images": []}, "without a picture"),
        (TITAN, {"images": "picture"}, "without a picture"),
        (TITAN, {"images": ["%%%"]}, "with a picture that is not base64"),
        (TITAN, {"images": [None]}, "with a picture that is not base64"),
        (TITAN, {"images": ["å"]}, "with a picture that is not base64"),
        (TITAN, [], "with something that is no JSON object"),
        (CORE, {"finish_reasons": [None]}, "without a picture"),
        (CORE, {"finish_reasons": ["Tired"], "images": [PICTURE]}, 'with the finish reason "Tired" and no picture'),
        (CORE, {"finish_reasons": [LONG]}, f"with the finish reason {CUT} and no picture"),
        (CORE, {"finish_reasons": "Tired"}, 'with finish_reasons "Tired", which is no list'),
    ],
)
def test_an_answer_without_a_picture_is_a_wrong_answer(model, answer, problem):
    with pytest.raises(ModelAnswerError) as wrong:
        model.read_response(answer)

    assert wrong.value.detail == f"{model.name} answered {problem}."
