from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers import smoke
from couch_explorers.checks import Verdict
from couch_explorers.core import image_models
from couch_explorers.smoke import platform

DEFAULT = image_models.DEFAULT_MODEL_ID
TITAN = "amazon.titan-image-generator-v2:0"
WORKER, API = "couch-explorers-42-worker", "couch-explorers-42-generate-image"


def test_the_caller_the_region_and_the_candidate_are_reported(workspace, clients):
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


# --- what must be true before anything is paid ----------------------------------------------------------------------


def test_each_functions_sdk_is_named(workspace, clients):
    found = platform.check_prerequisites(workspace, clients, ["api", "worker"])

    assert [check.verdict for check in found.checks] == [Verdict.OK, Verdict.OK, Verdict.OK]
    assert "botocore 1.40.4 (at least 1.35.2)" in found.checks[0].detail
    assert found.blocking == ""


def test_old_sdk_stops_the_test_before_anything_is_paid(workspace, system):
    system.sdks[WORKER] = {"boto3": "1.34.145", "botocore": "1.34.145"}

    test = smoke.start(workspace, prompt="a quay at dawn")

    assert [check.verdict for check in test.queue().checks + test.api().checks] == [Verdict.SKIPPED, Verdict.SKIPPED]
    assert "Nothing was paid" in test.queue().checks[0].detail
    assert (system.sqs.bodies, system.api_bodies) == ([], [])
    assert "SDK of the worker Lambda" in test.conclusion()
    assert test.alarms().checks[0].verdict is Verdict.OK


def test_function_that_does_not_start_stops_the_test(workspace, clients, system):
    system.sdks[API] = {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named app"}

    found = platform.check_prerequisites(workspace, clients, ["api", "worker"])

    assert [check.verdict for check in found.checks] == [Verdict.BAD, Verdict.OK, Verdict.OK]
    assert "No module named app" in found.checks[0].detail


def test_missing_right_to_ask_only_warns(workspace, clients, system, client_error):
    system.sdks[WORKER] = client_error("AccessDeniedException", "not authorized", "Invoke")

    found = platform.check_prerequisites(workspace, clients, ["worker"])

    assert (found.checks[0].verdict, found.blocking) == (Verdict.WARN, "")
    assert "lambda:InvokeFunction" in found.checks[0].detail


@pytest.mark.parametrize(("checks", "asked"), [("api", ["api"]), ("queue", ["worker"])])
def test_only_the_functions_that_are_tried_are_asked(workspace, checks, asked):
    part = smoke.start(workspace, prompt="a quay at dawn", checks=checks).platform()

    assert [check.name for check in part.checks if check.name.startswith("SDK")] == [
        f"SDK of the {name} Lambda" for name in asked
    ]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"agreementAvailability": {"status": "NOT_AVAILABLE"}},
            "create-foundation-model-agreement --model-id stability",
        ),
        ({"agreementAvailability": {"status": "ERROR", "errorMessage": "no card"}}, "has not agreed to .* (no card)"),
        ({"agreementAvailability": {"status": "PENDING"}}, "up to 15 minutes"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "list-foundation-model-agreement-offers"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "not authorized"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "not available in us-west-2"),
    ],
)
def test_model_that_would_be_refused_stops_the_test_before_anything_is_paid(workspace, system, answer, sentence):
    system.availability = answer

    test = smoke.start(workspace, prompt="a quay at dawn")

    assert [check.verdict for check in test.queue().checks + test.api().checks] == [Verdict.SKIPPED, Verdict.SKIPPED]
    assert (system.sqs.bodies, system.api_bodies) == ([], [])
    (bad,) = (check for check in test.platform().checks if check.verdict is Verdict.BAD)
    assert all(part in bad.detail for part in sentence.split(" .* "))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_availability_that_cannot_be_asked_only_warns(workspace, clients, system, client_error, code):
    system.availability = client_error(code, "no")

    found = platform.check_prerequisites(workspace, clients, [])

    assert ([check.verdict for check in found.checks], found.blocking) == ([Verdict.WARN], "")
