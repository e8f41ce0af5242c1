"""Batches: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html."""

import json

import pytest

from couch_explorers.oncall import redrive, redrive_eligibility
from couch_explorers.oncall.dead_letters import OncallError, hold_all
from couch_explorers.oncall.redrive_report import Result


def ids(cloud, url):
    return [json.loads(body)["id"] for body in cloud.sqs.bodies(url)]


def results(report):
    return {outcome.decision.job_id: outcome.result for outcome in report.outcomes}


def test_a_job_goes_back_to_the_queue_under_its_id_and_its_letter_is_gone(cloud, workspace, stand):
    cloud.give_up("a")

    report = redrive.run(workspace)

    assert results(report) == {"a": Result.SENT}
    assert (ids(cloud, stand.QUEUE), ids(cloud, stand.DEAD)) == (["a"], [])
    assert report.exit_code == 0


def test_what_is_sent_carries_no_reason_of_the_past(cloud, workspace, stand):
    cloud.give_up("a")

    redrive.run(workspace)

    assert cloud.sqs.queues[stand.QUEUE][0].attributes == {}


def test_what_would_fail_again_stays_where_it_is_and_can_be_seen_again(cloud, workspace, stand):
    cloud.give_up("poison", "ContentFiltered")

    report = redrive.run(workspace)

    assert results(report) == {"poison": Result.REFUSED}
    assert len(cloud.sqs.visible(stand.DEAD)) == 1
    assert report.exit_code == 0


def test_a_refusal_of_a_job_that_was_asked_for_by_name_is_a_failure(cloud, workspace):
    cloud.give_up("poison", "ContentFiltered")

    assert redrive.run(workspace, ["poison"]).exit_code == 1


def test_force_sends_it_nevertheless(cloud, workspace, stand):
    cloud.give_up("poison", "ContentFiltered")

    report = redrive.run(workspace, ["poison"], force=True)

    assert results(report) == {"poison": Result.SENT}
    assert ids(cloud, stand.QUEUE) == ["poison"]


def test_what_is_painted_is_dropped_and_not_paid_again(cloud, workspace, stand, job):
    cloud.give_up("done")
    cloud.s3.paint(job("done"))

    report = redrive.run(workspace, force=True)

    assert results(report) == {"done": Result.DROPPED}
    assert (cloud.sqs.bodies(stand.QUEUE), cloud.sqs.bodies(stand.DEAD)) == ([], [])


def test_a_dry_run_changes_nothing(cloud, workspace, stand, job):
    cloud.give_up("passing")
    cloud.give_up("done")
    cloud.s3.paint(job("done"))
    cloud.s3.note("passing", "Throttled")

    report = redrive.run(workspace, dry_run=True)

    assert results(report) == {"passing": Result.SENT, "done": Result.DROPPED}
    assert cloud.sqs.bodies(stand.QUEUE) == []
    assert len(cloud.sqs.visible(stand.DEAD)) == 2
    assert "42/passing.error.json" in cloud.s3.objects


