"""SQS refuses what AWS refuses, with AWS's codes and sentences, and waits without work."""

import json
import threading
import time
from contextlib import closing

import psutil
import pytest
from botocore.exceptions import ClientError

NUMBER = {"DataType": "Number", "StringValue": "1"}
MANY = {f"name-{number}": NUMBER for number in range(11)}
INVALID = "InvalidParameterValue"


@pytest.fixture(scope="module")
def sqs(engine_cloud):
    with closing(engine_cloud.client("sqs")) as client:
        yield client


@pytest.fixture(scope="module")
def urls(sqs):
    fifo = {"FifoQueue": "true"}
    return {
        "standard": sqs.create_queue(QueueName="standard")["QueueUrl"],
        "fifo": sqs.create_queue(QueueName="ordered.fifo", Attributes=fifo)["QueueUrl"],
    }


def arn(name, account="000000000000", region="eu-west-1"):
    return f"arn:aws:sqs:{region}:{account}:{name}"


def redrive(**policy):
    return {"RedrivePolicy": json.dumps(policy)}


# Operation, queue, parameters, code, message.
REFUSED = [
    (
        "send_message",
        "standard",
        {"MessageBody": ""},
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a" * 1_048_577},
        INVALID,
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "bell \x07"},
        "InvalidMessageContents",
        (
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | "
            "#x10000 to #x10FFFF"
        ),
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "DelaySeconds": 901},
        INVALID,
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "MessageAttributes": MANY},
        INVALID,
        "Number of message attributes [11] exceeds the allowed maximum [10].",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "MessageAttributes": {"size": {"DataType": "Integer", "StringValue": "1"}}},
        INVALID,
        (
            "The type of message (user) attribute 'size' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        ),
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "MessageAttributes": {"size": {"DataType": "Number", "StringValue": "big"}}},
        INVALID,
        "Can't cast the value of message (user) attribute 'size' to a number.",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "MessageAttributes": {"size": {"DataType": "String", "StringValue": ""}}},
        INVALID,
        "Message (user) attribute 'size' must contain a non-empty value of type 'String'.",
    ),
    (
        "send_message",
        "standard",
        {"MessageBody": "a", "MessageAttributes": {"AWS.size": NUMBER}},
        INVALID,
        (
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. "
            "These strings are reserved for internal use. Additionally, they cannot start or end with '.'."
        ),
    ),
    (
        "send_message",
        "fifo",
        {"MessageBody": "a", "MessageDeduplicationId": "1"},
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
    ),
    (
        "send_message",
        "fifo",
        {"MessageBody": "a", "MessageGroupId": "1"},
        INVALID,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ),
    (
        "send_message",
        "fifo",
        {"MessageBody": "a", "MessageGroupId": "1", "MessageDeduplicationId": "1", "DelaySeconds": 5},
        INVALID,
        (
            "Value 5 for parameter DelaySeconds is invalid. "
            "Reason: The request include parameter that is not valid for this queue type."
        ),
    ),
    (
        "receive_message",
        "standard",
        {"MaxNumberOfMessages": 0},
        INVALID,
        "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
    ),
    (
        "receive_message",
        "standard",
        {"MaxNumberOfMessages": 11},
        INVALID,
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
    ),
    (
        "receive_message",
        "standard",
        {"WaitTimeSeconds": 21},
        INVALID,
        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
    ),
    (
        "receive_message",
        "standard",
        {"VisibilityTimeout": 43_201},
        INVALID,
        "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
    ),
    (
        "receive_message",
        "standard",
        {"AttributeNames": ["Colour"]},
        "InvalidAttributeName",
        "Unknown Attribute Colour.",
    ),
    (
        "delete_message",
        "standard",
        {"ReceiptHandle": "made-up"},
        "ReceiptHandleIsInvalid",
        'The input receipt handle "made-up" is not a valid receipt handle.',
    ),
    (
        "change_message_visibility",
        "standard",
        {"ReceiptHandle": "made-up", "VisibilityTimeout": 43_201},
        INVALID,
        (
            "Value 43201 for parameter VisibilityTimeout is invalid. "
            "Reason: VisibilityTimeout must be an integer between 0 and 43200."
        ),
    ),
    (
        "send_message_batch",
        "standard",
        {"Entries": []},
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "There should be at least one SendMessageBatchRequestEntry in the request.",
    ),
    (
        "delete_message_batch",
        "standard",
        {"Entries": []},
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "There should be at least one DeleteMessageBatchRequestEntry in the request.",
    ),
    (
        "send_message_batch",
        "standard",
        {"Entries": [{"Id": "same", "MessageBody": "a"}, {"Id": "same", "MessageBody": "b"}]},
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "Id same repeated.",
    ),
    (
        "send_message_batch",
        "standard",
        {"Entries": [{"Id": str(number), "MessageBody": "a"} for number in range(11)]},
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "Maximum number of entries per request are 10. You have sent 11.",
    ),
    (
        "send_message_batch",
        "standard",
        {"Entries": [{"Id": str(number), "MessageBody": "a" * 524_289} for number in range(2)]},
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048578 bytes.",
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": {"VisibilityTimeout": "43201"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter VisibilityTimeout.",
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": {"MaximumMessageSize": "1048577"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter MaximumMessageSize.",
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": {"Policy": "{"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy.",
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": {"RedrivePolicy": "[1]"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": redrive(deadLetterTargetArn=arn("missing"), maxReceiveCount=3)},
        INVALID,
        (
            f'Value {{"deadLetterTargetArn": "{arn("missing")}", "maxReceiveCount": 3}} for parameter RedrivePolicy is invalid. '
            "Reason: Dead letter target does not exist."
        ),
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": redrive(deadLetterTargetArn=arn("ordered.fifo"), maxReceiveCount=3)},
        INVALID,
        (
            f'Value {{"deadLetterTargetArn": "{arn("ordered.fifo")}", "maxReceiveCount": 3}} for parameter RedrivePolicy is '
            "invalid. Reason: Dead-letter queue must be same type of queue as the source.."
        ),
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": redrive(deadLetterTargetArn=arn("standard"), maxReceiveCount=0)},
        INVALID,
        (
            f'Value {{"deadLetterTargetArn": "{arn("standard")}", "maxReceiveCount": 0}} for parameter RedrivePolicy is invalid. '
            "Reason: Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."
        ),
    ),
    (
        "set_queue_attributes",
        "standard",
        {"Attributes": {"KmsMasterKeyId": "alias/mine", "SqsManagedSseEnabled": "true"}},
        "InvalidAttributeName",
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    ),
    (
        "tag_queue",
        "standard",
        {"Tags": {"a" * 129: "value"}},
        INVALID,
        "Tag keys must be between 1 and 128 characters in length.",
    ),
]


