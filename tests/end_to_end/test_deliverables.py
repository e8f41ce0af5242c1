"""The list of deliverables, read from a deployed system as on AWS: what it says can be done as it stands there."""

import json
import shutil
import subprocess

import pytest

from couch_explorers.deliverables import render
from couch_explorers.deliverables.collect import collect
from couch_explorers.deliverables.render import POSTMAN_COLLECTION
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.workspace import connect
from tests.waiting import wait_until

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
def environment(local_cloud):
    """The ordinary credential chain, pointed at the local cloud; this copy's own remote is not asked about."""
    return local_cloud.exported_environment() | {"COUCH_CANDIDATE": "42", "GITHUB_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def listed(local_cloud, workspace, environment):
    """The rows of the list, by name."""
    done = local_cloud.couch(
        "deliverables", "--target", "aws", "--json", "--repository", "octocat/couch", "--image", "octocat/client",
        environment=environment,
    )  # fmt: skip
    return {row["name"]: row for task in json.loads(done.stdout)["tasks"] for row in task["deliverables"]}


@needs_curl
def test_the_line_for_the_endpoint_paints_a_picture_in_a_shell(listed, workspace):
    line = listed["endpoint"]["command"]

    output = subprocess.run(
        ["sh", "-c", f"{line} --silent --show-error --write-out '\n%{{http_code}}'"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip

    body, _, status = output.rpartition("\n")
    answer = json.loads(body)
    assert status == "200"
    picture = workspace.client("s3").get_object(Bucket=answer["bucket"], Key=answer["key"])["Body"].read()
    assert picture.startswith(b"\x89PNG")


@needs_curl
def test_the_line_is_the_one_that_the_list_shows(local_cloud, listed, environment):
    shown = local_cloud.couch("deliverables", "--target", "aws", environment=environment).stdout

    block = shown.partition("```sh\n")[2].partition("    ```")[0]
    assert "\n".join(line.removeprefix("    ") for line in block.splitlines()) == listed["endpoint"]["command"]


@needs_terraform
def test_the_queues_url_takes_a_message_that_becomes_a_picture(listed, workspace, keys):
    sent = workspace.client("sqs").send_message(QueueUrl=listed["queue"]["value"], MessageBody="A fjord at dawn")

    assert wait_until(lambda: keys(f"{sent['MessageId']}.png"), what="the picture")
    assert f"SQS_QUEUE_URL={listed['queue']['value']}" in listed["image"]["command"]


@needs_terraform
def test_the_alarm_is_the_one_that_cloudwatch_has(listed, workspace):
    alarm = listed["alarm"]["value"]

    [found] = workspace.client("cloudwatch").describe_alarms(AlarmNames=[alarm["name"]])["MetricAlarms"]
    assert (found["MetricName"], found["Statistic"], found["Period"], found["Threshold"]) == (
        "ApproximateAgeOfOldestMessage", alarm["statistic"], alarm["period_s"], alarm["threshold"],
    )  # fmt: skip
    assert workspace.topic_arn.endswith(f":{alarm['topic']}")
    assert (alarm["confirmed"], alarm["pending"]) == (1, 0)


def test_a_github_that_cannot_be_reached_leaves_its_rows_empty_and_the_others_filled(listed):
    for name in ("lambda_run", "terraform_run", "plan_run"):
        assert listed[name]["empty"] == "127.0.0.1 could not be reached (Connection refused): try again when it can."
    assert listed["endpoint"]["empty"] is None


def test_the_local_clouds_own_list_needs_no_candidate_and_no_github(local_cloud, workspace):
    shown = local_cloud.couch("deliverables").stdout

    assert f"<{workspace.api_url}>" in shown
    assert " ".join(shown.split()).count("A local cloud is deployed by `couch up`, not by a workflow") == 3


def test_the_list_is_written_into_the_pages_of_a_copy(workspace, environment, monkeypatch, tmp_path):
    for name in ("README.md", POSTMAN_COLLECTION):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, tmp_path / name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, environment[name])

    render.write(collect(connect("aws", "42"), environment, tmp_path), tmp_path)

    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"<{workspace.api_url}>" in render.read_between(readme, "README.md")
    assert f'"value": "{workspace.api_url}"' in (tmp_path / POSTMAN_COLLECTION).read_text(encoding="utf-8")
