"""What counts as what at a queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import pytest

from couch_explorers.local.telemetry.sqs import (
    Counts,
    MessageState,
    QueueCounter,
    depth,
    publish_counts,
    publish_so_far,
    size_of,
)

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


def test_minute_that_was_recorded_in_part_has_zeros_only_for_what_never_happened(counter, clock, noted):
    counter.sent(QUEUE, 10)
    publish_so_far(noted, counter)
    counter.sent(QUEUE, 10)
    counter.received(QUEUE, 1)
    publish_so_far(noted, counter)
    publish_so_far(noted, counter)

    publish_counts(noted, counter, clock.now_s + 60)

    assert [(sample.metric, sample.total) for sample in noted.samples if sample.metric != "SentMessageSize"] == [
        ("NumberOfMessagesSent", 1),
        ("NumberOfMessagesSent", 1),
        ("NumberOfMessagesReceived", 1),
        ("NumberOfMessagesDeleted", 0),
        ("NumberOfEmptyReceives", 0),
    ]


def test_a_queue_stays_active_for_six_hours_after_it_was_last_asked(counter, clock):
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
    counter.touch(QUEUE)

    assert counter.is_active(QUEUE, clock.now_s + 6 * 3600 - 1)
    assert not counter.is_active(QUEUE, clock.now_s + 6 * 3600)


def lies(clock, *messages):
    """What a queue with these messages publishes: (state, seconds since it came, receives) each."""
    states = [MessageState(state, clock.now_s - ago_s, receives) for state, ago_s, receives in messages]
    samples = depth(QUEUE, states, clock.now_s - 60, clock.now_s)
    return {sample.metric.removeprefix("ApproximateNumberOfMessages"): sample.total for sample in samples}


def test_messages_are_visible_in_flight_or_delayed(clock):
    found = lies(clock, ("visible", 5, 0), ("visible", 4, 1), ("in_flight", 3, 1), ("delayed", 2, 0))

    assert found == {"Visible": 2, "NotVisible": 1, "Delayed": 1, "ApproximateAgeOfOldestMessage": 5}


def test_age_of_a_message_counts_no_more_from_its_third_receive(clock):
    found = lies(clock, ("in_flight", 600, 3), ("visible", 90, 2))

    assert found["ApproximateAgeOfOldestMessage"] == 90


def test_empty_queue_has_an_age_of_zero(clock):
    assert set(lies(clock).values()) == {0}


def test_a_message_is_as_large_as_its_body_and_its_attributes_in_bytes():
    attributes = {"reason": {"DataType": "String", "StringValue": "Throttled"}}

    assert size_of("é", None) == 2
    assert size_of("é", attributes) == 2 + len("reason") + len("String") + len("Throttled")
