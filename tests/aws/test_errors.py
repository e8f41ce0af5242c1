import ast
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from couch_explorers.aws import errors


def answered(code, message="Not now.", status=400):
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeAlarms")


UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


@pytest.mark.parametrize(
    ("error", "denied", "throttled"),
    [
        (answered("AccessDenied"), True, False),
        (answered("AuthorizationError"), True, False),
        (answered("AWS.SimpleQueueService.AccessDenied"), True, False),
        (answered("Throttling"), False, True),
        (answered("Whatever", status=429), False, True),
        (answered("NoSuchKey"), False, False),
        (answered("ExpiredToken"), False, False),
        (UNREACHABLE, False, False),
    ],
)
def test_errors_are_classified(error, denied, throttled):
    found = errors.is_access_denied(error), errors.is_throttled(error)

    assert found == (denied, throttled)


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
def test_errors_become_a_note_and_a_reason(error, note, reason):
    def fail():
        raise error

    assert errors.call_optional(fail, action="a:B", to="read it") == (None, note)
    assert errors.reason(error, "a:B") == reason


def test_answer_has_no_note():
    assert errors.call_optional(lambda: 1, action="a:B", to="read it") == (1, "")


ROOT = Path(__file__).parents[2]
# Answers of AWS that say 200 although part of the call was not done, by operation: the fields that tell, any of which will do.
PARTIAL_ANSWERS = {
    "batch_delete_image": {"failures"},
    "batch_get_image": {"failures"},
    "change_message_visibility_batch": {"Failed"},
    "delete_message_batch": {"Failed"},
    "delete_objects": {"Errors", "Deleted"},
    "get_metric_data": {"StatusCode"},
    "publish_batch": {"Failed"},
    "put_events": {"FailedEntryCount"},
    "put_log_events": {"rejectedLogEventsInfo"},
    "send_message_batch": {"Failed", "Successful"},
    "tag_resources": {"FailedResourcesMap"},
    "untag_resources": {"FailedResourcesMap"},
}
# Its caller reads the StatusCode of each page.
READ_BY_CALLER = {"couch_explorers/metrics/cloudwatch.py:_pages"}


def batch_calls():
    """Each call of such an operation in what the project runs, as (place, operation, source of the function around it)."""
    for folder in ("couch_explorers", "lambda_code", "sam_lambda", "tools", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "patches" in path.parts:  # wraps what serves these operations
                continue
            text = path.read_text(encoding="utf-8")
            if not any(name in text for name in PARTIAL_ANSWERS):
                continue
            for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)):
                for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                    operation = getattr(call.func, "attr", "")
                    if operation == "get_paginator" and isinstance(call.args[0], ast.Constant):
                        operation = call.args[0].value
                    if operation in PARTIAL_ANSWERS:
                        place = f"{path.relative_to(ROOT).as_posix()}:{function.name}"
                        yield place, operation, ast.get_source_segment(text, function)


def test_no_batch_call_leaves_the_entries_that_failed_unread():
    found = list(batch_calls())
    unread = [
        f"{place} {operation}"
        for place, operation, source in found
        if place not in READ_BY_CALLER
        and "entry_failures(" not in source
        and not any(f'"{name}"' in source for name in PARTIAL_ANSWERS[operation])
    ]

    assert len(found) >= 10
    assert unread == []


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        ({}, {}),
        ({"Deleted": [{"Key": "a"}]}, {}),
        (
            {"Failed": [{"Id": "1", "Code": "InternalError", "Message": "Try again.", "SenderFault": False}]},
            {"1": "InternalError: Try again"},
        ),
        ({"Failed": [{"Id": "1", "Code": "InternalError"}]}, {"1": "InternalError"}),
        ({"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "No."}]}, {"a": "no right to do it: allow x:Y"}),
    ],
)
def test_entry_failures_names_each_entry_with_its_reason(answer, failures):
    assert errors.entry_failures(answer, "x:Y") == failures
