import re
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from couch_explorers.deliverables import collect
from couch_explorers.deliverables.collect import DEPLOY_LAMBDA, TERRAFORM_DEPLOY
from couch_explorers.deliverables.model import Missing, Reason
from couch_explorers.paths import PROJECT_ROOT


@pytest.fixture
def environment(github):
    return {"GITHUB_API_URL": github.url, "DOCKERHUB_USERNAME": "octocat"}


def test_a_system_on_aws_is_described_with_its_runs(workspace, environment, github, github_runs, tmp_path):
    github.runs[DEPLOY_LAMBDA] = [github_runs(3)]
    github.runs[TERRAFORM_DEPLOY] = [github_runs(5, "another-alarm"), github_runs(4)]

    facts = collect.collect(workspace, environment | {"GITHUB_REPOSITORY": "octocat/couch"}, tmp_path)

    assert [run.number for run in (facts.lambda_run, facts.terraform_run, facts.plan_run)] == [3, 4, 5]
    assert (facts.api_url, facts.queue_url) == (workspace.api_url, workspace.queue_url)
    assert (facts.image, facts.alarm.threshold) == ("octocat/couch-explorers-client", 300.0)
    assert (facts.target, facts.candidate, facts.region) == ("aws", "42", "eu-west-1")
    assert facts.read_on == datetime.now(UTC).date()


def test_a_local_cloud_has_no_runs_and_github_is_not_asked(workspace, environment, github, tmp_path):
    workspace.target = "local"

    facts = collect.collect(workspace, environment | {"GITHUB_REPOSITORY": "octocat/couch"}, tmp_path)

    assert [facts.lambda_run, facts.terraform_run, facts.plan_run] == [Missing(Reason.RUNS_NOT_LOCAL)] * 3
    assert github.asked == []


def test_a_repository_that_is_given_is_asked_about_whatever_the_target(
    workspace, environment, github, github_runs, tmp_path
):
    workspace.target = "local"
    github.runs[DEPLOY_LAMBDA] = [github_runs(3)]

    facts = collect.collect(workspace, environment, tmp_path, given_repository="octocat/couch")

    assert facts.lambda_run.number == 3


def test_an_unknown_repository_leaves_only_the_runs_empty(workspace, environment, github, tmp_path):
    facts = collect.collect(workspace, environment, tmp_path)

    assert [facts.lambda_run, facts.terraform_run, facts.plan_run] == [Missing(Reason.NO_REPOSITORY)] * 3
    assert facts.api_url == workspace.api_url
    assert github.asked == []


@pytest.mark.parametrize("workflow", [DEPLOY_LAMBDA, TERRAFORM_DEPLOY])
def test_the_workflows_that_are_asked_for_exist(workflow):
    assert (PROJECT_ROOT / ".github/workflows" / workflow).is_file()


def test_the_addresses_are_the_workspaces(workspace):
    assert collect.api_url(workspace) == workspace.api_url
    assert collect.queue_url(workspace) == workspace.queue_url


@pytest.mark.parametrize(
    ("target", "api", "queue"),
    [
        ("aws", Reason.API_NOT_ON_AWS, Reason.QUEUE_NOT_ON_AWS),
        ("local", Reason.API_NOT_LOCAL, Reason.QUEUE_NOT_LOCAL),
    ],
)
def test_what_is_not_deployed_is_missing_for_its_targets_reason(workspace, target, api, queue):
    workspace.target, workspace.api_url, workspace.queue_url = target, None, None

    assert collect.api_url(workspace) == Missing(api)
    assert collect.queue_url(workspace) == Missing(queue)
    assert collect.age_alarm(workspace) == Missing(queue)


def test_the_alarm_is_found_by_what_it_watches_and_described_as_it_is_deployed(workspace, system):
    system.alarms[1] |= {"AlarmName": system.alarms[0]["AlarmName"], "Threshold": 240.5, "Period": 120}
    system.alarms[0]["AlarmName"] = "couch-explorers-42-oldest-message-age"

    found = collect.age_alarm(workspace)

    assert (found.name, found.metric) == ("couch-explorers-42-dead-letters", "ApproximateAgeOfOldestMessage")
    assert (found.statistic, found.period_s, found.operator, found.threshold) == (
        "Maximum", 120, "GreaterThanThreshold", 240.5,
    )  # fmt: skip


def test_who_hears_the_alarm_is_counted_not_named(workspace):
    found = collect.age_alarm(workspace)

    assert (found.topic, found.confirmed, found.pending) == ("couch-explorers-42-alarms", 1, 1)
    assert "example.com" not in repr(found)


def test_an_alarm_without_a_topic_notifies_nobody(workspace, system):
    system.alarms[1]["AlarmActions"] = []

    found = collect.age_alarm(workspace)

    assert (found.topic, found.confirmed, found.pending) == (None, 0, 0)


def test_a_queue_without_an_alarm_on_its_age_is_reported_as_such(workspace, system):
    del system.alarms[1]

    assert collect.age_alarm(workspace) == Missing(Reason.ALARM_MISSING)


def test_no_alarm_at_all_is_never_a_question_for_all_of_the_account(workspace, system):
    workspace.alarms = ()
    system.refusal = AssertionError("asked")

    assert collect.age_alarm(workspace) == Missing(Reason.ALARM_MISSING)


def test_a_right_that_is_missing_is_reported_by_its_name(workspace, system):
    system.refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")

    found = collect.age_alarm(workspace)

    assert found == Missing(Reason.ALARM_UNREADABLE, {"why": "no right to do it: allow cloudwatch:DescribeAlarms"})


def test_an_alarm_that_cannot_be_asked_for_is_reported_with_the_cause(workspace, system):
    system.refusal = EndpointConnectionError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com")

    assert "could not be reached" in collect.age_alarm(workspace).details["why"]


def test_the_name_is_made_of_the_variables_that_the_workflow_takes():
    user = {"DOCKERHUB_USERNAME": "octocat"}

    assert collect.image_name(None, user) == "octocat/couch-explorers-client"
    assert collect.image_name(None, user | {"DOCKERHUB_REPOSITORY": "client"}) == "octocat/client"


def test_a_given_name_counts_before_the_variables():
    assert (
        collect.image_name("glennbech/couchexplore-client", {"DOCKERHUB_USERNAME": "octocat"})
        == "glennbech/couchexplore-client"
    )


def test_without_a_name_it_is_not_known():
    assert collect.image_name(None, {"DOCKERHUB_REPOSITORY": "client"}) == Missing(Reason.NO_IMAGE)


@pytest.mark.parametrize("given", ["Octocat/client", "client", "octocat/client:latest", "octocat/a/b", "octocat/$(id)"])
def test_what_docker_hub_does_not_take_is_reported_with_its_value(given):
    assert collect.image_name(given, {}) == Missing(Reason.BAD_IMAGE, {"image": given})


def test_the_default_is_the_workflows_own():
    workflow = (PROJECT_ROOT / ".github/workflows/docker_publish.yml").read_text(encoding="utf-8")

    assert re.findall(r"DOCKERHUB_REPOSITORY \|\| '([^']*)'", workflow) == [collect.DEFAULT_IMAGE_REPOSITORY]
