"""The evidence on one job in the bucket, the queues and the logs."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import errors
from couch_explorers.core import png
from couch_explorers.core.aws_errors import describe
from couch_explorers.core.generation import MODEL_METADATA, SEED_METADATA
from couch_explorers.exploration.bucket import NOTE_SUFFIX, PICTURE_SUFFIX
from couch_explorers.formatting import from_milliseconds, iso_time, utc_time
from couch_explorers.loopback import open_url
from couch_explorers.oncall import dead_letters
from couch_explorers.oncall.dead_letters import OncallError
from couch_explorers.smoke.queue import DEPTHS
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.workspace import Workspace


# A picture's parameters come before its pixels: the start of the file is enough.
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class StoredPicture:
    """A picture in S3; `width` and `height` are 0 and `request` is empty if they cannot be read."""

    uri: str
    stored: datetime
    bytes: int
    model: str
    seed: str
    width: int = 0
    height: int = 0
    request: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return vars(self) | {"stored": iso_time(self.stored)}


@dataclass(frozen=True)
class ErrorNote:
    """The worker's error note in the bucket, which says why there is no picture."""

    uri: str
    written: datetime
    reason: str
    detail: str
    request: dict[str, Any] = field(default_factory=dict)


@dataclass
class StoredObjects:
    """A job's objects in the bucket, and notes on what could not be read."""

    picture: StoredPicture | None = None
    note: ErrorNote | None = None
    notes: list[str] = field(default_factory=list)


def find_objects(s3: Any, workspace: Workspace, job_id: str) -> StoredObjects:
    """Find a job's picture and error note with an S3 client; failures become notes."""
    stored = StoredObjects()
    try:
        listing = s3.list_objects_v2(Bucket=workspace.bucket, Prefix=f"{workspace.prefix}/{job_id}.")
    except (BotoCoreError, ClientError) as error:
        stored.notes.append(
            f"The bucket {workspace.bucket} could not be looked into: {errors.reason(error, 's3:ListBucket')}.",
        )
        return stored
    entries = {str(entry["Key"]).rpartition("/")[2]: entry for entry in listing.get("Contents", [])}
    try:
        if (entry := entries.get(f"{job_id}{PICTURE_SUFFIX}")) is not None:
            stored.picture = _stored_picture(s3, workspace, entry)
        if (entry := entries.get(f"{job_id}{NOTE_SUFFIX}")) is not None:
            stored.note = _error_note(s3, workspace, entry)
    except (BotoCoreError, ClientError) as error:
        stored.notes.append(
            f"What s3://{workspace.bucket} holds could not be read: {errors.reason(error, 's3:GetObject')}.",
        )
    return stored


def _stored_picture(s3: Any, workspace: Workspace, entry: dict[str, Any]) -> StoredPicture:
    response = s3.get_object(Bucket=workspace.bucket, Key=entry["Key"], Range=f"bytes=0-{HEAD_BYTES - 1}")
    start, metadata = response["Body"].read(), response.get("Metadata", {})
    try:
        width, height = png.size(start)
        request = png.read_parameters(start).get("request") or {}
    except ValueError:
        # Saved by another program, or with unusually long metadata: S3's own is enough.
        width, height, request = 0, 0, {}
    return StoredPicture(
        uri=f"s3://{workspace.bucket}/{entry['Key']}",
        stored=entry["LastModified"].astimezone(UTC),
        bytes=int(entry["Size"]),
        model=metadata.get(MODEL_METADATA, ""),
        seed=metadata.get(SEED_METADATA, ""),
        width=width,
        height=height,
        request=request,
    )


def _error_note(s3: Any, workspace: Workspace, entry: dict[str, Any]) -> ErrorNote:
    content = s3.get_object(Bucket=workspace.bucket, Key=entry["Key"])["Body"].read()
    try:
        note = json.loads(content)
        reason, detail = str(note["reason"]), str(note["detail"])
    except (ValueError, KeyError, TypeError):
        note, reason, detail = {}, "unreadable", "The note cannot be read: look at it."
    return ErrorNote(
        uri=f"s3://{workspace.bucket}/{entry['Key']}",
        written=entry["LastModified"].astimezone(UTC),
        reason=reason,
        detail=detail,
        request=note.get("request") or {},
    )


# Followed by the path of a queue's URL.
PEEK_PATH = "/_couch/messages"
PEEK_TIMEOUT_S = 10


@dataclass(frozen=True)
class MessageSnapshot:
    """A message of the job.

    `dead` means that it is a dead-letter message. `back_at` is when it can be received (again), None if that is now or unknown.
    """

    dead: bool
    message_id: str
    job_id: str
    sent: datetime
    receives: int
    body: str
    reason: str = ""
    detail: str = ""
    moved_by_sqs: bool = False
    back_at: datetime | None = None


