import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.oncall.errors import JobNotFoundError, OncallError, said


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied"])
def test_a_missing_right_is_said_by_its_name(stand, code):
    assert said(stand.refusal(code), "sqs:ReceiveMessage") == "no right to do it: allow sqs:ReceiveMessage"


def test_any_other_refusal_is_said_in_its_own_words(stand):
    assert said(stand.refusal("Throttling", 400, "Rate exceeded."), "x") == "Throttling: Rate exceeded"


def test_a_target_that_does_not_answer_is_said_as_such():
    error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert said(error, "x") == "AWS could not be reached (EndpointConnectionError)"


def test_a_job_that_is_not_found_is_an_error_of_on_call_and_keeps_its_id():
    error = JobNotFoundError("a", "No trace of a.")

    assert isinstance(error, OncallError)
    assert (error.job_id, str(error)) == ("a", "No trace of a.")
