"""The real `sam` and the real `terraform` on the local cloud, again and again."""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from couch_explorers.aws import PICTURE_BUCKET, STATE_BUCKET
from couch_explorers.local import terraform, users
from couch_explorers.metrics import dashboard
from couch_explorers.paths import Home
from couch_explorers.smoke.alarms import ALARM_NAMES

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")


def test_both_stacks_stand_after_couch_up(workspace):
    expected_alarms = {f"couch-explorers-42-{name}" for name in ALARM_NAMES}

    assert workspace.api_url.endswith("/generate-image")
    assert workspace.queue_url.endswith("/couch-explorers-42-jobs")
    assert set(workspace.alarms) == expected_alarms
    assert workspace.functions == {"api": "couch-explorers-42-generate-image", "worker": "couch-explorers-42-worker"}


def test_the_dashboard_has_the_reviews_panels_with_this_stacks_names_and_lines(deployer):
    found = deployer.client("cloudwatch").get_dashboard(DashboardName="couch-explorers-42")
    widgets = json.loads(found["DashboardBody"])["widgets"]

    titles = [widget["properties"].get("title") for widget in dashboard.body()["widgets"]]
    assert [widget["properties"].get("title") for widget in widgets] == titles
    assert "${" not in found["DashboardBody"].replace("${PROP(", "")
    objective = next(widget for widget in widgets if widget["properties"].get("title") == titles[1])
    assert objective["properties"]["annotations"]["horizontal"][0]["value"] == 60_000


def test_the_courses_two_buckets_exist(owner):
    buckets = {bucket["Name"] for bucket in owner.client("s3").list_buckets()["Buckets"]}

    assert {PICTURE_BUCKET, STATE_BUCKET} <= buckets


def test_the_deployment_remembers_what_was_deployed_when(local_cloud):
    deploys = json.loads((local_cloud.home / "deployment.json").read_text(encoding="utf-8"))["deploys"]

    assert deploys[0]["parts"] == ["api", "queue"]
    assert datetime.fromisoformat(deploys[0]["time"]) < datetime.now(UTC)


def test_a_second_couch_up_changes_nothing(local_cloud):
    done = local_cloud.up()

    assert "nothing changed" in done.stdout


@needs_terraform
def test_the_plan_is_empty_after_couch_up(local_cloud, workspace):
    environment = (
        terraform.environment()
        | local_cloud.exported_environment(users.DEPLOY)
        | {"TF_DATA_DIR": str(local_cloud.home / "terraform")}
    )

    planned = subprocess.run(
        ["terraform", "plan", "-no-color", "-detailed-exitcode"],
        cwd=local_cloud.home / "infra", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "No changes" in planned.stdout


def test_sam_finds_no_change_after_couch_up(local_cloud, workspace):
    sam = str(Path(sys.executable).with_name("sam"))

    deployed = subprocess.run(
        [sam, "deploy", "--template-file", str(local_cloud.home / "sam" / "build" / "template.yaml"),
         "--stack-name", "couch-explorers-42-api", "--config-file", str(Path("sam_lambda/samconfig.toml").resolve()),
         "--s3-prefix", "couch-explorers-42", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--region", workspace.region,
         "--parameter-overrides", f"ParameterKey=ModelArns,ParameterValue={','.join(workspace.model_arns)}",
         "ParameterKey=CandidateNumber,ParameterValue=42"],
        env=local_cloud.exported_environment(users.DEPLOY) | {"SAM_CLI_TELEMETRY": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "No changes to deploy" in deployed.stdout + deployed.stderr


def test_stacks_are_deployed_by_a_user_who_may_do_nothing_else(owner):
    iam = owner.client("iam")
    user = "deploy-couch-explorers-42"
    roles = [
        role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("couch-explorers-42")
    ]
    bounds = {iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] for name in roles}

    assert [each["PolicyName"] for each in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]] == [
        "couch-explorers-42-deploy"
    ]
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []
    assert len(iam.list_access_keys(UserName=user)["AccessKeyMetadata"]) == 1
    assert len(roles) == 2
    # A role without it could not have been made by that user.
    assert bounds == {"arn:aws:iam::000000000000:policy/couch-explorers-42-boundary"}


def test_operator_has_the_policies_of_people_on_call_and_no_others(owner):
    iam = owner.client("iam")
    user = users.user_name("42", users.OPERATOR)
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]

    assert {each["PolicyName"] for each in attached} == {"couch-explorers-42-judge", "couch-explorers-42-operator"}
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []
    assert iam.list_groups_for_user(UserName=user)["Groups"] == []


