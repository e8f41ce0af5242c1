"""A push to main through the real deploy_lambda.yml: onto a local cloud on which nothing was deployed."""

import json
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from .contributing import take_down
from .stage import MODELS, missing

MISSING = missing()
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

# The whole of `make unit` runs elsewhere; here it is enough that the step runs tests, finds them, and would stop the deploy: those
# of what is deployed, and those of the reports, whose summaries the workflow has a place for.
UNIT_TESTS = {"PYTEST_ADDOPTS": "tests/sam_lambda tests/reports"}
FEWER_UNIT_TESTS = {"PYTEST_ADDOPTS": "tests/sam_lambda"}
REPORTS = {
    f"deploy_lambda/{notebook}.{kind}"
    for notebook in ("smoke_test", "prompt_exploration")
    for kind in ("ipynb", "html", "json")
}
SUMMARY = "deploy_lambda/summary.md"
# In SAM's bucket: one of a person who deploys without a prefix of their own, and one whose number begins as this one's.
OTHERS = ["couch-explorers/0123.template", "couch-explorers-421/4567.template"]


@pytest.fixture(scope="module")
def stage(stage_on_cloud):
    stage_on_cloud.environment = UNIT_TESTS
    return stage_on_cloud


@pytest.fixture(scope="module")
def deployed(stage):
    """The workflow on main, as it is."""
    return stage.rehearse("deploy_lambda")


@pytest.fixture(scope="module")
def broken(deployed, stage):
    """The workflow with a Lambda whose handler has another name in the template than in its module: no unit test meets both."""
    with stage.changed("sam_lambda/template.yaml", "Handler: app.lambda_handler", "Handler: app.handler"):
        return replace(stage, environment=FEWER_UNIT_TESTS).rehearse("deploy_lambda")


@pytest.fixture(scope="module")
def taken_down(broken, stage, session):
    """The keys in SAM's bucket before and after the commands that take the stack down, with those of two other candidates."""
    s3 = session.client("s3")
    (bucket,) = (each["Name"] for each in s3.list_buckets()["Buckets"] if "aws-sam-cli-managed" in each["Name"])
    for key in OTHERS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"another's")
    before = keys(session, bucket)
    stage.enter(take_down("sam delete", "sam delete"))
    return before, keys(session, bucket)


def keys(session, bucket):
    return [item["Key"] for item in session.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def report(rehearsal, notebook):
    return json.loads((rehearsal.artifacts / "deploy_lambda" / f"{notebook}.json").read_text(encoding="utf-8"))


def test_a_push_to_main_tests_deploys_and_judges(deployed):
    assert deployed.exit_code == 0, deployed.log[-4000:]
    assert deployed.ran() == dict.fromkeys(
        (
            *("actions/checkout", "Is everything set?", "./.github/actions/workspace", "Unit tests"),
            *("aws-actions/configure-aws-credentials", "Build and deploy", "Where is it?"),
            *("Does it work?", "What does it paint?", "Report"),
        ),
        "success",
    )


def test_the_deployed_api_is_the_one_that_the_page_names(deployed, session):
    (api,) = session.client("apigateway").get_rest_apis()["items"]
    (line,) = (line for line in deployed.summary.splitlines() if line.startswith("API "))
    url = line.split()[1]

    assert api["name"] == "couch-explorers-42-api"
    assert api["id"] in url
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, data=b"", method="POST"), timeout=30)
    with refused.value as answer:
        assert "The prompt is empty" in json.load(answer)["detail"]


def test_the_deployed_stack_tells_the_commit_that_it_came_from(deployed, session, stage):
    (stack,) = session.client("cloudformation").describe_stacks(StackName="couch-explorers-42-api")["Stacks"]

    assert {"Key": "commit", "Value": stage.git("rev-parse", "HEAD")[:7]} in stack["Tags"]


def test_function_has_a_role_within_the_boundary(deployed, session, stage):
    roles = session.client("iam").list_roles()["Roles"]
    (name,) = (role["RoleName"] for role in roles if role["RoleName"].startswith("couch-explorers-42"))
    role = session.client("iam").get_role(RoleName=name)["Role"]

    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == stage.variables["PERMISSIONS_BOUNDARY"]


def test_every_model_that_is_named_may_be_used_whatever_blanks_stand_between(deployed, session):
    function = session.client("lambda").get_function_configuration(FunctionName="couch-explorers-42-generate-image")

    assert function["Environment"]["Variables"]["MODEL_ARNS"] == ",".join(MODELS)


def test_both_notebooks_ran_against_the_target_aws_and_their_reports_are_kept(deployed):
    assert deployed.uploaded() == {*REPORTS, SUMMARY}
    for notebook in ("smoke_test", "prompt_exploration"):
        assert report(deployed, notebook)["target"] == "aws"
        assert report(deployed, notebook)["status"] == "ok"


def test_three_sample_journeys_are_painted_for_at_most_the_price_of_five_images(deployed):
    exploration = report(deployed, "prompt_exploration")

    assert (exploration["parameters"]["seeds"], exploration["parameters"]["max_cost_usd"]) == ([42], 0.2)
    assert [check["detail"] for check in exploration["checks"]] == ["3 of 3 are there: 3 made."]


def test_the_page_of_a_deploy_that_went_well_is_what_it_should_be(deployed, same_summary):
    same_summary(deployed, "deploy_lambda")


def test_a_lambda_that_cannot_start_passes_the_unit_tests_and_fails_the_smoke_test(broken):
    assert broken.exit_code == 1
    assert broken.ran()["Unit tests"] == "success"
    assert broken.ran()["Build and deploy"] == "success"
    assert broken.ran()["Does it work?"] == "failure"


def test_after_a_failed_smoke_test_nothing_more_is_painted(broken):
    assert "What does it paint?" not in broken.ran()


def test_the_report_of_a_failed_smoke_test_is_kept_and_its_page_says_what_failed(broken, same_summary):
    assert broken.ran()["Report"] == "success"
    assert broken.uploaded() == {SUMMARY, *(name for name in REPORTS if "smoke_test" in name)}
    assert report(broken, "smoke_test")["status"] == "failed"
    same_summary(broken, "deploy_lambda_broken")


def test_by_hand_nothing_is_deployed_from_a_branch(stage):
    with stage.branch("idea"):
        rehearsal = stage.rehearse("deploy_lambda", "workflow_dispatch")

    assert rehearsal.exit_code == 0, rehearsal.log[-4000:]
    assert rehearsal.steps == ()


def test_what_sam_uploads_lies_under_the_candidates_own_prefix(taken_down):
    before, _ = taken_down

    assert {key.partition("/")[0] for key in before if key not in OTHERS} == {"couch-explorers-42"}


def test_the_commands_that_take_the_stack_down_take_nobody_elses_files(taken_down, session):
    _, after = taken_down

    assert sorted(after) == sorted(OTHERS)
    assert session.client("apigateway").get_rest_apis()["items"] == []
