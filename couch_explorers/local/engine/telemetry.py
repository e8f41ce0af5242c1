"""Measures LocalEmu: its queues, functions, REST APIs and log events, as the local cloud's telemetry asks for it.

LocalEmu publishes no age of a queue's oldest message, only two of Lambda's metrics, none of API Gateway's and none from logs.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import REGION
from couch_explorers.local.engine import observers, patches
from couch_explorers.local.telemetry import api_gateway, lambda_, log_metrics, sqs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from couch_explorers.local.cloudwatch.alarm_history import Transition
    from couch_explorers.local.cloudwatch.store import Sample
    from couch_explorers.local.engine.alarms import Alarms
    from couch_explorers.local.engine.observers import InvocationRecord, StageRequest
    from couch_explorers.local.telemetry.lambda_ import Concurrency
    from couch_explorers.local.telemetry.recorder import Recorder
    from couch_explorers.local.telemetry.service import Telemetry
    from couch_explorers.local.telemetry.sqs import QueueCounter

SEAMS = {
    "localemu.services.cloudwatch.provider_v2:CloudwatchProvider": "845a562fa33d",
    "localemu.services.logs.provider:LogsProvider.put_log_events": "8927f8624147",
    "localemu.services.logs.provider:get_pattern_matcher": "81bc4af263af",
    "localemu.services.sqs.models:SqsMessage": "9ac92d2712a1",
    "localemu.services.sqs.models:FifoQueue.__init__": "9adb2bf80773",
    "localemu.services.sqs.models:StandardQueue.__init__": "3bedf73448eb",
    "localemu.services.sqs.provider:CloudwatchDispatcher": "16b607a8e01d",
    "localemu.services.sqs.provider:SqsProvider._put_message": "029829bc0eda",
    "localemu.services.sqs.provider:SqsProvider._resolve_queue": "92360c1367df",
    "localemu.services.sqs.provider:SqsProvider._init_cloudwatch_metrics_reporting": "491cb5d0181c",
}


class LocalEmu:
    """The engine of this process, as `telemetry.service` sees it."""

    telemetry: Telemetry
    alarms: Alarms

    def attach(self, telemetry: Telemetry) -> None:
        """Measure LocalEmu, and put the local cloud's metrics and alarms in place. Once a process, before services load."""
        from couch_explorers.local.engine.alarms import Alarms

        self.telemetry = telemetry
        self.alarms = Alarms(telemetry.store, telemetry.clock, _note_alarm)
        patches.before_loading("cloudwatch", self._replace_provider)
        patches.before_loading("sqs", lambda: count_messages(telemetry.queues))
        patches.before_loading("logs", lambda: read_log_events(telemetry.recorder, telemetry.clock))
        observers.subscribe(Meter(telemetry.recorder, telemetry.concurrency))

    def _replace_provider(self) -> None:
        from localemu.services.cloudwatch import provider_v2

        from couch_explorers.local.engine.cloudwatch import make_provider

        provider_v2.CloudwatchProvider = make_provider(self.telemetry.store, self.alarms, self.telemetry.clock)

    def publish_queues(self, minute_s: int, now_s: float) -> None:
        """Record the minute that has ended: what happened at the queues, and the depth of each active one now."""
        recorder, counter = self.telemetry.recorder, self.telemetry.queues
        depths = {}
        for queue in queues():
            messages = list(message_states(queue, now_s))
            if messages or counter.is_active(queue.arn, now_s):
                depths[queue.arn] = sqs.depth(queue.arn, messages, minute_s, now_s)
        sqs.publish(recorder, counter, depths, minute_s, now_s)

    def evaluate_alarms(self, now_s: float) -> object:
        """Evaluate the alarms that are due."""
        return self.alarms.evaluate(now_s)

    def record_past(self, alarm_name: str, transitions: Sequence[Transition]) -> None:
        """Replace the synthetic transitions in an alarm's history."""
        self.alarms.record_past(alarm_name, transitions)

    def alarm_thresholds(self, stem: str) -> Mapping[str, float]:
        """Return the thresholds of the deployed alarms named `stem-…`, by the rest of their names."""
        return self.alarms.thresholds(stem)


def _note_alarm() -> None:
    """Have the alarms saved: an evaluation has changed one, without a request that the state would note."""
    from couch_explorers.local.engine.state import saver

    saver.current().called("cloudwatch", "SetAlarmState", None)


# --- queues -----------------------------------------------------------------------------------------------------------


