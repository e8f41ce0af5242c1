"""What MiniStack's queues tell the counter, whoever uses them.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import asyncio
from types import SimpleNamespace

import pytest

from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import queue_depth, queues
from couch_explorers.local.telemetry import sqs as metrics
from couch_explorers.local.telemetry.sqs import Counts, QueueCounter

PATCHED = (
    "_get_q",
    "_act_send_message",
    "_act_receive_message",
    "_collect_msgs",
    "_act_delete_message",
    "_act_delete_message_batch",
    "_receive_messages_for_esm",
    "_delete_messages_for_esm",
)
JOBS, DEAD = "couch-explorers-42-jobs", "couch-explorers-42-jobs-dead-letter"


@pytest.fixture
def counter(clock):
    return QueueCounter(clock)


@pytest.fixture
def sqs(monkeypatch, counter, clock):
    from ministack.core.responses import AccountRegionScopedDict, request_scope  # noqa: PLC0415 - only these tests need it
    from ministack.services import sqs  # noqa: PLC0415 - likewise

    for name in PATCHED:
        monkeypatch.setattr(sqs, name, getattr(sqs, name))
    for name in ("_queues", "_queue_name_to_url"):
        monkeypatch.setattr(sqs, name, AccountRegionScopedDict())
    monkeypatch.setattr(sqs, "_HANDLERS", dict(sqs._HANDLERS))
    monkeypatch.setattr(sqs, "time", SimpleNamespace(time=clock))
    queues.mend(counter)
    with request_scope(ACCOUNT_ID, REGION):
        yield sqs


@pytest.fixture
def call(sqs):
    """Call an action of SQS as its JSON protocol would."""
    return lambda action, **data: asyncio.run(sqs._dispatch(action, data, ""))


@pytest.fixture
def queue(call):
    return call("CreateQueue", QueueName=JOBS, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]


@pytest.fixture
def counts(counter):
    """What was counted in all, of one queue."""

    def counted(name=JOBS):
        found = [each for (_, arn), each in counter.take(1e12).items() if arn.endswith(f":{name}")]
        assert len(found) <= 1
        return found[0] if found else Counts()

    return counted


@pytest.fixture
def publish(noted, counter, clock, sqs):
    """Let the minute end that the clock is in, and publish it."""

    def published():
        minute_s = int(clock.now_s // 60) * 60
        clock.now_s = minute_s + 60.0
        queue_depth.publish(noted, counter, minute_s, clock.now_s)
        return noted

    return published


def send(call, queue, body="A jeep on the savanna"):
    return call("SendMessage", QueueUrl=queue, MessageBody=body)["MessageId"]


def receive(call, queue, **more):
    return call("ReceiveMessage", QueueUrl=queue, **more).get("Messages", [])


# Counting


def test_a_message_that_is_sent_counts_with_its_size(call, queue, counts):
    send(call, queue)

    counted = counts()

    assert (counted.sent, counted.bytes_sent) == (1, len("A jeep on the savanna"))


def test_each_message_of_a_batch_counts_once(call, queue, counts):
    entries = [{"Id": str(number), "MessageBody": "A jeep"} for number in range(3)]
    entries.append({"Id": "empty", "MessageBody": ""})

    call("SendMessageBatch", QueueUrl=queue, Entries=entries)

    assert counts().sent == 3


def test_a_message_that_is_refused_does_not_count(call, queue, counts, sqs):
    with pytest.raises(sqs._Err):
        send(call, queue, "")

    assert counts().sent == 0


def test_every_receive_of_a_message_counts(call, queue, counts):
    send(call, queue)
    receive(call, queue, VisibilityTimeout=0)
    receive(call, queue)

    counted = counts()

    assert (counted.received, counted.empty_receives) == (2, 0)


def test_a_receive_that_brings_nothing_is_an_empty_receive(call, queue, counts):
    receive(call, queue)

    counted = counts()

    assert (counted.received, counted.empty_receives) == (0, 1)


def test_a_deletion_counts_and_one_with_a_wrong_handle_does_not(call, queue, counts, sqs):
    send(call, queue)
    (message,) = receive(call, queue)

    call("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    with pytest.raises(sqs._Err):
        call("DeleteMessage", QueueUrl=queue, ReceiptHandle="nobody's")

    assert counts().deleted == 1


def test_of_a_batch_of_deletions_those_count_that_succeed(call, queue, counts):
    send(call, queue)
    (message,) = receive(call, queue)
    entries = [{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "nobody's"}]

    call("DeleteMessageBatch", QueueUrl=queue, Entries=entries)

    assert counts().deleted == 1


def test_the_event_source_mapping_receives_and_deletes_like_anybody(call, queue, counts, sqs):
    send(call, queue)

    (message,) = sqs._receive_messages_for_esm(queue, 1)
    sqs._delete_messages_for_esm(queue, {message["receipt_handle"]})

    counted = counts()
    assert (counted.received, counted.deleted) == (1, 1)


def test_a_message_from_a_topic_counts_as_sent(call, queue, counts, sqs, monkeypatch):
    from ministack.services import sns  # noqa: PLC0415 - only this test needs it

    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{JOBS}"
    monkeypatch.setattr(sns, "time", sqs.time)

    sns._deliver_to_sqs(arn, "{}", raw=True, raw_message="A jeep")
    receive(call, queue)

    counted = counts()
    assert (counted.sent, counted.bytes_sent, counted.received) == (1, 6, 1)


def test_a_move_to_the_dead_letter_queue_is_not_a_send(call, queue, counts, clock):
    # "If you send a message to a dead-letter queue manually, it is captured by NumberOfMessagesSent. However, if a message
    # is sent to a dead-letter queue as a result of a failed processing attempt, it isn't captured by this metric":
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    redrive(call, queue)
    send(call, queue)
    move(call, queue, clock)

    assert counts(DEAD).sent == 0


# What lies in a queue


def redrive(call, queue):
    call("CreateQueue", QueueName=DEAD)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{DEAD}"
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 1}}'
    call("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": policy})


def move(call, queue, clock):
    """Let what lies in the queue be received once too often."""
    receive(call, queue, VisibilityTimeout=0, MaxNumberOfMessages=10)
    clock.passes(1)
    assert receive(call, queue) == []


def test_messages_are_visible_in_flight_or_delayed(call, queue, publish):
    for _ in range(3):
        send(call, queue)
    call("SendMessage", QueueUrl=queue, MessageBody="Later", DelaySeconds=600)
    receive(call, queue)

    noted = publish()

    assert noted.values("ApproximateNumberOfMessagesVisible", QueueName=JOBS) == [2]
    assert noted.values("ApproximateNumberOfMessagesNotVisible", QueueName=JOBS) == [1]
    assert noted.values("ApproximateNumberOfMessagesDelayed", QueueName=JOBS) == [1]


def test_everything_is_stamped_with_the_minute_that_has_ended(call, queue, publish, clock):
    began_s = clock.now_s
    clock.passes(30)
    send(call, queue)

    noted = publish()

    assert {each.time_s for each in noted.samples} == {began_s}
    assert {each.metric for each in noted.samples} == {
        "NumberOfMessagesSent",
        "NumberOfMessagesReceived",
        "NumberOfMessagesDeleted",
        "NumberOfEmptyReceives",
        "SentMessageSize",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateAgeOfOldestMessage",
    }
    assert set(noted.regions) == {REGION}


def test_the_age_is_that_of_the_oldest_message_in_flight_or_not(call, queue, publish, clock):
    send(call, queue)
    clock.passes(30)
    send(call, queue)
    receive(call, queue)

    assert publish().values("ApproximateAgeOfOldestMessage", QueueName=JOBS) == [60]


def test_an_empty_queue_that_is_used_has_an_age_of_zero(call, queue, publish):
    assert publish().values("ApproximateAgeOfOldestMessage", QueueName=JOBS) == [0]


def test_the_age_of_a_message_counts_no_more_from_its_third_receive(call, queue, publish, clock):
    send(call, queue, "Poison")
    clock.passes(20)
    send(call, queue, "A jeep")
    for _ in range(2):
        receive(call, queue, VisibilityTimeout=0)

    noted = publish()
    receive(call, queue, VisibilityTimeout=0)
    publish()

    assert noted.values("ApproximateAgeOfOldestMessage", QueueName=JOBS) == [60, 100]
    assert noted.values("ApproximateNumberOfMessagesVisible", QueueName=JOBS) == [2, 2]


def test_a_dead_letter_is_as_old_as_its_move_and_however_often_it_was_received_before(call, queue, publish, clock):
    redrive(call, queue)
    send(call, queue)
    clock.passes(600)
    move(call, queue, clock)

    noted = publish()
    publish()

    assert noted.values("ApproximateAgeOfOldestMessage", QueueName=DEAD) == [59, 119]
    assert noted.values("ApproximateNumberOfMessagesVisible", QueueName=DEAD) == [1, 1]
    assert noted.values("ApproximateNumberOfMessagesVisible", QueueName=JOBS) == [0, 0]


def test_reading_a_dead_letter_does_not_make_it_younger(call, queue, publish, clock):
    redrive(call, queue)
    send(call, queue)
    move(call, queue, clock)
    dead = call("GetQueueUrl", QueueName=DEAD)["QueueUrl"]

    noted = publish()
    receive(call, dead, VisibilityTimeout=0)
    publish()

    assert noted.values("ApproximateAgeOfOldestMessage", QueueName=DEAD) == [59, 119]


def test_a_message_beyond_its_retention_lies_there_no_more(call, queue, publish, clock):
    send(call, queue)
    clock.passes(4 * 86_400)

    noted = publish()

    assert noted.values("ApproximateNumberOfMessagesVisible", QueueName=JOBS) == [0]
    assert noted.values("ApproximateAgeOfOldestMessage", QueueName=JOBS) == [0]


def test_an_idle_queue_is_not_a_queue_without_backlog(call, queue, publish, clock, noted):
    # "All metrics emit non-negative values only when the queue is active."
    publish()
    clock.passes(6 * 3600)
    before = len(noted.samples)

    publish()

    assert len(noted.samples) == before > 0


def test_a_queue_with_a_message_is_active_however_long_nobody_asks(call, queue, publish, clock):
    send(call, queue)
    clock.passes(7 * 3600)

    assert publish().values("ApproximateNumberOfMessagesVisible", QueueName=JOBS)[-1] == 1


def test_asking_for_its_attributes_makes_a_queue_active_again(call, queue, publish, clock, noted):
    publish()
    clock.passes(7 * 3600)
    call("GetQueueAttributes", QueueUrl=queue, AttributeNames=["All"])

    before = len(noted.samples)
    publish()

    assert len(noted.samples) > before


def test_what_the_unfinished_minute_has_counted_can_be_published_at_the_end(call, queue, counter, noted):
    send(call, queue)

    metrics.publish_counts(noted, counter, float("inf"))

    assert noted.values("NumberOfMessagesSent", QueueName=JOBS) == [1]
