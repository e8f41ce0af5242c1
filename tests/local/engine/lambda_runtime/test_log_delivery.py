import threading

import pytest

from couch_explorers.local.engine.lambda_runtime import observers
from couch_explorers.local.engine.lambda_runtime.log_delivery import MAX_BYTES, LogDelivery
from couch_explorers.local.engine.lambda_runtime.observers import LogBatch, LogEvent
from tests.local.engine.functions import wait_until


def stream(name):
    return LogBatch("paint", "000000000000", "eu-west-1", "/aws/lambda/paint", name, "role")


class Observer:
    def __init__(self):
        self.batches = []

    def logged(self, batch):
        self.batches.append(batch)


@pytest.fixture
def observer():
    noting = Observer()
    end = observers.subscribe(noting)
    yield noting
    end()


def test_events_of_a_stream_stay_in_order_and_never_go_back_in_time(observer):
    stored = []
    delivery = LogDelivery(stored.append)

    for number, stamp in enumerate([5, 3, 7, 6]):
        delivery.add(stream("one"), LogEvent(stamp, str(number)))
        delivery.add(stream("two"), LogEvent(stamp, f"two {number}"))

    wait_until(lambda: sum(len(batch.events) for batch in stored) == 8)
    events = [event for batch in stored if batch.log_stream == "one" for event in batch.events]
    assert [(event.timestamp_ms, event.message) for event in events] == [(5, "0"), (5, "1"), (7, "2"), (7, "3")]
    assert observer.batches == stored


def test_calls_stay_within_the_limits_of_put_log_events():
    stored = []
    delivery = LogDelivery(stored.append)

    for _ in range(3):
        delivery.add(stream("one"), LogEvent(1, "x" * (MAX_BYTES // 2)))

    wait_until(lambda: sum(len(batch.events) for batch in stored) == 3)
    assert [len(batch.events) for batch in stored] == [1, 1, 1]


def test_refused_events_reach_the_observers_and_do_not_end_the_delivery(observer):
    refusing = threading.Event()
    refusing.set()
    stored = []

    def store(batch):
        if refusing.is_set():
            raise PermissionError
        stored.append(batch)

    delivery = LogDelivery(store)
    delivery.add(stream("one"), LogEvent(1, "refused"))
    wait_until(lambda: observer.batches)
    refusing.clear()
    delivery.add(stream("one"), LogEvent(2, "stored"))

    wait_until(lambda: stored)
    assert [event.message for batch in stored for event in batch.events] == ["stored"]
