"""Event source mappings on a whole cloud."""

import json
import re
from contextlib import closing
from itertools import count

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.waiting import wait_until

QUEUES = count(1)


@pytest.fixture
def sqs(engine_cloud):
    with closing(engine_cloud.client("sqs")) as client:
        yield client


@pytest.fixture
def queue(sqs):
    """Makes queues: address and ARN."""

    def make(suffix="", **attributes):
        url = sqs.create_queue(QueueName=f"mapped-{next(QUEUES)}{suffix}", Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    return make


@pytest.fixture
def mapping(functions):
    """Makes mappings and waits until they poll."""
    made = []

    def make(name, queue_arn, **settings):
        uuid = functions.client.create_event_source_mapping(FunctionName=name, EventSourceArn=queue_arn, **settings)[
            "UUID"
        ]
        made.append(uuid)
        wait_until(lambda: state(functions, uuid) in {"Enabled", "Disabled"})
        return uuid

    yield make
    for uuid in made:
        try:
            functions.client.delete_event_source_mapping(UUID=uuid)
        except ClientError:
            continue


def state(functions, uuid):
    return functions.client.get_event_source_mapping(UUID=uuid)["State"]


def left(sqs, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


def test_invocation_by_a_mapping_has_a_trace_with_the_digits_of_its_request(functions, queue, mapping, sqs):
    url, arn = queue()
    seen, _ = queue()
    name = functions.create(
        "import boto3, json, os\n"
        "def handler(event, context): boto3.client('sqs').send_message(QueueUrl=os.environ['SEEN'],"
        " MessageBody=os.environ['_X_AMZN_TRACE_ID'] + ' ' + context.aws_request_id)",
        Environment={"Variables": {"SEEN": seen}},
    )
    mapping(name, arn)

    sqs.send_message(QueueUrl=url, MessageBody="a jeep")

    body = wait_until(lambda: sqs.receive_message(QueueUrl=seen, WaitTimeSeconds=1).get("Messages"))[0]["Body"]
    trace, request_id = body.split()
    digits = request_id.replace("-", "")
    assert re.fullmatch(rf"Root=1-[0-9a-f]{{8}}-{digits[:24]};Parent={digits[-16:]};Sampled=0", trace)


def test_messages_reach_the_function_and_leave_the_queue(functions, queue, mapping, sqs):
    url, arn = queue()
    seen, _ = queue()
    name = functions.create(
        "import boto3, json, os\n"
        "def handler(event, context): boto3.client('sqs').send_message(QueueUrl=os.environ['SEEN'], MessageBody=json.dumps(event))",
        Environment={"Variables": {"SEEN": seen}},
    )
    mapping(name, arn)

    sqs.send_message(QueueUrl=url, MessageBody="a jeep")

    message = wait_until(lambda: sqs.receive_message(QueueUrl=seen).get("Messages"))[0]
    record = json.loads(message["Body"])["Records"][0]
    assert (record["body"], record["eventSourceARN"], record["awsRegion"]) == ("a jeep", arn, "eu-west-1")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    wait_until(lambda: left(sqs, url) == 0, what="the deletion of the message")


def test_failed_messages_reach_the_dead_letter_queue(functions, queue, mapping, sqs):
    dead_url, dead_arn = queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = queue(VisibilityTimeout="1", RedrivePolicy=redrive)
    mapping(functions.create("def handler(event, context): raise ValueError", Timeout=1), arn)

    sqs.send_message(QueueUrl=url, MessageBody="a jeep")

    dead = wait_until(lambda: sqs.receive_message(QueueUrl=dead_url).get("Messages"), what="a dead-letter message")
    assert dead[0]["Body"] == "a jeep"


def test_fifo_queue_is_handled_in_order(functions, queue, mapping, sqs):
    url, arn = queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    seen, _ = queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    code = """
import boto3, os
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=record["body"], MessageGroupId="seen")
"""
    name = functions.create(code, Environment={"Variables": {"SEEN": seen}})
    for number in range(6):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="one")

    mapping(name, arn, BatchSize=1)

    wait_until(lambda: left(sqs, url) == 0)
    messages = sqs.receive_message(QueueUrl=seen, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["0", "1", "2", "3", "4", "5"]


def test_disabled_mapping_leaves_messages_alone(functions, queue, mapping, sqs):
    url, arn = queue()
    uuid = mapping(functions.create("def handler(event, context): pass"), arn)

    answer = functions.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert answer["State"] == "Disabling"
    wait_until(lambda: state(functions, uuid) == "Disabled")
    sqs.send_message(QueueUrl=url, MessageBody="a jeep")

    message = wait_until(
        lambda: sqs.receive_message(QueueUrl=url, AttributeNames=["All"], VisibilityTimeout=0).get("Messages")
    )[0]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"

    assert functions.client.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    wait_until(lambda: left(sqs, url) == 0, what="the message's handling")


def test_deleted_mapping_is_gone(functions, queue, mapping):
    uuid = mapping(functions.create("def handler(event, context): pass"), queue()[1])

    assert functions.client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"

    with pytest.raises(functions.client.exceptions.ResourceNotFoundException):
        wait_until(lambda: state(functions, uuid) == "gone", within_s=10)


def test_visibility_below_the_functions_time_out_is_refused(functions, queue, mapping):
    _, arn = queue(VisibilityTimeout="5")
    name = functions.create("def handler(event, context): pass", Timeout=6)

    with pytest.raises(functions.client.exceptions.InvalidParameterValueException) as refused:
        mapping(name, arn)
    assert refused.value.response["Error"]["Message"] == (
        "Queue visibility timeout: 5 seconds is less than Function timeout: 6 seconds"
    )

    functions.client.update_function_configuration(FunctionName=name, Timeout=5)
    functions.client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    mapping(name, arn)
    with pytest.raises(functions.client.exceptions.InvalidParameterValueException):
        functions.client.update_function_configuration(FunctionName=name, Timeout=6)


@pytest.mark.parametrize("concurrency", [1, 1001])
def test_concurrency_out_of_bounds_is_refused(engine_cloud, functions, queue, concurrency):
    name = functions.create("def handler(event, context): pass")
    request = {"FunctionName": name, "EventSourceArn": queue()[1], "ScalingConfig": {"MaximumConcurrency": concurrency}}

    # The client's own check would not let it through.
    with (
        closing(engine_cloud.client("lambda", config=Config(parameter_validation=False))) as client,
        pytest.raises(ClientError) as refused,
    ):
        client.create_event_source_mapping(**request)

    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_backlog_is_handled_by_as_many_environments_as_the_mapping_allows(engine_cloud, functions, queue, mapping, sqs):
    url, arn = queue()
    name = functions.create("import time\ndef handler(event, context): time.sleep(0.2)")
    for start in range(0, 100, 10):
        sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(number), "MessageBody": str(start + number)} for number in range(10)]
        )

    mapping(name, arn, BatchSize=1, ScalingConfig={"MaximumConcurrency": 8})

    wait_until(lambda: left(sqs, url) == 0)
    with closing(engine_cloud.client("logs")) as logs:
        streams = wait_until(lambda: logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"])
    assert 5 <= len(streams) <= 8
