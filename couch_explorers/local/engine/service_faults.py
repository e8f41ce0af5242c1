"""The faults of S3, SQS and deliveries that `couch faults` sets: 503, reset connections, messages delivered twice or out of order.

Requests are hit on the connection, before the engine or after it, so that every client meets them as it would on AWS. What the engine
calls within its own process (an event source mapping that polls) is not hit: AWS repeats such calls itself.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from couch_explorers.local.asgi import Tap, header, reply, signed_service
from couch_explorers.local.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.asgi import Application, Message, Receive, Send

SERVICES = ("s3", "sqs")
UNAVAILABLE = 503
# Seconds until the server has noticed that its connection is gone.
CLOSING_S = 5.0


class ServiceFaults:
    """Draws the faults; `faults` returns those that are currently set."""

    def __init__(self, faults: Callable[[], Faults], rng: random.Random | None = None) -> None:
        self.faults = faults
        self._rng = rng or random.Random()  # noqa: S311 - chance, not secrecy

    def __call__(self, application: Application) -> Application:
        """The application, with faults of S3 and SQS on the way to it and back."""

        async def serve(scope: Message, receive: Receive, send: Send) -> None:
            faults = self.faults()
            service = "" if scope["type"] != "http" or not _any(faults) else signed_service(scope)
            if service not in SERVICES:
                await application(scope, receive, send)
            elif self._drawn(faults.unavailable):
                await refuse(service, scope, send)
            elif not self._drawn(faults.reset):
                await application(scope, receive, send)
            else:
                if self._drawn(0.5):
                    await application(scope, receive, Tap(send, _drop).send)
                await reset_connection(receive, send)

        return serve

    def receive(self, receive: Callable[..., Any], queue: Any, *arguments: Any, **options: Any) -> Any:
        """Receive from a standard queue as LocalEmu's `StandardQueue.receive` does, at times out of order, at times once more.

        "Because standard queues provide at-least-once delivery, more than one copy of a message might be delivered, and messages may
        occasionally arrive out of order":
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
        """
        faults = self.faults()
        if self._drawn(faults.reorder):
            self._put_any_first(queue.visible)
        result = receive(queue, *arguments, **options)
        for handle in result.receipt_handles:
            if self._drawn(faults.duplicate):
                # A copy that stayed visible: its next receive gets a handle of its own, and deletes the message for both.
                queue.update_visibility_timeout(handle, 0)
        return result

    def _put_any_first(self, visible: Any) -> None:
        """Let any of the visible messages change places with the one that would be received next."""
        with visible.mutex:
            if visible.queue:
                first, other = visible.queue[0], self._rng.choice(visible.queue)
                first.priority, other.priority = other.priority, first.priority
                heapq.heapify(visible.queue)

    def _drawn(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share


def _any(faults: Faults) -> bool:
    return faults.unavailable > 0 or faults.reset > 0


async def _drop(_message: Message, _pass_on: Send) -> None:
    """Keep a response from its client."""


async def refuse(service: str, scope: Message, send: Send) -> None:
    """Answer 503 as the service does.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    """
    number = str(uuid4())
    if service == "s3":
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ServiceUnavailable</Code>'
            f"<Message>Service is unable to handle request.</Message><RequestId>{number}</RequestId></Error>"
        )
        # HEAD has no body.
        body = b"" if scope["method"] == "HEAD" else text.encode()
        await reply(send, UNAVAILABLE, {"content-type": "application/xml", "x-amz-request-id": number}, body)
        return
    sentence = "The request has failed due to a temporary failure of the server."
    headers = {"x-amzn-requestid": number}
    if header(scope, "x-amz-target"):
        answer = json.dumps({"__type": "com.amazonaws.sqs#ServiceUnavailable", "message": sentence})
        headers |= {
            "content-type": "application/x-amz-json-1.0",
            "x-amzn-query-error": "ServiceUnavailable;Receiver",
        }
    else:
        answer = (
            '<?xml version="1.0"?>\n<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Receiver</Type>'
            f"<Code>ServiceUnavailable</Code><Message>{sentence}</Message></Error><RequestId>{number}</RequestId></ErrorResponse>"
        )
        headers |= {"content-type": "text/xml"}
    await reply(send, UNAVAILABLE, headers, answer.encode())


async def reset_connection(receive: Receive, send: Send) -> None:
    """End a client's connection without an answer, by a TCP reset.

    ASGI has no message for that. `send` belongs to hypercorn's stream, which leads to the connection: stream, protocol, server.
    """
    stream: Any = send.__self__  # type: ignore[attr-defined]
    transport = stream.send.__self__.send.__self__.writer.transport
    # A connection that is closed with no time to linger is reset.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING_S):
            while (await receive())["type"] != "http.disconnect":
                pass


_current = ServiceFaults(Faults)


def current() -> ServiceFaults:
    """The faults of this process."""
    return _current
