"""Invoke takes what AWS takes: JSON, within the size that the way of invoking allows.

LocalEmu hands any bytes of any size to the function. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any

SEAMS = {"localemu.services.lambda_.invocation.lambda_service:LambdaService.invoke": "c42daa256d2b"}

# Bytes by invocation type. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB synchronously, and 1 MB
# asynchronously since October 2025.
LARGEST = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024}


def apply() -> None:
    """Check payloads before LocalEmu's Lambda service takes them."""
    from localemu.services.lambda_.invocation.lambda_service import LambdaService  # noqa: PLC0415

    invoke = LambdaService.invoke

    @wraps(invoke)
    def checked(
        service: Any, *arguments: Any, payload: bytes | None, invocation_type: str | None, **keywords: Any
    ) -> Any:
        check(payload or None, invocation_type or "RequestResponse")
        return invoke(service, *arguments, payload=payload or None, invocation_type=invocation_type, **keywords)

    LambdaService.invoke = checked


def check(payload: bytes | None, invocation_type: str) -> None:
    """Raise what AWS answers to a payload that is too large or no JSON."""
    from localemu.aws.api.lambda_ import InvalidRequestContentException  # noqa: PLC0415
    from localemu.services.lambda_.invocation.lambda_models import RequestEntityTooLargeException  # noqa: PLC0415

    limit = LARGEST.get(invocation_type)
    if payload is None or limit is None:
        return
    if len(payload) > limit:
        raise RequestEntityTooLargeException(
            f"{len(payload)} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {reason(payload, error)}",
            Type="User",
        ) from error


def reason(payload: bytes, error: ValueError) -> str:
    """What AWS's parser says of the first character that it did not expect."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    where = f'\n at [Source: (byte[])"{payload[:500].decode(errors="replace")}"; line: {error.lineno}, column: {error.colno + 1}]'
    if error.pos >= len(error.doc):
        return f"Unexpected end-of-input{where}"
    character = error.doc[error.pos]
    expected = "a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    return f"Unexpected character ('{character}' (code {ord(character)})): expected {expected}{where}"
