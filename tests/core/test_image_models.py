from __future__ import annotations

import datetime as dt

import pytest

from couch_explorers.core import image_models
from couch_explorers.core.errors import InvalidJobError, UnknownModelError
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


@pytest.mark.parametrize("name", ["dall-e-3", "", "arn:aws:bedrock:us-east-1::foundation-model/dall-e-3"])
def test_an_unknown_model_is_refused_with_the_list_of_those_known(name):
    with pytest.raises(UnknownModelError) as refused:
        image_models.get(name)

    assert all(model_id in refused.value.detail for model_id in MODELS)


@pytest.mark.parametrize(
    "arn", ["arn:aws:s3:::bucket", f"arn:aws:bedrock:us-east-1:123456789012:foundation-model/{NOVA}"]
)
def test_an_arn_of_something_else_is_refused(arn):
    with pytest.raises(UnknownModelError, match="is no ARN of a foundation model"):
        image_models.get(arn)


ACCOUNTS = "arn:aws:bedrock:us-east-1:123456789012"
BEHIND = [f"arn:aws:bedrock:{region}::foundation-model/{NOVA}" for region in ("us-east-1", "us-west-2")]


@pytest.mark.parametrize("profile", [f"inference-profile/us.{NOVA}", "application-inference-profile/a1b2c3d4e5f6"])
def test_inference_profile_stands_for_the_model_behind_it(profile):
    model = image_models.get("+".join([f"{ACCOUNTS}:{profile}", *BEHIND]))

    assert (model.id, model.region, model.arn) == (NOVA, "us-east-1", f"{ACCOUNTS}:{profile}")
    assert model.invoke_id == f"{ACCOUNTS}:{profile}"
    assert model.price_usd() == image_models.get(NOVA).price_usd()


def test_model_without_a_profile_is_called_by_its_id():
    assert image_models.get(BEHIND[0]).invoke_id == NOVA


@pytest.mark.parametrize(
    ("behind", "sentence"),
    [
        ([], "needs the model behind it"),
        ([""], "needs the model behind it"),
        ([BEHIND[0], image_models.get(TITAN).arn], "all of the same model"),
        ([f"{ACCOUNTS}:inference-profile/us.{NOVA}"], "needs the model behind it"),
        ([image_models.get(TITAN).arn], f"is not one of {TITAN}"),
    ],
)
def test_inference_profile_without_one_model_behind_it_is_refused(behind, sentence):
    with pytest.raises(UnknownModelError) as refused:
        image_models.get("+".join([f"{ACCOUNTS}:inference-profile/us.{NOVA}", *behind]))

    assert sentence in refused.value.detail


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

    with pytest.raises(InvalidJobError, match=f"The {field} must be a text"):
        image_models.get(NOVA).check(texts["prompt"], 1, "1024x1024", None, texts["negative_prompt"])


@pytest.mark.parametrize(("model_id", "highest"), [(TITAN, 2_147_483_646), (NOVA, 858_993_459), (CORE, 4_294_967_295)])
def test_a_seed_outside_the_models_range_is_refused(model_id, highest):
    model = image_models.get(model_id)

    assert model.build_request("A fjord", seed=0)
    assert model.build_request("A fjord", seed=highest)
    for seed in (-1, highest + 1):
        with pytest.raises(InvalidJobError, match=f"give 0 to {highest}"):
            model.build_request("A fjord", seed=seed)


@pytest.mark.parametrize("seed", [True, 1.0, "1", None, [1]])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(InvalidJobError, match="no whole number"):
        image_models.get(CORE).build_request("A fjord", seed=seed)


@pytest.mark.parametrize("model_id", MODELS)
def test_the_common_seeds_are_taken_by_every_model(model_id):
    for seed in COMMON_SEED_RANGE:
        assert image_models.get(model_id).build_request("A fjord", seed=seed)


@pytest.mark.parametrize("model_id", [TITAN, NOVA])
@pytest.mark.parametrize("cfg_scale", [1.0, 10.1, -8, float("nan"), float("inf"), True, "8", 7.25])
def test_a_cfg_scale_that_the_model_does_not_take_is_refused(model_id, cfg_scale):
    with pytest.raises(InvalidJobError, match="cfg_scale"):
        image_models.get(model_id).build_request("A fjord", seed=1, cfg_scale=cfg_scale)


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
    assert image_models.get(TITAN).price_usd() == 0.01
    assert image_models.get(NOVA).price_usd() == 0.04
    assert image_models.get(NOVA).price_usd("2048x2048") == 0.06
    assert [MODELS[name].price_usd() for name in MODELS if name.startswith("stability.")] == [0.04, 0.14, 0.08]


def test_the_seed_that_stability_drew_is_read_from_its_answer():
    model = image_models.get(CORE)

    assert model.read_seed({"seeds": [77]}, asked=0) == 77
    assert model.read_seed({}, asked=5) == 5
    assert image_models.get(TITAN).read_seed({"images": []}, asked=5) == 5
