"""Rights: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html."""

import json

import pytest

from couch_explorers.core import errors, retries
from couch_explorers.core.errors import InvalidJobError, UnknownModelError
from couch_explorers.oncall import redrive_eligibility
from couch_explorers.oncall.dead_letters import OncallError, read_all
from couch_explorers.oncall.redrive_eligibility import Action, EligibilityChecker, body_to_send, decide

TITAN = "amazon.titan-image-generator-v1"


@pytest.fixture
def judge(cloud, workspace, job):
    """Judge a letter with this reason."""

    def judged(reason, detail="", reads=None, **fields):
        cloud.give_up("a", reason, detail)
        return EligibilityChecker(workspace).of(read_all(workspace)[-1], reads or job("a", **fields))

    return judged


def all_kinds(kind=errors.GenerationError):
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield below
            yield from all_kinds(below)


@pytest.mark.parametrize(
    "reason",
    ["Throttled", "ModelUnavailable", "SubscriptionPending", "Unexpected"],
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

    assert passing == redrive_eligibility.TRANSIENT - {errors.UNEXPECTED} | {"ModelTimeout"}


def time_out(cloud, job_id, message_id, times):
    for number in range(1, times + 1):
        cloud.s3.put(f"42/{job_id}.timeouts/{message_id}/{number}", b"")


def test_a_job_whose_model_timed_out_is_worth_one_redrive_whose_price_is_given(judge, cloud):
    time_out(cloud, "a", "first", retries.MAX_MODEL_TIMEOUTS)

    prospect = judge("ModelTimeout")

    assert prospect.good
    assert "up to 3 more calls may be billed ($0.12)" in prospect.why


@pytest.mark.parametrize(("second", "good"), [(1, True), (2, True), (3, False), (4, False)])
def test_a_redriven_job_whose_model_timed_out_as_often_again_is_refused(judge, cloud, second, good):
    time_out(cloud, "a", "first", retries.MAX_MODEL_TIMEOUTS)
    time_out(cloud, "a", "second", second)
    time_out(cloud, "another", "third", 9)

    assert judge("ModelTimeout").good is good


def test_timeouts_that_cannot_be_counted_are_not_risked(judge, cloud, stand):
    cloud.s3.failures["list"] = stand.DENIED

    prospect = judge("ModelTimeout")

    assert not prospect.good
    assert prospect.why.startswith("Its timeouts could not be counted. No right to list")


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
    cloud.bedrock.lifecycles[TITAN] = "LEGACY"
    prospect = judge("ModelRetired", model=TITAN)

    assert not prospect.good
    assert "is LEGACY" in prospect.why


def test_a_model_that_cannot_be_asked_for_is_not_risked(judge, cloud, stand):
    cloud.bedrock.failures["lifecycle"] = stand.DENIED

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
    getattr(cloud, service).failures[call] = stand.DENIED

    prospect = judge("AccessDenied")

    assert not prospect.good
    assert "could not be asked (no right to do it" in prospect.why


def test_a_right_of_a_worker_that_is_not_deployed_is_not_assumed(cloud, job):
    workspace = cloud.workspace(functions={})
    cloud.give_up("a", "AccessDenied")

    assert "the worker is not deployed" in EligibilityChecker(workspace).of(read_all(workspace)[0], job("a")).why


def test_many_letters_ask_the_target_once(cloud, workspace, job):
    for number in range(20):
        cloud.give_up(f"job-{number}", "AccessDenied" if number % 2 else "ModelRetired")
    judging = EligibilityChecker(workspace)

    for letter in read_all(workspace):
        judging.of(letter, job(letter.job_id))

    assert (cloud.iam.calls, cloud.bedrock.calls, cloud.functions.calls) == (
        ["simulate"],
        ["lifecycle"],
        ["configuration"],
    )


def test_a_message_that_sqs_moved_may_be_tried_again_with_a_warning(cloud, workspace, stand, job):
    cloud.sqs.put(stand.DEAD, "A fjord", moved=True)

    prospect = EligibilityChecker(workspace).of(read_all(workspace)[0], job("a"))

    assert prospect.good
    assert "its prompt may be the cause" in prospect.why


def test_a_letter_that_somebody_put_there_by_hand_may_be_sent(cloud, workspace, stand, job):
    cloud.sqs.put(stand.DEAD, "A fjord")

    assert EligibilityChecker(workspace).of(read_all(workspace)[0], job("a")).good


def actions(decisions):
    return {decision.job_id: decision.action for decision in decisions}


def test_each_letter_is_sent_refused_or_dropped_by_what_would_become_of_it(cloud, workspace, job):
    cloud.give_up("passing")
    cloud.give_up("poison", "ContentFiltered")
    cloud.give_up("done")
    cloud.s3.paint(job("done"))

    decided = decide(workspace, read_all(workspace))

    assert actions(decided) == {"passing": Action.SEND, "poison": Action.REFUSE, "done": Action.DROP}


def test_force_sends_what_would_be_refused_but_not_what_is_painted(cloud, workspace, job):
    cloud.give_up("poison", "ContentFiltered")
    cloud.give_up("done")
    cloud.s3.paint(job("done"))

    decided = decide(workspace, read_all(workspace), force=True)

    assert actions(decided) == {"poison": Action.SEND, "done": Action.DROP}
    assert [decision.forced for decision in decided] == [False, True]


def test_an_id_that_belongs_to_another_picture_is_refused_whatever_the_reason(cloud, workspace, job):
    cloud.give_up("taken", "Throttled", prompt="A fjord")
    cloud.s3.paint(job("taken", prompt="A cliff"))

    decision = decide(workspace, read_all(workspace))[0]

    assert decision.action is Action.REFUSE
    assert "s3://bucket/42/taken.png" in decision.why


def test_a_conflict_is_sent_again_once_the_other_picture_is_gone(cloud, workspace):
    cloud.give_up("taken", "Conflict")

    assert decide(workspace, read_all(workspace))[0].action is Action.SEND


def test_two_letters_of_one_job_are_one_decision_by_the_newest_reason(cloud, workspace):
    cloud.give_up("twice", "Throttled")
    cloud.give_up("twice", "ContentFiltered", minutes=5)

    decisions = decide(workspace, read_all(workspace))

    assert len(decisions) == 1
    assert decisions[0].action is Action.REFUSE
    assert len(decisions[0].messages) == 2


def test_of_two_jobs_with_one_id_only_the_older_is_sent(cloud, workspace):
    cloud.give_up("same", prompt="A fjord")
    cloud.give_up("same", prompt="A cliff", minutes=1)

    older, newer = decide(workspace, read_all(workspace))

    assert (older.action, newer.action) == (Action.SEND, Action.REFUSE)
    assert "asks for another picture" in newer.why


def test_an_older_job_that_is_refused_does_not_keep_the_newer_from_its_id(cloud, workspace):
    cloud.give_up("same", "ContentFiltered", prompt="A fjord")
    cloud.give_up("same", prompt="A cliff", minutes=1)

    assert [decision.action for decision in decide(workspace, read_all(workspace))] == [Action.REFUSE, Action.SEND]


def test_a_thousand_letters_take_one_look_into_the_bucket(cloud, workspace):
    for number in range(1000):
        cloud.give_up(f"job-{number:04}")

    decide(workspace, read_all(workspace))

    assert cloud.s3.calls == ["list"]


def test_a_bucket_that_cannot_be_looked_into_stops_everything(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.s3.failures["list"] = stand.DENIED

    with pytest.raises(OncallError, match=r"No right to list .* Nothing was sent"):
        decide(workspace, read_all(workspace))


def test_without_a_function_nobody_knows_which_models_are_allowed(cloud):
    cloud.give_up("a")
    workspace = cloud.workspace(model_arns=())

    with pytest.raises(OncallError, match="deploy the worker"):
        decide(workspace, read_all(workspace))


def test_no_letters_need_no_look_at_all(cloud, workspace):
    assert decide(workspace, []) == []
    assert cloud.s3.calls == []


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("A fjord", {"prompt": "A fjord", "id": "kept"}),
        ("\ufeff  A fjord\n", {"prompt": "A fjord", "id": "kept"}),
        ('{"prompt": "A fjord"}', {"prompt": "A fjord", "id": "kept"}),
        ('{"prompt": "A fjord", "id": null}', {"prompt": "A fjord", "id": "kept"}),
        ('{"id": "kept", "prompt": "A fjord"}', {"prompt": "A fjord", "id": "kept"}),
    ],
)
def test_a_job_keeps_its_id_because_a_new_message_has_a_new_one(cloud, workspace, job, body, sent):
    cloud.give_up("kept", body=body)

    assert json.loads(body_to_send(read_all(workspace)[0], job("kept"))) == sent


def test_characters_that_sqs_does_not_take_stay_escaped(cloud, workspace, job):
    cloud.give_up("kept", body='{"prompt": "A \\ufffe fjord"}')

    assert body_to_send(read_all(workspace)[0], job("kept")).isascii()


def test_a_body_that_cannot_be_read_is_sent_as_it_came(cloud, workspace):
    cloud.give_up("broken", body="{broken")

    assert body_to_send(read_all(workspace)[0], InvalidJobError("No JSON.")) == "{broken"
