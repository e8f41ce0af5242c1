"""Attaches `SqsMapping` to LocalEmu: to its queues, its Lambda service, and the states of an event source mapping."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.config import Config
from localemu.aws.api.lambda_ import InvocationType, TooManyRequestsException
from localemu.services.lambda_.api_utils import function_locators_from_arn
from localemu.services.lambda_.event_source_mapping.esm_worker import EsmState, EsmStateReason
from localemu.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localemu.services.lambda_.invocation.models import lambda_stores
from localemu.services.sqs.models import FifoQueue, sqs_stores
from localemu.utils.aws.arns import parse_arn
from localemu.utils.event_matcher import matches_event

from couch_explorers.local.engine.authorization import role_allows
from couch_explorers.local.engine.lambda_runtime.sqs_mapping import (
    MAX_CONCURRENCY,
    MappingSettings,
    Message,
    Record,
    SqsMapping,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

# Seconds that a change of state takes; on AWS up to a minute.
TRANSITION_S = 0.5
# Seconds between two checks whether a queue has messages; a check takes microseconds.
CHECK_S = 0.05
# Seconds after which the client that polls takes new credentials of the role.
CLIENT_S = 3000.0
# The rights that polling needs; a missing right to delete shows when a message is deleted.
POLLING_RIGHTS = ("ReceiveMessage", "GetQueueAttributes")
# Seconds for which SQS hides a received message by default.
DEFAULT_VISIBILITY_S = 30.0


class PolledQueue:
    """A queue as its mapping reads it: every call is made with the rights of the function's role."""

    def __init__(self, arn: str, role_arn: str, function_arn: str, report: Callable[[str], None]) -> None:
        """Read the queue `arn`; `report` is called with what prevents that, or "" where nothing does."""
        self._report = report
        parsed = parse_arn(arn)
        self.arn = arn
        self.fifo = arn.endswith(".fifo")
        self._account, self._region, self._name = parsed["account"], parsed["region"], parsed["resource"]
        self._role_arn, self._function_arn = role_arn, function_arn
        self._client_created_at = 0.0
        self._client: Any = None

    def receive(self, count: int, wait_s: float, stopping: threading.Event) -> list[Message]:
        """Return messages with all their attributes; they are peeked at first, so that a stopped mapping receives none."""
        until = time.monotonic() + wait_s
        while self._is_empty() and time.monotonic() < until:
            if stopping.wait(CHECK_S):
                return []
        self._check_rights()
        answer = self._sqs().receive_message(
            QueueUrl=self._url(),
            MaxNumberOfMessages=count,
            # The queue's own long polling would outlast a stop, and receive a message then.
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        if not messages:
            stopping.wait(CHECK_S)  # another consumer was faster
        return messages

    def _check_rights(self) -> None:
        """Report which right the role lacks. Lambda reads the queue's attributes too, and a client's refusal names one right only."""
        for action in POLLING_RIGHTS:
            if not role_allows(self._role_arn, f"sqs:{action}", self.arn):
                self._report(f"PROBLEM: The provided execution role does not have permissions to call {action} on SQS")
                raise PermissionError(f"{self._role_arn} may not call {action} on {self.arn}")
        self._report("")

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete at most ten messages."""
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)
            ]
            answer = self._sqs().delete_message_batch(QueueUrl=self._url(), Entries=entries)
            if failed := answer.get("Failed"):
                # Not an error: they are delivered again once they are visible.
                count, total = len(failed), len(messages)
                logger.warning("SQS kept %d of %d handled messages of %s: %s", count, total, self._name, failed)

    def visibility_timeout_s(self) -> float:
        """Return how many seconds a received message stays hidden."""
        queue = self._queue()
        return float(queue.visibility_timeout) if queue else DEFAULT_VISIBILITY_S

    def _queue(self) -> Any:
        return sqs_stores[self._account][self._region].queues.get(self._name)

    def _is_empty(self) -> bool:
        queue = self._queue()
        if queue is None:
            return False  # receiving raises the error
        waiting = queue.message_group_queue if isinstance(queue, FifoQueue) else queue.visible
        return not waiting.qsize()

    def _url(self) -> str:
        # LocalEmu reads account and name from any URL.
        return f"http://sqs.{self._region}.amazonaws.com/{self._account}/{self._name}"

    def _sqs(self) -> Any:
        if self._client is None or time.monotonic() - self._client_created_at > CLIENT_S:
            self._client = get_internal_client(
                arn=self.arn,
                role_arn=self._role_arn,
                service_principal="lambda",
                source_arn=self._function_arn,
                client_config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50),
            )
            self._client_created_at = time.monotonic()
        return self._client


class MappedFunction:
    """The function, version or alias that a mapping invokes."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self._name, self._qualifier, self._account, self._region = function_locators_from_arn(arn)

    def exists(self) -> bool:
        """Whether the function exists."""
        return self._name in lambda_stores[self._account][self._region].functions

    def invoke(self, payload: bytes) -> tuple[bytes, bool]:
        """Invoke the function; see `sqs_mapping.Function`."""
        from localemu.services.plugins import SERVICE_PLUGINS  # it imports all of LocalEmu's services

        service = SERVICE_PLUGINS.get_service("lambda")._provider.lambda_service
        try:
            result = service.invoke(
                function_name=self._name,
                qualifier=self._qualifier,
                region=self._region,
                account_id=self._account,
                invocation_type=InvocationType.RequestResponse,
                client_context=None,
                request_id=str(uuid4()),
                payload=payload,
            )
        except TooManyRequestsException as error:
            raise ThrottledError(str(error)) from error
        return result.payload or b"", result.is_error


class SqsMappingWorker:
    """LocalEmu's worker of one mapping: `create`, `stop`, `delete`, and the state that GetEventSourceMapping returns."""

    def __init__(self, esm_config: Any, role_arn: str, *, enabled: bool) -> None:
        self.esm_config = esm_config
        self.enabled = enabled
        self.uuid: str = esm_config["UUID"]
        self.current_state = esm_config.get("State", EsmState.CREATING)
        self.state_transition_reason = EsmStateReason.USER_INITIATED
        function_arn, queue_arn = esm_config["FunctionArn"], esm_config["EventSourceArn"]
        _, _, self._account, self._region = function_locators_from_arn(function_arn)
        settings = MappingSettings(
            region=parse_arn(queue_arn)["region"],
            batch_size=esm_config["BatchSize"],
            window_s=esm_config.get("MaximumBatchingWindowInSeconds") or 0,
            maximum_concurrency=(esm_config.get("ScalingConfig") or {}).get("MaximumConcurrency") or MAX_CONCURRENCY,
            report_item_failures="ReportBatchItemFailures" in (esm_config.get("FunctionResponseTypes") or []),
            matches=_filter([each["Pattern"] for each in (esm_config.get("FilterCriteria") or {}).get("Filters", [])]),
        )
        queue = PolledQueue(queue_arn, role_arn, function_arn, self._set_result)
        self._mapping = SqsMapping(self.uuid, settings, queue, MappedFunction(function_arn))
        self._replaced = False

    def create(self) -> None:
        """Start polling soon, or stay disabled; the state follows."""
        if self.enabled:
            if self.current_state not in {EsmState.CREATING, EsmState.ENABLING, EsmState.UPDATING, EsmState.ENABLED}:
                self.current_state = EsmState.CREATING
            self._become(EsmState.ENABLED, self._mapping.start)
        elif self.current_state in {EsmState.CREATING, EsmState.DISABLED}:
            self._set(EsmState.DISABLED)
        else:
            self.current_state = EsmState.DISABLING
            self._become(EsmState.DISABLED)

    def stop(self) -> None:
        """End polling: another worker takes over the mapping, with other settings."""
        self._replaced = True
        self._mapping.stop()

    def delete(self) -> None:
        """End polling, then delete the mapping."""
        self._mapping.stop()
        self._set(EsmState.DELETING)
        self._replaced = True
        timer = threading.Timer(TRANSITION_S, lambda: self._stored().pop(self.uuid, None))
        timer.daemon = True
        timer.start()

    def stop_for_shutdown(self) -> None:
        """End polling, and keep the state for a restart."""
        self._replaced = True
        self._mapping.stop()

    def _become(self, state: EsmState, then: Callable[[], None] | None = None) -> None:
        def change() -> None:
            if not self._replaced:
                self._set(state)
                if then:
                    then()

        timer = threading.Timer(TRANSITION_S, change)
        timer.daemon = True
        timer.start()

    def _set(self, state: EsmState) -> None:
        self.current_state = state
        if mapping := self._stored().get(self.uuid):
            mapping["State"] = state

    def _set_result(self, result: str) -> None:
        """Set `LastProcessingResult`; "" removes it."""
        mapping = self._stored().get(self.uuid)
        if mapping is None or mapping.get("LastProcessingResult", "") == result:
            return
        if result:
            mapping["LastProcessingResult"] = result
        else:
            mapping.pop("LastProcessingResult", None)

    def _stored(self) -> dict[str, Any]:
        mappings: dict[str, Any] = lambda_stores[self._account][self._region].event_source_mappings
        return mappings


def _filter(patterns: list[str]) -> Callable[[Record], bool] | None:
    """Return a function that checks whether a record matches one of the patterns; None without patterns.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html: a pattern for the fields of a body matches no plain text,
    and one for plain text no JSON.
    """
    parsed = [json.loads(pattern) for pattern in patterns]
    if not parsed:
        return None

    def matches(record: Record) -> bool:
        try:
            body = json.loads(record["body"])
        except ValueError:
            body = record["body"]
        return any(matches_event(pattern, {**record, "body": body}) for pattern in parsed)

    return matches