def test_keys_that_iam_knows_stay_and_lost_ones_are_replaced(local_cloud, owner):
    home, iam = Home(local_cloud.home), owner.client("iam")
    before = users.prepare(owner, home, "42")
    lost = before[users.DEPLOY].aws_access_key_id
    iam.delete_access_key(UserName=users.user_name("42", users.DEPLOY), AccessKeyId=lost)

    after = users.prepare(owner, home, "42")

    assert after[users.OPERATOR] == before[users.OPERATOR]
    assert after[users.DEPLOY] != before[users.DEPLOY]
    assert users.prepare(owner, home, "42") == after
    assert local_cloud.as_deployer().client("sts").get_caller_identity()["Arn"].endswith("deploy-couch-explorers-42")


@pytest.mark.parametrize(
    ("user", "arn"), [(users.OPERATOR, "user/operator-couch-explorers-42"), (users.ROOT_USER, "root")]
)
def test_environment_lines_are_of_the_chosen_user(local_cloud, user, arn):
    exported = local_cloud.exported_environment(user)

    session = boto3.Session(exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"], region_name="eu-west-1")
    with closing(session.client("sts", endpoint_url=exported["AWS_ENDPOINT_URL"])) as sts:
        assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::000000000000:{arn}"


def test_the_environment_lines_point_another_tool_at_the_cloud(local_cloud):
    lines = local_cloud.couch("env").stdout

    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{local_cloud.port}" in lines
    assert "export AWS_REGION=eu-west-1" in lines


def test_environment_names_what_is_deployed(local_cloud, workspace):
    lines = local_cloud.couch("env").stdout.splitlines()

    assert f"export API_URL={workspace.api_url}" in lines
    assert f"export SQS_QUEUE_URL={workspace.queue_url}" in lines
    assert f"export BUCKET_NAME={workspace.bucket}" in lines


def test_the_doctor_finds_nothing_that_stops_the_work(local_cloud):
    done = local_cloud.couch("doctor")

    assert "BAD" not in done.stdout
    assert f"http://127.0.0.1:{local_cloud.port}" in done.stdout


def test_a_taken_port_is_reported_with_its_holder_and_another_port(local_cloud, tmp_path):
    environment = local_cloud.environment | {"COUCH_HOME": str(tmp_path)}

    done = local_cloud.couch("up", "--port", str(local_cloud.port), environment=environment, check=False)

    assert done.returncode == 1
    assert f"Port {local_cloud.port} is taken by" in done.stderr
    assert f"couch up --port {local_cloud.port + 1}" in done.stderr


def test_another_port_for_a_running_cloud_is_refused_with_the_way_to_move(local_cloud):
    done = local_cloud.couch("up", "--port", str(local_cloud.port + 1), check=False)

    assert done.returncode == 1
    assert "couch down" in done.stderr


@pytest.mark.parametrize("candidate", ["", "4a", "42/..", "12345678901"])
def test_a_malformed_candidate_number_is_refused_before_anything_starts(local_cloud, tmp_path, candidate):
    environment = local_cloud.environment | {"COUCH_HOME": str(tmp_path)}

    done = local_cloud.couch("up", "--candidate", candidate, environment=environment, check=False)

    assert done.returncode == 1
    assert "candidate number must be 1 to 10 digits" in done.stderr
    assert not (tmp_path / "cloud.json").exists()


def test_what_is_deployed_on_aws_is_listed_by_its_names(local_cloud, workspace):
    done = local_cloud.couch(
        "status", "--target", "aws", "--candidate", "42", environment=local_cloud.exported_environment()
    )

    assert f"API          {workspace.api_url}" in done.stdout
    assert workspace.queue_url in done.stdout
    assert "couch-explorers-42-worker" in done.stdout
