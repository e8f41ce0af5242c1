"""The meaning of AWS's errors (access denied, throttled, not found), and sentences for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core.aws_errors import THROTTLING_CODES, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

# "AuthorizationError" is SNS's word, "UnauthorizedOperation" EC2's.
ACCESS_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
TOO_MANY_REQUESTS = 429


def error_code(error: Exception) -> str:
    """Return an error's AWS code, without SQS's namespace; empty if AWS did not respond."""
    return describe(error)[0].rpartition(".")[2] if isinstance(error, ClientError) else ""


def is_access_denied(error: Exception) -> bool:
    """Check whether the caller lacks the permission, as opposed to invalid or expired credentials."""
    return error_code(error) in ACCESS_DENIED_CODES


def is_throttled(error: Exception) -> bool:
    """Check whether AWS throttled the request."""
    if not isinstance(error, ClientError):
        return False
    return error_code(error) in THROTTLING_CODES or describe(error)[1] == TOO_MANY_REQUESTS


def missing_right(action: str, to: str) -> str:
    """Return which permission is missing: "No right to read the alarms: allow cloudwatch:DescribeAlarms."."""
    return f"No right to {to}: allow {action}."


def reason(error: Exception, action: str) -> str:
    """Return why a call failed, as a clause without a full stop.

    Args:
        error: what botocore raised.
        action: the IAM action that the call needs.

    """
    if not isinstance(error, ClientError):
        return f"AWS could not be reached ({type(error).__name__})"
    code, _, message = describe(error)
    return _reason(code, message, action)


def entry_failures(answer: Mapping[str, Any], action: str) -> dict[str, str]:
    """Return the failures of a batch call: AWS responds 200 and lists the failed entries.

    Args:
        answer: What SendMessageBatch, DeleteMessageBatch or ChangeMessageVisibilityBatch of SQS ("Failed"), or DeleteObjects of S3
            ("Errors"), returned.
        action: The IAM action that each entry needs.

    Returns:
        The reason, as a clause without a full stop, by the entry's Id (SQS) or Key (S3); empty when all were done.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_BatchResultErrorEntry.html,
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_Error.html

    """
    failures = {}
    for entry in (*answer.get("Failed", ()), *answer.get("Errors", ())):
        code, message = str(entry.get("Code", "")), str(entry.get("Message", ""))
        failures[str(entry["Id"] if "Id" in entry else entry["Key"])] = _reason(code, message, action)
    return failures


def _reason(code: str, message: str, action: str) -> str:
    if code.rpartition(".")[2] in ACCESS_DENIED_CODES:
        return f"no right to do it: allow {action}"
    return f"{code}: {message}".rstrip(".: ")


def error_note(error: Exception, *, action: str, to: str) -> str:
    """Return a sentence on why optional data could not be read.

    Args:
        error: what botocore raised.
        action: the IAM action that the call needs.
        to: what was to be done, after "to": "read the alarms".

    """
    if is_access_denied(error):
        return missing_right(action, to)
    if is_throttled(error):
        return f"AWS throttled the attempt to {to} ({action}): try again in a minute."
    detail = describe(error)[2] if isinstance(error, ClientError) else str(error)
    return f"It was not possible to {to} ({action}): {detail.rstrip('. ')}."


def call_optional(call: Callable[[], T], *, action: str, to: str) -> tuple[T | None, str]:
    """Make an optional call: return its result and no note, or None and a note that says why."""
    try:
        return call(), ""
    except (ClientError, BotoCoreError) as error:
        return None, error_note(error, action=action, to=to)