def count_messages(counter: QueueCounter) -> None:
    """Count what is sent, received and deleted at LocalEmu's queues, and which queues are in use.

    LocalEmu reports receives and deletions to a dispatcher, which ours replaces. Of a message that is sent the dispatcher knows
    only the body's size, so sends are counted where a message is put. A message that moves to a dead-letter queue is a new one
    there: its age and its receives start again.
    """
    from localemu.services.sqs import provider

    service = provider.SqsProvider

    def counted_put(
        put: Callable[..., Any],
        self: Any,
        queue: Any,
        context: Any,
        message_body: str,
        *arguments: Any,
        **named: Any,
    ) -> Any:
        message = put(self, queue, context, message_body, *arguments, **named)
        counter.sent(queue.arn, sqs.size_of(message_body, message.message.get("MessageAttributes")))
        return message

    def touched(resolve: Callable[..., Any], self: Any, context: Any, *arguments: Any, **named: Any) -> Any:
        queue = resolve(self, context, *arguments, **named)
        counter.touch(queue.arn)
        _caller.is_mapping = (context.internal_request_params or {}).get("service_principal") == "lambda"
        return queue

    def report_here(self: Any) -> None:
        self.cloudwatch_disabled = True  # LocalEmu's own reports: nothing is started or stopped
        self._cloudwatch_publish_worker = None
        self._cloudwatch_dispatcher = Dispatcher(counter)

    patches.wrap(service, "_put_message", counted_put)
    patches.wrap(service, "_resolve_queue", touched)
    service._init_cloudwatch_metrics_reporting = report_here


# Whether the request that this thread serves comes from an event source mapping; a thread serves one at a time.
_caller = threading.local()


class Dispatcher:
    """Takes the place of LocalEmu's dispatcher of SQS metrics."""

    def __init__(self, counter: QueueCounter) -> None:
        self._counter = counter

    def dispatch_metric_message_sent(self, queue: Any, message_body_size: int) -> None:
        """Do nothing: a message is counted once it is in the queue, with its attributes."""

    def dispatch_metric_message_deleted(self, queue: Any, deleted: int = 1) -> None:
        """Count deletions that succeeded."""
        self._counter.deleted(queue.arn, deleted)

    def dispatch_metric_received(self, queue: Any, received: int) -> None:
        """Count received messages, or an empty receive."""
        if received:
            self._counter.received(queue.arn, received)
        else:
            # The local poller's long poll counts as one of each of Lambda's pollers.
            self._counter.empty_receive(queue.arn, sqs.POLLERS if getattr(_caller, "is_mapping", False) else 1)


def queues() -> Iterable[Any]:
    """Return every queue of every account and region."""
    from localemu.services.sqs.models import sqs_stores

    return [queue for _, _, store in list(sqs_stores.iter_stores()) for queue in list(store.queues.values())]


def message_states(queue: Any, now_s: float) -> Iterator[sqs.MessageState]:
    """Yield the state of each message in a queue; LocalEmu may still list one that is visible again as in flight."""
    with queue.mutex:
        if groups := getattr(queue, "message_groups", None):
            waiting = [message for group in groups.values() for message in group.messages]
        else:
            waiting = list(queue.visible.queue) if hasattr(queue, "visible") else []
        in_flight, delayed = list(queue.inflight), list(queue.delayed)
    kept_s = queue.message_retention_period
    for messages, state in ((waiting, "visible"), (in_flight, "in_flight"), (delayed, "delayed")):
        for message in messages:
            if message.deleted or now_s - message.created >= kept_s:
                continue
            hidden = (state == "in_flight" and not message.is_visible) or (state == "delayed" and message.is_delayed)
            yield sqs.MessageState(state if hidden else "visible", message.created, message.receive_count)  # type: ignore[arg-type]


def messages_of(path: str) -> list[dict[str, Any]] | None:
    """Return every message of a queue, in flight and delayed ones too, without receiving any: for `couch job`.

    Args:
        path: The path of the queue's URL, `/ACCOUNT/NAME`.

    Returns:
        `MessageId`, `Body`, `Attributes` and `MessageAttributes` as ReceiveMessage returns them, and `VisibleAt`: the Unix time at
        which the message can be received (again), None where it can be received now. None where there is no such queue.

    """
    from localemu.services.sqs.models import sqs_stores

    account_id, _, name = path.strip("/").partition("/")
    queue = sqs_stores[account_id][REGION].queues.get(name)
    if queue is None:
        return None
    with queue.mutex:
        kept = [*queue.inflight, *queue.visible.queue, *queue.delayed]
        # A message that moves between two of the lists is briefly in both.
        unique = {message.message_id: message for message in kept if not message.deleted}
        return [_described(message) for message in unique.values()]


