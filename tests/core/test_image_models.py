from __future__ import annotations

import datetime as dt
import json

import pytest

from couch_explorers.core import image_models
from couch_explorers.core.errors import InvalidJobError, ModelAnswerError, UnknownModelError, shown
from couch_explorers.core.image_models import COMMON_SEED_RANGE, DEFAULT_MODEL_ID, MODELS

TITAN = "amazon.titan-image-generator-v1"
TITAN_2 = "amazon.titan-image-generator-v2:0"
NOVA = "amazon.nova-canvas-v1:0"
CORE = "stability.stable-image-core-v1:1"
PROMPT_LIMITS = {TITAN: 512, TITAN_2: 512, NOVA: 1024, CORE: 10_000}


def test_the_default_model_is_one_that_works():
    model = image_models.get(DEFAULT_MODEL_ID)

    assert (model.lifecycle, model.end_of_life, model.region) == ("ACTIVE", None, "us-west-2")


def test_the_models_of_amazon_are_legacy_and_stand_in_us_east_1():
    amazon = [model for model in MODELS.values() if model.id.startswith("amazon.")]

    assert {(model.lifecycle, model.region) for model in amazon} == {("LEGACY", "us-east-1")}
    assert {model.id: model.end_of_life for model in amazon} == {TITAN: None, TITAN_2: "2026-06-30", NOVA: "2026-09-30"}


@pytest.mark.parametrize("model_id", MODELS)
def test_a_model_is_found_by_its_id_and_by_its_arn(model_id):
    model = image_models.get(model_id)

    assert image_models.get(model.arn) == model
    assert model.arn == f"arn:aws:bedrock:{model.region}::foundation-model/{model_id}"
    assert image_models.parse_arn(model.arn) == (model.region, model_id)


def test_the_region_of_an_arn_counts_more_than_that_of_the_table():
    model = image_models.get(f"arn:aws:bedrock:eu-west-1::foundation-model/{NOVA}")

    assert (model.id, model.region) == (NOVA, "eu-west-1")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dall-e-3", '"dall-e-3"'),
        ("", '""'),
        ("arn:aws:bedrock:us-east-1::foundation-model/dall-e-3", '"dall-e-3"'),
        (7, "7"),
        (["dall-e-3"], '["dall-e-3"]'),
    ],
)
def test_an_unknown_model_is_refused_with_the_list_of_those_known(name, shown):
    with pytest.raises(UnknownModelError) as refused:
        image_models.get(name)

    assert refused.value.detail == f"The model {shown} is not known: use one of {', '.join(MODELS)}."


@pytest.mark.parametrize(
    "arn", ["arn:aws:s3:::bucket", f"arn:aws:bedrock:us-east-1:123456789012:foundation-model/{NOVA}"]
)
def test_an_arn_of_something_else_is_refused(arn):
    with pytest.raises(UnknownModelError) as refused:
        image_models.get(arn)

    assert refused.value.detail == (
        f"{shown(arn)} is no ARN of a foundation model: write arn:aws:bedrock:<region>::foundation-model/<id>."
    )


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_alternative_is_another_model_that_is_active(model):
    other = image_models.alternative(model.id)

    assert (other.lifecycle, other == model) == ("ACTIVE", False)
    assert (other.id == DEFAULT_MODEL_ID) == (model.id != DEFAULT_MODEL_ID)


ACCOUNTS = "arn:aws:bedrock:us-east-1:123456789012"
BEHIND = [f"arn:aws:bedrock:{region}::foundation-model/{NOVA}" for region in ("us-east-1", "us-west-2")]


@pytest.mark.parametrize("profile", [f"inference-profile/us.{NOVA}", "application-inference-profile/a1b2c3d4e5f6"])
def test_inference_profile_stands_for_the_model_behind_it(profile):
    model = image_models.get("+".join([f"{ACCOUNTS}:{profile}", *BEHIND]))

    assert (model.id, model.region, model.arn) == (NOVA, "us-east-1", f"{ACCOUNTS}:{profile}")
    assert model.invoke_id == f"{ACCOUNTS}:{profile}"
    assert model.price_usd() == image_models.get(NOVA).price_usd()


