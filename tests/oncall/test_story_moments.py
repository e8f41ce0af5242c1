from datetime import timedelta

import pytest

from couch_explorers.oncall import story_bucket, story_log, story_moments
from couch_explorers.oncall.story_queues import Sighting


@pytest.fixture
def told(cloud, workspace, stand):
    """The story's moments as (place, text), from what the test has put into bucket and logs."""

    def tell(sightings=(), job_id="a"):
        kept = story_bucket.look(cloud.s3, workspace, job_id)
        lines = story_log.search(cloud.logs, workspace.functions, job_id, stand.NOW + timedelta(hours=1)).lines
        return [(moment.place, moment.text) for moment in story_moments.tell(kept, list(sightings), lines)]

    return tell


@pytest.fixture
def sighting(stand):
    def made(**changes):
        usual = {"dead": False, "message_id": "m-1", "job_id": "a", "sent": stand.NOW, "receives": 0, "body": ""}
        return Sighting(**(usual | changes))

    return made


def throttled(cloud, receives, at_s, message_id="m-1", reason="Throttled", detail="Try again later.", seconds=4):
    job = {"job_id": "a", "message_id": message_id, "receives": receives}
    cloud.line("Job postponed", at_s=at_s, **job, reason=reason, detail=detail, seconds=seconds)


def test_a_job_is_told_from_its_sending_to_its_picture(cloud, told, sighting):
    throttled(cloud, 1, 1)
    cloud.line("Picture stored", at_s=5, job_id="a", message_id="m-1", receives=2, milliseconds=2310)

    assert told([sighting()]) == [
        ("queue", "Sent as message m-1."),
        ("worker", "Receive 1: put off for 4 s. Throttled: Try again later."),
        ("worker", "Receive 2: picture made and stored in 2.3 s."),
    ]


def test_the_same_failure_again_is_not_told_in_full_again(cloud, told):
    throttled(cloud, 1, 1)
    throttled(cloud, 2, 2)
    throttled(cloud, 3, 3, reason="ModelTimeout", detail="Too slow.")

    assert [text.partition(". ")[2] for _, text in told()] == [
        "Throttled: Try again later.",
        "Throttled again.",
        "ModelTimeout: Too slow.",
    ]


def test_a_receive_that_left_no_line_is_told_before_the_next_one(cloud, told):
    throttled(cloud, 1, 1)
    throttled(cloud, 4, 9)

    assert [text.partition(":")[0] for _, text in told()] == ["Receive 1", "Receives 2 to 3", "Receive 4"]


def test_a_first_receive_that_left_no_line_is_missed_too(cloud, told):
    throttled(cloud, 2, 1)

    assert told()[0][1].startswith("Receive 1: no line. The worker was stopped")


def test_a_redriven_job_counts_its_receives_anew(cloud, told):
    throttled(cloud, 1, 1)
    throttled(cloud, 1, 9, message_id="m-2")

    assert [text.partition(" put")[0] for _, text in told()] == [
        "Receive 1:",
        "Sent again as message m-2. Receive 1:",
    ]


def test_a_job_that_was_done_before_is_told_as_not_paid(cloud, told):
    cloud.line("Picture stored", job_id="a", message_id="m", receives=1, milliseconds=9, already_there=True)

    assert told() == [("worker", "Receive 1: the picture was there already; nothing was paid.")]


def test_a_job_that_was_given_up_is_told_by_worker_letter_and_note(cloud, told, sighting):
    cloud.line("Job given up", at_s=1, job_id="a", message_id="m", receives=1, reason="ContentFiltered", detail="No.")
    cloud.s3.note("a")

    moments = told([sighting(dead=True, reason="ContentFiltered")])

    assert sorted(moments) == [
        ("bucket", "Note of why there is no picture: ContentFiltered."),
        ("dead letters", "Dead letter m-1: ContentFiltered."),
        ("worker", "Receive 1: given up. ContentFiltered: No."),
    ]


def test_a_message_that_sqs_moved_is_told_with_what_that_means(told, sighting):
    place, text = told([sighting(dead=True, moved_by_sqs=True, receives=10)])[0]

    assert place == "queue"
    assert "moved to the dead letters by SQS after 10 receives" in text


def test_an_answer_of_the_api_is_told_with_its_status(cloud, told):
    cloud.line(
        "No picture", function="api", job_id="a", status=400, reason="InvalidRequest", detail="The prompt is empty."
    )

    assert told() == [("api", "Answered HTTP 400. InvalidRequest: The prompt is empty.")]


def test_a_failure_that_nobody_foresaw_shows_the_end_of_its_trace(cloud, told):
    trace = "Traceback (most recent call last):\n  File …\nKeyError: 'images'"
    cloud.line("The job failed in a way nobody foresaw", job_id="a", message_id="m", receives=1, exception=trace)

    assert told() == [("worker", "Receive 1: The job failed in a way nobody foresaw. KeyError: 'images'")]


def test_of_lambdas_own_lines_only_those_are_told_that_say_something(cloud, told, stand):
    for text in ("START RequestId: a Version: 1", "END RequestId: a", "REPORT RequestId: a\tDuration: 3108 ms"):
        cloud.logs.write("worker", text, stand.NOW)

    assert told() == [("worker", "REPORT RequestId: a Duration: 3108 ms.")]


def test_a_picture_without_a_line_is_told_by_the_bucket(cloud, told, job):
    cloud.s3.paint(job("a"))

    assert told()[0][0] == "bucket"


def test_a_moment_as_json_has_its_time_in_utc(stand):
    moment = story_moments.Moment(stand.NOW, "queue", "Sent.")

    assert moment.to_json() == {"time": "2026-11-25T09:30:00.000Z", "place": "queue", "text": "Sent."}
