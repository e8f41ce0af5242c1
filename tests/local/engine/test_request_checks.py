"""Requests that an SDK lets pass although they cannot be right."""

from contextlib import closing

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

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
