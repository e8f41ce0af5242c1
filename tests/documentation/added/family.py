"""What CONTRIBUTING.md adds as a model family: the core asks and reads, the stand-in answers, a sweep takes it."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from couch_explorers.core import image_models
from couch_explorers.core.errors import InvalidJobError
from couch_explorers.exploration import Sweep
from couch_explorers.local.bedrock.emulator import ImageModelEmulator
from tests.aws_fakes.models import ModelCatalogue
from tests.aws_fakes.validated import checked

SUNSET = image_models.get("example.sunset-v1:0")


def answered(body):
    async def at_once(_seconds):
        pass

    models = ImageModelEmulator(paint=lambda prompt, **order: f"{prompt} {order['seed']}".encode(), sleep=at_once)
    answer = asyncio.run(models.invoke_model(SUNSET.id, json.dumps(body).encode(), SUNSET.region))
    models.close()
    return answer


def test_the_stand_in_answers_what_the_core_asks_and_reads():
    body = SUNSET.build_request("A fjord", seed=7, size="512x512", negative_prompt="boats")

    answer = answered(body)

    assert body == {"text": "A fjord", "avoid": "boats", "size": "512x512", "seed": 7}
    assert SUNSET.read_response(json.loads(answer.body)) == [b"A fjord 7"]


def test_a_request_that_breaks_a_limit_is_refused_on_both_sides():
    with pytest.raises(InvalidJobError, match="at most 500"):
        SUNSET.build_request("x" * 501, seed=7)

    assert answered({"text": "A fjord", "size": "large", "seed": 7}).status == 400


def test_a_sweep_takes_the_model(monkeypatch, tmp_path):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))
    bedrock = checked("bedrock", ModelCatalogue())
    workspace = SimpleNamespace(target="local", model_arns=(SUNSET.arn,), functions={}, client=lambda *_: bedrock)

    plan = Sweep({"fjord": "A fjord"}, models=[SUNSET.id], seeds=[7, 8]).plan(workspace)

    assert len(plan) == 2
    assert set(plan["model"]) == {SUNSET.id}
