"""What the metrics see in LocalEmu's queues, without a server."""

from tests.engine_python import in_engine

PRELUDE = """
import json, time
from localemu.services.sqs.models import FifoQueue, StandardQueue
from couch_explorers.local.engine.telemetry import sqs

def lies(queue, now):
    return [[each.state, round(each.since_s), each.receives] for each in sqs._messages(queue, now)]

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


def test_message_that_is_moved_to_another_queue_begins_anew_there():
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
