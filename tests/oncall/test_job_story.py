import json

import pytest

from couch_explorers.oncall.errors import JobNotFoundError, OncallError


def test_a_messages_id_leads_to_the_story_of_its_job(cloud, tell, job):
    cloud.s3.paint(job("a"))
    cloud.line("Job postponed", at_s=-9, job_id="a", receives=1, message_id="m-1", reason="Throttled")
    cloud.line("Picture stored", job_id="a", receives=2, message_id="m-1", milliseconds=5)

    story = tell("m-1")

    assert (story.job_id, story.asked, story.standing.state) == ("a", "m-1", "painted")
    assert len([moment for moment in story.moments if moment.place == "worker"]) == 2


def test_an_invocations_id_adds_what_lambda_itself_wrote(cloud, tell, job, stand):
    cloud.s3.paint(job("a"))
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m", milliseconds=5, function_request_id="f-1")
    cloud.logs.write("worker", "REPORT RequestId: f-1\tDuration: 5 ms", stand.NOW)

    story = tell("f-1")

    assert story.job_id == "a"
    assert any("REPORT RequestId: f-1" in moment.text for moment in story.moments)


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

    said = str(caught.value)
    assert caught.value.job_id == "nobody"
    assert "s3://bucket/42/nobody.*" in said
    assert "couch-explorers-42-jobs-dead-letter" in said
    assert "the logs of worker and api back to 11 Nov 09:30:10 UTC" in said


def test_an_unknown_id_says_what_could_not_be_searched(cloud, tell, stand):
    cloud.logs.failures["filter"] = stand.refusal()
    cloud.s3.failures["list"] = stand.refusal()

    with pytest.raises(JobNotFoundError) as caught:
        tell("nobody")

    assert "allow logs:FilterLogEvents" in str(caught.value)
    assert "allow s3:ListBucket" in str(caught.value)


def test_a_story_goes_on_without_the_log(cloud, tell, stand, job):
    cloud.s3.paint(job("a"))
    cloud.logs.failures["filter"] = stand.refusal()

    story = tell("a")

    assert story.standing.state == "painted"
    assert any("logs:FilterLogEvents" in note for note in story.notes)


def test_a_story_as_json_has_everything(cloud, tell, job):
    cloud.s3.paint(job("a", seed=7))
    cloud.line("Picture stored", job_id="a", receives=1, message_id="m", milliseconds=5)

    plain = json.loads(json.dumps(tell("a").to_json()))

    assert (plain["id"], plain["state"], plain["request"]["seed"]) == ("a", "painted", 7)
    assert plain["picture"]["uri"] == "s3://bucket/42/a.png"
    assert plain["picture"]["stored"] == "2026-11-25T09:30:00.000Z"
    assert plain["moments"][-1]["text"] == "Receive 1: picture made and stored in 0.0 s."
