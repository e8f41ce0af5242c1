"""Requests that an SDK would not send are refused as AWS does, and responses are the bytes that LocalEmu would write."""

from contextlib import closing

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.engine_python import in_engine

UNCHECKED = Config(parameter_validation=False, retries={"max_attempts": 0}, s3={"addressing_style": "path"})


@pytest.fixture(scope="module")
def call(engine_cloud):
    def called(service, operation, **parameters):
        with closing(engine_cloud.client(service, config=UNCHECKED)) as client:
            return getattr(client, operation)(**parameters)

    called("sqs", "create_queue", QueueName="jobs")
    called("s3", "create_bucket", Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    called("s3", "put_object", Bucket="pictures", Key="one", Body=b"1")
    return called


JOBS = "http://127.0.0.1/000000000000/jobs"

# Service, operation, parameters, code, message.
REFUSED = [
    ("sqs", "send_message", {"QueueUrl": JOBS}, "MissingParameter", "The request must contain the parameter MessageBody."),
    ("sqs", "send_message", {"MessageBody": "a"}, "MissingParameter", "The request must contain the parameter QueueUrl."),
    ("sqs", "delete_message", {"QueueUrl": JOBS}, "MissingParameter", "The request must contain the parameter ReceiptHandle."),
    (
        "sqs",
        "send_message",
        {"QueueUrl": JOBS, "MessageBody": 5},
        "SerializationException",
        "NUMBER_VALUE can not be converted to a String",
    ),
    (
        "sqs",
        "send_message",
        {"QueueUrl": JOBS, "MessageBody": "a", "DelaySeconds": "soon"},
        "SerializationException",
        "STRING_VALUE can not be converted to an Integer",
    ),
    (
        "sqs",
        "start_message_move_task",
        {"SourceArn": "jobs"},
        "InvalidParameterValue",
        (
            "You must use this format to specify the SourceArn: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ),
    ),
    ("s3", "put_object", {"Bucket": "missing", "Key": "a", "Body": b""}, "NoSuchBucket", "The specified bucket does not exist"),
    ("s3", "get_object", {"Bucket": "pictures", "Key": "two"}, "NoSuchKey", "The specified key does not exist."),
    ("s3", "list_objects_v2", {"Bucket": "missing"}, "NoSuchBucket", "The specified bucket does not exist"),
    (
        "s3",
        "list_objects_v2",
        {"Bucket": "pictures", "MaxKeys": -1},
        "InvalidArgument",
        "Argument maxKeys must be an integer between 0 and 2147483647",
    ),
    (
        "s3",
        "list_objects_v2",
        {"Bucket": "pictures", "ContinuationToken": "made-up"},
        "InvalidArgument",
        "The continuation token provided is incorrect",
    ),
    (
        "s3",
        "put_object",
        {"Bucket": "pictures", "Key": "", "Body": b"1"},
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters", "code", "message"), REFUSED)
def test_request_is_refused_in_aws_words(call, service, operation, parameters, code, message):
    with pytest.raises(ClientError) as refused:
        call(service, operation, **parameters)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)
    assert 400 <= refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


def test_listing_never_promises_more_than_a_thousand_keys(call):
    assert call("s3", "list_objects_v2", Bucket="pictures", MaxKeys=5000)["MaxKeys"] == 1000


# --- serializers: long lists are written at once, byte for byte as LocalEmu writes them one by one --------------------

CODE = """
import json
from localemu.aws.protocol.serializer import create_serializer
from localemu.aws.spec import load_service
from couch_explorers.local.engine.patches import requests

service = load_service("cloudwatch")
shape = service.operation_model("GetMetricData").output_shape
times = [1795608000 + 60 * number for number in range(40)]
values = [number / 7 for number in range(40)]
values[3] = {third}
result = {{"Id": "m", "Label": "m", "Timestamps": times, "Values": values, "StatusCode": "Complete"}}

def written(protocol):
    serializer = create_serializer(service, protocol)
    if protocol == "json":
        body = {{}}
        serializer._serialize(body, {{"MetricDataResults": [result]}}, shape, None, "application/json")
        return json.dumps(body)
    body = bytearray()
    serializer._serialize_data_item(body, {{"MetricDataResults": [result]}}, shape)
    return body.hex()

before = [written(protocol) for protocol in ("json", "smithy-rpc-v2-cbor")]
requests.serialize_long_lists_at_once()
print(json.dumps(before == [written(protocol) for protocol in ("json", "smithy-rpc-v2-cbor")]))
"""


@pytest.mark.parametrize("third", ["0.5", "-3.0", "float('inf')", "1e300"])
def test_page_is_serialized_as_item_by_item(third):
    assert in_engine(CODE.format(third=third)) is True
