"""What queues, functions and APIs do becomes metrics; and what `couch job` sees of a queue."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from couch_explorers.aws import REGION
from couch_explorers.local.engine import observers
from couch_explorers.local.engine.observers import InvocationRecord, StageRequest
from couch_explorers.local.engine.telemetry import Meter
from couch_explorers.local.settings import ACCOUNT_ID
from couch_explorers.local.telemetry import lambda_
from couch_explorers.local.telemetry.lambda_ import Concurrency
from tests.engine_python import in_engine

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:worker"
RECORD = InvocationRecord("worker", None, ACCOUNT_ID, "eu-north-1", "1", 1_795_608_000.5, "ok", duration_ms=12.5)


@pytest.fixture
def concurrency(clock):
    return Concurrency(clock)


@pytest.fixture
def meter(noted, concurrency):
    return Meter(noted, concurrency)


@pytest.mark.parametrize(("outcome", "errors"), [("ok", 0), ("error", 1), ("timeout", 1)])
def test_invocation_counts_with_its_outcome_at_its_start(meter, noted, outcome, errors):
    meter.invoked(replace(RECORD, outcome=outcome))

    assert noted.values("Invocations", FunctionName="worker") == [1]
    assert noted.values("Errors", FunctionName="worker") == [errors]
    assert noted.values("Duration", FunctionName="worker", Resource="worker") == [12.5]
    assert {sample.time_s for sample in noted.samples} == {RECORD.started_at}
    assert set(noted.regions) == {"eu-north-1"}


def test_alias_is_a_resource_of_its_own(meter, noted):
    meter.invoked(replace(RECORD, qualifier="live"))

    assert noted.values("Invocations", FunctionName="worker", Resource="worker:live") == [1]


def test_refused_invocation_is_a_throttle_only(meter, noted):
    meter.invoked(replace(RECORD, outcome="throttle"))

    assert noted.values("Throttles", FunctionName="worker") == [1]
    assert {sample.metric for sample in noted.samples} == {"Throttles"}


def test_most_that_ran_at_once_is_known_by_function_and_for_the_account(meter, noted, concurrency, clock):
    other = ARN.replace("worker", "other")
    for arn in (ARN, ARN, other):
        meter.began(arn)
    for arn in (ARN, ARN, other):
        meter.ended(arn)
    clock.passes(60)

    lambda_.publish_concurrency(noted, concurrency)

    assert noted.values("ConcurrentExecutions", FunctionName="worker") == [2]
    assert noted.values("ConcurrentExecutions") == [3]


def test_observer_that_fails_does_not_disturb_others(monkeypatch, meter, noted):
    request = StageRequest("eu-west-1", "a", "api", "prod", 403, 1.0, 2.0, None)
    monkeypatch.setattr(observers, "subscribed", [])
    observers.subscribe(None)
    observers.subscribe(meter)

    observers.notify_requested(request)

    assert noted.values("4XXError", ApiName="api") == [1]


# --- queues, in LocalEmu's own Python ---------------------------------------------------------------------------------

PRELUDE = """
import json, time
from localemu.services.sqs.models import FifoQueue, StandardQueue
from couch_explorers.local.engine.telemetry import message_states

def lies(queue, now):
    return [[each.state, round(each.since_s), each.receives] for each in message_states(queue, now)]

def message(number):
    return {"MessageId": str(number), "Body": "A jeep", "Attributes": {}}

queue = StandardQueue("jobs", "eu-west-1", "000000000000")
now = time.time()
"""


def test_messages_are_visible_in_flight_or_delayed():
    code = """
for number in range(3):
    queue.put(message(number))
queue.put(message(3), delay_seconds=60)
queue.receive(num_messages=1, visibility_timeout=60)
queue.receive(num_messages=1, visibility_timeout=1)
print(json.dumps([sorted(state for state, _, _ in lies(queue, now)), sorted(receives for _, _, receives in lies(queue, now))]))
"""

    assert in_engine(PRELUDE + code) == [["delayed", "in_flight", "in_flight", "visible"], [0, 0, 1, 1]]


def test_message_whose_time_out_has_passed_is_visible_again():
    code = """
queue.put(message(1))
(received,) = queue.receive(num_messages=1, visibility_timeout=60).successful
received.visibility_deadline = now - 1
print(json.dumps([state for state, _, _ in lies(queue, now)]))
"""

    assert in_engine(PRELUDE + code) == ["visible"]


def test_moved_message_restarts_age_and_receives():
    code = """
dead = StandardQueue("dead", "eu-west-1", "000000000000")
queue.put(message(1))
(received,) = queue.receive(num_messages=1, visibility_timeout=60).successful
received.created = now - 600
dead.put(received.message)
((state, since, receives),) = lies(dead, now)
print(json.dumps([state, abs(since - now) < 60, receives]))
"""

    assert in_engine(PRELUDE + code) == ["visible", True, 0]


def test_message_beyond_its_retention_or_deleted_lies_there_no_more():
    code = """
for number in range(2):
    queue.put(message(number))
queue.visible.queue[0].created = now - queue.message_retention_period
queue.visible.queue[1].deleted = True
print(json.dumps(lies(queue, now)))
"""

    assert in_engine(PRELUDE + code) == []


def test_messages_of_a_fifo_queue_are_found_in_their_groups():
    code = """
ordered = FifoQueue("jobs.fifo", "eu-west-1", "000000000000", attributes={"FifoQueue": "true"})
for number in range(3):
    ordered.put(message(number), message_group_id=str(number % 2), message_deduplication_id=str(number))
print(json.dumps(len(lies(ordered, now))))
"""

    assert in_engine(PRELUDE + code) == 3


# --- messages of a queue, by what SQS's documentation says of visibility ----------------------------------------------


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
