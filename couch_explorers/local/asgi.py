"""The parts of ASGI that the local cloud implements itself: types, reading requests, writing responses, and a request log."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import REGION

if TYPE_CHECKING:
    from pathlib import Path

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

SIGNED_REGION = re.compile(rb"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/")


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


def signed_region(scope: Message) -> str:
    """The region that the request is signed for: all regions share one address."""
    for name, value in scope["headers"]:
        if name.lower() == b"authorization" and (match := SIGNED_REGION.search(value)):
            return match["region"].decode()
    return REGION


def with_request_log(application: Application, file: Path) -> Application:
    """The application, with `{"start", "end", "method", "path", "status"}` written for each request; times in Unix seconds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    output = file.open("a", encoding="utf-8", buffering=1)

    async def log(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        line = {"method": scope["method"], "path": scope["path"], "start": time.time(), "status": 0}

        async def notice(message: Message, pass_on: Send) -> None:
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
            await pass_on(message)

        try:
            await application(scope, receive, Tap(send, notice).send)
        finally:
            output.write(json.dumps(line | {"end": time.time()}) + "\n")

    return log
