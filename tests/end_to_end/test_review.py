"""The metric review on a local cloud with a week behind it: by `couch run`, and as on AWS."""

import csv
import json
import re

import pytest

from .test_deploy import local_environment

# What a page would fetch: a script, a style sheet, a picture, a font.
FETCHED = re.compile(
    r"""<(?:script|img|link|iframe|source)[^>]*?(?:src|href)=["']?(?:https?:)?//|url\(\s*["']?https?:|@import"""
)


@pytest.fixture(scope="module")
def week(local_cloud):
    """A cloud with a believable week behind it, which is forgotten again."""
    local_cloud.couch("history")
    yield local_cloud
    local_cloud.couch("history", "--erase")


def review(cloud, out, *arguments, environment=None):
    done = cloud.couch("run", "metric_review", *arguments, "--out", str(out), environment=environment, check=False)
    return done, json.loads((out / "metric_review.json").read_text(encoding="utf-8"))


def test_the_review_tells_the_incident_and_says_that_the_week_is_synthetic(week, workspace, tmp_path):
    done, report = review(week, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "metric_review.html").read_text(encoding="utf-8")
    assert "incident" in page
    assert "synthetic" in page
    assert page.count('<figure class="couch-figure"') == 6
    found = {check["name"]: check["verdict"] for check in report["checks"]}
    assert found["oldest job waiting"] == "WARN"
    assert found["data"] == "OK"


def test_the_page_opens_offline_and_the_points_and_verdicts_lie_beside_it(week, workspace, tmp_path):
    review(week, tmp_path)

    assert not FETCHED.search((tmp_path / "metric_review.html").read_text(encoding="utf-8"))
    with (tmp_path / "metric_review.csv").open(encoding="utf-8", newline="") as file:
        points = list(csv.DictReader(file))
    assert {"window", "resource", "metric", "statistic", "unit", "value"} <= points[0].keys()
    assert {point["window"] for point in points} == {"now", "before", "week"}
    assert json.loads((tmp_path / "metric_review_verdicts.json").read_text(encoding="utf-8"))


def test_the_review_works_on_aws_by_its_parameters_alone(week, workspace, tmp_path):
    done, report = review(
        week, tmp_path, "--target", "aws", "-p", "candidate", "42", environment=local_environment(week)
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert report["target"] == "aws"
    assert {check["name"]: check["verdict"] for check in report["checks"]}["data"] == "OK"


def test_in_ci_a_verdict_fails_the_run_and_the_report_is_there(week, workspace, tmp_path):
    done, report = review(week, tmp_path, "-p", "fail_on", "WARN")

    assert done.returncode == 1
    assert report["status"] == "failed"
    assert (tmp_path / "metric_review.html").exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("timezone", "Europe/Olso", "Europe/Oslo"), ("hours", "0", "hours"), ("hours", "20000", "455")],
)
def test_a_window_that_cannot_be_asked_for_is_told_in_a_sentence(
    local_cloud, workspace, tmp_path, name, value, sentence
):
    done, report = review(local_cloud, tmp_path, "-p", name, value)

    assert done.returncode == 1
    assert report["error"]["type"] == "MetricsParameterError"
    assert sentence in report["error"]["message"]