@dataclass
class QueueSearch:
    """The job's messages, the queues searched, and notes on failures."""

    snapshots: list[MessageSnapshot] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def search_queues(workspace: Workspace, wanted: str, *, has_picture: bool = False) -> QueueSearch:
    """Search the queues for a job by its id or its message's id.

    The local cloud lists its messages. On AWS that requires receiving them: the queue is left alone, because that would take
    jobs from the workers; the dead-letter queue is read, and its messages are made visible again. Neither is searched if the
    job `has_picture`.
    """
    found = QueueSearch()
    if workspace.queue_url is None or workspace.dead_letter_url is None:
        found.notes.append(f"{not_deployed('queue', workspace.target)}.")
        return found
    if workspace.target == "local":
        for url, dead in ((workspace.queue_url, False), (workspace.dead_letter_url, True)):
            _peek(workspace, url, wanted, found, dead=dead)
    elif not has_picture:
        _depths(workspace, found)
        _read_dead_letters(workspace, wanted, found)
    return found


def _peek(workspace: Workspace, url: str, wanted: str, found: QueueSearch, *, dead: bool) -> None:
    address = f"{workspace.endpoint}{PEEK_PATH}{urlsplit(url).path}"
    name = dead_letters.queue_name(url)
    try:
        with open_url(address, timeout_s=PEEK_TIMEOUT_S) as response:
            messages = json.load(response)["messages"]
    except (OSError, ValueError, KeyError) as error:
        found.notes.append(f"The queue {name} could not be looked into: {error}")
        return
    found.searched.append(name)
    snapshots = (_peeked(message, dead=dead) for message in messages)
    found.snapshots += [snapshot for snapshot in snapshots if wanted in (snapshot.job_id, snapshot.message_id)]


def _peeked(message: Mapping[str, Any], *, dead: bool) -> MessageSnapshot:
    """Parse a message of the local cloud: all its attributes, and when it can be received again."""
    back_at = message["VisibleAt"]
    at = None if back_at is None else datetime.fromtimestamp(back_at, UTC)
    return _snapshot(dead_letters.parse_message(message), dead=dead, back_at=at)


def _read_dead_letters(workspace: Workspace, wanted: str, found: QueueSearch) -> None:
    try:
        messages = dead_letters.read_all(workspace)
    except OncallError as error:
        found.notes.append(str(error))
        return
    found.searched.append(dead_letters.queue_name(str(workspace.dead_letter_url)))
    found.notes += [messages.hidden_note] if messages.hidden_note else []
    found.snapshots += [
        _snapshot(message, dead=True) for message in messages if wanted in (message.job_id, message.message_id)
    ]


def _depths(workspace: Workspace, found: QueueSearch) -> None:
    name = dead_letters.queue_name(str(workspace.queue_url))
    explanation = (
        f"AWS does not show what is in {name} without taking it from the workers: the log tells where a job was last"
    )
    try:
        response = workspace.client("sqs").get_queue_attributes(
            QueueUrl=workspace.queue_url, AttributeNames=list(DEPTHS)
        )
    except (BotoCoreError, ClientError) as error:
        found.notes.append(
            f"{explanation}. How many wait there could not be asked: {errors.reason(error, 'sqs:GetQueueAttributes')}.",
        )
        return
    waiting, in_flight, delayed = (int(response["Attributes"].get(depth, 0)) for depth in DEPTHS)
    found.notes.append(
        f"{explanation}. In the queue are about {waiting} waiting, {in_flight} in flight or postponed, {delayed} delayed.",
    )


def _snapshot(
    message: dead_letters.DeadLetterMessage,
    *,
    dead: bool,
    back_at: datetime | None = None,
) -> MessageSnapshot:
    return MessageSnapshot(
        dead=dead,
        message_id=message.message_id,
        job_id=message.job_id,
        sent=message.since,
        receives=message.receives,
        body=message.body,
        reason=message.reason,
        detail=message.detail,
        moved_by_sqs=message.moved_by_sqs,
        back_at=back_at,
    )


