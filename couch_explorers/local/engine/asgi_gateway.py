"""LocalEmu's gateway as an ASGI application: one hand-over to a thread for a request, and one back.

LocalEmu's own adapter (rolo's `AsgiGateway`) crosses between the event loop and a worker thread for the call, the response's head,
each part of its body, the iteration and the close, which takes longer than the request itself.
"""

from __future__ import annotations

import asyncio
import io
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rolo.asgi import create_wsgi_input, populate_wsgi_environment
from rolo.gateway.asgi import AsgiGateway as RoloGateway
from rolo.gateway.wsgi import WsgiGateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from couch_explorers.local.asgi import Message, Receive, Send

# Bodies up to this size are read before a thread takes the request; larger ones are streamed by that thread. SQS and Lambda take at
# most 1 MiB and 6 MiB, so what is larger is an upload.
LARGEST_BUFFERED_BODY = 8 * 1024 * 1024

Head = tuple[int, list[tuple[bytes, bytes]]]


class AsgiGateway:
    """Serves HTTP and WebSocket connections by LocalEmu's gateway, each request in a thread of its own."""

    def __init__(self, gateway: Any, event_loop: asyncio.AbstractEventLoop) -> None:
        self._loop = event_loop
        self._application = WsgiGateway(gateway)
        self._other = RoloGateway(gateway, event_loop=event_loop)
        self._threads = self._other.executor

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or one connection of another kind."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        environ: dict[str, Any] = {}
        populate_wsgi_environment(environ, scope)
        environ["wsgi.input"] = await self._input(scope, receive)
        environ["wsgi.input_terminated"] = True
        whole = await self._loop.run_in_executor(self._threads, self._answer, environ, send)
        if whole is not None:
            (status, headers), body = whole
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _input(self, scope: Message, receive: Receive) -> io.IOBase:
        """The request's body: read already where it is small, else a stream for the thread to read."""
        announced = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), None)
        if announced is None or not announced.isdigit() or int(announced) > LARGEST_BUFFERED_BODY:
            stream: io.IOBase = create_wsgi_input(receive, self._loop)
            return stream
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return io.BytesIO(b"".join(parts))

    def _answer(self, environ: dict[str, Any], send: Send) -> tuple[Head, bytes] | None:
        """Handle a request in this thread; give the whole answer, or None where its parts were sent as they came."""
        heads: list[Head] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            heads.append(
                (int(status[:3]), [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
            )

        parts = self._application(environ, start)
        try:
            iterator = iter(parts)
            first = next(iterator, b"")
            if environ["REQUEST_METHOD"] == "HEAD" or len(first) >= _announced_length(heads[0]):
                return heads[0], first
            self._send_parts(heads[0], first, iterator, send)
            return None
        finally:
            _close(parts)

    def _send_parts(self, head: Head, first: bytes, rest: Iterator[bytes], send: Send) -> None:
        """Send a body of several parts from this thread, each when the one before has left."""
        status, headers = head
        self._send(send, {"type": "http.response.start", "status": status, "headers": headers})
        self._send(send, {"type": "http.response.body", "body": first, "more_body": True})
        for part in rest:
            self._send(send, {"type": "http.response.body", "body": part, "more_body": True})
        self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    def _send(self, send: Send, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(send(message), self._loop).result()  # type: ignore[arg-type]


def _announced_length(head: Head) -> float:
    """The length that a head announces; without one the body ends where the connection says so."""
    status, headers = head
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return 0
    lengths = [int(value) for name, value in headers if name.lower() == b"content-length"]
    return lengths[0] if lengths else float("inf")


def _close(parts: Iterable[bytes]) -> None:
    if close := getattr(parts, "close", None):
        close()
