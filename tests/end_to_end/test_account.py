"""An empty account is prepared, deployed to, judged and cleared under the policies in `policies/`, never as root.

Each call is recorded with the rights that it took. grants.toml says for each right of a policy which program needs it: a right that none
does fails here, as does a new one without a row. `make rights` makes the calls again, each without one of its rights.
"""

import base64
import io
import json
import subprocess
import sys
import time
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from couch_explorers.aws.bootstrap import GITHUB, Account, plan, render, subject
from couch_explorers.aws.errors import error_code, is_access_denied
from couch_explorers.local import terraform
from couch_explorers.local.engine.authorization.conditions import ConditionContext
from couch_explorers.local.engine.authorization.policies import (
    AccessRequest,
    Principal,
    PrincipalPolicies,
    decide,
    parse_policy,
)
from couch_explorers.local.settings import ACCOUNT_ID, tool_environment
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.workspace import EndpointSession, local_session
from tests import account
from tests.local.engine.conftest import serve
from tests.waiting import wait_until

COUCH = str(Path(sys.executable).with_name("couch"))
SAM = str(Path(sys.executable).with_name("sam"))
BUCKET, STATE_BUCKET, REGION = "my-images", "my-state", "eu-west-1"
ACCOUNT = Account(ACCOUNT_ID, "42", bucket=BUCKET, state_bucket=STATE_BUCKET)
TRUSTED = subject("octocat/couch", "1", "2")
STACK = "couch-explorers-42-api"
WHERE = ("--target", "aws", "--candidate", "42")
MODELS = tuple(
    f"arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-{name}-v1:1" for name in ("core", "ultra")
)
RECORDER = Path(__file__).parent / "recorder"
TABLE = Path(__file__).with_name("grants.toml")
# Why a right is in a policy although no program here needs it.
UNTRIED = "not tried: "
PIPELINE, OPERATOR = f"role/{ACCOUNT.role_name}", "user/kari"
# Who has which policy, and which of the programs that they run it is for.
HELD = {"deploy": {PIPELINE}, "judge": {PIPELINE, OPERATOR}, "operator": {OPERATOR}}
DEPLOYS = ("deploy", "update", "take-down")


def run(*command, environment, folder=PROJECT_ROOT, check=True):
    done = subprocess.run(
        list(map(str, command)), env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    if check:
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done


class Calls:
    """The calls that were allowed, with the program that made each."""

    def __init__(self, file):
        self.file = file

    def begin(self, program):
        """What is called from here on by a service for somebody, CloudFormation for instance, is called for this program."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"begin": program}) + "\n")

    def read(self):
        program, found = "", []
        for line in self.file.read_text(encoding="utf-8").splitlines():
            call = json.loads(line)
            if "begin" in call:
                program = call["begin"]
            else:
                found.append(call | {"program": call["program"] or program})
        return found

    def by_grant(self, policy):
        """The calls that took each of a policy's rights, by statement and action."""
        held = [(sid, action, resources) for sid, action, resources in grants(policy)]
        found = {}
        for call in self.read():
            if call["principal"].rpartition(":")[2] not in HELD[policy]:
                continue
            # The pipeline deploys and judges: by one policy each.
            if (call["program"] in DEPLOYS) != (policy == "deploy"):
                continue
            for taken, *asked in call["permissions"]:
                for sid, action, resources in held:
                    if taken.lower() == action.lower() and any(
                        fnmatchcase(one, pattern) for one in asked for pattern in resources
                    ):
                        found.setdefault((sid, action), []).append(call)
        return found


def grants(policy):
    """Each right of a policy: (statement, action, resources)."""
    for statement in render(policy, ACCOUNT)["Statement"]:
        for action in listed(statement["Action"]):
            yield statement["Sid"], action, listed(statement["Resource"])


def listed(value):
    return [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    return Calls(tmp_path_factory.mktemp("calls") / "allowed.jsonl")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, calls):
    recording = {"COUCH_RECORD_CALLS": str(calls.file)}
    with serve(tmp_path_factory.mktemp("account"), environment=recording, path=[RECORDER]) as cloud:
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

    def terraform_run(program, *words):
        tagged = environment | {"AWS_SDK_UA_APP_ID": program}
        return run(tool.program, *words, "-no-color", environment=tagged, folder=folder / "infra")

    backend = ("key=42/couch-explorers.tfstate", f"bucket={STATE_BUCKET}", "use_path_style=true")
    terraform_run(
        "deploy", "init", "-reconfigure", *tool.source.arguments, *(f"-backend-config={each}" for each in backend)
    )
    return terraform_run


@pytest.fixture(scope="module")
def sam(pipeline, tmp_path_factory):
    """Deploy the API, built once, with more parameters."""
    build, folder = tmp_path_factory.mktemp("sam"), PROJECT_ROOT / "sam_lambda"
    run(SAM, "build", "--build-dir", build, environment=pipeline, folder=folder)

    def deploy(program, commit, **parameters):
        given = {"CandidateNumber": "42", "BucketName": BUCKET, "PermissionsBoundary": ACCOUNT.policy_arn("boundary")}
        run(
            *(SAM, "deploy", "--template-file", build / "template.yaml", "--stack-name", STACK, "--tags", f"commit={commit}"),
            *("--config-file", folder / "samconfig.toml", "--s3-prefix", "couch-explorers-42", "--no-confirm-changeset"),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in (given | parameters).items())),
            environment=pipeline | {"AWS_SDK_UA_APP_ID": program}, folder=folder,
        )  # fmt: skip

    return deploy


