"""An empty account is prepared, deployed to, judged and cleared under the policies in `policies/`, never as root."""

import base64
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from couch_explorers.aws.bootstrap import GITHUB, Account, plan, subject
from couch_explorers.local import terraform
from couch_explorers.local.settings import ACCOUNT_ID, tool_environment
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.workspace import EndpointSession, local_session
from tests.local.engine.conftest import serve

COUCH = str(Path(sys.executable).with_name("couch"))
SAM = str(Path(sys.executable).with_name("sam"))
BUCKET, STATE_BUCKET, REGION = "my-images", "my-state", "eu-west-1"
ACCOUNT = Account(ACCOUNT_ID, "42", bucket=BUCKET, state_bucket=STATE_BUCKET)
TRUSTED = subject("octocat/couch", "1", "2")
STACK = "couch-explorers-42-api"


def run(*command, environment, folder=PROJECT_ROOT, check=True):
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    if check:
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("account")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def surroundings(cloud, tmp_path_factory):
    """The environment of a command without credentials."""
    given = tool_environment(cloud.endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del given[name]
    return given | {"COUCH_HOME": str(tmp_path_factory.mktemp("home")), "SAM_CLI_TELEMETRY": "0"}


def document(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def keys(access_key_id, secret, token=None):
    given = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret}
    return given | ({"AWS_SESSION_TOKEN": token} if token else {})


@pytest.fixture(scope="module")
def prepared(cloud, surroundings):
    """What `couch bootstrap` says when it prepares the empty account, as its administrator."""
    return run(
        *(COUCH, "bootstrap", "--target", "aws", "--candidate", "42", "--bucket", BUCKET, "--state-bucket", STATE_BUCKET),
        *("--repository", "octocat/couch", "--owner-id", "1", "--repository-id", "2", "--apply"),
        environment=surroundings | keys(ACCOUNT_ID, "root"),
    ).stdout  # fmt: skip


def assume(cloud, sub, audience="sts.amazonaws.com"):
    """Take the pipeline's role with a token such as GitHub's."""
    claims = {"iss": f"https://{GITHUB}", "exp": time.time() + 3600, "aud": audience, "sub": sub}
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    token = ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])
    sts = boto3.client(
        "sts", endpoint_url=cloud.endpoint, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
    try:
        return sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/{ACCOUNT.role_name}", RoleSessionName="run", WebIdentityToken=token
        )["Credentials"]
    finally:
        sts.close()


@pytest.fixture(scope="module")
def pipeline(cloud, prepared, surroundings):
    """The environment of a workflow's step."""
    given = assume(cloud, f"repo:{TRUSTED}:ref:refs/heads/main")
    return surroundings | keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


@pytest.fixture(scope="module")
def infra(pipeline, tmp_path_factory):
    """Run Terraform on a copy of `infra/`, with the variables of the workflow, under the pipeline's role."""
    try:
        tool = terraform.find()
    except terraform.TerraformError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("terraform")
    run(sys.executable, "tools/stage_lambda.py", "lambda_code", folder / "worker", "--zip", folder / "worker.zip",
        environment=pipeline)  # fmt: skip
    run("cp", "-r", PROJECT_ROOT / "infra", folder / "infra", environment=pipeline)
    variables = {
        "candidate": "42",
        "bucket_name": BUCKET,
        "permissions_boundary": ACCOUNT.policy_arn("boundary"),
        "archive_path": str(folder / "worker.zip"),
        "alarm_email": "standup@couch-explorers.example",
    }
    environment = terraform.environment(pipeline) | {f"TF_VAR_{name}": value for name, value in variables.items()}
    initialise = [
        *(
            "init",
            "-reconfigure",
            "-no-color",
            *tool.source.arguments,
            "-backend-config=key=42/couch-explorers.tfstate",
        ),
        *(f"-backend-config=bucket={STATE_BUCKET}", "-backend-config=use_path_style=true"),
    ]
    run(tool.program, *initialise, environment=environment, folder=folder / "infra")
    return lambda *words: run(tool.program, *words, "-no-color", environment=environment, folder=folder / "infra")


