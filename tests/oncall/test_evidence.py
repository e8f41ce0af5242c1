"""FilterLogEvents: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html."""

import io
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from couch_explorers.oncall import evidence


def test_a_picture_is_reported_with_what_it_was_made_from(cloud, workspace, job):
    wanted = job("a", prompt="A fjord", seed=7)
    cloud.s3.paint(wanted)

    picture = evidence.find_objects(cloud.client("s3"), workspace, "a").picture

    assert picture.uri == "s3://bucket/42/a.png"
    assert (picture.width, picture.height, picture.seed, picture.model) == (48, 32, "7", wanted.model.id)
    assert picture.request == wanted.request


def test_only_the_head_of_a_picture_is_fetched(cloud, workspace, job, monkeypatch):
    cloud.s3.paint(job("a"))
    stored = cloud.s3.objects["42/a.png"]
    cloud.s3.put("42/a.png", stored.body + b"x" * 1_000_000, **stored.metadata)
    monkeypatch.setattr(evidence, "HEAD_BYTES", len(stored.body) - 20)

    picture = evidence.find_objects(cloud.client("s3"), workspace, "a").picture

    assert picture.bytes == len(stored.body) + 1_000_000
    assert picture.request["prompt"] == "A fjord"


def test_a_picture_that_another_program_saved_is_described_by_what_s3_knows(cloud, workspace):
    cloud.s3.put("42/a.png", b"GIF89a")

    picture = evidence.find_objects(cloud.client("s3"), workspace, "a").picture

    assert (picture.bytes, picture.width, picture.request) == (6, 0, {})


def test_a_note_tells_why_there_is_no_picture(cloud, workspace):
    cloud.s3.note("a", "ContentFiltered", "The prompt was blocked.", request={"prompt": "A fjord"})

    note = evidence.find_objects(cloud.client("s3"), workspace, "a").note

    assert (note.reason, note.detail, note.request) == (
        "ContentFiltered",
        "The prompt was blocked.",
        {"prompt": "A fjord"},
    )


def test_a_note_that_cannot_be_read_is_still_a_trace(cloud, workspace):
    cloud.s3.put("42/a.error.json", b"{half")

    assert evidence.find_objects(cloud.client("s3"), workspace, "a").note.reason == "unreadable"


def test_the_picture_of_a_job_whose_id_only_begins_alike_is_not_taken(cloud, workspace, job):
    cloud.s3.paint(job("a1"))

    kept = evidence.find_objects(cloud.client("s3"), workspace, "a")

    assert (kept.picture, kept.note, kept.notes) == (None, None, [])


def test_a_bucket_that_may_not_be_listed_is_a_note_by_the_rights_name(cloud, workspace, stand):
    cloud.s3.failures["list"] = stand.DENIED

    assert "allow s3:ListBucket" in evidence.find_objects(cloud.client("s3"), workspace, "a").notes[0]


def test_an_object_that_may_not_be_read_is_a_note_by_the_rights_name(cloud, workspace, stand, job):
    cloud.s3.paint(job("a"))
    cloud.s3.failures["get"] = stand.DENIED

    assert "allow s3:GetObject" in evidence.find_objects(cloud.client("s3"), workspace, "a").notes[0]


BACK_AT = 1_795_600_000


@pytest.fixture
def peek(monkeypatch):
    """What the local cloud shows of its queues, by the end of a queue's name."""
    shown = {"jobs": [], "jobs-dead-letter": []}

    def open_url(address, timeout_s):
        name = address.rpartition("couch-explorers-42-")[2]
        assert "/_couch/messages/" in address
        return io.BytesIO(json.dumps({"messages": shown[name]}).encode())

    monkeypatch.setattr(evidence, "open_url", open_url)
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

    found = evidence.search_queues(cloud.workspace("local"), "a")

    seen = found.snapshots[0]
    assert (seen.dead, seen.job_id, seen.message_id, seen.receives, seen.back_at) == (False, "a", "m-1", 2, None)
    assert seen.sent == datetime(2026, 11, 25, 7, 0, 0, 120_000, tzinfo=UTC)
    assert cloud.sqs.calls == []


def test_a_message_that_cannot_be_received_now_tells_when(cloud, peek):
    peek["jobs"].append(message(message_id="a", visible=False))

    assert evidence.search_queues(cloud.workspace("local"), "a").snapshots[0].back_at == datetime.fromtimestamp(
        BACK_AT,
        UTC,
    )