def _described(message: Any) -> dict[str, Any]:
    attributes = {str(name): value for name, value in message.message["Attributes"].items()}
    attributes["ApproximateReceiveCount"] = str(message.receive_count)
    given = message.message.get("MessageAttributes") or {}
    due = message.visibility_deadline or message.created + (message.delay_seconds or 0)
    return {
        "MessageId": message.message_id,
        "Body": message.message["Body"],
        "Attributes": attributes,
        "MessageAttributes": {
            name: {"StringValue": value["StringValue"]} for name, value in given.items() if "StringValue" in value
        },
        "VisibleAt": due if due > time.time() else None,
    }


# --- functions and REST APIs ------------------------------------------------------------------------------------------


class Meter:
    """Measures invocations of functions, how many run at once, and requests to REST APIs."""

    def __init__(self, recorder: Recorder, concurrency: Concurrency) -> None:
        self._recorder = recorder
        self._concurrency = concurrency

    def began(self, function_arn: str) -> None:
        """Count an invocation in, for its function and its account."""
        for key in _concurrency_keys(function_arn):
            self._concurrency.began(key)

    def ended(self, function_arn: str) -> None:
        """Count an invocation out."""
        for key in _concurrency_keys(function_arn):
            self._concurrency.ended(key)

    def invoked(self, record: InvocationRecord) -> None:
        """Record an invocation that has ended or was throttled."""
        arn = f"arn:aws:lambda:{record.region}:{record.account}:function:{record.function_name}"
        if record.qualifier:
            arn += f":{record.qualifier}"
        if record.outcome == "throttle":
            samples = lambda_.throttle(arn, record.started_at)
        else:
            samples = lambda_.invocation(arn, record.started_at, record.duration_ms, failed=record.outcome != "ok")
        self._recorder.record(samples, record.region)

    def requested(self, request: StageRequest) -> None:
        """Record a request to a stage of a REST API."""
        integration_ms = request.integration_latency_ms
        samples = api_gateway.request(
            api_gateway.api_name(request.api_name, request.api_id),
            request.stage,
            request.status,
            time_s=request.time_s,
            latency_s=request.latency_ms / 1000,
            integration_s=None if integration_ms is None else integration_ms / 1000,
        )
        self._recorder.record(samples, request.region)


def _concurrency_keys(function_arn: str) -> tuple[str, str]:
    """Return the keys of `lambda_.publish_concurrency` for a function: its account's region, and the function."""
    _, _, _, region, account, _, function = function_arn.split(":")
    return f"{account}:{region}", f"{account}:{region}:{function}"


# --- log events -------------------------------------------------------------------------------------------------------


def read_log_events(recorder: Recorder, clock: Callable[[], float]) -> None:
    """Read metrics out of every log event: embedded metrics, and those of the log group's metric filters.

    LocalEmu leaves embedded metrics in the log, applies every filter of a region to every log group, and counts 1 where a filter
    names a value of the event.
    """
    from localemu.services.logs import provider
    from localemu.services.logs.models import get_moto_logs_backend
    from localemu.services.moto import call_moto

    def put_log_events(
        self: Any,  # noqa: ARG001
        context: Any,
        log_group_name: str,
        log_stream_name: str,  # noqa: ARG001
        log_events: Any,
        **_: Any,
    ) -> Any:
        answer = call_moto(context)
        filters = [
            each
            for each in get_moto_logs_backend(context.account_id, context.region).filters.metric_filters
            if each.get("logGroupName") == log_group_name
        ]
        for event in log_events:
            recorder.record(_samples(event, filters, provider.get_pattern_matcher, clock), context.region)
        return answer

    provider.LogsProvider.put_log_events = put_log_events


def _samples(
    event: Mapping[str, Any],
    filters: list[Mapping[str, Any]],
    matcher: Callable[[str], Callable[[str, Mapping[str, Any]], bool]],
    clock: Callable[[], float],
) -> Iterator[Sample]:
    message = event.get("message", "")
    yield from log_metrics.samples_or_warning(message)
    for each in filters:
        pattern = each.get("filterPattern", "")
        if matcher(pattern)(pattern, event):
            time_s = event["timestamp"] / 1000 if "timestamp" in event else clock()
            yield from log_metrics.filter_samples(each.get("metricTransformations"), message, time_s)
