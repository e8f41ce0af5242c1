from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.core import image_models
from couch_explorers.smoke import platform

DEFAULT = image_models.DEFAULT_MODEL_ID
TITAN = "amazon.titan-image-generator-v2:0"


def test_the_caller_the_region_and_the_candidate_are_told(workspace, clients):
    identity, _model = platform.check(workspace, clients).checks

    assert identity.verdict is Verdict.OK
    assert "arn:aws:iam::000000000000:root" in identity.detail
    assert "eu-west-1" in identity.detail
    assert "candidate 42" in identity.detail


def test_region_of_the_stacks_is_shown(workspace, clients):
    workspace.region = "eu-north-1"

    identity, _model = platform.check(workspace, clients).checks

    assert identity.verdict is Verdict.OK
    assert "in eu-north-1" in identity.detail


def test_an_active_model_passes(workspace, clients):
    _identity, model = platform.check(workspace, clients).checks

    assert (model.name, model.verdict) == (f"model {DEFAULT} (default)", Verdict.OK)
    assert model.detail == "ACTIVE in us-west-2."


def test_a_legacy_model_warns_and_names_one_that_works(workspace, clients, system):
    workspace.model_arns = (image_models.get(TITAN).arn,)
    system.lifecycles = {TITAN: "LEGACY"}

    _identity, model = platform.check(workspace, clients).checks

    assert model.verdict is Verdict.WARN
    assert DEFAULT in model.detail


@pytest.mark.parametrize(("days", "verdict"), [(-1, Verdict.WARN), (89, Verdict.WARN), (92, Verdict.OK)])
@pytest.mark.parametrize("date", ["legacyTime", "endOfLifeTime"])
def test_end_of_an_active_model_warns_ninety_days_ahead(workspace, clients, system, date, days, verdict):
    moment = datetime.now(UTC) + timedelta(days=days)
    system.lifecycles[DEFAULT] = {"status": "ACTIVE", date: moment}

    _identity, model = platform.check(workspace, clients).checks

    assert model.verdict is verdict
    assert f"{moment:%Y-%m-%d}" in model.detail


@pytest.mark.parametrize(("order", "verdict"), [((TITAN, DEFAULT), Verdict.BAD), ((DEFAULT, TITAN), Verdict.WARN)])
def test_a_model_that_is_gone_is_bad_only_as_the_default(workspace, clients, system, client_error, order, verdict):
    workspace.model_arns = tuple(image_models.get(name).arn for name in order)
    system.lifecycles[TITAN] = client_error("ResourceNotFoundException", "end of its life")

    checks = platform.check(workspace, clients).checks

    (titan,) = (check for check in checks if TITAN in check.name)
    assert titan.verdict is verdict
    assert "end of its life" in titan.detail


def test_a_caller_who_may_not_ask_for_the_model_is_warned(workspace, clients, system, client_error):
    system.lifecycles[DEFAULT] = client_error("AccessDeniedException")

    _identity, model = platform.check(workspace, clients).checks

    assert model.verdict is Verdict.WARN
    assert "bedrock:GetFoundationModel" in model.detail


def test_a_deploy_that_names_no_model_is_bad(workspace, clients):
    workspace.model_arns = ()

    _identity, models = platform.check(workspace, clients).checks

    assert (models.name, models.verdict) == ("image models", Verdict.BAD)
