"""The Lambda Runtime API of one execution environment, on a loopback port of its own.

Protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Protocol

HOST = "127.0.0.1"
VERSION = "/2018-06-01/"
INVOCATION = VERSION + "runtime/invocation/"
# Bytes of a synchronous response.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html says 6 MB; AWS's error names this figure.
MAX_RESPONSE = 6_291_556
FUNCTION_ERROR_TYPE = "lambda-runtime-function-error-type"


@dataclass(frozen=True)
class Invocation:
    """One event for a function and what its context says of it."""

    request_id: str
    payload: bytes
    function_arn: str
    # Unix time, milliseconds, at which the platform gives the function up.
    deadline_ms: int
    trace_id: str | None = None
    # JSON, decoded from what the caller sent as base64.
    client_context: str | None = None
    cognito_identity: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers by which the runtime gets to know all but the payload."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
            "Lambda-Runtime-Client-Context": self.client_context,
            "Lambda-Runtime-Cognito-Identity": self.cognito_identity,
        }
        return {name: value for name, value in headers.items() if value is not None}


class Delegate(Protocol):
    """What happens when the runtime calls; every method is called on a thread of the API's."""

    def next_invocation(self) -> Invocation | None:
        """Wait for the next event; None ends the runtime's connection."""

    def responded(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's result; False when no such invocation is running."""

    def failed(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's error; False when no such invocation is running."""

    def init_failed(self, payload: bytes, error_type: str) -> None:
        """Take the error that keeps the runtime from starting."""


class RuntimeApi:
    """Listens from its creation until `stop`."""

    def __init__(self, delegate: Delegate) -> None:
        self.delegate = delegate
        self._stopped = False
        self._listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name=f"runtime-api-{self.address}", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections. Open ones end with the process that holds their other end."""
        self._stopped = True
        host, port = self._listener.getsockname()
        try:
            socket.create_connection((host, port), timeout=1).close()  # wakes the thread that waits for a connection
        except OSError:
            self._listener.close()

    def _accept(self) -> None:
        with self._listener:
            while not self._stopped:
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    return
                if self._stopped:
                    connection.close()
                    return
                name = f"runtime-api-{self.address}-connection"
                threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as requests:
            try:
                while request := _read_request(requests):
                    answer = self._answer(*request)
                    if answer is None:
                        return
                    connection.sendall(answer)
            except OSError:
                return  # the process ended in the middle of a call

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        """The whole answer to one request; None when the connection ends instead."""
        if method == "GET" and path == INVOCATION + "next":
            invocation = self.delegate.next_invocation()
            return _response(200, invocation.payload, invocation.headers()) if invocation else None
        if method == "GET" and path == VERSION + "runtime/restore/next":
            return _response(200, b"")
        if path in {VERSION + "runtime/init/error", VERSION + "runtime/restore/error"}:
            self.delegate.init_failed(body, headers.get(FUNCTION_ERROR_TYPE) or "Runtime.Unknown")
            return ACCEPTED
        if method == "POST" and path.startswith(INVOCATION):
            return self._take(path, body)
        return _refusal(404, "PageNotFound", f"{method} {path} is not part of the Runtime API")

    def _take(self, path: str, body: bytes) -> bytes:
        """The answer to a result or an error of an invocation."""
        request_id, _, verdict = path.removeprefix(INVOCATION).partition("/")
        known = (
            self.delegate.responded(request_id, body)
            if verdict == "response"
            else self.delegate.failed(request_id, body)
        )
        if not known:
            return _refusal(400, "InvalidRequestID", "Invalid request ID")
        if verdict == "response" and len(body) > MAX_RESPONSE:
            return _refusal(
                413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            )
        return ACCEPTED


def _read_request(stream: BinaryIO) -> tuple[str, str, dict[str, str], bytes] | None:
    """Method, path, headers by lower-case name, and body of the next request; None at the end of the connection.

    Read here because the standard library's server refuses headers beyond 64 KiB, which the traceback of a recursion exceeds.
    """
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := stream.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return method, path, headers, stream.read(int(headers.get("content-length", 0)))


def _response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Head and body as one piece: two packets would wait for the other side's delayed acknowledgement, 40 ms a call."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _refusal(status: int, error_type: str, message: str) -> bytes:
    return _response(status, json.dumps({"errorMessage": message, "errorType": error_type}).encode())


ACCEPTED = _response(202, b'{"status":"OK"}\n')
