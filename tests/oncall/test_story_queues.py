import io
import json
from datetime import UTC, datetime

import pytest

from couch_explorers.oncall import story_queues

BACK_AT = 1_795_600_000


@pytest.fixture
def peek(monkeypatch):
    """What the local cloud shows of its queues, by the end of a queue's name."""
    shown = {"jobs": [], "jobs-dead-letter": []}

    def open_url(address, timeout_s):
        name = address.rpartition("couch-explorers-42-")[2]
        assert "/_couch/messages/" in address
        return io.BytesIO(json.dumps({"messages": shown[name]}).encode())

    monkeypatch.setattr(story_queues, "open_url", open_url)
    return shown


def message(body="A fjord", *, message_id="m-1", visible=True, receives=0, attributes=None, **system):
    """A message as the local cloud shows it."""
    return {
        "MessageId": message_id,
        "Body": body,
        "VisibleAt": None if visible else BACK_AT,
        "MessageAttributes": {name: {"StringValue": value} for name, value in (attributes or {}).items()},
        "Attributes": {"SentTimestamp": "1795590000120", "ApproximateReceiveCount": str(receives), **system},
    }


def test_on_the_local_cloud_a_waiting_message_is_seen_without_receiving_it(cloud, peek):
    peek["jobs"].append(message('{"id": "a", "prompt": "A fjord"}', receives=2))

    found = story_queues.look(cloud.workspace("local"), "a")

    seen = found.sightings[0]
    assert (seen.dead, seen.job_id, seen.message_id, seen.receives, seen.back_at) == (False, "a", "m-1", 2, None)
    assert seen.sent == datetime(2026, 11, 25, 7, 0, 0, 120_000, tzinfo=UTC)
    assert cloud.sqs.calls == []


def test_a_message_that_cannot_be_received_now_tells_when(cloud, peek):
    peek["jobs"].append(message(message_id="a", visible=False))

    assert story_queues.look(cloud.workspace("local"), "a").sightings[0].back_at == datetime.fromtimestamp(BACK_AT, UTC)


def test_a_dead_letter_is_seen_with_the_workers_reason(cloud, peek):
    attributes = {"reason": "Throttled", "detail": "Later.", "job_id": "a"}
    peek["jobs-dead-letter"].append(message("{broken", attributes=attributes))

    seen = story_queues.look(cloud.workspace("local"), "a").sightings[0]

    assert (seen.dead, seen.reason, seen.detail, seen.moved_by_sqs) == (True, "Throttled", "Later.", False)


def test_a_message_that_sqs_moved_is_seen_as_such(cloud, peek):
    peek["jobs-dead-letter"].append(message(message_id="a", receives=10, DeadLetterQueueSourceArn="arn"))

    assert story_queues.look(cloud.workspace("local"), "a").sightings[0].moved_by_sqs


def test_a_job_is_found_by_its_messages_id_too_and_others_are_not(cloud, peek):
    peek["jobs"] += [message('{"id": "a", "prompt": "x"}'), message('{"id": "b", "prompt": "x"}', message_id="m-2")]

    assert [seen.job_id for seen in story_queues.look(cloud.workspace("local"), "m-1").sightings] == ["a"]


def test_a_local_cloud_that_does_not_answer_is_a_note(cloud):
    found = story_queues.look(cloud.workspace("local", endpoint="http://127.0.0.1:1"), "a")

    assert len(found.notes) == 2
    assert found.looked_into == []


def test_on_aws_the_queue_is_left_alone_and_that_is_said(cloud, workspace, stand):
    cloud.sqs.put(stand.QUEUE, '{"id": "a", "prompt": "A fjord"}')

    found = story_queues.look(workspace, "a")

    assert found.sightings == []
    assert "without taking it from the workers" in found.notes[0]
    assert "about 1 waiting, 0 in flight or put off, 0 delayed" in found.notes[0]
    assert cloud.sqs.queues[stand.QUEUE][0].receives == 0


def test_on_aws_the_dead_letters_are_read_and_put_back(cloud, workspace, stand):
    cloud.give_up("a", "ContentFiltered")
    cloud.give_up("b")

    found = story_queues.look(workspace, "a")

    assert [seen.reason for seen in found.sightings] == ["ContentFiltered"]
    assert len(cloud.sqs.visible(stand.DEAD)) == 2


def test_on_aws_nothing_is_asked_for_a_job_that_is_painted(cloud, workspace):
    assert story_queues.look(workspace, "a", painted=True).notes == []
    assert cloud.sqs.calls == []


def test_on_aws_missing_rights_are_notes(cloud, workspace, stand):
    cloud.sqs.failures |= {"attributes": stand.refusal(), "receive": stand.refusal()}

    notes = " ".join(story_queues.look(workspace, "a").notes)

    assert "allow sqs:GetQueueAttributes" in notes
    assert "allow sqs:ReceiveMessage" in notes


def test_a_queue_that_is_not_deployed_is_a_note(cloud):
    assert "not deployed" in story_queues.look(cloud.workspace(queue_url=None), "a").notes[0]


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ("A fjord", {"prompt": "A fjord"}),
        ('{"id": "a", "prompt": "A fjord", "seed": 7}', {"prompt": "A fjord", "seed": 7}),
        ("{broken", {"prompt": "{broken"}),
        ("[1]", {"prompt": "[1]"}),
    ],
)
def test_what_a_body_asks_for_is_read_kindly(body, request_):
    assert story_queues.request_in(body) == request_
