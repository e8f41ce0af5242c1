"""The parts of ASGI that the local cloud implements itself: types, reading requests, writing responses, and a request log."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from pathlib import Path

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# The scope of a signature, in the Authorization header or in the query of a presigned URL.
SIGNED_SCOPE = re.compile(rb"Credential=[^/&]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/")
# https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
TRACE_HEADER = "x-amzn-trace-id"


class Tap:
    """A `send` that passes each message through a function, which forwards what the client gets.

    An object, because LocalEmu's gateway asks the owner of `send` whether the client has disconnected.
    """

    def __init__(self, send: Send, on_message: Callable[[Message, Send], Awaitable[None]]) -> None:
        self._send = send
        self._on_message = on_message

    @property
    def closed(self) -> bool:
        """Whether the client has disconnected, as far as the server knows."""
        return bool(getattr(getattr(self._send, "__self__", None), "closed", False))

    async def send(self, message: Message) -> None:
        """Pass a message through the function."""
        await self._on_message(message, self._send)


async def read_body(receive: Receive) -> bytes:
    """Read the body of a request; of a client that disconnects, what it had sent."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def reply(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a complete response."""
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def header(scope: Message, name: str) -> str:
    """The value of a request's header, "" without it."""
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), "")


def signed_service(scope: Message) -> str:
    """The service that the request is signed for, "" where it is not signed: all services share one address."""
    query = unquote_to_bytes(scope.get("query_string", b""))
    match = SIGNED_SCOPE.search(header(scope, "authorization").encode("latin-1")) or SIGNED_SCOPE.search(query)
    return match["service"].decode() if match else ""


def with_request_log(application: Application, file: Path) -> Application:
    """The application, with a line of JSON written for each request that it has finished.

    Fields: `start` and `end` (Unix seconds), `method`, `path`, `status` (0 where it was not answered), `trace` (the X-Ray header, by which
    the requests of one invocation of a function are known; "" without it).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    output = file.open("a", encoding="utf-8", buffering=1)

    async def log(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        line = {"method": scope["method"], "path": scope["path"], "trace": header(scope, TRACE_HEADER)}
        line |= {"start": time.time(), "status": 0}

        async def notice(message: Message, pass_on: Send) -> None:
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
            await pass_on(message)

        try:
            await application(scope, receive, Tap(send, notice).send)
        finally:
            output.write(json.dumps(line | {"end": time.time()}) + "\n")

    return log
