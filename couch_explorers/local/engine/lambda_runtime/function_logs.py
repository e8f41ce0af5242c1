"""The logs of functions: the platform's own lines, the events that a process writes, and their delivery to CloudWatch Logs."""

import json
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogEvent:
    """One event of a log stream."""

    # Unix time, milliseconds.
    timestamp_ms: int
    message: str


@dataclass(frozen=True)
class LogBatch:
    """The output of one execution environment, in order."""

    function_name: str
    region: str
    log_group: str
    log_stream: str
    # The role whose rights the events are stored with.
    role_arn: str
    events: tuple[LogEvent, ...] = ()


# --- lines of the platform --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """The values of an invocation's REPORT line."""

    request_id: str
    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    # "error" or "timeout"; None for success.
    status: str | None = None
    error_type: str | None = None


def utc_time(unix_s: float) -> str:
    """Format a Unix time as Lambda's own lines do: ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class TextLog:
    """The platform's lines in the text log format.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
    """

    def init_start(self, runtime: str, runtime_version_arn: str) -> list[str]:
        """Return what is written before the runtime is first started."""
        return [f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_version_arn}\n"]

    def start(self, request_id: str, version: str) -> list[str]:
        """Return what is written before the function's own lines."""
        return [f"START RequestId: {request_id} Version: {version}\n"]

    def init_report(self, init_ms: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """Return what is written after a failed init phase."""
        line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
        return [line + (f"\tError Type: {error_type}" if error_type else "") + "\n"]

    def fault(self, sentence: str) -> list[str]:
        """Return what is written where the platform ended the invocation."""
        return [sentence + "\n"]

    def report(self, report: Report) -> list[str]:
        """Return what is written after the function's own lines."""
        parts = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration_ms:.2f} ms",
            f"Billed Duration: {report.billed_ms} ms",
            f"Memory Size: {report.memory_size_mb} MB",
            f"Max Memory Used: {report.max_memory_mb} MB",
        ]
        if report.init_ms is not None:
            parts.append(f"Init Duration: {report.init_ms:.2f} ms")
        if report.status == "timeout":
            parts.append("Status: timeout")
        elif report.error_type and report.error_type.startswith(("Runtime.", "Function.")):
            parts += [
                "Status: error",
                f"Error Type: {report.error_type}",
            ]  # an exception of the handler is not reported here
        return [f"END RequestId: {report.request_id}\n", "\t".join(parts) + "\t\n"]