def side_by_side(*tasks):
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(*task) for task in tasks]
    return [each.result() for each in made]


@pytest.fixture(scope="module")
def deployed(sam, infra, calls):
    """Both stacks, deployed as the workflows do, and then again with other settings."""
    calls.begin("deploy")
    side_by_side((sam, "deploy", "abc1234"), (infra, "deploy", "apply", "-auto-approve"))
    calls.begin("update")
    changed = {
        "model_arns": json.dumps(list(MODELS)),
        "maximum_concurrency": 3,
        "oldest_message_age_threshold_s": 400,
        "commit": "def5678",
    }
    variables = [f"-var={name}={value}" for name, value in changed.items()]
    side_by_side(
        (lambda: sam("update", "def5678", ModelArns=",".join(MODELS)),),
        (infra, "update", "apply", "-auto-approve", *variables),
    )


def couch(*words, environment, check=True):
    program = words[1] if words[0] == "run" else words[0]
    return run(COUCH, *words, environment=environment | {"AWS_SDK_UA_APP_ID": program}, check=check)


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


NOTEBOOKS = {
    "smoke_test": (),
    "metric_review": ("hours", 3),
    "prompt_exploration": ("seeds", "[42]"),
    "exam_report": ("hours", 3),
    "capacity_planning": ("replay_hours", 3),
}


# What a replay needs, which CloudWatch has some minutes after the jobs of the smoke test.
REPLAYED = (
    ("AWS/SQS", "NumberOfMessagesSent", {"Name": "QueueName", "Value": "couch-explorers-42-jobs"}),
    ("AWS/Lambda", "Duration", {"Name": "FunctionName", "Value": "couch-explorers-42-worker"}),
)


@pytest.fixture(scope="module")
def judged(deployed, pipeline, operator, cloud, tmp_path_factory):
    """The reports of all notebooks: those that a workflow runs by its role, the others by somebody on call."""
    folder = tmp_path_factory.mktemp("reports")

    def judge(notebook):
        who = operator if notebook in {"exam_report", "capacity_planning"} else pipeline
        parameters = ("-p", *NOTEBOOKS[notebook]) if NOTEBOOKS[notebook] else ()
        words = ("run", notebook, "--target", "aws", "-p", "candidate", "42", *parameters, "--out", folder)
        done = couch(*words, environment=who, check=False)
        return done, json.loads((folder / f"{notebook}.json").read_text())

    def replay(notebook):
        cloudwatch = cloud.client("cloudwatch")
        wait_until(lambda: all(is_measured(cloudwatch, *metric) for metric in REPLAYED), within_s=300, what="metrics")
        return judge(notebook)

    # The others look at the pictures that the smoke test has made.
    first = judge("smoke_test")
    others = {name: replay if name == "capacity_planning" else judge for name in NOTEBOOKS if name != "smoke_test"}
    made = side_by_side(*((run_it, name) for name, run_it in others.items()))
    return {"smoke_test": first} | dict(zip(others, made, strict=True))


