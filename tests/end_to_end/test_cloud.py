"""The local cloud itself: rights before pictures, models with their lifecycle, and what it answers to bad callers."""

import json
import shutil
import uuid
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from benchmarks.tls_front import make_certificate, tls_front
from couch_explorers.core import image_models
from couch_explorers.core.jobs import message_body
from tests.waiting import wait_until

ACTIVE = "stability.stable-image-core-v1:1"
LEGACY = "amazon.nova-canvas-v1:0"


@pytest.fixture
def visitor(owner):
    """An IAM user without any rights, and a session as that user."""
    iam = owner.client("iam")
    name = f"visitor-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield (
        name,
        boto3.Session(
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], region_name="us-west-2"
        ),
    )
    for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def invoke(session, workspace):
    bedrock = session.client("bedrock-runtime", endpoint_url=workspace.endpoint)
    body = image_models.get(ACTIVE).build_request("A fjord", seed=1)
    return bedrock.invoke_model(modelId=ACTIVE, body=json.dumps(body))


def test_a_caller_without_the_right_gets_no_picture(local_cloud, workspace, visitor):
    _, session = visitor
    calls = local_cloud.stats.calls

    with pytest.raises(ClientError) as refused:
        invoke(session, workspace)

    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert local_cloud.stats.calls == calls


def test_a_caller_with_the_right_gets_a_picture(workspace, owner, visitor):
    name, session = visitor
    statement = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": image_models.get(ACTIVE).arn}
    owner.client("iam").put_user_policy(
        UserName=name,
        PolicyName="paint",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )

    answer = json.load(invoke(session, workspace)["body"])

    assert image_models.get(ACTIVE).read_response(answer)[0].startswith(b"\x89PNG")


def test_a_wrong_secret_gets_no_picture(workspace, visitor):
    _, session = visitor
    impostor = boto3.Session(
        aws_access_key_id=session.get_credentials().access_key, aws_secret_access_key="guessed", region_name="us-west-2"
    )

    with pytest.raises(ClientError) as refused:
        invoke(impostor, workspace)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_the_models_are_listed_with_their_lifecycle(owner):
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetFoundationModel.html."""
    west, east = (owner.client("bedrock", region_name=region) for region in ("us-west-2", "us-east-1"))

    listed = {model["modelId"] for model in west.list_foundation_models()["modelSummaries"]}

    assert ACTIVE in listed
    assert LEGACY not in listed
    assert west.get_foundation_model(modelIdentifier=ACTIVE)["modelDetails"]["modelLifecycle"]["status"] == "ACTIVE"
    assert east.get_foundation_model(modelIdentifier=LEGACY)["modelDetails"]["modelLifecycle"]["status"] == "LEGACY"


def test_an_alarm_over_the_query_protocol_has_every_field(workspace):
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html."""
    name = "couch-explorers-42-oldest-message-age"
    request = AWSRequest(
        "POST",
        workspace.endpoint,
        data={"Action": "DescribeAlarms", "Version": "2010-08-01", "AlarmNames.member.1": name},
    )
    SigV4Auth(workspace.session.get_credentials(), "monitoring", workspace.region).add_auth(request)
    prepared = request.prepare()
    with urlopen(Request(workspace.endpoint, prepared.body.encode(), dict(prepared.headers))) as answer:
        xml = answer.read().decode()

    for field in ("<Period>60</Period>", "<Statistic>Maximum</Statistic>", "<Name>QueueName</Name>", "<OKActions>"):
        assert field in xml
    assert xml.count("<AlarmName>") == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/_couch/faults", '{"nonsense": 1}', 400),
        ("PUT", "/_couch/faults", "no json", 400),
        ("GET", "/_couch/elsewhere", None, 404),
    ],
)
def test_the_clouds_own_addresses_tell_what_they_take(workspace, method, path, body, status):
    request = Request(workspace.endpoint + path, body.encode() if body else None, method=method)

    with pytest.raises(HTTPError) as refused:
        urlopen(request)

    assert refused.value.code == status
    assert json.load(refused.value)["error"]


def test_the_queues_policy_demands_tls_as_on_aws(workspace):
    policy = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=["Policy"])

    [statement] = json.loads(policy["Attributes"]["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed, which makes the certificate")
def test_queue_takes_a_job_over_tls(local_cloud, workspace, keys, tmp_path):
    """Over plain HTTP it would refuse it on AWS: here the loopback address counts as TLS (test_account.py asks the policy)."""
    certificate, key = make_certificate(tmp_path)
    body = message_body("A fjord", id="over-tls", size="512x512")

    with (
        tls_front("127.0.0.1", local_cloud.port, certificate, key) as address,
        closing(workspace.session.client("sqs", endpoint_url=address, verify=str(certificate))) as sqs,
    ):
        sqs.send_message(QueueUrl=workspace.queue_url, MessageBody=body)

    assert wait_until(lambda: keys("over-tls.png"), what="the picture")


def test_the_log_of_the_worker_tells_a_jobs_story(local_cloud, workspace, keys):
    local_cloud.send(workspace, id="in-the-log")
    wait_until(lambda: keys("in-the-log.png"), what="the picture")
    logs = workspace.client("logs")

    def found():
        events = logs.filter_log_events(
            logGroupName="/aws/lambda/couch-explorers-42-worker", filterPattern='"in-the-log"'
        )
        return [event["message"] for event in events["events"]]

    messages = wait_until(found, what="the log line")
    assert any("Picture stored" in message for message in messages)


@pytest.mark.parametrize("fault", ["nonsense=1", "throttle=2", "latency=soon", "retired=no.such-model"])
def test_a_fault_that_is_none_is_a_usage_error_with_what_is_accepted(local_cloud, workspace, fault):
    done = local_cloud.couch("faults", fault, check=False)

    assert done.returncode == 2
    assert "throttle=0.2" in done.stderr or "stability.stable-image-core-v1:1" in done.stderr
    assert local_cloud.couch("faults").stdout.strip() == "no faults"
