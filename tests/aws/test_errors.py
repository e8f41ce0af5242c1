import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from couch_explorers.aws import errors


def answered(code, message="Not now.", status=400):
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeAlarms")


UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


@pytest.mark.parametrize(
    ("error", "denied", "throttled", "missing"),
    [
        (answered("AccessDenied"), True, False, False),
        (answered("AuthorizationError"), True, False, False),
        (answered("AWS.SimpleQueueService.AccessDenied"), True, False, False),
        (answered("Throttling"), False, True, False),
        (answered("Whatever", status=429), False, True, False),
        (answered("NoSuchKey"), False, False, True),
        (answered("ExpiredToken"), False, False, False),
        (UNREACHABLE, False, False, False),
    ],
)
def test_errors_are_classified(error, denied, throttled, missing):
    found = errors.is_access_denied(error), errors.is_throttled(error), errors.is_not_found(error)

    assert found == (denied, throttled, missing)


@pytest.mark.parametrize(
    ("error", "note", "reason"),
    [
        (answered("AccessDenied"), "No right to read it: allow a:B.", "no right to do it: allow a:B"),
        (
            answered("Throttling"),
            "AWS throttled the attempt to read it (a:B): try again in a minute.",
            "Throttling: Not now",
        ),
        (answered("Broken"), "It was not possible to read it (a:B): Not now.", "Broken: Not now"),
        (
            UNREACHABLE,
            'It was not possible to read it (a:B): Could not connect to the endpoint URL: "https://x".',
            "AWS could not be reached (EndpointConnectionError)",
        ),
    ],
)
def test_errors_are_said(error, note, reason):
    def fail():
        raise error

    assert errors.call_optional(fail, action="a:B", to="read it") == (None, note)
    assert errors.reason(error, "a:B") == reason


def test_answer_has_no_note():
    assert errors.call_optional(lambda: 1, action="a:B", to="read it") == (1, "")
