"""LocalEmu inside this process: its start, its services and its end, and its gateway as an ASGI application.

LocalEmu's own start would also mount a dashboard and an export of all resources, run scripts found on the machine, look for
containers, and fetch a certificate. None of that happens here, because only the start hooks named below are run.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import threading
import time
import warnings
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rolo.asgi import create_wsgi_input, populate_wsgi_environment
from rolo.gateway.asgi import AsgiGateway as RoloGateway
from rolo.gateway.wsgi import WsgiGateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from couch_explorers.local.asgi import Message, Receive, Send


logger = logging.getLogger("couch.local")

# The start hooks that services depend on: patches of botocore, moto and the thread pools.
START_HOOKS = (
    "_patch_botocore_endpoint_in_memory",
    "apply_runtime_patches",
    "apply_aws_runtime_patches",
    "_patch_botocore_json_parser",
)
# Loaded in the background after the start, in the order in which `couch up` calls them. Together they take some seconds, which the
# first requests would otherwise wait for.
PRELOADED = (
    "sts", "s3", "sqs", "iam", "cloudformation", "lambda", "logs", "sns", "cloudwatch", "apigateway", "ssm",
    "resourcegroupstaggingapi",
)  # fmt: skip
# Seconds that mappings and functions have to finish; then the process ends without them.
SERVICES_STOP_S = 1.5


class EngineRuntime:
    """LocalEmu's runtime: its gateway, and its services from their load to their stop."""

    def __init__(self) -> None:
        self._runtime: Any = None

    def start(self) -> Any:
        """Create and patch LocalEmu's runtime, and return its gateway."""
        import typing_extensions

        if not hasattr(warnings, "deprecated"):
            # LocalEmu imports it from `warnings`, which has it from Python 3.13 on.
            warnings.deprecated = typing_extensions.deprecated  # type: ignore[attr-defined]

        from localemu import config, constants
        from localemu.aws.components import AwsComponents
        from localemu.runtime import current, hooks
        from localemu.runtime.runtime import LocalemuRuntime

        from couch_explorers.local.engine import patches

        os.environ[constants.LOCALEMU_INFRA_PROCESS] = "1"
        # The index of all service models takes seconds to build and is the same for every cloud of this environment.
        config.dirs.cache = str(Path(sys.prefix) / "cache")
        config.dirs.mkdirs()
        self._runtime = LocalemuRuntime(AwsComponents())
        current.set_current_runtime(self._runtime)
        patches.apply_all()
        self._runtime.starting.set()
        for name in START_HOOKS:
            hooks.on_runtime_start.manager.load(name)()
        return self._runtime.components.gateway

    def begin(self) -> None:
        """Declare that requests are served from now on, and load the services that a deploy needs."""
        self._runtime.ready.set()
        threading.Thread(target=self._preload, name="preload", daemon=True).start()

    def _preload(self) -> None:
        from localemu.aws.spec import get_service_catalog
        from localemu.services.plugins import SERVICE_PLUGINS

        began = time.monotonic()
        get_service_catalog()
        for name in PRELOADED:
            if self._runtime.stopping.is_set():
                return
            try:
                SERVICE_PLUGINS.require(name)
            except Exception:
                # The first request to the service fails with the same error.
                logger.exception("The service %s could not be loaded", name)
        logger.info("All services are loaded, %.1f s after the start", time.monotonic() - began)

    def stop(self) -> None:
        """Stop mappings and functions, within `SERVICES_STOP_S`; unless one hangs, nothing is polled or invoked afterwards."""
        from localemu.services.plugins import SERVICE_PLUGINS

        self._runtime.stopping.set()
        stopping = threading.Thread(target=SERVICE_PLUGINS.stop_services, args=[["lambda"]], daemon=True)
        stopping.start()
        stopping.join(SERVICES_STOP_S)
        if stopping.is_alive():
            logger.warning("Functions are still running after %.1f s and are ended", SERVICES_STOP_S)


# --- the gateway as an ASGI application -------------------------------------------------------------------------------


# Bytes up to which a body is read before a thread serves the request; larger bodies are streamed by the thread. SQS and Lambda take at
# most 1 MiB and 6 MiB, so a larger body is an upload.
LARGEST_BUFFERED_BODY = 8 * 1024 * 1024

Head = tuple[int, list[tuple[bytes, bytes]]]


class AsgiGateway:
    """LocalEmu's gateway as an ASGI application, with one hand-over to a thread for each request, and one back.

    LocalEmu's own adapter (rolo's `AsgiGateway`) crosses between the event loop and a worker thread for the call, the response's
    head, each part of its body, the iteration and the close, which takes longer than the request itself.
    """

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
        """Return the request's body: in memory where it is small, else a stream for the thread to read."""
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
        """Handle a request in this thread; return the whole response, or None where its parts were sent already."""
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
        """Send a body of several parts from this thread, each once the one before was sent."""
        status, headers = head
        self._send(send, {"type": "http.response.start", "status": status, "headers": headers})
        self._send(send, {"type": "http.response.body", "body": first, "more_body": True})
        for part in rest:
            self._send(send, {"type": "http.response.body", "body": part, "more_body": True})
        self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    def _send(self, send: Send, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(send(message), self._loop).result()  # type: ignore[arg-type]


def _announced_length(head: Head) -> float:
    """Return the body's length by its headers; infinity where they do not name it."""
    status, headers = head
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return 0
    lengths = [int(value) for name, value in headers if name.lower() == b"content-length"]
    return lengths[0] if lengths else float("inf")


def _close(parts: Iterable[bytes]) -> None:
    if close := getattr(parts, "close", None):
        close()
