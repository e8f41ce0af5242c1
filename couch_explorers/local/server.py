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

from couch_explorers.local import faults, mends
from couch_explorers.local.history import DAYS, HistoryError
from couch_explorers.local.request_log import Application, Message, Receive, Send, logged
from couch_explorers.local.settings import HOST, REGION, Home
from couch_explorers.local.stand_in import Answer, ImageModelStandIn
from couch_explorers.local.telemetry import service

logger = logging.getLogger("couch.local")

INVOKE_PATH = re.compile(r"^/model/(?P<model>.+)/invoke$")
FOUNDATION_MODELS_PATH = re.compile(r"^/foundation-models(?:/(?P<model>.+))?$")
SIGNED_REGION = re.compile(rb"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/")

# The largest request that an image model takes is a prompt of 10,000 characters; AWS refuses bodies over 25 MB.
LARGEST_MODEL_REQUEST = 25_000_000


class LocalCloud:
    """The ASGI application: answers for the image models, hands everything else to MiniStack."""

    def __init__(
        self, ministack: Application, save_state: Callable[[], None], telemetry: service.Telemetry | None = None
    ) -> None:
        self.ministack = ministack
        self.save_state = save_state
        self.telemetry = telemetry
        self.models = ImageModelStandIn()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] != "http":
            await self.ministack(scope, receive, send)
            return
        # A laptop's loopback is as private as TLS, so policies that demand TLS are kept as on AWS and met here.
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        path = unquote(scope["raw_path"].decode("latin-1")) if scope.get("raw_path") else scope["path"]
        if path.startswith("/_couch/"):
            await self._administer(scope["method"], path, receive, send)
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
        body = await _read_body(receive)
        if len(body) > LARGEST_MODEL_REQUEST:
            too_large = {"message": f"The request is {len(body)} bytes; at most {LARGEST_MODEL_REQUEST} are taken."}
            await _reply(send, 413, {"x-amzn-errortype": "ValidationException"}, json.dumps(too_large).encode())
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
        if _is_refusal(recorded):
            for message in recorded:
                await send(message)
            return
        # To the end, even if the caller has gone away: a provider paints, and bills, that picture too.
        result = await answer(body)
        await _reply(send, result.status, result.headers, result.body)

    async def _invoke(self, scope: Message, model_id: str, body: bytes) -> Answer:
        return await self.models.answer(model_id, body, _signed_region(scope))

    async def _catalogue(self, scope: Message, model_id: str | None) -> Answer:
        region = _signed_region(scope)
        headers = {"content-type": "application/json"}
        if model_id is None:
            return Answer(200, headers, json.dumps({"modelSummaries": self.models.foundation_models(region)}).encode())
        details = self.models.foundation_model(model_id.rsplit("/", 1)[-1], region)
        if details is None:
            message = {"message": f"The provided model identifier is invalid: {model_id}"}
            return Answer(400, headers | {"x-amzn-errortype": "ValidationException"}, json.dumps(message).encode())
        return Answer(200, headers, json.dumps({"modelDetails": details}).encode())

    async def _administer(self, method: str, path: str, receive: Receive, send: Send) -> None:
        """`/_couch/health`, `…/stats`, `…/faults`, `…/history`, `…/save`: for `couch`, not for AWS clients."""
        body = await _read_body(receive)
        status = 200
        answer: Any
        match method, path:
            case "GET", "/_couch/health":
                answer = {"pid": os.getpid(), "home": os.environ.get("COUCH_HOME", "")}
            case "GET", "/_couch/stats":
                answer = self.models.stats.to_json()
            case "GET", "/_couch/faults":
                answer = self.models.faults.to_json()
            case "PUT", "/_couch/faults":
                try:
                    self.models.faults = faults.Faults.from_json(json.loads(body or b"{}"))
                    answer = self.models.faults.to_json()
                except (faults.FaultError, ValueError) as error:
                    status, answer = 400, {"error": str(error)}
            case "PUT" | "DELETE", "/_couch/history":
                status, answer = await self._history(method, body)
            case "POST", "/_couch/save":
                await asyncio.to_thread(self.save_state)
                answer = {"saved": True}
            case _:
                status = 404
                answer = {"error": f"{method} {path} is not known. Known: GET /_couch/health, GET /_couch/stats, "
                          "GET or PUT /_couch/faults, PUT or DELETE /_couch/history, POST /_couch/save."}  # fmt: skip
        await _reply(send, status, {"content-type": "application/json"}, json.dumps(answer).encode())

    async def _history(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Write or forget a made-up past; in a thread, so that all else is served meanwhile."""
        if self.telemetry is None:
            return 409, {"error": "This local cloud measures nothing."}
        try:
            if method == "DELETE":
                answer = await asyncio.to_thread(self.telemetry.erase_history)
            else:
                days, seed = _history_settings(body)
                answer = await asyncio.to_thread(self.telemetry.write_history, days, seed)
        except service.NotDeployedError as error:
            return 409, {"error": str(error)}
        except (HistoryError, ValueError) as error:
            return 400, {"error": str(error)}
        # The alarms' history is part of MiniStack's state, and a past that is half kept helps nobody.
        await asyncio.to_thread(self.save_state)
        return 200, answer


def _history_settings(body: bytes) -> tuple[float, int]:
    """The days and the seed of a history from the request's JSON. ValueError says what is taken."""
    taken = f'A JSON object is taken, {{"days": {DAYS}, "seed": 1}}: days a number, seed a whole number.'
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise ValueError(f"The request is no JSON. {taken}") from error
    if not isinstance(given, dict) or given.keys() - {"days", "seed"}:
        raise ValueError(f"{body[:200].decode(errors='replace')} is not understood. {taken}")
    days, seed = given.get("days", DAYS), given.get("seed", 1)
    # Exactly these types: a JSON true is no number of days.
    if type(days) not in (int, float) or type(seed) is not int:
        raise ValueError(f"{body[:200].decode(errors='replace')} is not understood. {taken}")
    return days, seed


def _is_refusal(recorded: list[Message]) -> bool:
    """Whether MiniStack's answer says that the caller is not who it claims to be, or may not do this."""
    start = next((message for message in recorded if message["type"] == "http.response.start"), None)
    if start is None or start["status"] in (401, 403):
        return True
    if start["status"] < 400:  # noqa: PLR2004
        return False
    body = b"".join(message.get("body", b"") for message in recorded if message["type"] == "http.response.body")
    return any(word in body for word in (b"Signature", b"SecurityToken", b"ClientTokenId", b"AuthenticationToken"))


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _reply(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def _signed_region(scope: Message) -> str:
    """The region that the caller signed for: one address serves them all."""
    for name, value in scope["headers"]:
        if name.lower() == b"authorization" and (match := SIGNED_REGION.search(value)):
            return match["region"].decode()
    return REGION


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT, then let MiniStack write its state."""
    # MiniStack and hypercorn are heavy and read their settings on import: only this process pays for them.
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415
    from ministack import app as ministack  # noqa: PLC0415
    from ministack.core.persistence import save_all  # noqa: PLC0415

    mends.mend_all()
    telemetry = service.start(Home.current())
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
