import json
from datetime import timedelta

import pytest

from couch_explorers.oncall import evidence
from couch_explorers.oncall.dead_letters import OncallError
from couch_explorers.oncall.evidence import MessageSnapshot
from couch_explorers.oncall.job_timeline import JobNotFoundError, TimelineEvent, timeline_events, trace


@pytest.fixture
def moments(cloud, workspace, stand):
    """The story's moments as (place, text), from what the test has put into bucket and logs."""

    def read(snapshots=(), job_id="a"):
        kept = evidence.find_objects(cloud.client("s3"), workspace, job_id)
        lines = evidence.search_logs(
            cloud.client("logs"), workspace.functions, job_id, stand.NOW + timedelta(hours=1)
        ).lines
        return [(moment.place, moment.text) for moment in timeline_events(kept, list(snapshots), lines)]

    return read


@pytest.fixture
def sighting(stand):
    def made(**changes):
        usual = {"dead": False, "message_id": "m-1", "job_id": "a", "sent": stand.NOW, "receives": 0, "body": ""}
        return MessageSnapshot(**(usual | changes))

    return made


def throttled(cloud, receives, at_s, message_id="m-1", reason="Throttled", detail="Try again later.", seconds=4):
    job = {"job_id": "a", "message_id": message_id, "receives": receives}
    cloud.line("Job postponed", at_s=at_s, **job, reason=reason, detail=detail, seconds=seconds)


def test_a_job_is_traced_from_its_sending_to_its_picture(cloud, moments, sighting, snapshot):
    throttled(cloud, 1, 1)
    cloud.line("Picture stored", at_s=5, job_id="a", message_id="m-1", receives=2, milliseconds=2310)

    assert moments([sighting()]) == snapshot


def test_the_same_failure_again_is_not_shown_in_full_again(cloud, moments):
    throttled(cloud, 1, 1)
    throttled(cloud, 2, 2)
    throttled(cloud, 3, 3, reason="ModelTimeout", detail="Too slow.")

    assert [text.partition(". ")[2] for _, text in moments()] == [
        "Throttled: Try again later.",
        "Throttled again.",
        "ModelTimeout: Too slow.",
    ]


def test_a_receive_that_left_no_line_is_reported_before_the_next_one(cloud, moments):
    throttled(cloud, 1, 1)
    throttled(cloud, 4, 9)

    assert [text.partition(":")[0] for _, text in moments()] == ["Receive 1", "Receives 2 to 3", "Receive 4"]


def test_a_first_receive_that_left_no_line_is_missed_too(cloud, moments):
    throttled(cloud, 2, 1)

    assert moments()[0][1].startswith("Receive 1: no line. The worker was stopped")


def test_a_redriven_job_counts_its_receives_anew(cloud, moments):
    throttled(cloud, 1, 1)
    throttled(cloud, 1, 9, message_id="m-2")

    assert [text.partition(" postponed")[0] for _, text in moments()] == [
        "Receive 1:",
        "Sent again as message m-2. Receive 1:",
    ]


def test_a_job_that_was_done_before_is_reported_as_not_paid(cloud, moments):
    cloud.line("Picture stored", job_id="a", message_id="m", receives=1, milliseconds=9, already_there=True)

    assert moments() == [("worker", "Receive 1: the picture was there already; nothing was paid.")]


def test_a_job_that_was_given_up_is_reported_by_worker_letter_and_note(cloud, moments, sighting, snapshot):
    cloud.line("Job given up", at_s=1, job_id="a", message_id="m", receives=1, reason="ContentFiltered", detail="No.")
    cloud.s3.note("a")

    assert sorted(moments([sighting(dead=True, reason="ContentFiltered")])) == snapshot


def test_a_message_that_sqs_moved_is_reported_with_what_that_means(moments, sighting):
    place, text = moments([sighting(dead=True, moved_by_sqs=True, receives=10)])[0]

    assert place == "queue"
    assert "moved to the dead-letter queue by SQS after 10 receives" in text


def test_an_answer_of_the_api_is_shown_with_its_status(cloud, moments):
    cloud.line(
        "No picture",
        function="api",
        job_id="a",
        status=400,
        reason="InvalidRequest",
        detail="The prompt is empty.",
    )

    assert moments() == [("api", "Answered HTTP 400. InvalidRequest: The prompt is empty.")]


