import pytest

from couch_explorers import smoke
from couch_explorers.checks import Verdict
from couch_explorers.smoke import prerequisites

WORKER, API = "couch-explorers-42-worker", "couch-explorers-42-generate-image"


def test_each_functions_sdk_is_named(workspace, clients):
    found = prerequisites.check(workspace, clients, ["api", "worker"])

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

    found = prerequisites.check(workspace, clients, ["api", "worker"])

    assert [check.verdict for check in found.checks] == [Verdict.BAD, Verdict.OK, Verdict.OK]
    assert "No module named app" in found.checks[0].detail


def test_missing_right_to_ask_only_warns(workspace, clients, system, client_error):
    system.sdks[WORKER] = client_error("AccessDeniedException", "not authorized", "Invoke")

    found = prerequisites.check(workspace, clients, ["worker"])

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

    found = prerequisites.check(workspace, clients, [])

    assert ([check.verdict for check in found.checks], found.blocking) == ([Verdict.WARN], "")