def test_a_dead_letter_is_seen_with_the_workers_reason(cloud, peek):
    attributes = {"reason": "Throttled", "detail": "Later.", "job_id": "a"}
    peek["jobs-dead-letter"].append(message("{broken", attributes=attributes))

    seen = evidence.search_queues(cloud.workspace("local"), "a").snapshots[0]

    assert (seen.dead, seen.reason, seen.detail, seen.moved_by_sqs) == (True, "Throttled", "Later.", False)


def test_a_message_that_sqs_moved_is_seen_as_such(cloud, peek):
    peek["jobs-dead-letter"].append(message(message_id="a", receives=10, DeadLetterQueueSourceArn="arn"))

    assert evidence.search_queues(cloud.workspace("local"), "a").snapshots[0].moved_by_sqs


def test_a_job_is_found_by_its_messages_id_too_and_others_are_not(cloud, peek):
    peek["jobs"] += [message('{"id": "a", "prompt": "x"}'), message('{"id": "b", "prompt": "x"}', message_id="m-2")]

    assert [seen.job_id for seen in evidence.search_queues(cloud.workspace("local"), "m-1").snapshots] == ["a"]


def test_a_local_cloud_that_does_not_answer_is_a_note(cloud):
    found = evidence.search_queues(cloud.workspace("local", endpoint="http://127.0.0.1:1"), "a")

    assert len(found.notes) == 2
    assert found.searched == []


def test_on_aws_the_queue_is_left_alone_and_a_note_says_so(cloud, workspace, stand):
    cloud.sqs.put(stand.QUEUE, '{"id": "a", "prompt": "A fjord"}')

    found = evidence.search_queues(workspace, "a")

    assert found.snapshots == []
    assert "without taking it from the workers" in found.notes[0]
    assert "about 1 waiting, 0 in flight or postponed, 0 delayed" in found.notes[0]
    assert cloud.sqs.queues[stand.QUEUE][0].receives == 0


def test_on_aws_the_dead_letters_are_read_and_put_back(cloud, workspace, stand):
    cloud.give_up("a", "ContentFiltered")
    cloud.give_up("b")

    found = evidence.search_queues(workspace, "a")

    assert [seen.reason for seen in found.snapshots] == ["ContentFiltered"]
    assert len(cloud.sqs.visible(stand.DEAD)) == 2


def test_on_aws_nothing_is_asked_for_a_job_that_is_painted(cloud, workspace):
    assert evidence.search_queues(workspace, "a", has_picture=True).notes == []
    assert cloud.sqs.calls == []


def test_on_aws_missing_rights_are_notes(cloud, workspace, stand):
    cloud.sqs.failures |= {"attributes": stand.DENIED, "receive": stand.DENIED}

    notes = " ".join(evidence.search_queues(workspace, "a").notes)

    assert "allow sqs:GetQueueAttributes" in notes
    assert "allow sqs:ReceiveMessage" in notes


def test_a_queue_that_is_not_deployed_is_a_note(cloud):
    assert "not deployed" in evidence.search_queues(cloud.workspace(queue_url=None), "a").notes[0]


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
    assert evidence.request_in(body) == request_


FUNCTIONS = {"worker": "worker", "api": "api"}
DAY_S = 24 * 3600


@pytest.fixture
def search(cloud, stand):
    return lambda wanted, functions=FUNCTIONS: evidence.search_logs(cloud.client("logs"), functions, wanted, stand.NOW)


@pytest.mark.parametrize("name", ["job_id", "message_id", "api_request_id", "function_request_id"])
def test_a_line_is_found_by_any_id_that_the_handlers_write(cloud, search, name):
    cloud.line("Picture stored", at_s=-5, **{name: "wanted"})

    assert [line.text for line in search("wanted").lines] == ["Picture stored"]


def test_a_longer_id_that_holds_the_wanted_one_is_another_job(cloud, search):
    cloud.line("Picture stored", at_s=-5, job_id="storm-17")
    cloud.line("Picture stored", at_s=-4, detail="not like storm-1", job_id="calm")
    cloud.logs.write("worker", "REPORT RequestId: storm-17 Duration: 5 ms")

    assert search("storm-1").lines == []