def is_measured(cloudwatch, namespace, metric, dimension):
    """Whether CloudWatch has any of a metric in a minute that is over."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName=metric, Dimensions=[dimension], StartTime=now - timedelta(hours=3), EndTime=now,
        Period=60, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    # Of a queue nothing is measured, too: as 0.
    return any(point["Sum"] > 0 for point in points)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_runs_under_the_policies(judged, notebook):
    done, report = judged[notebook]

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"s3://{BUCKET}/42/" in json.dumps(report) or notebook != "smoke_test"
    for text in (json.dumps(report["checks"]), done.stdout, done.stderr):
        assert "not authorized" not in text
        assert "o right" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("status", *WHERE),
        ("deliverables", *WHERE, "--repository", "octocat/couch"),
        ("paint", "a lighthouse in fog", *WHERE),
        ("paint", "a lighthouse in rain", "--via", "queue", *WHERE),
    ],
)
def test_command_runs_under_the_operators_policies(deployed, operator, tmp_path, words):
    done = couch(*words, environment=operator)

    assert "not authorized" not in done.stdout + done.stderr
    assert "couch-explorers-42" in done.stdout or f"s3://{BUCKET}/42/" in done.stdout


@pytest.fixture(scope="module")
def operator(cloud, prepared, surroundings):
    """The environment of somebody on call: an IAM user with the policies `judge` and `operator`."""
    owner = local_session(cloud.endpoint)
    return surroundings | account.make_user(owner, ACCOUNT, "kari", account.OPERATOR)


@pytest.fixture(scope="module")
def redriven(judged, operator, cloud):
    """What `couch job` and `couch redrive` say of a job that failed permanently; nothing is wrong any more when it is sent back."""
    cloud.ask("PUT", "/_couch/faults", {"retired": ["stability.stable-image-core-v1:1"], "latency": 0.0})
    sqs = session_of(cloud, operator).client("sqs")
    url = sqs.get_queue_url(QueueName="couch-explorers-42-jobs")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"prompt": "a lighthouse", "id": "lighthouse"}')
    dead = sqs.get_queue_url(QueueName="couch-explorers-42-jobs-dead-letter")["QueueUrl"]
    count = "ApproximateNumberOfMessages"
    wait_until(
        lambda: int(sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[count])["Attributes"][count]),
        within_s=180,
        what="the dead letter",
    )
    # Whether this one would fail again, IAM is asked.
    denied = {"reason": "AccessDenied", "detail": "No right to call the model.", "job_id": "harbour"}
    cloud.client("sqs").send_message(
        QueueUrl=dead,
        MessageBody='{"prompt": "a harbour", "id": "harbour"}',
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in denied.items()},
    )
    story = couch("job", "lighthouse", *WHERE, environment=operator, check=False)
    cloud.ask("PUT", "/_couch/faults", {"latency": 0.0})
    sent = couch("redrive", "--force", *WHERE, environment=operator, check=False)
    picture = cloud.client("s3")
    wait_until(
        lambda: picture.list_objects_v2(Bucket=BUCKET, Prefix="42/lighthouse.png")["KeyCount"],
        within_s=180,
        what="the picture",
    )
    sqs.close()
    return story, sent


def test_operator_follows_a_job_and_sends_it_back(redriven):
    story, sent = redriven

    assert "ModelRetired" in story.stdout, story.stdout + story.stderr
    assert "lighthouse" in sent.stdout, sent.stdout + sent.stderr
    assert "The worker's role may call bedrock:InvokeModel" in " ".join(sent.stdout.split())
    for done in redriven:
        assert "not authorized" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def agreed(redriven, operator, pipeline, cloud, calls, tmp_path_factory):
    """A smoke test by the pipeline before and after somebody on call has agreed to the model; then the agreement is ended."""
    calls.begin("agreement")
    folder = tmp_path_factory.mktemp("agreement")
    judge = ("run", "smoke_test", "--target", "aws", "-p", "candidate", "42", "-p", "checks", "api", "--out", folder)
    cloud.ask("PUT", "/_couch/faults", {"unsubscribed": ["stability.stable-image-core-v1:1"], "latency": 0.0})
    before = couch(*judge, environment=pipeline, check=False)
    report = json.loads((folder / "smoke_test.json").read_text())
    bedrock = session_of(cloud, operator).client("bedrock", region_name="us-west-2")
    model = {"modelId": "stability.stable-image-core-v1:1"}
    (offer,) = bedrock.list_foundation_model_agreement_offers(**model)["offers"]
    stranger = session_of(cloud, pipeline).client("bedrock", region_name="us-west-2")
    with pytest.raises(ClientError, match="not authorized to perform: bedrock:CreateFoundationModelAgreement"):
        stranger.create_foundation_model_agreement(**model, offerToken=offer["offerToken"])
    bedrock.create_foundation_model_agreement(**model, offerToken=offer["offerToken"])
    available = bedrock.get_foundation_model_availability(**model)["agreementAvailability"]
    after = couch(*judge, environment=pipeline, check=False)
    bedrock.delete_foundation_model_agreement(**model)
    cloud.ask("PUT", "/_couch/faults", {"latency": 0.0})
    for client in (bedrock, stranger):
        client.close()
    return before, report, available, after


def test_operator_agrees_to_a_model_and_the_pipeline_may_not(agreed):
    before, report, available, after = agreed

    assert before.returncode == 1
    assert [check["name"] for check in report["checks"] if check["verdict"] == "BAD"] == [
        "agreement to the default model"
    ]
    assert available == {"status": "AVAILABLE"}
    assert after.returncode == 0, after.stdout + after.stderr


def test_operator_deploys_nothing(cloud, operator, deployed):
    cloudformation = session_of(cloud, operator).client("cloudformation")

    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:DeleteStack"):
        cloudformation.delete_stack(StackName=STACK)
    cloudformation.close()


@pytest.fixture(scope="module")
def other_candidate(cloud, deployed):
    """Somebody else's picture in the same bucket, and the queue that it came from."""
    cloud.client("s3").put_object(Bucket=BUCKET, Key="421/theirs.png", Body=b"theirs")
    return cloud.client("sqs").create_queue(QueueName="couch-explorers-421-jobs")["QueueUrl"]


