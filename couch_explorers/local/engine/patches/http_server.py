"""Status lines with their words: hypercorn leaves the reason empty, and botocore before 1.42 takes "HTTP/1.1 100 " for no answer.

An upload that asks first (`Expect: 100-continue`, as S3's PutObject does) then breaks off, although the object is stored. AWS sends
"HTTP/1.1 100 Continue": https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonRequestHeaders.html
"""

from http import HTTPStatus
from typing import Any

SEAMS = {"hypercorn.protocol.h11:H11Protocol._send_h11_event": "5e40283daa30"}


def apply() -> None:
    """Say each status in words, and nothing beside "100 Continue"."""
    import h11  # noqa: PLC0415 - not in the project's own environment
    from hypercorn.protocol.h11 import H11Protocol  # noqa: PLC0415

    send = H11Protocol._send_h11_event  # noqa: SLF001

    async def send_in_words(self: Any, event: Any) -> None:
        if isinstance(event, h11.InformationalResponse) and event.status_code == HTTPStatus.CONTINUE:
            event = h11.InformationalResponse(status_code=event.status_code, headers=[], reason=b"Continue")
        elif isinstance(event, h11.Response) and not event.reason:
            event = h11.Response(
                status_code=event.status_code, headers=event.headers, reason=_reason(event.status_code)
            )
        await send(self, event)

    H11Protocol._send_h11_event = send_in_words  # noqa: SLF001


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
