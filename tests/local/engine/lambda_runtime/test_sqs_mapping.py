import base64
import json
import threading
import time
from collections import Counter

import pytest

from couch_explorers.local.engine.lambda_runtime.sqs_mapping import (
    Concurrency,
    MappingSettings,
    SqsMapping,
    ThrottledError,
    failed_items,
)
from tests.waiting import wait_until


class FakeQueue:
    """Hands each message out once and notes what is deleted."""

    arn = "arn:aws:sqs:eu-west-1:000000000000:jobs"

    def __init__(self, bodies, *, fifo=False, visibility_s=30.0, groups=None):
        self.fifo = fifo
        self.visibility_s = visibility_s
        self.lock = threading.Lock()
        self.waiting = [
            self.message(body, group) for body, group in zip(bodies, groups or [""] * len(bodies), strict=True)
        ]
        self.deleted = []
        self.calls = []

    @staticmethod
    def message(body, group=""):
        attributes = {"ApproximateReceiveCount": "1", **({"MessageGroupId": group} if group else {})}
        return {
            "MessageId": f"id-{body[:20]}",
            "ReceiptHandle": f"handle-{body[:20]}",
            "Body": body,
            "MD5OfBody": "md5",
            "Attributes": attributes,
        }

    def receive(self, count, wait_s, stopping):
        until = time.monotonic() + wait_s
        while True:
            with self.lock:
                if self.waiting:
                    taken, self.waiting = self.waiting[:count], self.waiting[count:]
                    self.calls.append(len(taken))
                    return taken
            if time.monotonic() >= until or stopping.wait(0.01):
                return []

    def delete(self, messages):
        with self.lock:
            self.deleted += [message["Body"] for message in messages]

    def visibility_timeout_s(self):
        return self.visibility_s


class FakeFunction:
    """Notes its events; answers by `handler(records)`."""

    def __init__(self, handler=lambda records: None, *, there=True):
        self.handler = handler
        self.there = there
        self.lock = threading.Lock()
        self.batches = []
        self.running = Counter()

    def exists(self):
        return self.there

    def invoke(self, payload):
        records = json.loads(payload)["Records"]
        with self.lock:
            self.batches.append(records)
            self.running["now"] += 1
            self.running["most"] = max(self.running["most"], self.running["now"])
        try:
            return json.dumps(self.handler(records)).encode(), False
        except ZeroDivisionError:
            return b'{"errorType": "ZeroDivisionError"}', True
        finally:
            with self.lock:
                self.running["now"] -= 1

    @property
    def bodies(self):
        return [[record["body"] for record in batch] for batch in self.batches]


@pytest.fixture
def mapped():
    mappings = []

    def start(queue, function, **settings):
        mapping = SqsMapping("test", MappingSettings(**{"region": "eu-west-1", **settings}), queue, function)
        mappings.append(mapping)
        mapping.start()
        return mapping

    yield start
    for mapping in mappings:
        mapping.stop()


def numbers(count):
    return [str(number) for number in range(count)]


def test_messages_are_handled_in_batches_and_deleted(mapped):
    queue, function = FakeQueue(numbers(25)), FakeFunction()

    mapped(queue, function, batch_size=10)

    wait_until(lambda: len(queue.deleted) == 25)
    assert max(len(batch) for batch in function.bodies) <= 10
    assert sorted(body for batch in function.bodies for body in batch) == sorted(numbers(25))


def test_record_has_lambdas_format(mapped):
    queue, function = FakeQueue(["a jeep"]), FakeFunction()
    queue.waiting[0] |= {
        "MessageAttributes": {
            "reason": {"StringValue": "blocked", "DataType": "String"},
            "picture": {"BinaryValue": b"\x89PNG", "DataType": "Binary"},
        },
        "MD5OfMessageAttributes": "md5-of-attributes",
    }

    mapped(queue, function)

    wait_until(lambda: queue.deleted)
    assert function.batches == [
        [
            {
                "messageId": "id-a jeep",
                "receiptHandle": "handle-a jeep",
                "body": "a jeep",
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {
                    "reason": {
                        "stringValue": "blocked",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "String",
                    },
                    "picture": {
                        "binaryValue": base64.b64encode(b"\x89PNG").decode(),
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "Binary",
                    },
                },
                "md5OfMessageAttributes": "md5-of-attributes",
                "md5OfBody": "md5",
                "eventSource": "aws:sqs",
                "eventSourceARN": queue.arn,
                "awsRegion": "eu-west-1",
            }
        ]
    ]


def test_maximum_concurrency_is_reached_and_kept(mapped):
    gate = threading.Event()
    queue, function = FakeQueue(numbers(30)), FakeFunction(lambda _: gate.wait(30) and None)

    mapped(queue, function, batch_size=1, maximum_concurrency=7)

    wait_until(lambda: function.running["now"] == 7, what="seven batches at a time")
    gate.set()
    wait_until(lambda: len(queue.deleted) == 30)
    assert function.running["most"] == 7


def test_no_more_is_received_than_is_handled_at_once(mapped):
    gate = threading.Event()
    queue, function = FakeQueue(numbers(30)), FakeFunction(lambda _: gate.wait(30) and None)

    mapped(queue, function, batch_size=1, maximum_concurrency=2)

    wait_until(lambda: function.running["now"] == 2)
    assert sum(queue.calls) == 2
    gate.set()


