"""Rights: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html."""

import pytest

from couch_explorers.core import errors
from couch_explorers.core.errors import InvalidJobError, UnknownModelError
from couch_explorers.oncall import prospects
from couch_explorers.oncall.dead_letters import read
from couch_explorers.oncall.prospects import Prospects

TITAN = "amazon.titan-image-generator-v1"


@pytest.fixture
def judge(cloud, workspace, job):
    """Judge a letter with this reason."""

    def judged(reason, detail="", reads=None, **fields):
        cloud.give_up("a", reason, detail)
        return Prospects(workspace).of(read(workspace)[-1], reads or job("a", **fields))

    return judged


def all_kinds(kind=errors.GenerationError):
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield below
            yield from all_kinds(below)


@pytest.mark.parametrize(
    "reason", ["Throttled", "ModelUnavailable", "ModelTimeout", "SubscriptionPending", "Unexpected"]
)
def test_a_failure_that_passes_is_worth_another_try(judge, reason):
    assert judge(reason).good


@pytest.mark.parametrize("reason", ["ContentFiltered", "ModelAnswer"])
def test_what_a_model_would_answer_again_is_not_paid_again(judge, reason):
    prospect = judge(reason)

    assert not prospect.good
    assert "may bill it" in prospect.why


def test_every_reason_of_the_core_is_known_here(judge):
    """A reason that nobody has thought of is refused: this names the ones to think of."""
    unknown = [kind.reason for kind in all_kinds() if "not known" in judge(kind.reason).why]

    assert unknown == []


def test_the_reasons_that_pass_are_those_of_the_core():
    passing = {kind.reason for kind in all_kinds() if kind.passing}

    assert passing == prospects.PASSING - {prospects.UNEXPECTED}


def test_a_reason_that_is_not_known_is_refused(judge):
    assert "'Sunspots'" in judge("Sunspots").why


@pytest.mark.parametrize("reason", ["InvalidRequest", "UnknownModel"])
def test_a_job_that_was_invalid_is_sent_when_it_is_valid_today(judge, reason):
    assert judge(reason).good


def test_a_job_that_is_still_invalid_fails_again_in_the_same_way(judge):
    prospect = judge("InvalidRequest", "The prompt is empty.", reads=InvalidJobError("The prompt is empty."))

    assert (prospect.good, prospect.why) == (False, "It would fail again in the same way.")


def test_a_throttled_job_whose_model_was_taken_off_since_is_refused_with_todays_reason(judge):
    prospect = judge("Throttled", reads=UnknownModelError("The model x is not allowed here."))

    assert not prospect.good
    assert prospect.why == "The worker would refuse it today, UnknownModel: The model x is not allowed here."


def test_a_retired_model_is_asked_for_today(judge, cloud):
    assert judge("ModelRetired").good
    cloud.bedrock.status = "LEGACY"
    prospect = judge("ModelRetired", model=TITAN)

    assert not prospect.good
    assert "is LEGACY" in prospect.why


def test_a_model_that_cannot_be_asked_for_is_not_risked(judge, cloud, stand):
    cloud.bedrock.failures["lifecycle"] = stand.refusal()

    prospect = judge("ModelRetired")

    assert not prospect.good
    assert "bedrock:GetFoundationModel" in prospect.why


def test_a_right_that_was_missing_is_asked_of_the_workers_role(judge, cloud):
    before = judge("AccessDenied")
    cloud.iam.allowed.add("bedrock:InvokeModel")

    assert (before.good, judge("AccessDenied").good) == (False, True)
    assert "may still not call bedrock:InvokeModel on arn:aws:bedrock" in before.why


def test_the_bucket_is_risked_only_when_the_picture_can_be_stored_because_it_is_paid_first(judge, cloud):
    detail = "No right to write the bucket bucket: grant it to the caller."
    cloud.iam.allowed.add("s3:GetObject")
    before = judge("Storage", detail)
    cloud.iam.allowed.add("s3:PutObject")

    assert (before.good, judge("Storage", detail).good) == (False, True)
    assert "s3:PutObject on arn:aws:s3:::bucket/42/*" in before.why


def test_a_bucket_that_failed_for_a_while_is_tried_again(judge, cloud):
    assert judge("Storage", "S3 would not write the bucket bucket (SlowDown): try again later.").good
    assert cloud.iam.calls == []


@pytest.mark.parametrize(("service", "call"), [("iam", "simulate"), ("functions", "configuration")])
def test_a_right_that_cannot_be_asked_is_not_assumed(judge, cloud, stand, service, call):
    getattr(cloud, service).failures[call] = stand.refusal()

    prospect = judge("AccessDenied")

    assert not prospect.good
    assert "could not be asked (no right to do it" in prospect.why


def test_a_right_of_a_worker_that_is_not_deployed_is_not_assumed(cloud, job):
    workspace = cloud.workspace(functions={})
    cloud.give_up("a", "AccessDenied")

    assert "the worker is not deployed" in Prospects(workspace).of(read(workspace)[0], job("a")).why


def test_many_letters_ask_the_target_once(cloud, workspace, job):
    for number in range(20):
        cloud.give_up(f"job-{number}", "AccessDenied" if number % 2 else "ModelRetired")
    judging = Prospects(workspace)

    for letter in read(workspace):
        judging.of(letter, job(letter.job_id))

    assert (cloud.iam.calls, cloud.bedrock.calls, cloud.functions.calls) == (
        ["simulate"],
        ["lifecycle"],
        ["configuration"],
    )


def test_a_message_that_sqs_moved_may_be_tried_again_with_a_warning(cloud, workspace, stand, job):
    cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    prospect = Prospects(workspace).of(read(workspace)[0], job("a"))

    assert prospect.good
    assert "its prompt may be the cause" in prospect.why


def test_a_letter_that_somebody_put_there_by_hand_may_be_sent(cloud, workspace, stand, job):
    cloud.sqs.put(stand.DEAD, "A fjord")

    assert Prospects(workspace).of(read(workspace)[0], job("a")).good