def test_a_failure_that_nobody_foresaw_shows_the_end_of_its_trace(cloud, moments):
    trace = "Traceback (most recent call last):\n  File …\nKeyError: 'images'"
    cloud.line("The job failed in a way nobody foresaw", job_id="a", message_id="m", receives=1, exception=trace)

    assert moments() == [("worker", "Receive 1: The job failed in a way nobody foresaw. KeyError: 'images'")]


def test_of_lambdas_own_lines_only_those_are_shown_that_say_something(cloud, moments, stand):
    for text in ("START RequestId: a Version: 1", "END RequestId: a", "REPORT RequestId: a\tDuration: 3108 ms"):
        cloud.logs.write("worker", text, stand.NOW)

    assert moments() == [("worker", "REPORT RequestId: a Duration: 3108 ms.")]


def test_a_picture_without_a_line_is_found_in_the_bucket(cloud, moments, job):
    cloud.s3.paint(job("a"))

    assert moments()[0][0] == "bucket"


def test_a_moment_as_json_has_its_time_in_utc(stand):
    moment = TimelineEvent(stand.NOW, "queue", "Sent.")

    assert moment.to_json() == {"time": "2026-11-25T09:30:00.000Z", "place": "queue", "text": "Sent."}


def postponed(cloud, receives=1, wait_s=30):
    fields = {"job_id": "a", "message_id": "m-1", "receives": receives, "reason": "Throttled", "detail": "Try later."}
    cloud.logs.write("worker", {"message": "Job postponed", **fields, "seconds": wait_s})


def test_a_job_with_a_picture_is_painted(cloud, tell, job):
    cloud.s3.paint(job("a", seed=7))

    standing = tell("a").status

    assert (standing.state, standing.sentence) == ("painted", "a is painted.")


def test_a_painted_job_whose_dead_letter_is_left_says_how_to_look_at_it(cloud, tell_local, message, job):
    cloud.s3.paint(job("a"))

    story = tell_local("a", dead=[message()])

    assert story.status.state == "painted"
    assert "couch redrive --dry-run a" in story.status.advice[0]


def test_a_job_that_was_given_up_tells_why_and_what_to_do(cloud, tell):
    cloud.give_up("a", "ContentFiltered", "The filter refused the prompt.")
    cloud.s3.note("a")

    standing = tell("a").status

    assert standing.sentence == "a was given up: ContentFiltered; it is in the dead-letter queue."
    assert standing.detail == "The filter refused the prompt."
    assert "couch redrive --dry-run a --target aws --candidate 42" in standing.advice[0]


def test_a_job_whose_letter_is_gone_is_explained_by_its_note(cloud, tell):
    cloud.s3.note("a", "ContentFiltered")

    standing = tell("a").status

    assert standing.sentence == "a was given up: ContentFiltered; no dead-letter message of it was found."
    assert "under the same one" in standing.advice[0]


def test_a_job_that_sqs_moved_was_given_up_without_a_reason(cloud, tell, stand):
    message_id = cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    assert "without a reason: its workers were stopped" in tell(message_id).status.sentence


@pytest.mark.parametrize(
    ("back_in", "receives", "state", "words"),
    [
        (0, 0, "waiting", "waits in the queue for a worker, sent 10 s ago, received 0 times"),
        (30, 0, "delayed", "it can be received from 25 Nov 09:30:40 UTC, in 30 s"),
        (
            120,
            1,
            "being served",
            "received 1 time. If its worker is stopped, the job comes back at 25 Nov 09:32:10 UTC",
        ),
    ],
)
def test_a_message_in_the_local_queue_tells_where_the_job_stands(tell_local, message, back_in, receives, state, words):
    standing = tell_local("a", waiting=[message(back_in=back_in, receives=receives)]).status

    assert standing.state == state
    assert words in standing.sentence