@pytest.fixture(scope="module")
def deployed(pipeline, infra, tmp_path_factory):
    """Both stacks, deployed as the workflows do, side by side."""
    build = tmp_path_factory.mktemp("sam")

    def api():
        run(SAM, "build", "--build-dir", build, environment=pipeline, folder=PROJECT_ROOT / "sam_lambda")
        overrides = (
            "CandidateNumber=42",
            f"BucketName={BUCKET}",
            f"PermissionsBoundary={ACCOUNT.policy_arn('boundary')}",
        )
        run(
            *(SAM, "deploy", "--template-file", build / "template.yaml", "--stack-name", STACK, "--tags", "commit=abc1234"),
            *("--config-file", PROJECT_ROOT / "sam_lambda" / "samconfig.toml", "--s3-prefix", "couch-explorers-42"),
            *("--no-confirm-changeset", "--parameter-overrides", *overrides),
            environment=pipeline, folder=PROJECT_ROOT / "sam_lambda",
        )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        made = [pool.submit(api), pool.submit(infra, "apply", "-auto-approve")]
    return [each.result() for each in made]


def couch(*words, environment, check=True):
    return run(COUCH, *words, environment=environment, check=check)


def test_what_is_missing_is_made_with_the_commands_for_github(prepared):
    assert prepared.count("made ") == 10
    assert f"gh variable set AWS_ROLE_ARN --body arn:aws:iam::{ACCOUNT_ID}:role/{ACCOUNT.role_name}" in prepared
    assert f"gh variable set BUCKET_NAME --body {BUCKET}" in prepared


def test_buckets_are_versioned_encrypted_and_not_public(cloud, prepared):
    s3 = cloud.client("s3")
    for bucket in (BUCKET, STATE_BUCKET):
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_second_run_finds_nothing_to_make(cloud, prepared):
    assert [step.what for step in plan(cloud.client, ACCOUNT, TRUSTED) if step.apply] == []


def test_policy_that_was_changed_is_replaced(cloud, prepared):
    iam = cloud.client("iam")
    iam.create_policy_version(
        PolicyArn=ACCOUNT.policy_arn("operator"),
        PolicyDocument=json.dumps(document(Action="sqs:*", Resource="*")),
        SetAsDefault=True,
    )

    (step,) = [step for step in plan(cloud.client, ACCOUNT, TRUSTED) if step.apply]
    step.apply()

    assert step.what == "policy couch-explorers-42-operator, changed"
    test_second_run_finds_nothing_to_make(cloud, prepared)


@pytest.mark.parametrize(
    ("sub", "audience"),
    [
        ("repo:octocat/couch:ref:refs/heads/main", "sts.amazonaws.com"),
        ("repo:octocat@1/couch@3:ref:refs/heads/main", "sts.amazonaws.com"),
        ("repo:eve@1/couch@2:ref:refs/heads/main", "sts.amazonaws.com"),
        (f"repo:{TRUSTED}:pull_request", "sts.amazonaws.com"),
        (f"repo:{TRUSTED}:ref:refs/heads/main", "https://github.com/octocat"),
    ],
)
def test_role_is_given_to_no_other_workflow(cloud, prepared, sub, audience):
    with pytest.raises(ClientError) as refused:
        assume(cloud, sub, audience)

    assert refused.value.response["Error"]["Code"] in {"AccessDenied", "InvalidIdentityToken"}


def test_both_stacks_are_deployed_within_the_boundary(cloud, deployed):
    iam = cloud.client("iam")
    roles = [role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("couch-explorers-42-")]

    assert len(roles) == 2
    for role in roles:
        found = iam.get_role(RoleName=role["RoleName"])["Role"]["PermissionsBoundary"]
        assert found["PermissionsBoundaryArn"] == ACCOUNT.policy_arn("boundary")