THEIRS = {
    "read": ("s3", "get_object", {"Key": "421/theirs.png"}),
    "write": ("s3", "put_object", {"Key": "421/mine.png", "Body": b"mine"}),
    "delete": ("s3", "delete_object", {"Key": "421/theirs.png"}),
    "list": ("s3", "list_objects_v2", {"Prefix": "421/"}),
    "list from the middle of a number": ("s3", "list_objects_v2", {"Prefix": "42"}),
    "list all": ("s3", "list_objects_v2", {}),
}


@pytest.mark.parametrize("who", ["operator", "pipeline"])
@pytest.mark.parametrize("what", THEIRS)
def test_prefix_of_another_candidate_is_refused(cloud, other_candidate, request, who, what):
    service, operation, parameters = THEIRS[what]
    client = session_of(cloud, request.getfixturevalue(who)).client(service)

    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(Bucket=BUCKET, **parameters)

    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    client.close()


@pytest.mark.parametrize("function", ["couch-explorers-42-generate-image", "couch-explorers-42-worker"])
@pytest.mark.parametrize("what", THEIRS)
def test_functions_reach_no_prefix_of_another_candidate(cloud, other_candidate, function, what):
    role = cloud.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    given = as_role(cloud, role)
    service, operation, parameters = THEIRS[what]

    with pytest.raises(ClientError) as refused:
        getattr(given.client(service), operation)(Bucket=BUCKET, **parameters)

    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def as_role(cloud, role):
    """A session of an execution role, whose trust policy is opened for as long as it takes to assume it."""
    iam, name = cloud.client("iam"), role.rpartition("/")[2]
    trusted = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    open_to_all = document(Action="sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(open_to_all))
    try:
        given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="tried")["Credentials"]
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))
    return session_of(cloud, keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))


