"""The errors of generating a picture: one class per reason, each transient or permanent."""

from __future__ import annotations

import json
import re
from typing import ClassVar


class GenerationError(Exception):
    """A job that has not become a picture.

    `reason` is one CamelCase word for metrics, attributes and programs, `detail` one sentence for a person, `passing`
    tells whether the same job may succeed later, `status` is the HTTP status with which the API answers.
    """

    reason: ClassVar[str] = "Generation"
    status: ClassVar[int] = 502
    passing: bool = False
    # Seconds since a job's first delivery after which a transient failure counts as permanent; None: only receives are limited.
    patience_s: ClassVar[float | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidJobError(GenerationError):
    """The job breaks a rule or a limit of its model: nothing was sent."""

    reason = "InvalidRequest"
    status = 400


class UnknownModelError(GenerationError):
    """The job's model is unknown or not allowed here: nothing was sent."""

    reason = "UnknownModel"
    status = 400


class BodyTooLargeError(GenerationError):
    """The body is larger than any job can be: nothing was sent."""

    reason = "TooLarge"
    status = 413


class BlockedError(GenerationError):
    """A content filter refused the prompt or the picture: a retry has the same result and may cost again."""

    reason = "ContentFiltered"
    status = 400


class ConflictError(GenerationError):
    """The job's key has a picture from another request."""

    reason = "Conflict"
    status = 409


class RetiredModelError(GenerationError):
    """The model has reached its end of life, or is a legacy model that this account may no longer use."""

    reason = "ModelRetired"
    status = 502


class AccessDeniedError(GenerationError):
    """The caller has no permission to use the model."""

    reason = "AccessDenied"
    status = 502


class SubscriptionPendingError(GenerationError):
    """The account's AWS Marketplace subscription to the model is missing, or not yet in force.

    Bedrock subscribes an account at its first call, or when its operator agrees to the offer; until that is done, up to 15
    minutes, calls are refused: https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
    """

    reason = "SubscriptionPending"
    status = 502
    passing = True
    patience_s = 15 * 60


class PaymentMethodError(GenerationError):
    """The account has no payment method that AWS Marketplace accepts: no call succeeds until its owner adds one."""

    reason = "PaymentMethod"
    status = 502


class ModelAnswerError(GenerationError):
    """The model refused the request or returned something other than a picture."""

    reason = "ModelAnswer"
    status = 502


class ThrottledError(GenerationError):
    """The model is throttled, or not ready yet."""

    reason = "Throttled"
    status = 429
    passing = True


class ModelUnavailableError(GenerationError):
    """The model's service cannot be reached or failed."""

    reason = "ModelUnavailable"
    status = 502
    passing = True


class ModelTimeoutError(GenerationError):
    """The model did not respond in time; the picture may have been billed all the same."""

    reason = "ModelTimeout"
    status = 504
    passing = True


class OutOfTimeError(ModelTimeoutError):
    """Too little time was left to wait for the model, so it was not called: nothing was billed."""


class StorageError(GenerationError):
    """S3 could not be read or written; the raiser knows whether that is transient."""

    reason = "Storage"
    status = 502

    def __init__(self, detail: str, *, passing: bool) -> None:
        super().__init__(detail)
        self.passing = passing


# The reason of an unexpected failure, in both handlers.
UNEXPECTED = "Unexpected"
# The first digit of a client error's HTTP status, and the one such status that only asks the client to wait.
CLIENT_ERROR, TOO_MANY_REQUESTS = 4, 429


def reasons() -> frozenset[str]:
    """Return every reason for which a job can fail."""
    return frozenset({UNEXPECTED, *(kind.reason for kind in _kinds())})


def client_reasons() -> frozenset[str]:
    """Return the reasons that the client has to fix: a 4xx status other than 429, such as for a blocked or invalid prompt."""
    return frozenset(
        kind.reason for kind in _kinds() if kind.status // 100 == CLIENT_ERROR and kind.status != TOO_MANY_REQUESTS
    )


def _kinds() -> list[type[GenerationError]]:
    """Return all error classes, including those of the handlers."""
    found: list[type[GenerationError]] = []
    waiting = [*GenerationError.__subclasses__()]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


# JSON's text for one character: one escape or two, or the character itself.
_PIECE = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4}|\\.|.", re.DOTALL)
# Joiners, inside of words of several scripts and between the parts of an emoji: not printable, yet not to be seen as escapes.
_JOINERS = "\u200c\u200d"


def shown(value: object, limit: int = 80) -> str:
    """Show a value in an error message: quoted, every character that can be seen as itself, in at most `limit` characters.

    What cannot be seen (controls, marks of direction, half a character pair) is written as JSON's escape; one is never cut.
    """
    text = visible(json.dumps(value, ensure_ascii=False, default=str))
    if len(text) <= limit:
        return text
    kept = ""
    for piece in _PIECE.findall(text):
        if len(kept) + len(piece) > limit - 1:
            break
        kept += piece
    return f"{kept.rstrip(_JOINERS)}…"


def visible(line: str) -> str:
    """Write the escape of JSON in the place of each character of a line of JSON that cannot be seen, but for joiners."""
    return "".join(sign if sign.isprintable() or sign in _JOINERS else _escaped(sign) for sign in line)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]
