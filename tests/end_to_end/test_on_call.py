"""A person on call looks after jobs on a real local cloud: what became of one, and back to the queue with it."""

import json
from dataclasses import replace

import pytest

from couch_explorers.oncall import redrive
from couch_explorers.oncall.job_timeline import JobNotFoundError, trace
from tests.waiting import wait_until


def story_with(workspace, job_id, state, moment=""):
    """The job's story once it is in this state and tells of this moment: a log line may come after the picture."""

    def story_in_state():
        try:
            story = trace(workspace, job_id)
        except JobNotFoundError:
            return None
        mentioned = any(moment in each.text for each in story.events) or not moment
        return story if story.status.state == state and mentioned else None

    return wait_until(story_in_state, what=f"{job_id} {state}")


def test_a_poison_job_is_reported_as_refused_and_painted_by_force_once_its_cause_is_fixed(
    local_cloud, workspace, faults, keys
):
    faults("filter=1", "latency=0")
    local_cloud.send(workspace, id="on-call-poison")
    story = story_with(workspace, "on-call-poison", "given up")
    faults("clear")

    refused = redrive.run(workspace, ["on-call-poison"])
    forced = redrive.run(workspace, ["on-call-poison"], force=True)

    assert story.status.reason == "ContentFiltered"
    assert "it is in the dead-letter queue" in story.status.sentence
    assert [outcome.result for outcome in refused.outcomes] == ["refused"]
    assert [outcome.result for outcome in forced.outcomes] == ["sent back"]
    assert story_with(workspace, "on-call-poison", "painted", "Sent again as message")
    assert keys("on-call-poison") == ["42/on-call-poison.png"]


def test_a_bare_prompt_that_was_given_up_keeps_its_id_and_is_paid_once(local_cloud, workspace, faults, keys):
    faults("latency=0")
    paid = local_cloud.stats.images
    letter = {"reason": "Throttled", "detail": "Later.", "job_id": "on-call-bare"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in letter.items()}
    sqs = workspace.client("sqs")

    for _ in range(2):
        sqs.send_message(QueueUrl=workspace.dead_letter_url, MessageBody="A bare fjord", MessageAttributes=attributes)
        redrive.run(workspace, ["on-call-bare"])
        story_with(workspace, "on-call-bare", "painted")

    assert keys("on-call-bare") == ["42/on-call-bare.png"]
    assert local_cloud.stats.images - paid == 1


def test_a_postponed_job_is_reported_alike_where_queues_can_be_looked_into_and_where_not(
    local_cloud, workspace, faults
):
    faults("throttle=1", "latency=0")
    local_cloud.send(workspace, id="on-call-throttled")

    here = story_with(workspace, "on-call-throttled", "postponed")
    on_aws = trace(replace(workspace, target="aws"), "on-call-throttled")
    faults("clear")

    # Whatever follows, the job must not be left to the tests that come after.
    story_with(workspace, "on-call-throttled", "painted")
    # A worker that was slow to start does not ask a second time: there might not be time for an answer.
    assert here.status.reason == on_aws.status.reason
    assert here.status.reason in ("Throttled", "ModelTimeout")
    assert any("without taking it from the workers" in note for note in on_aws.notes)
    assert json.dumps(here.to_json())


def test_an_id_that_nobody_has_used_says_where_it_was_looked_for(workspace):
    with pytest.raises(JobNotFoundError, match=r"No trace of on-call-nobody .* back to"):
        trace(workspace, "on-call-nobody")
