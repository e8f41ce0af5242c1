"""How AWS answers a question: in full, with a refusal, too busy, or not at all; and the sentence for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.metrics.model import MetricsError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
TOO_OFTEN = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
)
TOO_MANY_REQUESTS = 429


def is_denied(error: Exception) -> bool:
    """Whether AWS said that the caller has no right to ask. Credentials that are wrong or have expired are something else."""
    return isinstance(error, ClientError) and describe(error)[0] in NOT_ALLOWED


def is_throttled(error: Exception) -> bool:
    """Whether AWS said that it is asked too often."""
    if not isinstance(error, ClientError):
        return False
    code, status, _ = describe(error)
    return code in TOO_OFTEN or status == TOO_MANY_REQUESTS


def no_right(action: str, to: str) -> str:
    """Say that a right is missing, and which."""
    return f"No right to {to}: allow {action}."


def failure(error: Exception, action: str) -> MetricsError:
    """Make the error for an answer without which there is nothing to show; `action` is IAM's name of what was asked."""
    operation = action.partition(":")[2]
    if is_throttled(error):
        return MetricsError(
            f"CloudWatch throttled {operation}, after all of the SDK's retries too. Somebody else in the account and region asks a lot:"
            " wait a minute and try again, ask for fewer hours, or raise the quota of"
            f" {operation} in Service Quotas."
        )
    if isinstance(error, ClientError):
        code, _, message = describe(error)
        return MetricsError(
            f"CloudWatch refused {operation} ({code}): {message.rstrip('. ')}. Check the credentials and the window."
        )
    return MetricsError(
        f"CloudWatch could not be reached for {operation}: {str(error).rstrip('. ')}. Check the network;"
        " for the local cloud: couch status."
    )


def excuse(error: Exception, *, action: str, to: str) -> str:
    """Say why something a review can do without was not answered."""
    if is_denied(error):
        return no_right(action, to)
    if is_throttled(error):
        return f"AWS is asked too often just now to {to} ({action}): try again in a minute."
    said = describe(error)[2] if isinstance(error, ClientError) else str(error)
    return f"It was not possible to {to} ({action}): {said.rstrip('. ')}."


def tried(question: Callable[[], T], *, action: str, to: str) -> tuple[T | None, str]:
    """Ask what a review can do without: the answer and no note, or None and the sentence that says why there is none."""
    try:
        return question(), ""
    except (ClientError, BotoCoreError) as error:
        return None, excuse(error, action=action, to=to)
