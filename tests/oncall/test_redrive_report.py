import json

import pytest

from couch_explorers.oncall import redrive


@pytest.fixture
def text(cloud, workspace):
    """The report of a redrive as one text."""

    def written(**arguments):
        lines = redrive.run(workspace, **arguments).lines()
        assert all(len(line) <= 80 for line in lines)
        return "\n".join(lines)

    return written


def test_no_letters_are_one_line(text):
    assert text() == "No dead-letter messages in couch-explorers-42-jobs-dead-letter."


def test_a_letter_shows_its_reason_what_becomes_of_it_and_why(cloud, text):
    cloud.give_up("poison", "ContentFiltered", "The filter refused the prompt.")

    assert text().splitlines() == [
        "1 dead-letter message in couch-explorers-42-jobs-dead-letter (times in UTC)",
        "",
        "refused: 1 job, ContentFiltered",
        "  The filter refused the prompt.",
        "  → A content filter answers the same again, and may bill it: change the prompt.",
        "    25 Nov 09:30:00  poison",
        "",
        "1 refused.",
        "The refused stay where they are; --force with an ID sends it nevertheless.",
    ]


def test_what_failed_in_the_same_way_stands_together(cloud, text):
    for number in range(30):
        cloud.give_up(f"job-{number}")

    written = text()

    assert "sent back: 30 jobs, Throttled" in written
    assert written.count("Try again later.") == 1
    assert "    10 more: --json lists all" in written


def test_a_dry_run_says_what_would_be_done_and_how_to_do_it(cloud, text):
    cloud.give_up("a")

    written = text(dry_run=True)

    assert "would be sent back: 1 job" in written
    assert "1 would be sent back. Nothing was changed." in written
    assert "Send them: couch redrive --target aws --candidate 42" in written


def test_after_a_redrive_one_job_can_be_followed(cloud, text):
    cloud.give_up("a")

    assert "Follow one: couch job a --target aws --candidate 42" in text()


def test_twins_are_counted_as_letters_and_shown_as_one_job(cloud, text):
    cloud.give_up("twin")
    cloud.give_up("twin", minutes=1)

    written = text()

    assert "2 dead-letter messages" in written
    assert "twin (2 letters)" in written


def test_pictures_that_are_there_are_told_together(cloud, text, job):
    for name in ("a", "b"):
        cloud.give_up(name)
        cloud.s3.paint(job(name))

    written = text()

    assert "done already: 2 jobs" in written
    assert "Their pictures are there." in written


def test_a_forced_job_is_told_as_such(cloud, text):
    cloud.give_up("poison", "ContentFiltered")

    assert "sent back by force: 1 job, ContentFiltered" in text(force=True)


def test_a_failure_is_shown_with_what_sqs_said(cloud, text, stand):
    cloud.give_up("a")
    cloud.sqs.refused_bodies.update(cloud.sqs.bodies(stand.DEAD))

    written = text()

    assert "not sent: 1 job" in written
    assert "  ! Queue: SQS did not take the job (InvalidMessageContents)" in written


def test_a_message_that_sqs_moved_is_told_as_such(cloud, text, stand):
    cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    assert "sent back: 1 job, moved by SQS" in text()


def test_letters_that_cannot_be_seen_are_told(cloud, text):
    cloud.sqs.elsewhere = 2

    assert "About 2 more cannot be seen just now" in text()


def test_a_reason_that_would_command_the_terminal_is_harmless(cloud, text):
    cloud.give_up("a", "Throttled", "\x1b[2Jgone")

    assert "\x1b" not in text()


def test_json_holds_every_job(cloud, workspace):
    for number in range(30):
        cloud.give_up(f"job-{number}")

    plain = json.loads(json.dumps(redrive.run(workspace, dry_run=True).to_json()))

    assert (plain["dry_run"], len(plain["jobs"])) == (True, 30)
    assert plain["jobs"][0] | {"message_id": ""} == {
        "job_id": "job-0",
        "message_id": "",
        "reason": "Throttled",
        "detail": "Try again later.",
        "body": '{"prompt": "A fjord", "id": "job-0"}',
        "since": "2026-11-25T09:30:00.000Z",
        "receives": 1,
        "moved_by_sqs": False,
        "result": "sent back",
        "why": "A failure of this kind passes.",
        "trouble": "",
        "forced": False,
        "letters": 1,
    }
