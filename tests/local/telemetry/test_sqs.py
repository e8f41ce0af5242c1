"""What counts as what at a queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import pytest

from couch_explorers.local.telemetry.sqs import Counts, QueueCounter, size_of

QUEUE = "arn:aws:sqs:eu-west-1:000000000000:couch-explorers-42-jobs"


@pytest.fixture
def counter(clock):
    return QueueCounter(clock)


def test_the_sizes_of_a_minute_are_one_statistic_set():
    counts = Counts()
    for size in (120, 80, 400):
        counts.add_sent(size)

    (size,) = (each for each in counts.samples("jobs", 60) if each.metric == "SentMessageSize")

    assert (size.count, size.total, size.lowest, size.highest, size.unit) == (3, 600, 80, 400, "Bytes")


def test_a_quiet_minute_has_zeros_and_no_size():
    # As the page says: "Some metrics (such as SentMessageSize) are not emitted until at least one message is sent."
    samples = list(Counts().samples("jobs", 60))

    assert {each.metric: each.total for each in samples} == {
        "NumberOfMessagesSent": 0,
        "NumberOfMessagesReceived": 0,
        "NumberOfMessagesDeleted": 0,
        "NumberOfEmptyReceives": 0,
    }


def test_each_minute_has_its_own_counts(counter, clock):
    counter.sent(QUEUE, 100)
    clock.passes(60)
    counter.sent(QUEUE, 100)
    counter.sent(QUEUE, 100)

    taken = counter.take(clock.now_s + 60)

    assert [counts.sent for counts in taken.values()] == [1, 2]


def test_a_minute_that_has_not_ended_is_not_taken(counter, clock):
    counter.sent(QUEUE, 100)

    assert counter.take(clock.now_s) == {}
    assert len(counter.take(clock.now_s + 60)) == 1


def test_what_was_taken_is_not_taken_again(counter, clock):
    counter.deleted(QUEUE, 1)

    assert len(counter.take(clock.now_s + 60)) == 1
    assert counter.take(clock.now_s + 60) == {}


def test_a_queue_stays_active_for_six_hours_after_it_was_last_asked(counter, clock):
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
    counter.touch(QUEUE)

    assert counter.is_active(QUEUE, clock.now_s + 6 * 3600 - 1)
    assert not counter.is_active(QUEUE, clock.now_s + 6 * 3600)


def test_an_idle_minute_of_the_event_source_mapping_has_the_empty_receives_of_five_pollers_that_wait_20_s(
    counter, clock
):
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    for _ in range(121):
        counter.empty_poll(QUEUE)
        clock.passes(0.5)

    counts = counter.take(clock.now_s + 60)

    assert sum(each.empty_receives for each in counts.values()) == 15


def test_a_poll_right_after_a_receive_is_not_an_empty_receive(counter, clock):
    counter.received(QUEUE, 1)
    clock.passes(3)
    counter.empty_poll(QUEUE)

    (counts,) = counter.take(clock.now_s + 60).values()

    assert counts.empty_receives == 0


def test_a_message_that_a_service_delivered_is_counted_once_in_the_minute_in_which_it_came(counter, clock):
    message = {"body": "A jeep", "sent_at": clock.now_s}
    clock.passes(90)

    counter.delivered(QUEUE, message)
    counter.delivered(QUEUE, message)

    assert [(minute, counts.sent, counts.bytes_sent) for (minute, _), counts in counter.take(1e12).items()] == [
        (clock.now_s - 90, 1, 6)
    ]


def test_a_message_of_a_client_is_not_taken_for_a_delivery(counter):
    counter.delivered(QUEUE, {"body": "A jeep", "dedup_cache_key": None})

    assert counter.take(1e12) == {}


def test_a_message_is_as_large_as_its_body_and_its_attributes_in_bytes():
    attributes = {"reason": {"DataType": "String", "StringValue": "Throttled"}}

    assert size_of("é", None) == 2
    assert size_of("é", attributes) == 2 + len("reason") + len("String") + len("Throttled")
