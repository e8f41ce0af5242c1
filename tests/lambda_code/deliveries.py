"""Deliveries of messages to the worker, stopped at each of its AWS calls, so that a test chooses the order and the faults."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests import handlers
from tests.aws_fakes.validated import RefusalError

RECORD = json.loads((Path(__file__).parents[1] / "events" / "sqs_batch.json").read_text(encoding="utf-8"))["Records"][0]
# For a busy machine; a worker that hangs is found all the same.
PATIENCE_S = 300


class Killed(BaseException):
    """The execution environment ends here, as by a crash or at the function's time-out; the worker cannot catch it."""


# What can become of a call, by what happens to it and whether it has its effect first.
BEFORE = {
    "killed before": Killed(),
    "unreachable": EndpointConnectionError(endpoint_url="https://aws"),
}
AFTER = {
    "killed after": Killed(),
    "answer late": ReadTimeoutError(endpoint_url="https://aws"),
    "answer lost": ConnectionClosedError(endpoint_url="https://aws"),
}
BROKEN_OFF = (*BEFORE, *AFTER)
REFUSALS = {
    "invoke_model": {
        "throttled": RefusalError("ThrottlingException", 429),
        "unavailable": RefusalError("ServiceUnavailableException", 503),
        "not ready": RefusalError("ModelNotReadyException", 429),
        "blocked": RefusalError("ValidationException", 400, "This request has been blocked by our content filters."),
    },
    "list_objects_v2": {"slow down": RefusalError("SlowDown", 503), "no right": RefusalError("AccessDenied", 403)},
    "head_object": {"unavailable": RefusalError("ServiceUnavailable", 503)},
    "put_object": {
        "conflict": RefusalError("ConditionalRequestConflict", 409),
        "slow down": RefusalError("SlowDown", 503),
    },
    "send_message": {"unavailable": RefusalError("ServiceUnavailable", 503)},
    "change_message_visibility": {"unavailable": RefusalError("ServiceUnavailable", 503)},
}


class Delivery:
    """One invocation of the worker with one message, in a thread that stands still at each of its AWS calls.

    `call` is the operation that it waits to begin, None once it has ended; then `kept` tells whether the message stays in
    the queue.
    """

    def __init__(self, worker: Any, message_id: str, handle: str, body: str, receives: int) -> None:
        self.call: str | None = None
        self.parameters: dict[str, Any] = {}
        self.kept = True
        self.error: BaseException | None = None
        # What the fakes remember of this delivery: whether the picture was there when it looked.
        self.found: bool | None = None
        # The same of the look before its last call of the model, None where there was none.
        self.looked: bool | None = None
        # Each call that was let go, and how it ended.
        self.outcomes: list[tuple[str, str]] = []
        self._outcome = "done"
        self._stopped = threading.Semaphore(0)
        self._released = threading.Semaphore(0)
        record = RECORD | {"messageId": message_id, "receiptHandle": handle, "body": body}
        record["attributes"] = RECORD["attributes"] | {"ApproximateReceiveCount": str(receives)}
        self._thread = threading.Thread(target=self._run, args=(worker, {"Records": [record]}), daemon=True)
        self._thread.couch_delivery = self
        self._thread.start()
        self._wait()

    @property
    def ended(self) -> bool:
        return self.call is None

    def step(self, outcome: str = "done") -> None:
        """Let the call end in this way, and run on to the next one or to the end."""
        self.outcomes.append((str(self.call), outcome))
        self._outcome = outcome
        self._released.release()
        self._wait()

    def stop(self) -> None:
        """Kill the worker where it stands."""
        if not self.ended:
            self.step("killed before")

    def _run(self, worker: Any, event: dict[str, Any]) -> None:
        try:
            answer = worker.lambda_handler(event, handlers.context("couch-explorers-42-worker", memory_mb=512))
            self.kept = bool(answer["batchItemFailures"])
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - shown by the test, in its own thread
            self.error = error
        self.call = None
        self._stopped.release()

    def _wait(self) -> None:
        assert self._stopped.acquire(timeout=PATIENCE_S), f"The worker hangs after {self.call}."
        if self.error is not None:
            raise AssertionError("The worker raised.") from self.error

    def at(self, operation: str, parameters: dict[str, Any]) -> str:
        """Stand still in the worker's thread until the test says what becomes of this call."""
        self.call, self.parameters = operation, parameters
        self._stopped.release()
        self._released.acquire()
        return self._outcome


class Gate:
    """Stands in front of a fake: each call waits for the test, and ends as the test says."""

    def __init__(self, fake: Any) -> None:
        self.fake = fake

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Any:
            delivery: Delivery = threading.current_thread().couch_delivery
            outcome = delivery.at(operation, parameters)
            if operation == "invoke_model":
                # A look is good for one call, whatever comes of it.
                delivery.looked, delivery.found = delivery.found, None
            if outcome in REFUSALS[operation]:
                raise REFUSALS[operation][outcome]
            if outcome in BEFORE:
                raise BEFORE[outcome]
            if outcome in AFTER:
                with contextlib.suppress(RefusalError):
                    getattr(self.fake, operation)(**parameters)
                raise AFTER[outcome]
            return getattr(self.fake, operation)(**parameters)

        return call
