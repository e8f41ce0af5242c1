"""Receiving: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html."""

from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.aws import errors
from couch_explorers.oncall import dead_letters
from couch_explorers.oncall.dead_letters import OncallError, couch_command
from couch_explorers.oncall.job_timeline import JobNotFoundError


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"])
def test_a_missing_right_is_named(stand, code):
    assert errors.reason(stand.refusal(code), "sqs:ReceiveMessage") == "no right to do it: allow sqs:ReceiveMessage"


def test_any_other_refusal_is_reported_in_its_own_words(stand):
    assert errors.reason(stand.refusal("Throttling", 400, "Rate exceeded."), "x") == "Throttling: Rate exceeded"


def test_a_target_that_does_not_answer_is_reported_as_such():
    error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert errors.reason(error, "x") == "AWS could not be reached (EndpointConnectionError)"


def test_a_job_that_is_not_found_is_an_error_of_on_call_and_keeps_its_id():
    error = JobNotFoundError("a", "No trace of a.")

    assert isinstance(error, OncallError)
    assert (error.job_id, str(error)) == ("a", "No trace of a.")


def test_all_letters_are_read_though_sqs_gives_ten_a_receive(cloud, workspace):
    for number in range(37):
        cloud.give_up(f"job-{number}")

    assert {letter.job_id for letter in dead_letters.read_all(workspace)} == {f"job-{number}" for number in range(37)}


def test_a_look_leaves_every_letter_where_it_was(cloud, workspace, stand):
    for number in range(23):
        cloud.give_up(f"job-{number}")

    dead_letters.read_all(workspace)

    assert len(cloud.sqs.visible(stand.DEAD)) == 23


def test_letters_that_come_back_while_the_others_are_read_are_taken_once_with_their_newest_handle(
    cloud,
    workspace,
    stand,
):
    cloud.give_up("a")
    cloud.give_up("b")
    given = cloud.sqs.receive_message

    def forgetful(**arguments):
        answer = given(**arguments)
        for message in cloud.sqs.queues[stand.DEAD]:
            message.hidden = False
        return answer

    cloud.sqs.receive_message = forgetful

    letters = dead_letters.read_all(workspace)

    assert [letter.job_id for letter in letters] == ["a", "b"]
    assert [letter.receipt_handle for letter in letters] == [message.handle for message in cloud.sqs.queues[stand.DEAD]]


def test_letters_that_are_held_are_hidden_from_others_and_put_back_whatever_happens(cloud, workspace, stand):
    cloud.give_up("a")

    seen = []

    def look_and_be_interrupted():
        with dead_letters.hold_all(workspace) as letters:
            seen.append((len(letters), len(cloud.sqs.visible(stand.DEAD))))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_and_be_interrupted()

    assert seen == [(1, 0)]
    assert len(cloud.sqs.visible(stand.DEAD)) == 1


def test_a_letter_that_cannot_be_put_back_is_no_error_because_sqs_does_it_later(cloud, workspace, stand):
    cloud.give_up("a")
    cloud.sqs.failures["put back"] = stand.DENIED

    letters = dead_letters.read_all(workspace)

    assert len(letters) == 1
    assert "(no right to do it: allow sqs:ChangeMessageVisibility)" in letters.hidden_note


def test_a_letter_carries_what_the_worker_reported(cloud, workspace, stand):
    cloud.give_up("a", "ContentFiltered", "The prompt was blocked.", minutes=3)

    letter = dead_letters.read_all(workspace)[0]

    assert (letter.job_id, letter.reason, letter.detail) == ("a", "ContentFiltered", "The prompt was blocked.")
    assert letter.since == stand.NOW + timedelta(minutes=3)
    assert (letter.receives, letter.moved_by_sqs) == (1, False)


def test_a_letter_of_a_body_that_cannot_be_read_is_named_by_its_attribute(cloud, workspace):
    cloud.give_up("named", "InvalidRequest", body="{broken")

    assert dead_letters.read_all(workspace)[0].job_id == "named"


def test_a_message_that_sqs_moved_keeps_its_id_and_carries_no_reason(cloud, workspace, stand):
    old = {"reason": "Throttled", "detail": "of an earlier life"}
    message_id = cloud.sqs.put(stand.DEAD, "A fjord", moved=True, receives=10, attributes=old)

    letter = dead_letters.read_all(workspace)[0]

    assert (letter.job_id, letter.reason, letter.detail, letter.moved_by_sqs) == (message_id, "", "", True)
    assert letter.receives == 11


def test_letters_come_oldest_first(cloud, workspace):
    for job_id, minutes in (("late", 5), ("early", 0), ("middle", 2)):
        cloud.give_up(job_id, minutes=minutes)

    assert [letter.job_id for letter in dead_letters.read_all(workspace)] == ["early", "middle", "late"]


def test_a_letter_as_json_holds_no_receipt_handle(cloud, workspace):
    cloud.give_up("a")

    plain = dead_letters.read_all(workspace)[0].to_json()

    assert "receipt_handle" not in plain
    assert plain["since"] == "2026-11-25T09:30:00.000Z"


def test_a_queue_that_is_not_deployed_is_reported_with_the_command_that_deploys_it(cloud):
    with pytest.raises(OncallError, match="terraform apply"):
        dead_letters.read_all(cloud.workspace(dead_letter_url=None))


def test_a_missing_right_to_read_is_named(cloud, workspace, stand):
    cloud.sqs.failures["receive"] = stand.DENIED

    with pytest.raises(OncallError, match="allow sqs:ReceiveMessage"):
        dead_letters.read_all(workspace)


def test_what_was_read_before_a_failure_is_put_back(cloud, workspace, stand):
    for number in range(15):
        cloud.give_up(f"job-{number}")
    given = cloud.sqs.receive_message

    def once(**arguments):
        answer = given(**arguments)
        cloud.sqs.failures["receive"] = stand.refusal("InternalError", 500)
        return answer

    cloud.sqs.receive_message = once

    with pytest.raises(OncallError):
        dead_letters.read_all(workspace)

    assert len(cloud.sqs.visible(stand.DEAD)) == 15


def test_a_command_names_the_target_that_it_is_for(cloud):
    assert couch_command(cloud.workspace("local"), "job a") == "couch job a"
    assert couch_command(cloud.workspace("aws"), "job a") == "couch job a --target aws --candidate 42"
