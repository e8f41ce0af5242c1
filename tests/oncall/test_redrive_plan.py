import json

import pytest

from couch_explorers.core.errors import InvalidJobError
from couch_explorers.oncall.dead_letters import read
from couch_explorers.oncall.errors import OncallError
from couch_explorers.oncall.redrive_plan import Action, body_to_send, plan


def actions(decisions):
    return {decision.job_id: decision.action for decision in decisions}


def test_each_letter_is_sent_refused_or_dropped_by_what_would_become_of_it(cloud, workspace, job):
    cloud.give_up("passing")
    cloud.give_up("poison", "ContentFiltered")
    cloud.give_up("done")
    cloud.s3.paint(job("done"))

    decided = plan(workspace, read(workspace))

    assert actions(decided) == {"passing": Action.SEND, "poison": Action.REFUSE, "done": Action.DROP}


def test_force_sends_what_would_be_refused_but_not_what_is_painted(cloud, workspace, job):
    cloud.give_up("poison", "ContentFiltered")
    cloud.give_up("done")
    cloud.s3.paint(job("done"))

    decided = plan(workspace, read(workspace), force=True)

    assert actions(decided) == {"poison": Action.SEND, "done": Action.DROP}
    assert [decision.forced for decision in decided] == [False, True]


def test_an_id_that_belongs_to_another_picture_is_refused_whatever_the_reason(cloud, workspace, job):
    cloud.give_up("taken", "Throttled", prompt="A fjord")
    cloud.s3.paint(job("taken", prompt="A cliff"))

    decision = plan(workspace, read(workspace))[0]

    assert decision.action is Action.REFUSE
    assert "s3://bucket/42/taken.png" in decision.why


def test_a_conflict_is_sent_again_once_the_other_picture_is_gone(cloud, workspace):
    cloud.give_up("taken", "Conflict")

    assert plan(workspace, read(workspace))[0].action is Action.SEND


def test_two_letters_of_one_job_are_one_decision_by_the_newest_reason(cloud, workspace):
    cloud.give_up("twice", "Throttled")
    cloud.give_up("twice", "ContentFiltered", minutes=5)

    decisions = plan(workspace, read(workspace))

    assert len(decisions) == 1
    assert decisions[0].action is Action.REFUSE
    assert len(decisions[0].letters) == 2


def test_of_two_jobs_with_one_id_only_the_older_is_sent(cloud, workspace):
    cloud.give_up("same", prompt="A fjord")
    cloud.give_up("same", prompt="A cliff", minutes=1)

    older, newer = plan(workspace, read(workspace))

    assert (older.action, newer.action) == (Action.SEND, Action.REFUSE)
    assert "asks for another picture" in newer.why


def test_an_older_job_that_is_refused_does_not_keep_the_newer_from_its_id(cloud, workspace):
    cloud.give_up("same", "ContentFiltered", prompt="A fjord")
    cloud.give_up("same", prompt="A cliff", minutes=1)

    assert [decision.action for decision in plan(workspace, read(workspace))] == [Action.REFUSE, Action.SEND]


def test_a_thousand_letters_take_one_look_into_the_bucket(cloud, workspace):
    for number in range(1000):
        cloud.give_up(f"job-{number:04}")

    plan(workspace, read(workspace))

    assert cloud.s3.calls == ["list"]


def test_a_bucket_that_cannot_be_looked_into_stops_everything(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.s3.failures["list"] = stand.refusal()

    with pytest.raises(OncallError, match=r"No right to list .* Nothing was sent"):
        plan(workspace, read(workspace))


def test_without_a_function_nobody_knows_which_models_are_allowed(cloud):
    cloud.give_up("a")
    workspace = cloud.workspace(model_arns=())

    with pytest.raises(OncallError, match="deploy the worker"):
        plan(workspace, read(workspace))


def test_no_letters_need_no_look_at_all(cloud, workspace):
    assert plan(workspace, []) == []
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

    assert json.loads(body_to_send(read(workspace)[0], job("kept"))) == sent


def test_characters_that_sqs_does_not_take_stay_escaped(cloud, workspace, job):
    cloud.give_up("kept", body='{"prompt": "A \\ufffe fjord"}')

    assert body_to_send(read(workspace)[0], job("kept")).isascii()


def test_a_body_that_cannot_be_read_is_sent_as_it_came(cloud, workspace):
    cloud.give_up("broken", body="{broken")

    assert body_to_send(read(workspace)[0], InvalidJobError("No JSON.")) == "{broken"