def request_in(body: str) -> dict[str, Any]:
    """Return a message body's request as far as it can be parsed, for display only."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return {name: value for name, value in fields.items() if name != "id"}
    return {"prompt": body}


# The fields of the handlers' log lines that identify a job: its id, SQS message, API request and invocation.
ID_FIELDS = ("job_id", "message_id", "api_request_id", "function_request_id")
# Hours back from now, searched one after the other: most questions are about today. The last one is the longest retention of SQS
# (14 days).
LOOKBACK_HOURS = (24, 4 * 24, 14 * 24)
# FilterLogEvents reads about 1 MB of log per page, even if nothing matches: longer searches are truncated.
MAX_PAGES = 200
LOG_TIME = "%Y-%m-%d %H:%M:%S,%f%z"


@dataclass(frozen=True)
class LogLine:
    """A log line: `function` is "worker" or "api", `fields` is its JSON, empty for Lambda's own lines."""

    time: datetime
    function: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict, compare=False)

    def get(self, name: str) -> str:
        """Return a field as text, empty if missing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


@dataclass
class LogSearch:
    """The lines found, oldest first, how far back was searched, and notes on failures."""

    lines: list[LogLine] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    since: datetime | None = None
    notes: list[str] = field(default_factory=list)


def search_logs(logs: Any, functions: Mapping[str, str], wanted: str, now: datetime) -> LogSearch:
    """Search the logs of the deployed functions ("worker", "api" → name) for an id.

    `logs` is a client of CloudWatch Logs; what cannot be searched becomes a note.
    """
    found = LogSearch()
    remaining = dict(functions)
    if not remaining:
        found.notes.append("No function is deployed, so there is no log.")
        return found
    end = now
    for hours in LOOKBACK_HOURS:
        start = now - timedelta(hours=hours)
        window = _search_window(logs, remaining, wanted, start, end)
        found.lines[:0] = window.lines
        found.notes += window.notes
        remaining = {function: remaining[function] for function in window.functions}
        if not remaining:
            break
        found.since, found.functions = start, list(remaining)
        if any(_is_first_line(line) for line in found.lines):
            break
        # FilterLogEvents includes both ends.
        end = start - timedelta(milliseconds=1)
    return found


def _search_window(logs: Any, functions: Mapping[str, str], wanted: str, start: datetime, end: datetime) -> LogSearch:
    """Search one interval of all logs concurrently; `functions` of the result are those that could be searched."""
    found = LogSearch()
    with ThreadPoolExecutor(len(functions), "timeline-log") as pool:
        futures = {
            function: pool.submit(_search_group, logs, f"/aws/lambda/{name}", function, wanted, start, end)
            for function, name in functions.items()
        }
    for function, future in futures.items():
        group = f"/aws/lambda/{functions[function]}"
        try:
            lines, complete = future.result()
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and describe(error)[0] == "ResourceNotFoundException":
                found.notes.append(f"There is no log {group}: the function has never run, or its log was removed.")
            else:
                found.notes.append(
                    f"The log {group} could not be read: {errors.reason(error, 'logs:FilterLogEvents')}.",
                )
            continue
        found.functions.append(function)
        found.lines += lines
        if not complete:
            found.notes.append(
                f"The log {group} is too long to be searched at once: between {utc_time(start)} and "
                f"{utc_time(end)} UTC only its older part was.",
            )
    found.lines.sort(key=lambda line: line.time)
    return found


def _search_group(
    logs: Any,
    group: str,
    function: str,
    wanted: str,
    start: datetime,
    end: datetime,
) -> tuple[list[LogLine], bool]:
    """Search one interval of a log; return the lines, and whether the search was complete."""
    arguments = {
        "logGroupName": group,
        # The id as a quoted phrase rather than as JSON fields: it also finds the lines that Lambda itself writes.
        "filterPattern": f'"{wanted}"',
        "startTime": int(start.timestamp() * 1000),
        "endTime": int(end.timestamp() * 1000),
    }
    lines: list[LogLine] = []
    for _ in range(MAX_PAGES):
        response = logs.filter_log_events(**arguments)
        parsed = (_log_line(event, function) for event in response.get("events", []))
        lines += [line for line in parsed if _mentions(line, wanted)]
        if not (token := response.get("nextToken")):
            return lines, True
        arguments["nextToken"] = token
    return lines, False


def _log_line(event: dict[str, Any], function: str) -> LogLine:
    text = event["message"].strip()
    time = from_milliseconds(event["timestamp"])
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return LogLine(time, function, text)
    with suppress(ValueError):
        # The handler's own clock: the log may be delivered only at the end of an invocation.
        time = datetime.strptime(str(fields.get("timestamp")), LOG_TIME).astimezone(UTC)
    return LogLine(time, function, str(fields.get("message", "")), fields)


def _mentions(line: LogLine, wanted: str) -> bool:
    """Check whether a line is about this id: the pattern also finds longer ids that contain it."""
    if "_aws" in line.fields:
        return False
    if line.fields:
        return any(line.get(name) == wanted for name in ID_FIELDS)
    return re.search(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])", line.text) is not None


def _is_first_line(line: LogLine) -> bool:
    """Check whether this is a job's first line: the first receive of a message, or a request to the API."""
    return line.function == "api" or line.get("receives") == "1"