def test_pipeline_makes_no_role_beyond_the_boundary(cloud, pipeline):
    iam = session_of(cloud, pipeline).client("iam")
    trust = json.dumps(document(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"}))
    every = json.dumps(document(Action="*", Resource="*"))
    beyond = {
        "without a boundary": lambda: iam.create_role(RoleName="couch-explorers-42-x", AssumeRolePolicyDocument=trust),
        "of another name": lambda: iam.create_role(
            RoleName="x", AssumeRolePolicyDocument=trust, PermissionsBoundary=ACCOUNT.policy_arn("boundary")
        ),
        "its own": lambda: iam.put_role_policy(RoleName=ACCOUNT.role_name, PolicyName="x", PolicyDocument=every),
        "the boundary": lambda: iam.create_policy_version(
            PolicyArn=ACCOUNT.policy_arn("boundary"), PolicyDocument=every, SetAsDefault=True
        ),
    }

    for name, call in beyond.items():
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDenied", name
    iam.close()


def session_of(cloud, environment):
    return EndpointSession(
        cloud.endpoint,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        region_name=REGION,
    )


@pytest.mark.parametrize("notebook", ["smoke_test", "metric_review"])
def test_notebooks_judge_under_the_pipelines_role(deployed, pipeline, tmp_path, notebook):
    couch("run", notebook, "--target", "aws", "-p", "candidate", "42", "--out", tmp_path, environment=pipeline)

    report = json.loads((tmp_path / f"{notebook}.json").read_text())
    assert f"s3://{BUCKET}/42/" in json.dumps(report) or notebook != "smoke_test"
    assert not [
        check for check in report["checks"] if "not authorized" in check["detail"] or "right" in check["detail"]
    ]


@pytest.fixture(scope="module")
def operator(cloud, prepared, surroundings):
    """The environment of somebody on call: an IAM user with the policies `judge` and `operator`."""
    iam = local_session(cloud.endpoint).client("iam")
    iam.create_user(UserName="kari")
    for policy in ("judge", "operator"):
        iam.attach_user_policy(UserName="kari", PolicyArn=ACCOUNT.policy_arn(policy))
    key = iam.create_access_key(UserName="kari")["AccessKey"]
    iam.close()
    return surroundings | keys(key["AccessKeyId"], key["SecretAccessKey"])


def test_operator_follows_a_job_and_redrives(deployed, operator, cloud):
    where = ("--target", "aws", "--candidate", "42")
    cloud.ask("PUT", "/_couch/faults", {"retired": ["stability.stable-image-core-v1:1"], "latency": 0.0})
    sqs = session_of(cloud, operator).client("sqs")
    url = sqs.get_queue_url(QueueName="couch-explorers-42-jobs")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"prompt": "a lighthouse", "id": "lighthouse"}')
    dead = sqs.get_queue_url(QueueName="couch-explorers-42-jobs-dead-letter")["QueueUrl"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not int(
        sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"][
            "ApproximateNumberOfMessages"
        ]
    ):
        time.sleep(0.5)
    sqs.close()
    cloud.ask("PUT", "/_couch/faults", {"latency": 0.0})

    story = couch("job", "lighthouse", *where, environment=operator, check=False)
    assert "ModelRetired" in story.stdout, story.stdout + story.stderr
    listed = couch("redrive", *where, environment=operator, check=False)
    assert "lighthouse" in listed.stdout, listed.stdout + listed.stderr
    for done in (story, listed):
        assert "not authorized" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_operator_agrees_to_a_model_and_the_pipeline_may_not(deployed, operator, pipeline, cloud, tmp_path):
    cloud.ask("PUT", "/_couch/faults", {"unsubscribed": ["stability.stable-image-core-v1:1"], "latency": 0.0})
    model = {"modelId": "stability.stable-image-core-v1:1"}
    judge = ("run", "smoke_test", "--target", "aws", "-p", "candidate", "42", "-p", "checks", "api", "--out", tmp_path)
    refused = couch(*judge, environment=pipeline, check=False)
    report = json.loads((tmp_path / "smoke_test.json").read_text())
    bedrock = session_of(cloud, operator).client("bedrock", region_name="us-west-2")
    (offer,) = bedrock.list_foundation_model_agreement_offers(**model)["offers"]

    assert refused.returncode == 1
    assert [check["name"] for check in report["checks"] if check["verdict"] == "BAD"] == [
        "agreement to the default model"
    ]
    stranger = session_of(cloud, pipeline).client("bedrock", region_name="us-west-2")
    with pytest.raises(ClientError, match="not authorized to perform: bedrock:CreateFoundationModelAgreement"):
        stranger.create_foundation_model_agreement(**model, offerToken=offer["offerToken"])

    bedrock.create_foundation_model_agreement(**model, offerToken=offer["offerToken"])

    assert bedrock.get_foundation_model_availability(**model)["agreementAvailability"] == {"status": "AVAILABLE"}
    couch(*judge, environment=pipeline)
    for client in (bedrock, stranger):
        client.close()


def test_operator_deploys_nothing(cloud, operator):
    cloudformation = session_of(cloud, operator).client("cloudformation")

    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:DeleteStack"):
        cloudformation.delete_stack(StackName=STACK)
    cloudformation.close()


def test_pipeline_takes_everything_down_again(deployed, pipeline, infra, cloud):
    run(SAM, "delete", "--stack-name", STACK, "--region", REGION, "--no-prompts", environment=pipeline)
    infra("destroy", "-auto-approve")

    assert not [name for name in cloud.client("sqs").list_queues().get("QueueUrls", []) if "couch-explorers" in name]
    assert not cloud.client("lambda").list_functions()["Functions"]