def test_the_note_of_the_failure_is_gone_before_the_job_is_sent(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.s3.note("a", "Throttled")
    there = []
    send = cloud.sqs.send_message_batch
    cloud.sqs.send_message_batch = lambda **arguments: (
        there.append("42/a.error.json" in cloud.s3.objects) or send(**arguments)
    )

    redrive.run(workspace)

    assert there == [False]


def test_a_note_that_may_not_be_removed_keeps_nothing_from_being_sent(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.s3.failures["delete"] = stand.DENIED

    report = redrive.run(workspace)

    assert results(report) == {"a": Result.SENT}
    assert "no right to do it: allow s3:DeleteObject" in report.outcomes[0].trouble


def test_a_note_that_s3_keeps_is_reported_with_its_job(cloud, workspace):
    cloud.give_up("a")
    cloud.give_up("b")
    cloud.s3.note("a", "Throttled")
    cloud.s3.note("b", "Throttled")
    cloud.s3.undeletable.add("42/b.error.json")

    report = redrive.run(workspace)

    assert [bool(outcome.trouble) for outcome in report.outcomes] == [False, True]
    assert "no right to do it: allow s3:DeleteObject" in report.outcomes[1].trouble


def test_a_note_and_a_letter_that_both_stay_are_both_reported(cloud, workspace):
    cloud.sqs.undeletable.add(cloud.give_up("a"))
    cloud.s3.note("a", "Throttled")
    cloud.s3.undeletable.add("42/a.error.json")

    (outcome,) = redrive.run(workspace).outcomes

    assert "s3:DeleteObject" in outcome.trouble
    assert "another redrive drops it (InternalError)" in outcome.trouble


def test_letters_that_sqs_keeps_hidden_are_reported(cloud, workspace, stand):
    cloud.give_up("sent")
    cloud.sqs.unmovable.add(cloud.give_up("poison", "ContentFiltered"))

    report = redrive.run(workspace)

    assert report.hidden_note == report.to_json()["hidden_note"]
    assert report.hidden_note.startswith("1 dead-letter message could not be made visible again (InternalError): ")
    assert report.hidden_note in " ".join(line.strip() for line in report.lines())


def test_letters_that_are_deleted_by_then_are_not_called_hidden(cloud, workspace):
    cloud.give_up("sent")

    assert redrive.run(workspace).hidden_note == ""


def test_each_batch_is_sent_before_its_letters_are_deleted_and_before_the_next(cloud, workspace):
    for number in range(25):
        cloud.give_up(f"job-{number}")

    redrive.run(workspace)

    steps = [call for call in cloud.sqs.calls if call in ("send", "delete")]
    assert steps == ["send", "delete"] * 3


def test_a_stop_between_sending_and_deleting_loses_no_job(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.sqs.failures["delete"] = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        redrive.run(workspace)

    assert ids(cloud, stand.QUEUE) == ["a"]
    assert len(cloud.sqs.visible(stand.DEAD)) == 1


def test_the_next_redrive_drops_what_a_stopped_one_had_sent(cloud, workspace, stand, job):
    cloud.give_up("a")
    cloud.sqs.failures["delete"] = stand.refusal("InternalError", 500)
    first = redrive.run(workspace)
    del cloud.sqs.failures["delete"]
    cloud.s3.paint(job("a"))

    second = redrive.run(workspace)

    assert "another redrive drops it (InternalError" in first.outcomes[0].trouble
    assert (results(first), results(second)) == ({"a": Result.SENT}, {"a": Result.DROPPED})
    assert (ids(cloud, stand.QUEUE), ids(cloud, stand.DEAD)) == (["a"], [])


def test_a_letter_that_sqs_does_not_delete_is_reported(cloud, workspace):
    cloud.sqs.undeletable.add(cloud.give_up("a"))

    assert "could not be deleted" in redrive.run(workspace).outcomes[0].trouble


def test_a_job_that_sqs_does_not_take_keeps_its_letter(cloud, workspace, stand):
    cloud.give_up("good")
    cloud.give_up("bad")
    cloud.sqs.refused_bodies.add(cloud.sqs.bodies(stand.DEAD)[1])

    report = redrive.run(workspace)

    assert results(report) == {"good": Result.SENT, "bad": Result.FAILED}
    assert (ids(cloud, stand.QUEUE), ids(cloud, stand.DEAD)) == (["good"], ["bad"])
    assert report.exit_code == 1


def test_a_throttled_send_is_tried_again_after_a_wait(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.sqs.failures["send"] = stand.refusal("RequestThrottled", 400)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        cloud.sqs.failures.clear()
        return False

    letters = redrive_eligibility.decide(workspace, _letters(workspace))
    outcomes = redrive.carry_out(workspace, letters, stopped=wait)

    assert [outcome.result for outcome in outcomes] == [Result.SENT]
    assert waits == [1.0]


def test_twins_are_sent_once_and_both_deleted(cloud, workspace, stand):
    cloud.give_up("twin")
    cloud.give_up("twin", minutes=1)

    redrive.run(workspace)

    assert (ids(cloud, stand.QUEUE), ids(cloud, stand.DEAD)) == (["twin"], [])


def test_only_the_named_are_sent_by_the_jobs_id_or_the_letters(cloud, workspace, stand):
    cloud.give_up("a")
    message_id = cloud.give_up("b")
    cloud.give_up("c")

    redrive.run(workspace, ["a", message_id, "a"])

    assert (ids(cloud, stand.QUEUE), ids(cloud, stand.DEAD)) == (["a", "b"], ["c"])


def test_an_id_without_a_letter_stops_before_anything_is_sent_and_lists_what_there_is(cloud, workspace, stand):
    cloud.give_up("a")

    with pytest.raises(OncallError, match=r"No dead-letter message has the id nope\. There are a\. Nothing was sent\."):
        redrive.run(workspace, ["a", "nope"])

    assert len(cloud.sqs.visible(stand.DEAD)) == 1
    assert cloud.sqs.bodies(stand.QUEUE) == []


def test_an_id_is_not_found_where_there_are_no_letters(workspace):
    with pytest.raises(OncallError, match="There are none at all"):
        redrive.run(workspace, ["nope"])


def test_what_somebody_else_is_reading_is_counted(cloud, workspace):
    cloud.sqs.elsewhere = 3

    assert redrive.run(workspace).hidden == 3


def test_without_the_right_to_count_the_letters_are_read_all_the_same(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.sqs.failures["attributes"] = stand.DENIED

    assert results(redrive.run(workspace)) == {"a": Result.SENT}


def test_without_a_queue_there_is_nothing_to_redrive(cloud):
    with pytest.raises(OncallError, match="The queue is not deployed"):
        redrive.run(cloud.workspace(queue_url=None, dead_letter_url=None))


def test_letters_that_were_read_before_can_be_sent(cloud, workspace, stand):
    cloud.give_up("a")

    with hold_all(workspace) as letters:
        outcomes = redrive.send(workspace, letters)

    assert [outcome.result for outcome in outcomes] == [Result.SENT]
    assert ids(cloud, stand.QUEUE) == ["a"]


def _letters(workspace):
    with hold_all(workspace) as letters:
        return letters
