from datetime import UTC, datetime

import pytest

from couch_explorers.deliverables.collecting import DEPLOY_LAMBDA, TERRAFORM_DEPLOY, collect
from couch_explorers.deliverables.facts import Missing, Reason
from couch_explorers.paths import PROJECT_ROOT


@pytest.fixture
def environment(github):
    return {"GITHUB_API_URL": github.url, "DOCKERHUB_USERNAME": "octocat"}


def test_a_system_on_aws_is_told_with_its_runs(workspace, environment, github, github_runs, tmp_path):
    github.runs[DEPLOY_LAMBDA] = [github_runs(3)]
    github.runs[TERRAFORM_DEPLOY] = [github_runs(5, "another-alarm"), github_runs(4)]

    facts = collect(workspace, environment | {"GITHUB_REPOSITORY": "octocat/couch"}, tmp_path)

    assert [run.number for run in (facts.lambda_run, facts.terraform_run, facts.plan_run)] == [3, 4, 5]
    assert (facts.api_url, facts.queue_url) == (workspace.api_url, workspace.queue_url)
    assert (facts.image, facts.alarm.threshold) == ("octocat/couch-explorers-client", 300.0)
    assert (facts.target, facts.candidate, facts.region) == ("aws", "42", "eu-west-1")
    assert facts.read_on == datetime.now(UTC).date()


def test_a_local_cloud_has_no_runs_and_github_is_not_asked(workspace, environment, github, tmp_path):
    workspace.target = "local"

    facts = collect(workspace, environment | {"GITHUB_REPOSITORY": "octocat/couch"}, tmp_path)

    assert [facts.lambda_run, facts.terraform_run, facts.plan_run] == [Missing(Reason.RUNS_NOT_LOCAL)] * 3
    assert github.asked == []


def test_a_repository_that_is_given_is_asked_about_whatever_the_target(
    workspace, environment, github, github_runs, tmp_path
):
    workspace.target = "local"
    github.runs[DEPLOY_LAMBDA] = [github_runs(3)]

    facts = collect(workspace, environment, tmp_path, given_repository="octocat/couch")

    assert facts.lambda_run.number == 3


def test_an_unknown_repository_leaves_only_the_runs_empty(workspace, environment, github, tmp_path):
    facts = collect(workspace, environment, tmp_path)

    assert [facts.lambda_run, facts.terraform_run, facts.plan_run] == [Missing(Reason.NO_REPOSITORY)] * 3
    assert facts.api_url == workspace.api_url
    assert github.asked == []


@pytest.mark.parametrize("workflow", [DEPLOY_LAMBDA, TERRAFORM_DEPLOY])
def test_the_workflows_that_are_asked_for_exist(workflow):
    assert (PROJECT_ROOT / ".github/workflows" / workflow).is_file()
