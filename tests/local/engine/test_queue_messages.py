"""What `couch job` sees of a queue, by what SQS's documentation says of visibility; nothing is received by looking."""

import time
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def sqs(engine_cloud):
    return engine_cloud.client("sqs")


@pytest.fixture
def queue(sqs, request):
    # A name of its own: for 60 s a deleted queue's cannot be taken.
    url = sqs.create_queue(QueueName=request.node.name[:80])["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def look(engine_cloud, queue):
    """The queue's messages by their bodies."""

    def looked():
        status, answer, _ = engine_cloud.ask("GET", f"/_couch/messages{urlsplit(queue).path}")
        assert status == 200
        return {message["Body"]: message for message in answer["messages"]}

    return looked


def test_waiting_delayed_and_received_messages_are_shown(sqs, queue, look):
    attributes = {"reason": {"DataType": "String", "StringValue": "Throttled"}}
    sqs.send_message(QueueUrl=queue, MessageBody="received", MessageAttributes=attributes)
    received = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600, AttributeNames=["All"])["Messages"][0]
    sqs.send_message(QueueUrl=queue, MessageBody="waiting")
    sqs.send_message(QueueUrl=queue, MessageBody="delayed", DelaySeconds=300)

    shown = look()

    assert shown.keys() == {"received", "waiting", "delayed"}
    assert shown["received"]["MessageId"] == received["MessageId"]
    assert shown["received"]["Attributes"]["SentTimestamp"] == received["Attributes"]["SentTimestamp"]
    assert shown["received"]["MessageAttributes"] == {"reason": {"StringValue": "Throttled"}}
    receives = {body: message["Attributes"]["ApproximateReceiveCount"] for body, message in shown.items()}
    assert receives == {"received": "1", "waiting": "0", "delayed": "0"}
    assert shown["waiting"]["VisibleAt"] is None
    assert shown["received"]["VisibleAt"] == pytest.approx(time.time() + 600, abs=300)
    assert shown["delayed"]["VisibleAt"] == pytest.approx(time.time() + 300, abs=200)


def test_looking_receives_nothing(sqs, queue, look):
    sqs.send_message(QueueUrl=queue, MessageBody="one")

    counts = {look()["one"]["Attributes"]["ApproximateReceiveCount"] for _ in range(3)}

    assert counts == {"0"}
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "one"


def test_deleted_message_is_gone(sqs, queue, look):
    sqs.send_message(QueueUrl=queue, MessageBody="one")
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)

    assert look() == {}


def test_queue_that_does_not_exist_is_not_found(engine_cloud):
    status, answer, _ = engine_cloud.ask("GET", "/_couch/messages/000000000000/nobodys")

    assert (status, answer["error"]) == (404, "There is no queue /000000000000/nobodys.")
