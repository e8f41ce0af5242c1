"""The plan of a sweep, asked of a whole local cloud."""

import dataclasses
import uuid

import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.workspace import EndpointSession

TITAN = "amazon.titan-image-generator-v2:0"


@pytest.fixture
def powerless(workspace, owner):
    """The workspace as a user sees it who has no rights at all."""
    iam = owner.client("iam")
    name = f"planner-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = EndpointSession(
        workspace.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name=workspace.region,
    )
    yield dataclasses.replace(workspace, session=session)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def test_a_plan_warns_of_legacy_models_with_their_end_and_asks_for_no_picture(workspace, local_cloud):
    calls = local_cloud.stats.calls

    plan = Sweep("A plan for every model", models=list(MODELS)).plan(workspace)

    warnings = dict(zip(plan["model"], plan["warning"], strict=True))
    assert set(plan["status"]) == {"new"}
    assert "(end of life 2026-06-30)" in warnings[TITAN]
    assert {model for model, warning in warnings.items() if warning} == {
        model.id for model in MODELS.values() if model.lifecycle == "LEGACY"
    }
    assert local_cloud.stats.calls == calls


def test_a_model_that_stands_in_another_region_than_it_is_asked_for_is_refused(workspace):
    elsewhere = dataclasses.replace(
        workspace, model_arns=(f"arn:aws:bedrock:eu-central-1::foundation-model/{DEFAULT_MODEL_ID}",)
    )

    plan = Sweep("A plan for the wrong region").plan(elsewhere)

    assert plan["status"].tolist() == ["refused"]
    assert "is not offered in eu-central-1 (" in plan["reason"][0]


def test_a_user_who_may_not_ask_for_the_lifecycle_is_warned_and_may_plan(powerless):
    plan = Sweep("A plan without rights").plan(powerless)

    assert plan["status"].tolist() == ["new"]
    assert "bedrock:GetFoundationModel" in plan["warning"][0]


def test_a_plan_by_queue_reckons_with_the_concurrency_of_the_deployed_lambda(workspace):
    plan = Sweep("A plan for the queue").plan(workspace, via="queue", concurrency=99)

    (mapping,) = workspace.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert plan.context.at_a_time == mapping["ScalingConfig"]["MaximumConcurrency"] != 99
