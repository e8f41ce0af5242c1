"""The API below `/_couch/`, for the command `couch` and not for AWS clients."""

from __future__ import annotations

import asyncio
import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from couch_explorers.local import faults
from couch_explorers.local.asgi import Receive, Send, read_body, reply
from couch_explorers.local.synthetic_metrics.writer import DAYS, SyntheticMetricsError
from couch_explorers.local.telemetry import service

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.bedrock.emulator import ImageModelEmulator

PREFIX = "/_couch/"
# Followed by the path of a queue's address.
MESSAGES = "/_couch/messages"


class AdminApi:
    """Health, statistics and faults of the image models, synthetic metrics, messages of queues, and saving the state."""

    def __init__(
        self,
        models: ImageModelEmulator,
        save_state: Callable[[], None],
        telemetry: service.Telemetry | None,
        messages_of: Callable[[str], list[dict[str, Any]] | None] = lambda _path: None,
    ) -> None:
        """Bind the API to the parts of the server; `messages_of` lists the messages of the queue with a path, without receiving them."""
        self.models = models
        self.messages_of = messages_of
        self.save_state = save_state
        self.telemetry = telemetry

    async def answer(self, method: str, path: str, receive: Receive, send: Send) -> None:
        """`/_couch/health`, `…/stats`, `…/faults`, `…/history`, `…/messages`, `…/save`: for `couch`, not for AWS clients."""
        body = await read_body(receive)
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
            case "GET", _ if path.startswith(MESSAGES):
                messages = await asyncio.to_thread(self.messages_of, path.removeprefix(MESSAGES))
                answer = {"messages": messages}
                if messages is None:
                    status, answer = 404, {"error": f"There is no queue {path.removeprefix(MESSAGES)}."}
            case "POST", "/_couch/save":
                status, answer = await self._save()
            case _:
                status = 404
                answer = {"error": f"{method} {path} is not known. Known: GET /_couch/health, GET /_couch/stats, "
                          "GET or PUT /_couch/faults, PUT or DELETE /_couch/history, GET /_couch/messages/ACCOUNT/QUEUE, POST /_couch/save."}  # fmt: skip
        await reply(send, status, {"content-type": "application/json"}, json.dumps(answer).encode())

    async def _save(self) -> tuple[int, dict[str, Any]]:
        """Save the state, in a thread, so that the server keeps serving."""
        try:
            await asyncio.to_thread(self.save_state)
        except OSError as error:
            sentence = (
                f"The state is not saved: {error}. The local cloud goes on, and forgets this when it ends. "
                "Make room on the disk; it is saved then without being asked."
            )
            return HTTPStatus.INSUFFICIENT_STORAGE, {"error": sentence}
        return HTTPStatus.OK, {"saved": True}

    async def _history(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Write or delete synthetic metrics, in a thread, so that the server keeps serving."""
        if self.telemetry is None:
            return 409, {"error": "This local cloud measures nothing."}
        try:
            if method == "DELETE":
                answer = await asyncio.to_thread(self.telemetry.erase_history)
            else:
                days, seed = _settings(body)
                answer = await asyncio.to_thread(self.telemetry.write_history, days, seed)
        except service.NotDeployedError as error:
            return 409, {"error": str(error)}
        except (SyntheticMetricsError, ValueError) as error:
            return 400, {"error": str(error)}
        # The history of the alarms is part of the engine's state: metrics and history are to survive together.
        await asyncio.to_thread(self.save_state)
        return 200, answer


def _settings(body: bytes) -> tuple[float, int]:
    """Read days and seed from the request's JSON.

    Raises:
        ValueError: The JSON is not understood; the message says what is accepted.
    """
    taken = f'A JSON object is taken, {{"days": {DAYS}, "seed": 1}}: days a number, seed a whole number.'
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise ValueError(f"The request is no JSON. {taken}") from error
    if not isinstance(given, dict) or given.keys() - {"days", "seed"}:
        raise ValueError(f"{body[:200].decode(errors='replace')} is not understood. {taken}")
    days, seed = given.get("days", DAYS), given.get("seed", 1)
    # Exactly these types: bool is a subclass of int.
    if type(days) not in (int, float) or type(seed) is not int:
        raise ValueError(f"{body[:200].decode(errors='replace')} is not understood. {taken}")
    return days, seed
