"""The worker of the exam's shape, deployed beside ours on the same local cloud: queue, dead-letter queue, role, function."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from couch_explorers.core import image_models
from couch_explorers.local.settings import StackSettings
from couch_explorers.workspace import Workspace

NAME = "exam-worker"
CODE = Path(__file__).resolve().parent / "exam_worker" / "lambda_sqs.py"
MODEL = "amazon.titan-image-generator-v1"
PREFIX = "images/"
# What Lambda takes when nobody says otherwise.
BATCH_SIZE = 10
# Ten pictures one after the other, while 60 % of the calls are refused and asked again with growing waits: half of all batches take
# 12 s, one in a hundred 33 s.
TIMEOUT_S = 45


class Contender(NamedTuple):
    """A worker's queue and dead-letter messages, and how the keys of its pictures begin."""

    queue_url: str
    dead_letter_url: str
    prefix: str


def deploy(beside: Workspace) -> Contender:
    """Deploy it; as many receives and as many workers at a time as ours has.

    A failed batch comes back as soon as Lambda allows: hidden for one time-out, where AWS advises six.
    """
    sqs, functions = beside.client("sqs"), beside.client("lambda")
    redrive = sqs.get_queue_attributes(QueueUrl=beside.queue_url, AttributeNames=["RedrivePolicy"])["Attributes"]
    dead_letters = sqs.create_queue(QueueName=f"{NAME}-dead-letter")["QueueUrl"]
    attributes = {
        "VisibilityTimeout": str(TIMEOUT_S),
        "RedrivePolicy": json.dumps(
            json.loads(redrive["RedrivePolicy"]) | {"deadLetterTargetArn": arn_of(sqs, dead_letters)}
        ),
    }
    jobs = sqs.create_queue(QueueName=f"{NAME}-jobs", Attributes=attributes)["QueueUrl"]
    functions.create_function(
        FunctionName=NAME,
        Runtime="python3.12",
        Handler=f"{CODE.stem}.lambda_handler",
        Role=make_role(beside, arn_of(sqs, jobs)),
        Code={"ZipFile": archive()},
        Timeout=TIMEOUT_S,
        Environment={"Variables": {"BUCKET_NAME": beside.bucket}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME)
    functions.create_event_source_mapping(
        EventSourceArn=arn_of(sqs, jobs),
        FunctionName=NAME,
        BatchSize=BATCH_SIZE,
        ScalingConfig={"MaximumConcurrency": StackSettings().worker_concurrency},
    )
    return Contender(jobs, dead_letters, PREFIX)


def arn_of(sqs: Any, queue_url: str) -> str:
    """The ARN of a queue."""
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])


def make_role(beside: Workspace, queue_arn: str) -> str:
    """Make its execution role, with the rights that it needs and no others; gives the ARN."""
    iam = beside.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    rights = {
        image_models.get(MODEL).arn: ["bedrock:InvokeModel"],
        f"arn:aws:s3:::{beside.bucket}/{PREFIX}*": ["s3:PutObject"],
        queue_arn: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        f"arn:aws:logs:{beside.region}:*:log-group:/aws/lambda/{NAME}*": [
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ],
    }
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resource} for resource, actions in rights.items()]
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=policy(trust))["Role"]
    iam.put_role_policy(RoleName=NAME, PolicyName="worker", PolicyDocument=policy(*statements))
    return str(role["Arn"])


def policy(*statements: dict[str, Any]) -> str:
    """A policy document as IAM takes it."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def archive() -> bytes:
    """Its code as Lambda takes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.write(CODE, CODE.name)
    return packed.getvalue()
