"""The target `aws` on moto server, an emulator of AWS by other people: what it has is read as on AWS, what it lacks is named.

It serves what the templates deploy, made here by boto3: its provider of SAM's transform and its functions need Docker.
"""

import io
import json
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from couch_explorers import metrics, smoke
from couch_explorers import workspace as workspaces
from couch_explorers.checks import Verdict
from couch_explorers.deliverables.collect import collect
from couch_explorers.oncall import redrive
from couch_explorers.oncall.job_timeline import trace
from tests.bare_cloud import free_port

from .conftest import COUCH

MOTO = str(Path(sys.executable).with_name("moto_server"))
# Not the course's: what is read must come from the deploy.
REGION, BUCKET, CANDIDATE = "eu-north-1", "my-images", "7"
STEM = f"couch-explorers-{CANDIDATE}"
QUEUE, DEAD_LETTERS, TOPIC = f"{STEM}-jobs", f"{STEM}-jobs-dead-letter", f"{STEM}-alarms"
API_FUNCTION, WORKER = f"{STEM}-generate-image", f"{STEM}-worker"
MODEL = "stability.stable-image-core-v1:1"
MODEL_ARN = f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}"
WATCHED = {
    "oldest-message-age": ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
    "time-to-picture": ("CouchExplorers", "TimeToPicture"),
    "dead-letters": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    "worker-errors": ("AWS/Lambda", "Errors"),
    "failed-jobs": ("CouchExplorers", "FailedJobs"),
}
READY_WITHIN_S = 60
AGE_S = 45.0
# Nothing is asked again: what moto lacks, it lacks the second time, too. At the first call of a service moto loads it, which takes
# seconds of its processor.
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=300)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The variables of somebody who works on moto, which is started for it."""
    log, url = tmp_path_factory.mktemp("moto") / "log", f"http://127.0.0.1:{(port := free_port())}"
    with log.open("wb") as written:
        server = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=written, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + READY_WITHIN_S
    try:
        while True:
            try:
                urlopen(f"{url}/moto-api/data.json", timeout=5).close()
                break
            except URLError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "COUCH_HOME": str(tmp_path_factory.mktemp("home")),
        }
    finally:
        # It keeps nothing.
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def moto(environment):
    """Makes clients of moto; this process is the person who works on it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "COUCH_REGION"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield lambda service, region=REGION: boto3.client(service, region_name=region, config=ONCE)


@pytest.fixture(scope="module")
def workspace(moto):
    """The deployed system, as it is found by its names."""
    make_queue(moto)
    make_api(moto)
    return workspaces.connect("aws", CANDIDATE, REGION)


def make_queue(moto):
    """Make what `infra/` makes."""
    moto("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    sqs, sns, functions, cloudwatch = moto("sqs"), moto("sns"), moto("lambda"), moto("cloudwatch")
    dead = sqs.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive_policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "360", "RedrivePolicy": redrive_policy})
    topic = sns.create_topic(Name=TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="standup@couch-explorers.example")
    make_function(moto, functions, WORKER)
    for name, (namespace, metric) in WATCHED.items():
        cloudwatch.put_metric_alarm(
            AlarmName=f"{STEM}-{name}", Namespace=namespace, MetricName=metric, Statistic="Maximum", Period=60,
            EvaluationPeriods=1, Threshold=300, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
            TreatMissingData="notBreaching", Dimensions=[{"Name": "QueueName", "Value": QUEUE}],
        )  # fmt: skip


def make_api(moto):
    """Make what `sam_lambda/` makes, as far as its outputs tell."""
    address = "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod/generate-image"
    template = {
        "Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": f"{STEM}-api"}}},
        "Outputs": {"ApiUrl": {"Value": {"Fn::Sub": address}}, "FunctionName": {"Value": API_FUNCTION}},
    }
    moto("cloudformation").create_stack(StackName=f"{STEM}-api", TemplateBody=json.dumps(template))
    make_function(moto, moto("lambda"), API_FUNCTION)