@pytest.mark.parametrize(("operation", "queue", "parameters", "code", "message"), REFUSED)
def test_invalid_request_is_refused_in_aws_words(sqs, urls, operation, queue, parameters, code, message):
    with pytest.raises(ClientError) as refused:
        getattr(sqs, operation)(QueueUrl=urls[queue], **parameters)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        (
            "http://127.0.0.1/000000000000/missing",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        ),
        (
            "https://sqs.us-east-1.amazonaws.com/000000000000/standard",
            "InvalidAddress",
            "The address https://sqs.us-east-1.amazonaws.com/000000000000/standard is not valid for this endpoint.",
        ),
    ],
)
def test_wrong_queue_url_is_refused(sqs, address, code, message):
    with pytest.raises(ClientError) as refused:
        sqs.send_message(QueueUrl=address, MessageBody="a")

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"QueueName": "no spaces"}, INVALID),
        ({"QueueName": "a" * 81}, INVALID),
        ({"QueueName": "standard.fifo"}, INVALID),
        ({"QueueName": "ordered", "Attributes": {"FifoQueue": "true"}}, INVALID),
        ({"QueueName": "slow", "Attributes": {"DelaySeconds": "901"}}, "InvalidAttributeValue"),
        ({"QueueName": "standard", "Attributes": {"DelaySeconds": "5"}}, "QueueAlreadyExists"),
    ],
)
def test_queue_that_cannot_be_is_not_created(sqs, urls, parameters, code):
    with pytest.raises(ClientError) as refused:
        sqs.create_queue(**parameters)

    assert refused.value.response["Error"]["Code"] == code


def test_failed_batch_entries_are_reported_one_by_one(sqs, urls):
    sent = sqs.send_message_batch(
        QueueUrl=urls["standard"],
        Entries=[{"Id": "good", "MessageBody": "a"}, {"Id": "late", "MessageBody": "a", "DelaySeconds": 901}],
    )
    deleted = sqs.delete_message_batch(QueueUrl=urls["standard"], Entries=[{"Id": "gone", "ReceiptHandle": "made-up"}])

    assert [entry["Id"] for entry in sent["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in sent["Failed"]] == [("late", INVALID, True)]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in deleted["Failed"]] == [
        ("gone", "ReceiptHandleIsInvalid", True)
    ]
    assert "Successful" not in deleted


def test_visibility_is_limited_to_twelve_hours_since_receipt(sqs):
    url = sqs.create_queue(QueueName="hidden")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a")
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]

    with pytest.raises(ClientError, match=r"beyond the limit \[43200 seconds\]"):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=43_200)


def test_queue_is_purged_once_a_minute(sqs):
    url = sqs.create_queue(QueueName="purged")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)

    with pytest.raises(ClientError, match="Only one PurgeQueue operation on purged is allowed every 60 seconds"):
        sqs.purge_queue(QueueUrl=url)


def test_name_of_deleted_queue_is_blocked_for_a_minute(sqs):
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="short-lived")["QueueUrl"])

    with pytest.raises(ClientError, match="You must wait 60 seconds after deleting a queue") as refused:
        sqs.create_queue(QueueName="short-lived")

    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.QueueDeletedRecently"


def test_waiting_receivers_cost_nothing_and_get_one_message_each(engine_cloud, sqs):
    url = sqs.create_queue(QueueName="awaited")["QueueUrl"]
    received = []

    def receive():
        with closing(engine_cloud.client("sqs")) as client:
            while not (messages := client.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages")):
                pass
        received.extend(message["Body"] for message in messages)

    receivers = [threading.Thread(target=receive, daemon=True) for _ in range(30)]
    for receiver in receivers:
        receiver.start()
    process = psutil.Process(engine_cloud.process.pid)
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < 1:
        # They wait when the server's work has ceased; a receiver that burns the processor never lets this loop end.
        before = process.cpu_times()
        time.sleep(0.25)
        after = process.cpu_times()
        if after.user + after.system - before.user - before.system > 0.1:
            idle_since = time.monotonic()
    for number in range(30):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for receiver in receivers:
        receiver.join()

    assert sorted(received, key=int) == [str(number) for number in range(30)]