class JsonLog:
    """The platform's lines in the JSON log format, by the function's system log level.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """

    def __init__(self, level: str) -> None:
        # Start, report and init events are of level INFO: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
        self._shown = level in {"DEBUG", "INFO"}

    def init_start(self, runtime: str, runtime_version_arn: str) -> list[str]:
        """Return what is written before the runtime is first started."""
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": runtime,
            "runtimeVersionArn": runtime_version_arn,
        }
        return self._event("platform.initStart", record)

    def start(self, request_id: str, version: str) -> list[str]:
        """Return what is written before the function's own lines."""
        return self._event("platform.start", {"requestId": request_id, "version": version})

    def init_report(self, init_ms: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """Return what is written after a failed init phase."""
        record = {
            "initializationType": "on-demand",
            "phase": phase,
            "status": status,
            "metrics": {"durationMs": round(init_ms, 3)},
        }
        return self._event("platform.initReport", record | ({"errorType": error_type} if error_type else {}))

    def fault(self, sentence: str) -> list[str]:
        """Return what is written where the platform ended the invocation: plain text in this format, too."""
        return [sentence + "\n"]

    def report(self, report: Report) -> list[str]:
        """Return what is written after the function's own lines."""
        metrics: dict[str, Any] = {
            "durationMs": round(report.duration_ms, 3),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": report.memory_size_mb,
            "maxMemoryUsedMB": report.max_memory_mb,
        }
        if report.init_ms is not None:
            metrics["initDurationMs"] = round(report.init_ms, 3)
        record: dict[str, Any] = {
            "requestId": report.request_id,
            "metrics": metrics,
            "status": report.status or "success",
        }
        if report.error_type:
            record["errorType"] = report.error_type
        return self._event("platform.report", record)

    def _event(self, kind: str, record: dict[str, Any]) -> list[str]:
        if not self._shown:
            return []
        now = utc_time(datetime.now(UTC).timestamp())
        return [json.dumps({"time": now, "type": kind, "record": record}, separators=(",", ":")) + "\n"]


# --- events from the process ------------------------------------------------------------------------------------------


# A frame of awslambdaric's FramedTelemetryLogSink: 4 bytes type, 4 bytes length, 8 bytes microseconds, the message; big-endian.
# No UTF-8 text has these three bytes in a row, unless it has a yen sign, a Z and a NUL.
FRAME_MAGIC = b"\xa5\x5a\x00"
HEAD = 16
# Bytes; CloudWatch Logs takes 1 MB an event. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_EVENT = 1_048_576 - 26
READ_SIZE = 65_536


class LogPipe:
    """Reads the pipe of a function's process on a thread of its own, and passes on each log event once it is complete.

    The pipe carries lines of text and framed records of the function's logger, in one order.
    """

    def __init__(self, descriptor: int, take: Callable[[LogEvent], None]) -> None:
        self._descriptor = descriptor
        self._take = take
        self._lock = threading.Lock()
        self._rest = b""
        self._open = True
        os.set_blocking(descriptor, False)
        threading.Thread(target=self._follow, name=f"lambda-log-{descriptor}", daemon=True).start()

    def drain(self, *, final_line: bool) -> None:
        """Pass on all that was written until now; with `final_line` also text that does not end with a newline yet."""
        with self._lock:
            self._read()
            if final_line and self._rest and not self._rest.startswith(FRAME_MAGIC[: len(self._rest)]):
                self._emit_text(self._rest, _now_ms())
                self._rest = b""

    def _follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while self._open:
                selector.select()
                with self._lock:
                    self._read()
        with self._lock:
            os.close(self._descriptor)

    def _read(self) -> None:
        while self._open:
            try:
                data = os.read(self._descriptor, READ_SIZE)
            except BlockingIOError:
                return
            if not data:
                self._open = False
            self._rest = self._parse(self._rest + data)

    def _parse(self, data: bytes) -> bytes:
        """Emit what is complete in `data`; return the rest."""
        now = _now_ms()
        while data:
            if data.startswith(FRAME_MAGIC):
                if len(data) < HEAD or len(data) < HEAD + int.from_bytes(data[4:8], "big"):
                    return data
                end = HEAD + int.from_bytes(data[4:8], "big")
                message = data[HEAD:end].decode(errors="replace")
                self._take(LogEvent(int.from_bytes(data[8:HEAD], "big") // 1000, message))
                data = data[end:]
                continue
            frame = data.find(FRAME_MAGIC)
            text = data if frame < 0 else data[:frame]
            line, newline, _ = text.partition(b"\n")
            if not newline and frame < 0 and len(line) < MAX_EVENT:
                return data
            self._emit_text(line + newline, now)
            data = data[len(line) + len(newline) :]
        return b""

    def _emit_text(self, line: bytes, now: int) -> None:
        text = line.decode(errors="replace")
        for start in range(0, len(text), MAX_EVENT):
            if piece := text[start : start + MAX_EVENT]:
                self._take(LogEvent(now, piece))


def _now_ms() -> int:
    return int(time.time() * 1000)


# --- delivery ---------------------------------------------------------------------------------------------------------


# Seconds in which events are collected: a burst of invocations then takes one call for each stream.
GATHER_S = 0.2
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: at most 10,000 events and 1,048,576
# bytes in a call, where each event counts 26 bytes besides its message.
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_BYTES = 26
# Seconds after which a client of a role takes new credentials.
CLIENT_S = 3000.0


class LogDelivery:
    """Delivers the log events of all functions in their order, on one thread; `store` puts a batch into CloudWatch Logs."""

    def __init__(self, store: Callable[[LogBatch], None]) -> None:
        self._store = store
        self._queue: SimpleQueue[tuple[LogBatch, LogEvent]] = SimpleQueue()
        self._last_ms: dict[str, int] = {}
        threading.Thread(target=self._run, name="lambda-log-delivery", daemon=True).start()

    def add(self, stream: LogBatch, event: LogEvent) -> None:
        """Deliver one event soon. `stream` is a batch without events that says where to."""
        self._queue.put((stream, event))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            entries = [self._queue.get()]
            pause.wait(GATHER_S)
            while not self._queue.empty():
                entries.append(self._queue.get())
            # A stable sort keeps the order within a stream.
            entries.sort(key=lambda entry: (entry[0].log_group, entry[0].log_stream))
            for stream, of_stream in groupby(entries, key=itemgetter(0)):
                for events in _calls(self._in_order(stream.log_stream, (event for _, event in of_stream))):
                    self._deliver(LogBatch(**{**vars(stream), "events": events}))

    def _in_order(self, stream: str, events: Iterator[LogEvent]) -> Iterator[LogEvent]:
        """Let no event be earlier than the one before it: a logger's records have earlier times than the plain lines around them."""
        for event in events:
            stamp = self._last_ms[stream] = max(event.timestamp_ms, self._last_ms.get(stream, 0))
            yield LogEvent(stamp, event.message)

    def _deliver(self, batch: LogBatch) -> None:
        try:
            self._store(batch)
        except Exception as error:  # noqa: BLE001 - as on AWS, a function without the right to log runs and leaves no log
            logger.info("%s keeps no log of %s: %s", batch.log_group, batch.function_name, error)


def _calls(events: Iterator[LogEvent]) -> Iterator[tuple[LogEvent, ...]]:
    """Split events into calls of PutLogEvents."""
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


class LogStore:
    """Puts log events into CloudWatch Logs with the rights of the function's role, as Lambda does."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], tuple[float, Any]] = {}
        self._streams: set[tuple[str, str]] = set()

    def __call__(self, batch: LogBatch) -> None:
        """Store a batch; its log group and stream are created where they do not exist."""
        logs = self._client(batch.role_arn, batch.region)
        where = {"logGroupName": batch.log_group, "logStreamName": batch.log_stream}
        events = [{"timestamp": event.timestamp_ms, "message": event.message} for event in batch.events]
        try:
            self._create_stream(logs, batch)
            answer = logs.put_log_events(**where, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            self._streams.discard((batch.log_group, batch.log_stream))  # deleted in the meantime
            self._create_stream(logs, batch)
            answer = logs.put_log_events(**where, logEvents=events)
        if rejected := answer.get("rejectedLogEventsInfo"):
            logger.warning("%s rejected events of %s: %s", batch.log_group, batch.function_name, rejected)

    def _create_stream(self, logs: Any, batch: LogBatch) -> None:
        key = (batch.log_group, batch.log_stream)
        if key in self._streams:
            return
        try:
            logs.create_log_stream(logGroupName=batch.log_group, logStreamName=batch.log_stream)
        except logs.exceptions.ResourceAlreadyExistsException:
            pass
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_group(logGroupName=batch.log_group)
            logs.create_log_stream(logGroupName=batch.log_group, logStreamName=batch.log_stream)
        self._streams.add(key)

    def _client(self, role_arn: str, region: str) -> Any:
        from localemu.aws.connect import connect_to  # only where the functions of a cloud are run

        made_at, client = self._clients.get((role_arn, region), (0.0, None))
        if client is None or time.monotonic() - made_at > CLIENT_S:
            client = connect_to.with_assumed_role(
                role_arn=role_arn, region_name=region, service_principal="lambda"
            ).logs
            self._clients[role_arn, region] = (time.monotonic(), client)
        return client
