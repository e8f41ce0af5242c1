import pytest


def postponed(cloud, receives=1, wait_s=30):
    fields = {"job_id": "a", "message_id": "m-1", "receives": receives, "reason": "Throttled", "detail": "Try later."}
    cloud.logs.write("worker", {"message": "Job postponed", **fields, "seconds": wait_s})


def test_a_job_with_a_picture_is_painted(cloud, tell, job):
    cloud.s3.paint(job("a", seed=7))

    standing = tell("a").standing

    assert (standing.state, standing.sentence) == ("painted", "a is painted.")


def test_a_painted_job_whose_dead_letter_is_left_says_how_to_look_at_it(cloud, tell_local, message, job):
    cloud.s3.paint(job("a"))

    story = tell_local("a", dead=[message()])

    assert story.standing.state == "painted"
    assert "couch redrive --dry-run a" in story.standing.advice[0]


def test_a_job_that_was_given_up_tells_why_and_what_to_do(cloud, tell):
    cloud.give_up("a", "ContentFiltered", "The filter refused the prompt.")
    cloud.s3.note("a")

    standing = tell("a").standing

    assert standing.sentence == "a was given up: ContentFiltered; it stands among the dead letters."
    assert standing.detail == "The filter refused the prompt."
    assert "couch redrive --dry-run a --target aws --candidate 42" in standing.advice[0]


def test_a_job_whose_letter_is_gone_is_told_by_its_note(cloud, tell):
    cloud.s3.note("a", "ContentFiltered")

    standing = tell("a").standing

    assert standing.sentence == "a was given up: ContentFiltered; no dead letter of it was found."
    assert "under the same one" in standing.advice[0]


def test_a_job_that_sqs_moved_was_given_up_without_a_reason(cloud, tell, stand):
    message_id = cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    assert "without a reason: its workers were stopped" in tell(message_id).standing.sentence


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
    standing = tell_local("a", waiting=[message(back_in=back_in, receives=receives)]).standing

    assert standing.state == state
    assert words in standing.sentence


def test_a_message_whose_last_receive_was_put_off_is_put_off(cloud, tell_local, message):
    postponed(cloud, receives=2)

    standing = tell_local("a", waiting=[message(back_in=25, receives=2)]).standing

    assert standing.state == "put off"
    assert (standing.reason, standing.detail) == ("Throttled", "Try later.")
    assert "its next try is at 25 Nov 09:30:35 UTC, in 25 s" in standing.sentence


def test_a_message_that_was_received_since_it_was_put_off_is_being_served(cloud, tell_local, message):
    postponed(cloud, receives=1)

    assert tell_local("a", waiting=[message(back_in=25, receives=2)]).standing.state == "being served"


def test_a_job_that_waits_again_counts_more_than_the_note_of_its_failure(cloud, tell_local, message):
    cloud.s3.note("a")

    assert tell_local("a", waiting=[message()]).standing.state == "waiting"


@pytest.mark.parametrize(
    ("seconds", "words"), [(10, "its next try is at about 25 Nov 09:30:30 UTC, in 20 s"), (300, "has left no line yet")]
)
def test_on_aws_a_job_that_was_put_off_is_told_by_its_log(cloud, tell, seconds, words):
    postponed(cloud)

    standing = tell("a", seconds).standing

    assert standing.state == "put off"
    assert words in standing.sentence


def test_on_the_local_cloud_a_job_that_is_in_no_queue_any_more_is_gone(cloud, tell_local):
    postponed(cloud)

    assert tell_local("a").standing.state == "gone"


def test_a_picture_that_was_removed_is_told_as_gone(cloud, tell):
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m-1", milliseconds=5)

    assert "no longer in the bucket" in tell("a").standing.sentence


def test_a_job_that_was_sent_back_a_moment_ago_is_not_told_as_lost(cloud, tell):
    cloud.line("Job given up", job_id="a", receives=1, message_id="m-1", reason="Throttled", detail="Later.")

    standing = tell("a").standing

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

    standing = tell("r-1").standing

    assert standing.sentence == "r-1 was refused by the API with HTTP 400: InvalidRequest."


def test_lines_without_an_end_leave_the_state_unknown(cloud, tell):
    cloud.line("The visibility could not be changed", job_id="a", receives=1, message_id="m-1")

    assert tell("a").standing.state == "unknown"
