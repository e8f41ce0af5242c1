"""CloudWatch Logs: the events of a stream as records of plain JSON, a few hundred each; a record once full never changes."""

import json
import threading
from typing import Any

from moto.logs.models import LogEvent, LogStream, logs_backends

from couch_explorers.local.engine.state import pickling
from couch_explorers.local.engine.state.journal import Changes, Journal, Key

EVENTS = "log-events"

# How many events a record holds: what a busy stream writes anew each time stays small, and so does the number of records.
_CHUNK = 200


def _without_events(stream: LogStream) -> tuple[Any, ...]:
    return object.__new__, (LogStream,), stream.__dict__ | {"events": []}


# A stream is written without its events.
pickling.REDUCERS[LogStream] = _without_events


class Logs:
    """What log events came since they were last written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[int, LogStream] = {}
        self._removed = False
        # How many events of a stream are written.
        self._written: dict[int, int] = {}

    def put(self, stream: LogStream) -> None:
        """Take note that a stream has new events."""
        with self._lock:
            self._streams[id(stream)] = stream

    def called(self, operation: str) -> None:
        """Take note of an operation that may have removed a stream."""
        self._removed |= operation in {"DeleteLogGroup", "DeleteLogStream"}

    def changes(self, known: set[str]) -> Changes:
        """The new values of the records that are not up to date; `known` are the names of those that there are."""
        with self._lock:
            streams, self._streams = self._streams, {}
        found: dict[Key, bytes | None] = {}
        if self._removed:
            self._removed = False
            there = {
                _stream_name(stream)
                for _, _, backend in list(logs_backends.iter_backends())
                for group in list(backend.groups.values())
                for stream in list(group.streams.values())
            }
            found.update({Key(EVENTS, name): None for name in known if _parse(name)[0] not in there})
        for identifier, stream in streams.items():
            if stream.log_group.streams.get(stream.log_stream_name) is not stream:
                continue
            events = list(stream.events)
            written = self._written.get(identifier, 0)
            if written > len(events):
                written = 0
            for chunk in range(written // _CHUNK, -(-len(events) // _CHUNK)):
                part = events[chunk * _CHUNK : (chunk + 1) * _CHUNK]
                found[Key(EVENTS, _record_name(stream, chunk))] = json.dumps(
                    [[event.event_id, event.timestamp, event.ingestion_time, event.message] for event in part],
                    separators=(",", ":"),
                ).encode()
            self._written[identifier] = len(events)
        return found

    def restore(self, journal: Journal) -> None:
        """Put the events back into their streams, which the engine's stores hold."""
        chunks: dict[tuple[str, ...], dict[int, bytes]] = {}
        for name, content in journal.records(EVENTS).items():
            stream, chunk = _parse(name)
            chunks.setdefault(stream, {})[chunk] = content
        highest = -1
        for (account, region, group_name, stream_name), contents in chunks.items():
            group = logs_backends[account][region].groups.get(group_name)
            if group is None or (stream := group.streams.get(stream_name)) is None:
                continue
            for _, content in sorted(contents.items()):
                for identifier, timestamp, ingestion_time, message in json.loads(content):
                    event = LogEvent(ingestion_time, {"timestamp": timestamp, "message": message})
                    event.event_id = identifier
                    stream.events.append(event)
                    highest = max(highest, identifier)
            self._written[id(stream)] = len(stream.events)
        LogEvent._event_id = max(LogEvent._event_id, highest + 1)  # noqa: SLF001


def _stream_name(stream: LogStream) -> tuple[str, ...]:
    return stream.account_id, stream.region, stream.log_group.name, stream.log_stream_name


def _record_name(stream: LogStream, chunk: int) -> str:
    return json.dumps([*_stream_name(stream), chunk])


def _parse(name: str) -> tuple[tuple[str, ...], int]:
    *stream, chunk = json.loads(name)
    return tuple(stream), chunk
