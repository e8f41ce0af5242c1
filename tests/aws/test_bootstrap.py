import json

import boto3
import pytest
from botocore.stub import Stubber

from couch_explorers.aws import bootstrap
from couch_explorers.aws.bootstrap import MANAGED, POLICY_FOLDER, Account, BootstrapError, render, subject

# The longest names that each placeholder may stand for.
LONGEST = Account("123456789012", "1234567890", bucket="b" * 63, state_bucket="s" * 63, region="ap-northeast-1")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: characters of a managed policy, blanks not counted.
MANAGED_LIMIT = 6144


def actions(name):
    return {
        action
        for statement in render(name, LONGEST)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_every_policy_file_is_used():
    assert {path.stem for path in POLICY_FOLDER.glob("*.json")} == {*MANAGED, "github_trust"}


@pytest.mark.parametrize("name", MANAGED)
def test_managed_policy_fits_and_has_no_placeholder_left(name):
    text = json.dumps(render(name, LONGEST), separators=(",", ":"))

    assert len(text) <= MANAGED_LIMIT
    assert "$" not in text


@pytest.mark.parametrize("name", MANAGED)
def test_no_action_has_a_star(name):
    assert not [action for action in actions(name) if "*" in action]


def test_agreeing_to_a_model_is_the_operators_right_alone():
    holders = {name for name in MANAGED if any(action.startswith("aws-marketplace:") for action in actions(name))}

    assert holders == {"operator"}
    assert "operator" not in bootstrap.OF_THE_PIPELINE


def test_pipeline_may_not_change_its_own_role():
    roles = {
        resource
        for statement in render("deploy", LONGEST)["Statement"]
        for resource in [statement["Resource"]]
        if "iam:" in str(statement["Action"])
    }

    assert roles == {"arn:aws:iam::123456789012:role/couch-explorers-1234567890-*"}
    assert not LONGEST.role_name.startswith("couch-explorers-")


@pytest.mark.parametrize(
    ("ids", "pattern"),
    [
        ((), "repo:octocat/my-repo:ref:refs/heads/*"),
        (("123456", "456789"), "repo:octocat@123456/my-repo@456789:ref:refs/heads/*"),
    ],
)
def test_trust_names_audience_and_repository(ids, pattern):
    (statement,) = render("github_trust", LONGEST, subject("octocat/my-repo", *ids))["Statement"]

    assert statement["Condition"] == {
        "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
        "StringLike": {"token.actions.githubusercontent.com:sub": pattern},
    }
    assert statement["Principal"] == {
        "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    }


@pytest.mark.parametrize("repository", ["", "octocat", "octocat/", "octocat/*", "octo:cat/x", "a b/c"])
def test_repository_that_is_not_one_is_refused(repository):
    with pytest.raises(BootstrapError, match="OWNER/NAME"):
        subject(repository)


@pytest.mark.parametrize("ids", [("1", ""), ("", "2"), ("1", "x")])
def test_half_the_numbers_are_refused_with_the_command_that_finds_both(ids):
    with pytest.raises(BootstrapError, match="gh api repos/octocat/my-repo"):
        subject("octocat/my-repo", *ids)


def test_bucket_of_another_account_is_refused_with_the_way_out():
    s3 = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(s3) as stubbed:
        stubbed.add_client_error("head_bucket", service_error_code="403", http_status_code=403)

        with pytest.raises(BootstrapError, match=r"belongs to another account.*--bucket"):
            next(bootstrap.plan(lambda _service: s3, LONGEST))
