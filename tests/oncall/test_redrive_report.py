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


def test_a_letter_shows_its_reason_what_becomes_of_it_and_why(cloud, text, snapshot):
    cloud.give_up("poison", "ContentFiltered", "The filter refused the prompt.")

    assert text() == snapshot


def test_what_failed_in_the_same_way_stands_together(cloud, text, snapshot):
    for number in range(30):
        cloud.give_up(f"job-{number}")

    written = text()

    assert written.count("Try again later.") == 1
    assert sum(line.startswith("    25 Nov") for line in written.splitlines()) == 20
    assert written == snapshot


def test_a_dry_run_says_what_would_be_done_and_how_to_do_it(cloud, text, snapshot):
    cloud.give_up("a")

    assert text(dry_run=True) == snapshot


def test_after_a_redrive_one_job_can_be_followed(cloud, text):
    cloud.give_up("a")

    assert "couch job a --target aws --candidate 42" in text()


def test_twins_are_counted_as_letters_and_shown_as_one_job(cloud, text, snapshot):
    cloud.give_up("twin")
    cloud.give_up("twin", minutes=1)

    assert text() == snapshot


def test_pictures_that_are_there_are_listed_together(cloud, text, job, snapshot):
    for name in ("a", "b"):
        cloud.give_up(name)
        cloud.s3.paint(job(name))

    assert text() == snapshot


def test_a_forced_job_is_marked_as_such(cloud, text, snapshot):
    cloud.give_up("poison", "ContentFiltered")

    assert text(force=True) == snapshot


def test_a_failure_is_shown_with_what_sqs_answered(cloud, text, stand, snapshot):
    cloud.give_up("a")
    cloud.sqs.refused_bodies.update(cloud.sqs.bodies(stand.DEAD))

    assert text() == snapshot


def test_a_message_that_sqs_moved_is_marked_as_such(cloud, text, stand, snapshot):
    cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    assert text() == snapshot


def test_letters_that_cannot_be_seen_are_reported(cloud, text, snapshot):
    cloud.sqs.elsewhere = 2

    assert text() == snapshot


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
