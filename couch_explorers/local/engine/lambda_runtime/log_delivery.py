"""Takes log events to CloudWatch Logs and to the observers, in their order, off the invocations' threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from queue import SimpleQueue

from couch_explorers.local.engine.lambda_runtime import observers
from couch_explorers.local.engine.lambda_runtime.observers import LogBatch, LogEvent

logger = logging.getLogger(__name__)

# Seconds in which events are gathered: one call for what a burst of invocations writes into a stream.
GATHER_S = 0.2
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: at most 10,000 events and 1,048,576
# bytes a call, of which each event takes 26 beside its message.
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_BYTES = 26


class LogDelivery:
    """One thread that stores what all functions write; `store` puts one batch into CloudWatch Logs."""

    def __init__(self, store: Callable[[LogBatch], None]) -> None:
        self._store = store
        self._queue: SimpleQueue[tuple[LogBatch, LogEvent]] = SimpleQueue()
        self._last_ms: dict[str, int] = {}
        threading.Thread(target=self._run, name="lambda-log-delivery", daemon=True).start()

    def add(self, stream: LogBatch, event: LogEvent) -> None:
        """Deliver one event of a stream, soon. `stream` says where to; it has no events itself."""
        self._queue.put((stream, event))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            entries = [self._queue.get()]
            pause.wait(GATHER_S)
            while not self._queue.empty():
                entries.append(self._queue.get())
            entries.sort(
                key=lambda entry: (entry[0].log_group, entry[0].log_stream)
            )  # stable: the order within a stream stays
            for stream, of_stream in groupby(entries, key=itemgetter(0)):
                for events in _calls(self._in_order(stream.log_stream, (event for _, event in of_stream))):
                    self._deliver(LogBatch(**{**vars(stream), "events": events}))

    def _in_order(self, stream: str, events: Iterator[LogEvent]) -> Iterator[LogEvent]:
        """No event earlier than the one before it: a logger stamps its records before a plain line of the same time is read."""
        for event in events:
            stamp = self._last_ms[stream] = max(event.timestamp_ms, self._last_ms.get(stream, 0))
            yield LogEvent(stamp, event.message)

    def _deliver(self, batch: LogBatch) -> None:
        observers.notify_logged(batch)
        try:
            self._store(batch)
        except Exception as error:  # noqa: BLE001 - as on AWS, a function without the right to log runs and leaves no log
            logger.info("%s keeps no log of %s: %s", batch.log_group, batch.function_name, error)


def _calls(events: Iterator[LogEvent]) -> Iterator[tuple[LogEvent, ...]]:
    """Events by call of PutLogEvents."""
    call: list[LogEvent] = []
    size = 0
    for event in events:
        bytes_of_event = len(event.message.encode()) + EVENT_BYTES
        if call and (len(call) == MAX_EVENTS or size + bytes_of_event > MAX_BYTES):
            yield tuple(call)
            call, size = [], 0
        call.append(event)
        size += bytes_of_event
    if call:
        yield tuple(call)