def test_metrics_are_no_lines_of_the_story(cloud, search):
    cloud.line("", at_s=-5, _aws={}, job_id="wanted")

    assert search("wanted").lines == []


def test_a_line_that_lambda_writes_is_found_by_its_request(cloud, search, stand):
    cloud.logs.write("worker", "2026-11-25 Task timed out: 8dd9-b1 after 60 s", stand.NOW)

    assert [line.text for line in search("8dd9-b1").lines] == ["2026-11-25 Task timed out: 8dd9-b1 after 60 s"]


def test_lines_of_both_functions_come_in_the_order_in_which_they_were_written(cloud, search):
    cloud.line("Picture stored", at_s=-1, job_id="a", receives=2)
    cloud.line("Picture stored", at_s=-3, job_id="a", function="api")
    cloud.line("Job postponed", at_s=-2, job_id="a", receives=1)

    assert [(line.function, line.text) for line in search("a").lines] == [
        ("api", "Picture stored"),
        ("worker", "Job postponed"),
        ("worker", "Picture stored"),
    ]


def test_a_lines_time_is_the_handlers_own_clock(cloud, search, stand):
    cloud.logs.write("worker", {"message": "x", "job_id": "a", "timestamp": "2026-11-25 10:29:59,250+0100"}, stand.NOW)

    assert search("a").lines[0].time == stand.NOW - timedelta(milliseconds=750)


@pytest.mark.parametrize("stamp", [None, "yesterday", 5])
def test_a_line_without_a_readable_time_has_that_of_its_event(cloud, search, stand, stamp):
    cloud.logs.write("worker", {"message": "x", "job_id": "a", "timestamp": stamp}, stand.NOW)

    assert search("a").lines[0].time == stand.NOW


def test_pages_are_read_to_their_end(cloud, search):
    cloud.logs.page = 2
    for number in range(7):
        cloud.line(f"line {number}", at_s=number - 9, job_id="a")

    assert len(search("a").lines) == 7


def test_a_log_that_is_too_long_is_reported_not_hidden(cloud, search, monkeypatch):
    monkeypatch.setattr(evidence, "MAX_PAGES", 2)
    cloud.logs.page = 1
    for number in range(5):
        cloud.line("Job postponed", at_s=number - 9, job_id="a", receives=number + 1)

    found = search("a")

    assert len(found.lines) == 2
    assert "/aws/lambda/worker is too long" in found.notes[0]


def test_the_search_goes_no_further_back_than_the_first_receive(cloud, search, stand):
    cloud.line("Picture stored", at_s=-5, job_id="a", receives=1)

    assert search("a").since == stand.NOW - timedelta(days=1)
    assert len(cloud.logs.asked) == 2


def test_the_search_goes_further_back_until_it_finds_the_first_receive(cloud, search, stand):
    cloud.line("Job postponed", at_s=-3 * DAY_S, job_id="a", receives=1)
    cloud.line("Picture stored", at_s=-5, job_id="a", receives=2)

    found = search("a")

    assert [line.get("receives") for line in found.lines] == ["1", "2"]
    assert found.since == stand.NOW - timedelta(days=4)


def test_an_id_without_a_trace_is_searched_for_as_long_as_sqs_keeps_anything(search, stand):
    assert search("nobody").since == stand.NOW - timedelta(days=14)


def test_no_stretch_is_searched_twice(cloud, search):
    search("nobody")

    stretches = sorted((start, end) for group, start, end in cloud.logs.asked if group.endswith("worker"))
    assert all(earlier[1] < later[0] for earlier, later in pairwise(stretches))


def test_a_log_that_may_not_be_read_leaves_the_other(cloud, search, stand):
    cloud.line("Picture stored", at_s=-5, function="api", job_id="a")
    del cloud.logs.groups["/aws/lambda/worker"]

    found = search("a")

    assert (len(found.lines), found.functions) == (1, ["api"])
    assert found.notes == ["There is no log /aws/lambda/worker: the function has never run, or its log was removed."]


def test_a_missing_right_is_a_note_by_its_name(cloud, search, stand):
    cloud.logs.failures["filter"] = stand.DENIED

    found = search("a")

    assert (found.lines, found.since) == ([], None)
    assert all("allow logs:FilterLogEvents" in note for note in found.notes)
    assert len(found.notes) == 2


def test_without_a_function_there_is_no_log(search):
    assert search("a", {}).notes == ["No function is deployed, so there is no log."]