def test_window_gathers_a_whole_batch(mapped):
    queue, function = FakeQueue(numbers(25)), FakeFunction()

    mapped(queue, function, batch_size=20, window_s=0.5)

    wait_until(lambda: len(queue.deleted) == 25)
    assert sorted(len(batch) for batch in function.bodies) == [5, 20]


def test_batch_stays_within_the_payload_limit(mapped):
    bodies = [letter * 900_000 for letter in "abcdefghij"]
    queue, function = FakeQueue(bodies), FakeFunction()

    mapped(queue, function, batch_size=10)

    wait_until(lambda: len(queue.deleted) == 10)
    assert sorted(len(batch) for batch in function.bodies) == [4, 6]


def test_reported_items_stay_in_the_queue(mapped):
    failures = {"batchItemFailures": [{"itemIdentifier": "id-1"}]}
    queue, function = FakeQueue(numbers(3)), FakeFunction(lambda _: failures)

    mapped(queue, function, report_item_failures=True)

    wait_until(lambda: queue.deleted)
    assert queue.deleted == ["0", "2"]


def test_report_is_ignored_where_the_mapping_does_not_ask_for_it(mapped):
    queue, function = FakeQueue(["0"]), FakeFunction(lambda _: {"batchItemFailures": [{"itemIdentifier": "id-0"}]})

    mapped(queue, function)

    wait_until(lambda: queue.deleted == ["0"])


def test_failed_batch_stays_in_the_queue(mapped):
    queue, function = FakeQueue(numbers(2)), FakeFunction(lambda records: 1 / int(records[0]["body"]))

    mapped(queue, function, batch_size=1)

    wait_until(lambda: len(function.batches) == 2)
    wait_until(lambda: queue.deleted == ["1"])


def test_throttled_batch_is_tried_again_while_it_is_hidden(mapped):
    attempts = []

    def throttle(_):
        attempts.append(1)
        if len(attempts) < 3:
            raise ThrottledError

    queue, function = FakeQueue(["0"]), FakeFunction(throttle)

    mapped(queue, function)

    wait_until(lambda: queue.deleted == ["0"])
    assert len(attempts) == 3


def test_throttled_batch_is_dropped_when_its_visibility_ends(mapped):
    def throttle(_):
        raise ThrottledError

    queue, function = FakeQueue(["0"], visibility_s=0.25), FakeFunction(throttle)

    mapped(queue, function)

    wait_until(lambda: len(function.batches) == 2)
    time.sleep(0.5)  # a third attempt would come after 0.2 s
    assert len(function.batches) == 2
    assert queue.deleted == []


def test_filtered_messages_are_deleted_without_an_invocation(mapped):
    queue, function = FakeQueue(numbers(4)), FakeFunction()

    mapped(queue, function, matches=lambda record: record["body"] == "2")

    wait_until(lambda: len(queue.deleted) == 4)
    assert function.bodies == [["2"]]


def test_fifo_groups_make_batches_of_their_own_in_order(mapped):
    queue, function = FakeQueue(numbers(4), fifo=True, groups=["b", "a", "b", "a"]), FakeFunction()

    mapped(queue, function, batch_size=10)

    wait_until(lambda: len(queue.deleted) == 4)
    assert sorted(function.bodies) == [["0", "2"], ["1", "3"]]


def test_nothing_is_received_for_a_function_that_is_gone(mapped):
    queue, function = FakeQueue(["0"]), FakeFunction(there=False)

    mapped(queue, function).stop()

    assert queue.calls == []


def test_stopped_mapping_receives_nothing(mapped):
    queue, function = FakeQueue([]), FakeFunction()
    mapping = mapped(queue, function)

    mapping.stop()
    wait_until(lambda: not any(thread.name == "mapping-test" for thread in threading.enumerate()))
    queue.waiting.append(queue.message("late"))

    assert queue.receive(1, 0, threading.Event())[0]["Body"] == "late"


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"", set()),
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": ["b"]}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"identifier": "a"}]}', {"a", "b"}),
        (b'{"batchItemFailures": "a"}', {"a", "b"}),
        (b'"done"', {"a", "b"}),
        (b"not JSON", {"a", "b"}),
    ],
)
def test_report_of_failed_items_is_read_as_lambda_reads_it(answer, failed):
    assert failed_items(answer, {"a", "b"}) == failed


def test_concurrency_grows_by_five_a_second_while_all_are_in_use():
    concurrency = Concurrency(100)
    for _ in range(5):
        concurrency.take()

    begun = time.monotonic()
    for _ in range(5):
        concurrency.wait_for_free(threading.Event())
        concurrency.take()

    assert time.monotonic() - begun > 0.9


def test_concurrency_backs_off_and_rests():
    concurrency = Concurrency(100)
    concurrency.back_off(0.5)

    assert concurrency.wait_for_free(threading.Event()) == 2

    for _ in range(10):
        concurrency.back_off(0.1)
    assert concurrency.wait_for_free(threading.Event()) == 1


def test_message_received_while_the_mapping_stops_is_handled(mapped):
    class SlowQueue(FakeQueue):
        """Answers a poll only when it is told to, as a long poll that was under way does."""

        polling, may_answer = threading.Event(), threading.Event()

        def receive(self, count, wait_s, stopping):
            self.polling.set()
            self.may_answer.wait(30)
            return super().receive(count, 0, stopping)

    queue, function = SlowQueue(["last"]), FakeFunction()
    mapping = mapped(queue, function)
    assert queue.polling.wait(30)

    mapping.stop()
    queue.may_answer.set()

    wait_until(lambda: queue.deleted == ["last"])
    assert function.bodies == [["last"]]