def make_function(moto, functions, name):
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = moto("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("app.py", "def lambda_handler(event, context): return {}")
    functions.create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="app.lambda_handler", Timeout=60,
        Code={"ZipFile": archive.getvalue()}, Environment={"Variables": {"BUCKET_NAME": BUCKET, "MODEL_ARNS": MODEL_ARN}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def judged(moto, workspace):
    """The review of an hour in which one job a minute went through, and the smoke test: both wait for what moto lacks."""
    now = datetime.now(UTC)
    dimensions = [{"Name": "QueueName", "Value": QUEUE}]
    measured = {"ApproximateAgeOfOldestMessage": AGE_S, "NumberOfMessagesSent": 1.0, "NumberOfMessagesDeleted": 1.0}
    points = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": now - timedelta(minutes=minute), "Value": value}
        for minute in range(1, 60)
        for name, value in measured.items()
    ]
    # On AWS nobody but AWS writes into AWS/SQS.
    moto("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=points)

    def review():
        return metrics.review(metrics.fetch_hours(workspace, 1)).set_index("check")

    def smoke_test():
        found = smoke.start(workspace, prompt="A jeep", prompts=("A jeep",), timeout_s=5)
        return {check.name: check for check in found.checks}

    with ThreadPoolExecutor() as pool:
        return [each.result() for each in (pool.submit(review), pool.submit(smoke_test))]


@pytest.fixture(scope="module")
def review(judged):
    return judged[0]


@pytest.fixture(scope="module")
def smoke_test(judged):
    return judged[1]


def test_everything_is_found_by_its_name_and_the_bucket_by_the_functions_setting(workspace):
    endpoint = workspace.endpoint

    assert (workspace.target, workspace.region, workspace.bucket, workspace.prefix) == (
        "aws",
        REGION,
        BUCKET,
        CANDIDATE,
    )
    assert workspace.api_url.startswith(f"{endpoint}/_aws/execute-api/")
    assert workspace.api_url.endswith("/prod/generate-image")
    assert (workspace.queue_url.rsplit("/", 1)[1], workspace.dead_letter_url.rsplit("/", 1)[1]) == (QUEUE, DEAD_LETTERS)
    assert workspace.functions == {"api": API_FUNCTION, "worker": WORKER}
    assert set(workspace.alarms) == {f"{STEM}-{name}" for name in WATCHED}
    assert workspace.topic_arn == f"arn:aws:sns:{REGION}:123456789012:{TOPIC}"
    assert workspace.model_arns == (MODEL_ARN,)


def test_nothing_is_found_in_another_region_or_for_another_candidate(workspace):
    for other in (
        workspaces.connect("aws", CANDIDATE, "eu-west-1"),
        workspaces.connect("aws", CANDIDATE + "1", REGION),
    ):
        assert (other.api_url, other.queue_url, other.topic_arn, other.functions, other.alarms) == (
            *(None, None, None),
            *({}, ()),
        )


def test_status_lists_what_is_deployed(workspace, environment):
    words = ("status", "--target", "aws", "--candidate", CANDIDATE, "--region", REGION, "--json")

    done = subprocess.run([COUCH, *words], env=environment, capture_output=True, text=True, check=True, timeout=120)

    assert json.loads(done.stdout) == json.loads(json.dumps(workspace.to_json()))


def test_review_reads_the_queues_metrics_and_alarms(review):
    age = review.loc["oldest job waiting"]

    assert (age.verdict, age.value, age.threshold) == ("OK", AGE_S, 300.0)
    assert (review.loc["dead-letter queue"].verdict, review.loc["dead-letter queue"].value) == ("OK", 0.0)
    assert review.loc["worker duration"].verdict == "NO DATA"


def test_review_says_what_could_not_be_read(review):
    row = review.loc["data"]

    assert row.verdict == "NO DATA"
    assert "cloudwatch:DescribeAlarmHistory" in row.reason
    # moto's page of an error is no sentence.
    assert "<" not in "".join(review.reason + review.action)


def test_job_is_followed_to_the_dead_letters_and_sent_back(moto, workspace):
    sqs = moto("sqs")
    attributes = {"job_id": "lighthouse", "reason": "Throttled", "detail": "Too many requests."}
    body = json.dumps({"prompt": "a lighthouse", "id": "lighthouse"})
    sqs.send_message(
        QueueUrl=workspace.dead_letter_url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    moto("s3").put_object(Bucket=BUCKET, Key=f"{CANDIDATE}/lighthouse.error.json", Body=json.dumps(attributes).encode())

    story = trace(workspace, "lighthouse")
    report = redrive.run(workspace)

    assert (story.job_id, story.status.reason, story.request["prompt"]) == ("lighthouse", "Throttled", "a lighthouse")
    assert [outcome.result.value for outcome in report.outcomes] == ["sent back"]
    (message,) = sqs.receive_message(QueueUrl=workspace.queue_url)["Messages"]
    assert json.loads(message["Body"]) == json.loads(body)
    assert "Messages" not in sqs.receive_message(QueueUrl=workspace.dead_letter_url)


def test_deliverables_name_the_deployed_addresses(workspace, tmp_path):
    facts = collect(workspace, {}, tmp_path)

    assert (facts.api_url, facts.queue_url, facts.region) == (workspace.api_url, workspace.queue_url, REGION)
    assert (facts.alarm.name, facts.alarm.threshold) == (f"{STEM}-oldest-message-age", 300)


def test_smoke_test_judges_up_to_what_moto_has(smoke_test):
    verdicts = {name: check.verdict for name, check in smoke_test.items()}

    assert verdicts == {
        "identity and region": Verdict.OK,
        f"model {MODEL} (default)": Verdict.BAD,
        "SDK of the api Lambda": Verdict.BAD,
        "SDK of the worker Lambda": Verdict.BAD,
        "agreement to the default model": Verdict.WARN,
        "api": Verdict.SKIPPED,
        "queue": Verdict.SKIPPED,
        "alarms exist and act": Verdict.OK,
        "alarms reach a subscriber": Verdict.OK,
    }
    assert "a web page came in place of AWS's answer" in smoke_test[f"model {MODEL} (default)"].detail


# What moto 5.2 lacks or answers otherwise than AWS. When one of these fails, moto has caught up: let the smoke test go further.


@pytest.mark.parametrize(
    ("service", "region", "operation", "arguments"),
    [
        ("cloudwatch", REGION, "describe_alarm_history", {}),
        ("bedrock", "us-west-2", "get_foundation_model", {"modelIdentifier": MODEL}),
        ("bedrock", "us-west-2", "get_foundation_model_availability", {"modelId": MODEL}),
    ],
)
def test_moto_lacks_the_operation(moto, service, region, operation, arguments):
    with pytest.raises(ClientError) as refused:
        getattr(moto(service, region), operation)(**arguments)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_moto_makes_no_image(moto):
    answer = moto("bedrock-runtime", "us-west-2").invoke_model(modelId=MODEL, body=b"{}")

    # AWS refuses a body without a prompt.
    assert json.loads(answer["body"].read()) == {}


def test_moto_runs_no_function_without_docker(moto, workspace):
    answer = moto("lambda").invoke(FunctionName=workspace.functions["worker"], Payload=b"{}")

    # AWS's payload is JSON, whatever went wrong.
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer["Payload"].read())


def test_moto_serves_no_deployed_api(workspace):
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(workspace.api_url, b"A jeep", method="POST"), timeout=30)

    assert refused.value.code == 500
    refused.value.close()


def test_moto_confirms_an_address_that_nobody_has_confirmed(moto, workspace):
    (subscription,) = moto("sns").list_subscriptions_by_topic(TopicArn=workspace.topic_arn)["Subscriptions"]

    # AWS: "PendingConfirmation" until the owner clicks the link (SNS API reference, Subscribe).
    assert subscription["SubscriptionArn"].startswith(workspace.topic_arn)


def test_moto_checks_no_rights(moto, workspace):
    key = moto("iam").create_access_key(UserName=moto("iam").create_user(UserName="eve")["User"]["UserName"])
    stranger = boto3.client(
        "sqs",
        region_name=REGION,
        aws_access_key_id=key["AccessKey"]["AccessKeyId"],
        aws_secret_access_key="wrong",
    )

    # AWS refuses both the signature and the right.
    assert stranger.get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=["QueueArn"])["Attributes"]
