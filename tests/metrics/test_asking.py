import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.metrics import asking
from tests.metrics.fake_aws import client_error

ACTION, TO = "cloudwatch:DescribeAlarms", "read the alarms"


def tried(error):
    def question():
        raise error

    return asking.tried(question, action=ACTION, to=TO)


def test_an_answer_comes_without_a_note():
    assert asking.tried(lambda: 0, action=ACTION, to=TO) == (0, "")


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (client_error("AccessDenied"), "No right to read the alarms: allow cloudwatch:DescribeAlarms."),
        (
            client_error("ThrottlingException"),
            "AWS is asked too often just now to read the alarms (cloudwatch:DescribeAlarms): try again in a minute.",
        ),
        (
            client_error("InternalServiceFault", "Broken."),
            "It was not possible to read the alarms (cloudwatch:DescribeAlarms): Broken.",
        ),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            f'It was not possible to {TO} ({ACTION}): Could not connect to the endpoint URL: "http://127.0.0.1:1".',
        ),
    ],
)
def test_what_a_review_can_do_without_is_excused_with_its_reason(error, note):
    assert tried(error) == (None, note)


def test_a_mistake_of_our_own_is_not_excused():
    with pytest.raises(KeyError):
        tried(KeyError("Threshold"))


def test_a_status_of_429_is_throttling_whatever_the_code():
    assert asking.is_throttled(client_error("SomethingElse", status=429))
    assert not asking.is_throttled(client_error("AccessDenied", status=403))


def test_expired_credentials_are_no_missing_right():
    assert not asking.is_denied(client_error("ExpiredToken", status=403))
