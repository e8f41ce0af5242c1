import os
import subprocess
import sys
from pathlib import Path

import pytest

from couch_explorers.core import image_models

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "cost_limit.py"


def cost_limit(*arguments, model_arns=""):
    done = subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        env={"PATH": os.environ["PATH"], "MODEL_ARNS": model_arns},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("model", image_models.MODELS.values(), ids=lambda model: model.id)
def test_limit_covers_the_deploys_three_images_by_any_model(model):
    code, limit, _ = cost_limit("5", model_arns=f" {model.arn} , {image_models.get('amazon.nova-canvas-v1:0').arn}")

    assert code == 0
    assert 3 * model.price_usd() <= float(limit) < 6 * model.price_usd()


def test_limit_is_the_price_of_that_many_images():
    ultra = image_models.get("stability.stable-image-ultra-v1:1").arn

    assert cost_limit("3", model_arns=ultra)[:2] == (0, "0.42")


def test_part_of_a_cent_is_rounded_up():
    titan = image_models.get("amazon.titan-image-generator-v1").arn

    assert cost_limit("1", model_arns=titan)[1] == "0.01"


@pytest.mark.parametrize("model_arns", ["", "arn:aws:bedrock:us-west-2::foundation-model/dall-e-3"])
def test_unknown_model_is_named(model_arns):
    code, limit, sentence = cost_limit("5", model_arns=model_arns)

    assert (code, limit) == (1, "")
    assert sentence.startswith("MODEL_ARNS: ")


@pytest.mark.parametrize("arguments", [(), ("none",), ("0",), ("-1",), ("1", "2")])
def test_wrong_call_says_how_to_call_it(arguments):
    assert cost_limit(*arguments)[0] == 2


def test_deploy_takes_its_limit_from_the_tool():
    workflow = (ROOT / ".github/workflows/deploy_lambda.yml").read_text()

    assert "limit=$(python tools/cost_limit.py 5)" in workflow
    assert '-p max_cost_usd "$limit"' in workflow