def test_a_message_whose_last_receive_was_put_off_is_put_off(cloud, tell_local, message):
    postponed(cloud, receives=2)

    standing = tell_local("a", waiting=[message(back_in=25, receives=2)]).status

    assert standing.state == "postponed"
    assert (standing.reason, standing.detail) == ("Throttled", "Try later.")
    assert "its next try is at 25 Nov 09:30:35 UTC, in 25 s" in standing.sentence


def test_a_message_that_was_received_since_it_was_put_off_is_being_served(cloud, tell_local, message):
    postponed(cloud, receives=1)

    assert tell_local("a", waiting=[message(back_in=25, receives=2)]).status.state == "being served"


def test_a_job_that_waits_again_counts_more_than_the_note_of_its_failure(cloud, tell_local, message):
    cloud.s3.note("a")

    assert tell_local("a", waiting=[message()]).status.state == "waiting"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(10, "its next try is at about 25 Nov 09:30:30 UTC, in 20 s"), (300, "has left no line yet")],
)
def test_on_aws_a_job_that_was_put_off_is_recognised_by_its_log(cloud, tell, seconds, words):
    postponed(cloud)

    standing = tell("a", seconds).status

    assert standing.state == "postponed"
    assert words in standing.sentence


def test_on_the_local_cloud_a_job_that_is_in_no_queue_any_more_is_gone(cloud, tell_local):
    postponed(cloud)

    assert tell_local("a").status.state == "gone"


def test_a_picture_that_was_removed_is_reported_as_gone(cloud, tell):
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m-1", milliseconds=5)

    assert "no longer in the bucket" in tell("a").status.sentence


def test_a_job_that_was_sent_back_a_moment_ago_is_not_reported_as_lost(cloud, tell):
    cloud.line("Job given up", job_id="a", receives=1, message_id="m-1", reason="Throttled", detail="Later.")

    standing = tell("a").status

    assert standing.state == "given up"
    assert "look again in a minute" in standing.advice[0]


def test_a_request_that_the_api_refused_is_found_by_its_request(cloud, tell):
    cloud.line(
        "No picture",
        function="api",
        api_request_id="r-1",
        status=400,
        reason="InvalidRequest",
        detail="The prompt is empty.",
    )

    standing = tell("r-1").status

    assert standing.sentence == "r-1 was refused by the API with HTTP 400: InvalidRequest."


def test_lines_without_an_end_leave_the_state_unknown(cloud, tell):
    cloud.line("The visibility could not be changed", job_id="a", receives=1, message_id="m-1")

    assert tell("a").status.state == "unknown"


def test_a_messages_id_leads_to_the_story_of_its_job(cloud, tell, job):
    cloud.s3.paint(job("a"))
    cloud.line("Job postponed", at_s=-9, job_id="a", receives=1, message_id="m-1", reason="Throttled")
    cloud.line("Picture stored", job_id="a", receives=2, message_id="m-1", milliseconds=5)

    story = tell("m-1")

    assert (story.job_id, story.requested_id, story.status.state) == ("a", "m-1", "painted")
    assert len([moment for moment in story.events if moment.place == "worker"]) == 2


def test_an_invocations_id_adds_what_lambda_itself_wrote(cloud, tell, job, stand):
    cloud.s3.paint(job("a"))
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m", milliseconds=5, function_request_id="f-1")
    cloud.logs.write("worker", "REPORT RequestId: f-1\tDuration: 5 ms", stand.NOW)

    story = tell("f-1")

    assert story.job_id == "a"
    assert any("REPORT RequestId: f-1" in moment.text for moment in story.events)


@pytest.mark.parametrize("pasted", ["42/a.png", "s3://bucket/42/a.png", "s3://bucket/42/a.error.json", "  a\n"])
def test_an_id_is_read_out_of_what_a_person_pastes(cloud, tell, job, pasted):
    cloud.s3.paint(job("a"))

    assert tell(pasted).job_id == "a"


@pytest.mark.parametrize("nonsense", ["", "a b", "æ", "x" * 65, '"', "a*"])
def test_what_cannot_be_an_id_is_refused_before_anything_is_asked(cloud, tell, nonsense):
    with pytest.raises(OncallError, match="is no id of a job"):
        tell(nonsense)

    assert cloud.s3.calls == []