def test_region_is_that_of_the_inference_profile():
    model = image_models.get(f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/us.{NOVA}+{BEHIND[0]}")

    assert model.region == "eu-west-1"


def test_model_without_a_profile_is_called_by_its_id():
    assert image_models.get(BEHIND[0]).invoke_id == NOVA


PROFILE = f"{ACCOUNTS}:inference-profile/us.{NOVA}"
NEEDS = (
    "The inference profile \"{}\" needs the model behind it: write <profile's ARN>+<foundation model's ARN>, one for each "
    "region that it routes to, all of the same model (aws bedrock get-inference-profile)."
)


@pytest.mark.parametrize(
    ("behind", "sentence"),
    [
        ([], NEEDS),
        ([""], NEEDS),
        ([BEHIND[0], ""], NEEDS),
        ([BEHIND[0], image_models.get(TITAN).arn], NEEDS),
        ([PROFILE], NEEDS),
        ([image_models.get(TITAN).arn], f'The inference profile "{{}}" is not one of {TITAN}.'),
    ],
)
def test_inference_profile_without_one_model_behind_it_is_refused(behind, sentence):
    with pytest.raises(UnknownModelError) as refused:
        image_models.get("+".join([PROFILE, *behind]))

    assert refused.value.detail == sentence.format(PROFILE)


@pytest.mark.parametrize("behind", ["", f"+{BEHIND[0]}"])
def test_long_inference_profile_is_quoted_with_200_characters(behind):
    profile = f"{ACCOUNTS}:inference-profile/us.{'x' * 200}"

    with pytest.raises(UnknownModelError) as refused:
        image_models.get(profile + behind)

    assert f' "{profile[:198]}… ' in refused.value.detail


@pytest.mark.parametrize(("model_id", "limit"), PROMPT_LIMITS.items())
def test_a_prompt_may_be_as_long_as_the_model_takes_and_no_longer(model_id, limit):
    model = image_models.get(model_id)

    model.build_request("🛋" * limit, seed=1)
    with pytest.raises(InvalidJobError, match=f"has {limit + 1} characters.*at most {limit}"):
        model.build_request("🛋" * (limit + 1), seed=1)


@pytest.mark.parametrize("prompt", ["", " ", "\n\t  "])
def test_a_prompt_of_only_blanks_is_refused(prompt):
    with pytest.raises(InvalidJobError, match="prompt is empty"):
        image_models.get(CORE).build_request(prompt, seed=1)


def test_a_prompt_of_a_megabyte_is_refused_in_one_short_sentence():
    with pytest.raises(InvalidJobError) as refused:
        image_models.get(CORE).build_request("x" * 1_048_576, seed=1)

    assert "1048576 characters" in refused.value.detail
    assert len(refused.value.detail) < 120


@pytest.mark.parametrize("prompt", ["a\x00b", "half \ud83d a pair"])
def test_a_prompt_that_no_service_could_read_is_refused(prompt):
    with pytest.raises(InvalidJobError, match="plain Unicode"):
        image_models.get(CORE).build_request(prompt, seed=1)


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
@pytest.mark.parametrize("value", [7, True, ["a"], {"a": 1}])
def test_a_prompt_that_is_no_text_is_refused(field, value):
    texts = {"prompt": "A fjord", "negative_prompt": None, field: value}

    with pytest.raises(InvalidJobError) as refused:
        image_models.get(NOVA).check(texts["prompt"], 1, "1024x1024", None, texts["negative_prompt"])

    assert refused.value.detail == f"The {field} must be a text, not {json.dumps(value)}."


def test_request_carries_what_the_model_was_given():
    body = image_models.get(NOVA).build_request("A fjord", 7, "512x768", 9, "boats")

    assert body["textToImageParams"] == {"text": "A fjord", "negativeText": "boats"}
    assert (
        body["imageGenerationConfig"] | {"seed": 7, "width": 512, "height": 768, "cfgScale": 9.0}
        == (body["imageGenerationConfig"])
    )


def test_negative_prompt_is_checked_before_a_request_is_made():
    with pytest.raises(InvalidJobError, match="The negative_prompt is empty: give 1 to 1024 characters"):
        image_models.get(NOVA).build_request("A fjord", seed=1, negative_prompt=" ")


@pytest.mark.parametrize(("model_id", "highest"), [(TITAN, 2_147_483_646), (NOVA, 858_993_459), (CORE, 4_294_967_295)])
def test_a_seed_outside_the_models_range_is_refused(model_id, highest):
    model = image_models.get(model_id)

    assert model.build_request("A fjord", seed=0)
    assert model.build_request("A fjord", seed=highest)
    for seed in (-1, highest + 1):
        with pytest.raises(InvalidJobError) as refused:
            model.build_request("A fjord", seed=seed)
        assert refused.value.detail == f"{model.name} does not take the seed {seed}: give 0 to {highest}, or none."


@pytest.mark.parametrize("seed", [True, 1.0, "1", None, [1]])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(InvalidJobError) as refused:
        image_models.get(CORE).build_request("A fjord", seed=seed)

    assert refused.value.detail == f"The seed {json.dumps(seed)} is no whole number: give 0 to 4294967295, or none."


@pytest.mark.parametrize("model_id", MODELS)
def test_the_common_seeds_are_taken_by_every_model(model_id):
    for seed in COMMON_SEED_RANGE:
        assert image_models.get(model_id).build_request("A fjord", seed=seed)


@pytest.mark.parametrize("model_id", [TITAN, NOVA])
@pytest.mark.parametrize(
    ("cfg_scale", "sentence"),
    [
        *(
            (number, f"{{name}} does not take the cfg_scale {json.dumps(number)}: give 1.1 to 10.0.")
            for number in (1.0, 10.1, -8, float("nan"), float("inf"))
        ),
        (True, "The cfg_scale true is no number: give 1.1 to 10.0, or none."),
        ("8", 'The cfg_scale "8" is no number: give 1.1 to 10.0, or none.'),
        (7.25, "The cfg_scale 7.25 has more than one decimal: round it."),
    ],
)
def test_a_cfg_scale_that_the_model_does_not_take_is_refused(model_id, cfg_scale, sentence):
    model = image_models.get(model_id)

    with pytest.raises(InvalidJobError) as refused:
        model.build_request("A fjord", seed=1, cfg_scale=cfg_scale)

    assert refused.value.detail == sentence.format(name=model.name)


@pytest.mark.parametrize(("cfg_scale", "sent"), [(None, 8.0), (1.1, 1.1), (10, 10.0)])
def test_a_cfg_scale_reaches_titan_as_a_number_with_its_default_filled_in(cfg_scale, sent):
    body = image_models.get(TITAN).build_request("A fjord", seed=1, cfg_scale=cfg_scale)

    assert body["imageGenerationConfig"]["cfgScale"] == sent


def test_a_cfg_scale_for_a_model_without_one_is_refused():
    with pytest.raises(InvalidJobError, match="has no cfg_scale"):
        image_models.get(CORE).build_request("A fjord", seed=1, cfg_scale=7)


def test_prices_are_dated_and_follow_the_size():
    assert dt.date.fromisoformat(image_models.PRICES_AS_OF)
    assert image_models.get(TITAN).price_usd("512x512") == 0.008
    assert image_models.get(TITAN).price_usd("512x513") == image_models.get(TITAN).price_usd() == 0.01
    assert image_models.get(NOVA).price_usd() == 0.04
    assert image_models.get(NOVA).price_usd("2048x2048") == 0.06
    assert [MODELS[name].price_usd() for name in MODELS if name.startswith("stability.")] == [0.04, 0.14, 0.08]


def test_the_seed_that_stability_drew_is_read_from_its_answer():
    model = image_models.get(CORE)

    assert model.read_seed({"seeds": [77]}, asked=0) == 77
    assert image_models.get(TITAN).read_seed({"images": []}, asked=5) == 5


@pytest.mark.parametrize(
    "answer", [{}, {"seeds": None}, {"seeds": []}, {"seeds": "7"}, {"seeds": [True]}, {"seeds": ["7"]}]
)
def test_answer_without_a_seed_means_the_one_asked_for(answer):
    assert image_models.get(CORE).read_seed(answer, asked=5) == 5


def test_answer_that_is_no_object_is_refused():
    with pytest.raises(ModelAnswerError, match="Stable Image Core answered with something that is no JSON object"):
        image_models.get(CORE).read_response([])


def test_picture_is_read_and_its_refusal_names_the_model():
    model = image_models.get(CORE)

    assert model.read_response({"images": ["cGljdHVyZQ=="]}) == [b"picture"]
    with pytest.raises(ModelAnswerError, match="Stable Image Core answered without a picture"):
        model.read_response({"images": []})


def test_size_is_checked_and_mapped_by_the_models_family():
    core, titan = image_models.get(CORE), image_models.get(TITAN)

    assert (core.picture_size("1920x1080"), titan.picture_size("768x768")) == ((1344, 768), (768, 768))
    titan.check_size("768x768")
    with pytest.raises(InvalidJobError, match="Titan Image Generator v1 does not paint 768x769"):
        titan.check_size("768x769")
