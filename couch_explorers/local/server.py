"""The process behind `couch up`: MiniStack with the image models, the mends and `/_couch/…` in front of it.

Started as `python -m couch_explorers.local.server PORT` with the environment of `settings.Home.server_environment`.
"""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from couch_explorers.local import mends
from couch_explorers.local.administration import PREFIX, Administration
from couch_explorers.local.asgi import Application, Message, Receive, Send, is_refusal, read_body, reply, signed_region
from couch_explorers.local.request_log import logged
from couch_explorers.local.settings import HOST, Home
from couch_explorers.local.stand_in import Answer, ImageModelStandIn
from couch_explorers.local.telemetry import service
from couch_explorers.local.telemetry.ministack import MiniStack

logger = logging.getLogger("couch.local")

INVOKE_PATH = re.compile(r"^/model/(?P<model>.+)/invoke$")
FOUNDATION_MODELS_PATH = re.compile(r"^/foundation-models(?:/(?P<model>.+))?$")

# The largest request that an image model takes is a prompt of 10,000 characters; AWS refuses bodies over 25 MB.
LARGEST_MODEL_REQUEST = 25_000_000


class LocalCloud:
    """The ASGI application: answers for the image models, hands everything else to MiniStack."""

    def __init__(
        self, ministack: Application, save_state: Callable[[], None], telemetry: service.Telemetry | None = None
    ) -> None:
        self.ministack = ministack
        self.models = ImageModelStandIn()
        self.administration = Administration(self.models, save_state, telemetry, messages_of)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] != "http":
            await self.ministack(scope, receive, send)
            return
        # A laptop's loopback is as private as TLS, so policies that demand TLS are kept as on AWS and met here.
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        path = unquote(scope["raw_path"].decode("latin-1")) if scope.get("raw_path") else scope["path"]
        if path.startswith(PREFIX):
            await self.administration.answer(scope["method"], path, receive, send)
        elif scope["method"] == "POST" and (match := INVOKE_PATH.match(path)):
            invoked = match["model"]
            await self._with_rights(scope, receive, send, lambda body: self._invoke(scope, invoked, body))
        elif scope["method"] == "GET" and (match := FOUNDATION_MODELS_PATH.match(path)):
            asked = match["model"]
            await self._with_rights(scope, receive, send, lambda _body: self._catalogue(scope, asked))
        else:
            await self.ministack(scope, receive, send)

    async def _with_rights(
        self, scope: Message, receive: Receive, send: Send, answer: Callable[[bytes], Awaitable[Answer]]
    ) -> None:
        """Let MiniStack check the caller's signature and rights; answer in its stead when it has nothing against it."""
        body = await read_body(receive)
        if len(body) > LARGEST_MODEL_REQUEST:
            too_large = {"message": f"The request is {len(body)} bytes; at most {LARGEST_MODEL_REQUEST} are taken."}
            await reply(send, 413, {"x-amzn-errortype": "ValidationException"}, json.dumps(too_large).encode())
            return
        recorded: list[Message] = []
        delivered = False

        async def replay() -> Message:
            nonlocal delivered
            if delivered:
                return {"type": "http.disconnect"}
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def record(message: Message) -> None:
            recorded.append(message)

        await self.ministack(scope, replay, record)
        if is_refusal(recorded):
            for message in recorded:
                await send(message)
            return
        # To the end, even if the caller has gone away: a provider paints, and bills, that picture too.
        result = await answer(body)
        await reply(send, result.status, result.headers, result.body)

    async def _invoke(self, scope: Message, model_id: str, body: bytes) -> Answer:
        return await self.models.answer(model_id, body, signed_region(scope))

    async def _catalogue(self, scope: Message, model_id: str | None) -> Answer:
        region = signed_region(scope)
        headers = {"content-type": "application/json"}
        if model_id is None:
            return Answer(200, headers, json.dumps({"modelSummaries": self.models.foundation_models(region)}).encode())
        details = self.models.foundation_model(model_id.rsplit("/", 1)[-1], region)
        if details is None:
            message = {"message": f"The provided model identifier is invalid: {model_id}"}
            return Answer(400, headers | {"x-amzn-errortype": "ValidationException"}, json.dumps(message).encode())
        return Answer(200, headers, json.dumps({"modelDetails": details}).encode())


def messages_of(path: str) -> list[dict[str, Any]]:
    """What is in the queue with a path, without receiving it: see `engine.queue_messages`."""
    from ministack import app  # noqa: PLC0415 - see `serve`

    query = {"QueueUrl": f"http://{HOST}{path}"}
    asked = app._handle_sqs_messages_request("GET", "/_ministack/sqs/messages", {}, query)  # noqa: SLF001
    # Called in a thread of its own, which has no loop.
    _, _, body = asyncio.run(asked)
    by_account = json.loads(body)["messages"]
    listed = [
        message
        for regions in by_account.values()
        for queues in regions.values()
        for queue in queues.values()
        for message in queue
    ]
    return [
        message
        | {
            "Attributes": {
                "ApproximateReceiveCount": str(message["ReceiveCount"]),
                **(message.get("Attributes") or {}),
            },
            "VisibleAt": None if message["IsVisible"] else message["VisibleAt"],
        }
        for message in listed
    ]


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let MiniStack write its state."""
    # MiniStack and hypercorn are heavy and read their settings on import: only this process pays for them.
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415
    from ministack import app as ministack  # noqa: PLC0415
    from ministack.core.persistence import save_all  # noqa: PLC0415

    mends.mend_all()
    telemetry = service.start(Home.current(), MiniStack())
    cloud = LocalCloud(
        ministack.app,
        lambda: save_all(ministack._build_persistence_save_dict()),  # noqa: SLF001
        telemetry,
    )
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 5
    # Two writers of state may not meet, so requests in flight get the grace period, then shutdown saves.
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    application = logged(cloud, Path(file)) if (file := os.environ.get("COUCH_REQUEST_LOG")) else cloud
    try:
        await hypercorn_serve(application, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    finally:
        cloud.models.close()
        telemetry.stop()


def main() -> None:
    """Run the server on the port given as the only argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    _raise_file_limit()
    asyncio.run(serve(int(sys.argv[1])))


def _raise_file_limit() -> None:
    """Let a burst of connections not run into the soft limit of open files (256 on macOS)."""
    import resource  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 10_240), hard), hard))


if __name__ == "__main__":
    main()
