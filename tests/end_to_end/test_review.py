"""The metric review on a local cloud with a week behind it: by `couch run`, and as on AWS."""

import csv
import json
import re
import uuid

import pytest

from couch_explorers.aws.bootstrap import Account
from couch_explorers.local.settings import ACCOUNT_ID
from tests import account

ACCOUNT = Account(ACCOUNT_ID, "42")

# What a page would fetch: a script, a style sheet, a picture, a font.
FETCHED = re.compile(
    r"""<(?:script|img|link|iframe|source)[^>]*?(?:src|href)=["']?(?:https?:)?//|url\(\s*["']?https?:|@import"""
)


def review(cloud, out, *arguments, environment=None):
    done = cloud.couch("run", "metric_review", *arguments, "--out", str(out), environment=environment, check=False)
    return done, json.loads((out / "metric_review.json").read_text(encoding="utf-8"))


def test_the_review_tells_the_incident_and_says_that_the_week_is_synthetic(week, workspace, tmp_path):
    done, report = review(week, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "metric_review.html").read_text(encoding="utf-8")
    assert "incident" in page
    assert "synthetic" in page
    assert page.count('<figure class="couch-figure"') == 7
    found = {check["name"]: check["verdict"] for check in report["checks"]}
    assert found["oldest job waiting"] == found["late or missing pictures"] == "WARN"
    assert found["data"] == "OK"


def test_the_page_opens_offline_and_the_points_and_verdicts_lie_beside_it(week, workspace, tmp_path):
    review(week, tmp_path)

    assert not FETCHED.search((tmp_path / "metric_review.html").read_text(encoding="utf-8"))
    with (tmp_path / "metric_review.csv").open(encoding="utf-8", newline="") as file:
        points = list(csv.DictReader(file))
    assert {"window", "resource", "metric", "statistic", "unit", "value"} <= points[0].keys()
    assert {point["window"] for point in points} == {"now", "before", "week", "burn", "budget"}
    assert json.loads((tmp_path / "metric_review_verdicts.json").read_text(encoding="utf-8"))


def test_the_review_works_on_aws_by_its_parameters_alone(week, workspace, tmp_path):
    done, report = review(
        week, tmp_path, "--target", "aws", "-p", "candidate", "42", environment=week.exported_environment()
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert report["target"] == "aws"
    assert {check["name"]: check["verdict"] for check in report["checks"]}["data"] == "OK"


def test_in_ci_a_verdict_fails_the_run_and_the_report_is_there(week, workspace, tmp_path):
    done, report = review(week, tmp_path, "-p", "fail_on", "WARN")

    assert done.returncode == 1
    assert report["status"] == "failed"
    assert (tmp_path / "metric_review.html").exists()


@pytest.fixture
def blindfolded(local_cloud, owner):
    """The environment of somebody on call who may not read metrics."""
    iam = owner.client("iam")
    name = f"reviewer-{uuid.uuid4().hex[:8]}"
    keys = account.make_user(owner, ACCOUNT, name, account.OPERATOR)
    statement = {"Effect": "Deny", "Action": "cloudwatch:GetMetricData", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="blindfold", PolicyDocument=document)
    yield local_cloud.exported_environment() | keys
    iam.delete_user_policy(UserName=name, PolicyName="blindfold")
    for policy in account.OPERATOR:
        iam.detach_user_policy(UserName=name, PolicyArn=ACCOUNT.policy_arn(policy))
    iam.delete_access_key(UserName=name, AccessKeyId=keys["AWS_ACCESS_KEY_ID"])
    iam.delete_user(UserName=name)


def test_a_review_that_may_not_read_metrics_fails_in_ci_and_names_the_right_that_it_lacks(
    local_cloud, blindfolded, tmp_path
):
    arguments = ("--target", "aws", "-p", "candidate", "42", "-p", "hours", "1", "-p", "fail_on", "BAD")

    done, report = review(local_cloud, tmp_path, *arguments, environment=blindfolded)

    assert done.returncode == 1
    assert {check["name"]: check["verdict"] for check in report["checks"]}["data"] == "BAD"
    assert "allow cloudwatch:GetMetricData" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("timezone", "Europe/Olso", "Europe/Oslo"), ("hours", "0", "hours"), ("hours", "20000", "455")],
)
def test_a_window_that_cannot_be_asked_for_is_reported_in_a_sentence(
    local_cloud, workspace, tmp_path, name, value, sentence
):
    done, report = review(local_cloud, tmp_path, "-p", name, value)

    assert done.returncode == 1
    assert report["error"]["type"] == "MetricsParameterError"
    assert sentence in report["error"]["message"]