@pytest.mark.parametrize("who", ["nobody", "a user without policies", "another account"])
def test_queue_is_open_to_no_other_principal(cloud, deployed, who):
    url = cloud.client("sqs").get_queue_url(QueueName="couch-explorers-42-jobs")["QueueUrl"]
    if who == "nobody":
        given = boto3.Session(region_name=REGION)
        client = given.client("sqs", endpoint_url=cloud.endpoint, config=Config(signature_version=UNSIGNED))
    elif who == "another account":
        # The local cloud takes twelve digits as the root of that account.
        client = session_of(cloud, keys("111111111111", "local")).client("sqs")
    else:
        made = account.make_user(local_session(cloud.endpoint), ACCOUNT, "stranger", ())
        client = session_of(cloud, made).client("sqs")
    calls = {
        "send_message": {"MessageBody": "a lighthouse"},
        "receive_message": {},
        "purge_queue": {},
        "get_queue_attributes": {"AttributeNames": ["All"]},
    }

    for operation, parameters in calls.items():
        with pytest.raises(ClientError) as refused:
            getattr(client, operation)(QueueUrl=url, **parameters)
        assert error_code(refused.value) == "AccessDenied", operation
    client.close()


@pytest.mark.parametrize("queue", ["couch-explorers-42-jobs", "couch-explorers-42-jobs-dead-letter"])
@pytest.mark.parametrize("action", ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueAttributes"])
def test_queue_refuses_plain_http_by_its_policy(cloud, deployed, queue, action):
    sqs = cloud.client("sqs")
    found = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], AttributeNames=["QueueArn", "Policy"]
    )["Attributes"]
    owner = Principal("Root", ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root")

    # The loopback address counts as TLS, so that what would be refused is asked of the policy alone.
    def decision(over_tls):
        request = AccessRequest(
            action, (found["QueueArn"],), ConditionContext({"aws:SecureTransport": str(over_tls).lower()})
        )
        return decide(request, owner, PrincipalPolicies(), parse_policy(found["Policy"]), ACCOUNT_ID)

    assert decision(over_tls=True).allowed
    assert "explicit deny" in decision(over_tls=False).reason


@pytest.fixture(scope="module")
def taken_down(agreed, other_candidate, pipeline, infra, calls):
    """Both stacks, removed by the pipeline."""
    calls.begin("take-down")
    delete = (SAM, "delete", "--stack-name", STACK, "--region", REGION, "--no-prompts")
    tagged = pipeline | {"AWS_SDK_UA_APP_ID": "take-down"}
    side_by_side((lambda: run(*delete, environment=tagged),), (lambda: infra("take-down", "destroy", "-auto-approve"),))
    calls.begin("afterwards")


def test_pipeline_takes_everything_down_again(taken_down, cloud):
    queues = cloud.client("sqs").list_queues().get("QueueUrls", [])

    assert [url.rpartition("/")[2] for url in queues] == ["couch-explorers-421-jobs"]
    assert not cloud.client("lambda").list_functions()["Functions"]


def table():
    """What each right is for, by (policy, statement, action)."""
    return {
        (policy, sid, action): program
        for policy, statements in tomllib.loads(TABLE.read_text(encoding="utf-8")).items()
        for sid, actions in statements.items()
        for action, program in actions.items()
    }


GRANTS = [(policy, sid, action) for policy in HELD for sid, action, _ in grants(policy)]


@pytest.mark.parametrize("policy", HELD)
def test_every_right_is_needed_by_the_program_in_the_table(taken_down, calls, policy):
    used = calls.by_grant(policy)
    rows = {row[1:]: program for row, program in table().items() if row[0] == policy}

    wrong = {
        f"{sid} {action}": (program, sorted({call["program"] for call in used.get((sid, action), ())}))
        for (sid, action), program in rows.items()
        if program.startswith(UNTRIED) == bool(used.get((sid, action)))
        or (not program.startswith(UNTRIED) and program not in {call["program"] for call in used[sid, action]})
    }

    assert wrong == {}


TRIED = [row for row in GRANTS if not table().get(row, UNTRIED).startswith(UNTRIED)]
# Of each policy the first: the sample of `make test ALL=1`.
SAMPLE = [next(row for row in TRIED if row[0] == policy) for policy in HELD]


@pytest.fixture(scope="module")
def holders(cloud, prepared):
    """A user for each policy, with that policy alone."""
    owner = local_session(cloud.endpoint)
    return {policy: account.make_user(owner, ACCOUNT, f"{policy}-alone", (policy,)) for policy in HELD}


@pytest.mark.parametrize(
    ("policy", "sid", "action"),
    [
        pytest.param(*row, id=" ".join(row), marks=() if row in SAMPLE else pytest.mark.rights)
        for row in dict.fromkeys((*SAMPLE, *TRIED))
    ],
)
def test_call_is_refused_without_the_right(taken_down, cloud, calls, holders, mapping, policy, sid, action):
    session = session_of(cloud, holders[policy])
    whole = render(policy, ACCOUNT)
    less = json.loads(json.dumps(whole))
    (statement,) = (each for each in less["Statement"] if each["Sid"] == sid)
    statement["Action"] = [each for each in listed(statement["Action"]) if each != action]
    less["Statement"] = [each for each in less["Statement"] if each["Action"]]
    program = table()[policy, sid, action]
    made = {
        json.dumps([call["operation"], call["parameters"]], sort_keys=True): call
        for call in calls.by_grant(policy)[sid, action]
        if call["program"] == program
    }

    again = [put_back(cloud, mapping, call) for call in made.values()]
    replace_policy(cloud, policy, less)
    try:
        without = next((call for call in again if is_refused(session, call)), None)
    finally:
        replace_policy(cloud, policy, whole)

    assert without is not None, (
        f"another statement allows all of {sorted({call['operation'] for call in made.values()})}"
    )
    assert not is_refused(session, without)


@pytest.fixture(scope="module")
def mapping(taken_down, cloud):
    """Give the UUID of a mapping of one of the candidate's functions, made again where it is gone: it decides who may change it."""
    iam, functions, name = cloud.client("iam"), cloud.client("lambda"), "couch-explorers-42-of-the-mapping"
    trusted = json.dumps(document(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"}))
    role = iam.create_role(RoleName="of-the-mapping", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="of-the-mapping", PolicyName="reads", PolicyDocument=json.dumps(document(Action="sqs:*", Resource="*"))
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): pass")
    functions.create_function(
        FunctionName=name, Role=role, Runtime="python3.12", Handler="app.handler", Code={"ZipFile": archive.getvalue()}
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.2})
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="of-the-mapping")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def found():
        return functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]

    def uuid():
        wait_until(lambda: all(each["State"] != "Deleting" for each in found()), within_s=60, what="the deletion")
        made = found() or [functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, Enabled=False)]
        return made[0]["UUID"]

    return uuid


