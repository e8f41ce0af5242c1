"""The faults of S3, SQS and deliveries, as clients of a running cloud meet them."""

import random

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from couch_explorers.local.faults import Faults

NO_RETRY = Config(retries={"total_max_attempts": 1}, read_timeout=60)
# The client hears of a reset in either way, by the moment at which it comes.
RESET = (ConnectionClosedError, HTTPClientError)


@pytest.fixture
def set_faults(engine_cloud):
    def put(**faults):
        assert engine_cloud.ask("PUT", "/_couch/faults", Faults(**faults).to_json())[0] == 200

    yield put
    put()


@pytest.fixture
def queue(engine_cloud):
    sqs = engine_cloud.client("sqs", config=NO_RETRY)
    url = sqs.create_queue(QueueName=f"faulty-{random.getrandbits(40)}")["QueueUrl"]
    yield sqs, url
    sqs.delete_queue(QueueUrl=url)


def bodies(sqs, url, count):
    """Receive so many messages, one at a time."""
    found = []
    for _ in range(count):
        answer = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60, AttributeNames=["All"])
        found += [(each["Body"], each["Attributes"]["ApproximateReceiveCount"]) for each in answer.get("Messages", [])]
    return found


@pytest.mark.parametrize(("service", "operation"), [("sqs", "list_queues"), ("s3", "list_buckets")], ids=["sqs", "s3"])
def test_unavailable_service_answers_503_in_its_own_format(engine_cloud, set_faults, service, operation):
    client = engine_cloud.client(service, config=NO_RETRY)
    set_faults(unavailable=1)

    with pytest.raises(ClientError) as refused:
        getattr(client, operation)()

    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_unavailable_s3_answers_head_without_a_body(engine_cloud, set_faults):
    client = engine_cloud.client("s3", config=NO_RETRY)
    set_faults(unavailable=1)

    with pytest.raises(ClientError) as refused:
        client.head_bucket(Bucket="any")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_other_services_do_not_fail(engine_cloud, set_faults):
    set_faults(unavailable=1, reset=1)

    assert engine_cloud.client("sts", config=NO_RETRY).get_caller_identity()["Account"] == "000000000000"
    assert engine_cloud.ask("GET", "/_couch/stats")[0] == 200


def test_reset_connection_loses_the_request_or_the_response(queue, set_faults):
    """A client cannot know which: half of the messages that were never acknowledged are there."""
    sqs, url = queue
    set_faults(reset=1)
    for number in range(40):
        with pytest.raises(RESET):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))

    set_faults()
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]

    assert 5 <= int(counts["ApproximateNumberOfMessages"]) <= 35


def test_client_that_retries_gets_through_resets(engine_cloud, queue, set_faults):
    _, url = queue
    set_faults(reset=0.3, unavailable=0.3)
    patient = engine_cloud.client("sqs", config=Config(retries={"mode": "standard", "total_max_attempts": 12}))

    assert patient.send_message(QueueUrl=url, MessageBody="at last")["MessageId"]


def test_duplicate_delivery_has_a_handle_of_its_own(queue, set_faults):
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody="twice")
    set_faults(duplicate=1)
    first = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"][0]
    set_faults()

    second = sqs.receive_message(QueueUrl=url, VisibilityTimeout=60, AttributeNames=["All"])["Messages"][0]

    assert (second["MessageId"], second["Attributes"]["ApproximateReceiveCount"]) == (first["MessageId"], "2")
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(sqs, url, 1) == []


def test_reordered_queue_delivers_every_message_once(queue, set_faults):
    sqs, url = queue
    for start in range(0, 30, 10):
        entries = [{"Id": str(number), "MessageBody": str(start + number)} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    set_faults(reorder=1)

    received = bodies(sqs, url, 31)

    assert [int(body) for body, _ in received] != list(range(30))
    assert sorted(int(body) for body, _ in received) == list(range(30))
    assert {count for _, count in received} == {"1"}
