"""A function's runtime: its process, from start to exit, and the Runtime API that it calls, on a loopback port of its own.

Protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Protocol

from couch_explorers.local.engine.lambda_runtime.function_logs import LogEvent, LogPipe
from couch_explorers.local.engine.lambda_runtime.process_group import MemoryWatch, ProcessGroup

# --- the Runtime API --------------------------------------------------------------------------------------------------


HOST = "127.0.0.1"
VERSION = "/2018-06-01/"
INVOCATION = VERSION + "runtime/invocation/"
# Bytes of a synchronous response.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html says 6 MB; AWS's error names this figure.
MAX_RESPONSE = 6_291_556
FUNCTION_ERROR_TYPE = "lambda-runtime-function-error-type"


@dataclass(frozen=True)
class Invocation:
    """One event for a function, and its context."""

    request_id: str
    payload: bytes
    function_arn: str
    # Unix time, milliseconds, at which the invocation times out.
    deadline_ms: int
    trace_id: str | None = None
    # JSON, decoded from what the caller sent as base64.
    client_context: str | None = None
    cognito_identity: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that carry everything but the payload to the runtime."""
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
    """Handles the calls of the runtime; every method is called on one of the API's threads."""

    def next_invocation(self) -> Invocation | None:
        """Wait for the next event; None ends the runtime's connection."""

    def responded(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's result; False when no such invocation is running."""

    def failed(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's error; False when no such invocation is running."""

    def init_failed(self, payload: bytes, error_type: str) -> None:
        """Take the error that keeps the runtime from starting."""


class RuntimeApi:
    """Serves the Runtime API from its creation until `stop`."""

    def __init__(self, delegate: Delegate) -> None:
        self.delegate = delegate
        self._stopped = False
        self._listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name=f"runtime-api-{self.address}", daemon=True).start()

    def stop(self) -> None:
        """Accept no more connections. Open ones end with the process at their other end."""
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
        """Return the whole response to one request, or None to close the connection instead."""
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
        """Return the response to an invocation's result or error."""
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
    """Return method, path, headers by lower-case name, and body of the next request; None at the end of the connection.

    The standard library's server would refuse headers beyond 64 KiB, which the traceback of a recursion exceeds.
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
    """Return head and body in one piece: a second packet would wait 40 ms for the other side's delayed acknowledgement."""
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


# --- the process ------------------------------------------------------------------------------------------------------


class Ending(Enum):
    """The outcome of a phase of the runtime."""

    READY = auto()  # the runtime asks for an event
    RESPONSE = auto()
    ERROR = auto()  # reported by the runtime
    EXIT = auto()
    OUT_OF_MEMORY = auto()
    TIMEOUT = auto()
    STOPPED = auto()
    GONE = auto()  # the process had ended before the event reached it


@dataclass(frozen=True)
class PhaseEnd:
    """The end of a phase: the runtime's payload, or the exit code of its process."""

    ending: Ending
    payload: bytes = b""
    error_type: str = ""
    exit_code: int = 0


class RuntimeProcess:
    """A process group with its Runtime API. It starts when it is created; use it from one thread at a time, `stop` from any."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        memory_limit: int,
        take_log: Callable[[LogEvent], None],
    ) -> None:
        self._changed = threading.Condition()
        self._end: PhaseEnd | None = None
        self._gone: PhaseEnd | None = None
        self._pending: Invocation | None = None
        self._running: str | None = None
        self._killed_as: Ending | None = None
        self._api = RuntimeApi(self)
        self._group = ProcessGroup(command, {**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address}, folder)
        self._logs = LogPipe(self._group.output, take_log)
        self._watch = MemoryWatch(self._group, memory_limit, self._out_of_memory)
        threading.Thread(target=self._wait_for_exit, name=f"lambda-process-{self._group.id}", daemon=True).start()

    @property
    def usable(self) -> bool:
        """Whether it can take another invocation."""
        return self._gone is None and self._killed_as is None

    def wait_until_ready(self, timeout_s: float) -> PhaseEnd:
        """Wait for the end of the init phase. A time-out kills the process."""
        return self._finish_phase(timeout_s)

    def invoke(self, invocation: Invocation, timeout_s: float) -> PhaseEnd:
        """Send one event and wait for its result. A time-out kills the process."""
        with self._changed:
            self._end = self._gone
            self._pending = invocation
            self._changed.notify_all()
        end = self._finish_phase(timeout_s)
        never_sent = self._pending is invocation
        return PhaseEnd(Ending.GONE) if never_sent and end.ending is Ending.EXIT else end

    def peak_memory(self) -> int:
        """Return the highest number of bytes that the process group has held since its start."""
        return self._watch.peak()

    def stop(self) -> None:
        """Kill the process group, and wake the threads that wait for it."""
        self._kill(Ending.STOPPED)

    # The delegate of the Runtime API.

    def next_invocation(self) -> Invocation | None:
        """Wait for the next event. The first call means that the runtime is ready."""
        with self._changed:
            if self._running is None:
                self._finish(PhaseEnd(Ending.READY))
            self._running = None
            self._changed.wait_for(lambda: self._pending or self._gone or self._killed_as)
            invocation, self._pending = self._pending, None
            if self._gone or self._killed_as or invocation is None:
                return None
            self._running = invocation.request_id
            return invocation

    def responded(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's result."""
        return self._take(request_id, PhaseEnd(Ending.RESPONSE, payload))

    def failed(self, request_id: str, payload: bytes) -> bool:
        """Take a handler's error."""
        return self._take(request_id, PhaseEnd(Ending.ERROR, payload))

    def init_failed(self, payload: bytes, error_type: str) -> None:
        """Take the error that keeps the runtime from starting."""
        with self._changed:
            self._finish(PhaseEnd(Ending.ERROR, payload, error_type))

    def _take(self, request_id: str, end: PhaseEnd) -> bool:
        with self._changed:
            if self._running != request_id or self._end is not None:
                return False
            self._finish(end)
            return True

    def _finish(self, end: PhaseEnd) -> None:
        if self._end is None:
            self._end = end
            self._changed.notify_all()

    def _finish_phase(self, timeout_s: float) -> PhaseEnd:
        with self._watch, self._changed:
            ended = self._changed.wait_for(lambda: self._end, timeout_s)
        if not ended:
            self._kill(Ending.TIMEOUT)
            with self._changed:
                self._changed.wait_for(lambda: self._end)
        self._logs.drain(final_line=True)
        assert self._end is not None
        return self._end

    def _wait_for_exit(self) -> None:
        code = self._group.wait()
        with self._changed:
            ending = self._killed_as or Ending.EXIT
            self._gone = PhaseEnd(ending, exit_code=code)
            self._finish(self._gone)
            self._changed.notify_all()
        self._group.kill()  # processes that it has started do not outlive it
        self._api.stop()

    def _out_of_memory(self) -> None:
        self._kill(Ending.OUT_OF_MEMORY)

    def _kill(self, reason: Ending) -> None:
        with self._changed:
            self._killed_as = self._killed_as or reason
            self._changed.notify_all()
        self._group.kill()
