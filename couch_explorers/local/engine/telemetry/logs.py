"""Makes metrics of the log events that LocalEmu stores: embedded metrics, and the metric filters of the event's log group.

LocalEmu leaves embedded metrics in the log, applies every filter of a region to every log group, and counts 1 for a value that
the event names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry import emf, metric_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from couch_explorers.local.cloudwatch.store import Sample
    from couch_explorers.local.telemetry.recorder import Recorder

SEAMS = {
    "localemu.services.logs.provider:LogsProvider.put_log_events": "8927f8624147",
    "localemu.services.logs.provider:get_pattern_matcher": "81bc4af263af",
}


def attach(recorder: Recorder, clock: Callable[[], float]) -> None:
    """Read metrics out of every log event, whether a function or a client wrote it."""
    from localemu.services.logs import provider  # noqa: PLC0415 - LocalEmu reads its settings on import
    from localemu.services.logs.models import get_moto_logs_backend  # noqa: PLC0415 - likewise
    from localemu.services.moto import call_moto  # noqa: PLC0415 - likewise

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
    yield from emf.samples_or_warning(message)
    for each in filters:
        pattern = each.get("filterPattern", "")
        if matcher(pattern)(pattern, event):
            time_s = event["timestamp"] / 1000 if "timestamp" in event else clock()
            yield from metric_filters.samples(each.get("metricTransformations"), message, time_s)