def test_an_unknown_id_says_what_was_searched_and_how_far_back(tell):
    with pytest.raises(JobNotFoundError) as caught:
        tell("nobody")

    message = str(caught.value)
    assert caught.value.job_id == "nobody"
    assert "s3://bucket/42/nobody.*" in message
    assert "couch-explorers-42-jobs-dead-letter" in message
    assert "the logs of worker and api back to 11 Nov 09:30:10 UTC" in message


def test_an_unknown_id_says_what_could_not_be_searched(cloud, tell, stand):
    cloud.logs.failures["filter"] = stand.DENIED
    cloud.s3.failures["list"] = stand.DENIED

    with pytest.raises(JobNotFoundError) as caught:
        tell("nobody")

    assert "allow logs:FilterLogEvents" in str(caught.value)
    assert "allow s3:ListBucket" in str(caught.value)


def test_a_story_goes_on_without_the_log(cloud, tell, stand, job):
    cloud.s3.paint(job("a"))
    cloud.logs.failures["filter"] = stand.DENIED

    story = tell("a")

    assert story.status.state == "painted"
    assert any("logs:FilterLogEvents" in note for note in story.notes)


def test_a_story_as_json_has_everything(cloud, tell, job):
    cloud.s3.paint(job("a", seed=7))
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m", milliseconds=5)

    plain = json.loads(json.dumps(tell("a").to_json()))

    assert (plain["id"], plain["state"], plain["request"]["seed"]) == ("a", "painted", 7)
    assert plain["picture"]["uri"] == "s3://bucket/42/a.png"
    assert plain["picture"]["stored"] == "2026-11-25T09:30:00.000Z"
    assert plain["moments"][-1]["text"] == "Receive 1: picture made and stored in 0.0 s."


@pytest.fixture
def lines(workspace, stand):
    def traced(job_id):
        written = trace(workspace, job_id, now=stand.NOW + timedelta(minutes=2)).lines()
        assert all(len(line) <= 80 for line in written)
        return written

    return traced


def test_a_painted_job_on_one_screen(cloud, lines, job, snapshot):
    cloud.s3.paint(job("a", seed=7))
    cloud.line("Job postponed", at_s=1, job_id="a", message_id="m", receives=1, reason="Throttled", detail="Later.")
    cloud.line("Picture stored", at_s=5, job_id="a", message_id="m", receives=2, milliseconds=2310)

    # Another zlib compresses the picture to another size.
    size = len(cloud.s3.objects["42/a.png"].body)
    assert "\n".join(lines("a")).replace(f"{size} bytes", "as many bytes") == snapshot


def test_days_are_headings(cloud, lines):
    cloud.line("Job postponed", at_s=-36_000, job_id="a", message_id="m", receives=1, reason="Throttled")
    cloud.line("Job given up", at_s=5, job_id="a", message_id="m", receives=2, reason="Throttled", detail="Later.")

    headings = [line for line in lines("a") if line.endswith(", UTC")]

    assert headings == ["Tuesday 24 November 2026, UTC", "Wednesday 25 November 2026, UTC"]


def test_a_gap_has_no_time(cloud, lines):
    cloud.line("Job postponed", at_s=1, job_id="a", message_id="m", receives=2, reason="Throttled")

    gap = next(line for line in lines("a") if "Receive 1" in line)

    assert gap.startswith(" " * 10 + "worker")


def test_advice_and_notes_are_labelled(cloud, lines):
    cloud.give_up("a", "ContentFiltered")

    written = lines("a")

    assert any(line.startswith("next      See whether") for line in written)
    assert any(line.startswith("note      AWS does not show") for line in written)


def test_a_messages_id_is_explained(cloud, lines, job):
    cloud.s3.paint(job("a"))
    cloud.line("Picture stored", job_id="a", message_id="m-1", receives=1, milliseconds=5)

    assert "  m-1 is the id of a message, request or invocation of this job." in lines("m-1")


def test_a_prompt_that_would_command_the_terminal_is_harmless(cloud, lines):
    cloud.give_up("a", body='{"id": "a", "prompt": "\\u001b[2J' + "x " * 500 + '"}')

    written = "\n".join(lines("a"))

    assert "\x1b" not in written
    assert "…" in written
