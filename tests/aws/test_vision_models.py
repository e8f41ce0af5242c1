import json
from fnmatch import fnmatchcase

import pytest

from couch_explorers.aws import vision_models
from couch_explorers.aws.vision_models import VISION_MODELS
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.paths import PROJECT_ROOT

NOVA = "amazon.nova-2-lite-v1:0"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
OWN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{NOVA}"


@pytest.mark.parametrize(
    ("name", "invoke_id", "region"),
    [
        (NOVA, f"us.{NOVA}", "us-west-2"),
        (f"us.{NOVA}", f"us.{NOVA}", "us-west-2"),
        (OWN, OWN, "us-east-1"),
        (f"{APPLICATION}+arn:aws:bedrock:us-east-1::foundation-model/{NOVA}", APPLICATION, "us-east-1"),
    ],
)
def test_model_is_named_by_id_profile_or_arn(name, invoke_id, region):
    found = vision_models.get(name)

    assert (found.id, found.invoke_id, found.region) == (NOVA, invoke_id, region)


@pytest.mark.parametrize("name", ["stability.stable-image-core-v1:1", APPLICATION, f"eu.{NOVA}", "", 7])
def test_unknown_model_is_refused_with_those_there_are(name):
    with pytest.raises(UnknownModelError, match=NOVA):
        vision_models.get(name)


def test_a_call_is_priced_per_million_tokens():
    assert VISION_MODELS[NOVA].usd(1_000_000, 0) == 0.33
    assert VISION_MODELS[NOVA].usd(0, 1_000_000) == 2.75


def test_each_price_names_its_source():
    for model in VISION_MODELS.values():
        assert model.price_source.startswith(("https://aws.amazon.com/", "https://pricing.us-east-1.amazonaws.com/"))
        assert 0 < model.input_usd < model.output_usd


@pytest.mark.parametrize(
    ("size", "documented"), [((900, 900), 1300), ((1400, 900), 1800), ((1800, 900), 2400), ((1300, 1300), 2600)]
)
def test_estimate_of_nova_covers_the_documented_tokens(size, documented):
    """https://docs.aws.amazon.com/nova/latest/userguide/modalities-image.html."""
    assert documented <= VISION_MODELS[NOVA].image_tokens(*size) <= 1.2 * documented


def test_another_active_model_is_the_alternative():
    for model in VISION_MODELS.values():
        assert vision_models.alternative(model).id != model.id


def test_people_and_workflows_may_ask_each_judge():
    """https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html."""
    statements = json.loads((PROJECT_ROOT / "policies" / "judge.json").read_text())["Statement"]
    text = json.dumps([each["Resource"] for each in statements if "bedrock:InvokeModel" in each["Action"]])
    listed = json.loads(text.replace("${account}", "123456789012"))
    allowed = [pattern for patterns in listed for pattern in patterns]

    for model in VISION_MODELS.values():
        needed = [f"arn:aws:bedrock:{model.region}:123456789012:inference-profile/{model.profile_id}"]
        needed += [f"arn:aws:bedrock:{region}::foundation-model/{model.id}" for region in model.destinations]
        assert [arn for arn in needed if not any(fnmatchcase(arn, pattern) for pattern in allowed)] == []