def put_back(cloud, mapping, call):
    """Make again what decides on the call, and was taken down: the role with its boundary, or the mapping."""
    if "EventSourceMapping" in call["operation"] and "UUID" in call["parameters"]:
        return call | {"parameters": call["parameters"] | {"UUID": mapping()}}
    if call["operation"] == "DeleteRolePolicy":
        iam, trusted = (
            cloud.client("iam"),
            document(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"}),
        )
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=call["parameters"]["RoleName"],
                AssumeRolePolicyDocument=json.dumps(trusted),
                PermissionsBoundary=ACCOUNT.policy_arn("boundary"),
            )
    return call


def replace_policy(cloud, policy, document):
    iam, arn = cloud.client("iam"), ACCOUNT.policy_arn(policy)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)


# What belongs to a body, which is not recorded.
OF_A_BODY = ("ContentLength", "ContentMD5", "Checksum")


def is_refused(session, call):
    """Make a recorded call again, without its body; whether it is refused for want of a right."""
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    client = session.client(call["service"], region_name=call["region"], config=config)
    given = {name: value for name, value in call["parameters"].items() if not name.startswith(OF_A_BODY)}
    try:
        getattr(client, xform_name(call["operation"]))(**given)
    except ClientError as error:
        # HEAD has no body to tell the code in.
        return is_access_denied(error) or error_code(error) == "403"
    finally:
        client.close()
    return False
