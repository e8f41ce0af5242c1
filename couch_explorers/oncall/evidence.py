"""What the bucket, the queues and the logs hold on one job."""

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


# A picture's parameters stand before its pixels: no need to fetch the whole.
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class StoredPicture:
    """A picture in S3; `width` and `height` are 0 and `request` is empty where they cannot be read out of it."""

    uri: str
    stored: datetime
    bytes: int
    model: str
    seed: str
    width: int = 0
    height: int = 0
    request: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return vars(self) | {"stored": iso_time(self.stored)}


@dataclass(frozen=True)
class ErrorNote:
    """Why there is no picture, as the worker left it in the bucket."""

    uri: str
    written: datetime
    reason: str
    detail: str
    request: dict[str, Any] = field(default_factory=dict)


@dataclass
class StoredObjects:
    """What the bucket holds of a job, and what could not be looked into."""

    picture: StoredPicture | None = None
    note: ErrorNote | None = None
    notes: list[str] = field(default_factory=list)


def find_objects(s3: Any, workspace: Workspace, job_id: str) -> StoredObjects:
    """Look for a job's picture and note with a client of S3; what cannot be read becomes a note of the story."""
    kept = StoredObjects()
    try:
        listing = s3.list_objects_v2(Bucket=workspace.bucket, Prefix=f"{workspace.prefix}/{job_id}.")
    except (BotoCoreError, ClientError) as error:
        kept.notes.append(
            f"The bucket {workspace.bucket} could not be looked into: {errors.reason(error, 's3:ListBucket')}.",
        )
        return kept
    there = {str(entry["Key"]).rpartition("/")[2]: entry for entry in listing.get("Contents", [])}
    try:
        if (entry := there.get(f"{job_id}{PICTURE_SUFFIX}")) is not None:
            kept.picture = _stored_picture(s3, workspace, entry)
        if (entry := there.get(f"{job_id}{NOTE_SUFFIX}")) is not None:
            kept.note = _error_note(s3, workspace, entry)
    except (BotoCoreError, ClientError) as error:
        kept.notes.append(
            f"What s3://{workspace.bucket} holds could not be read: {errors.reason(error, 's3:GetObject')}.",
        )
    return kept


def _stored_picture(s3: Any, workspace: Workspace, entry: dict[str, Any]) -> StoredPicture:
    answer = s3.get_object(Bucket=workspace.bucket, Key=entry["Key"], Range=f"bytes=0-{HEAD_BYTES - 1}")
    head, metadata = answer["Body"].read(), answer.get("Metadata", {})
    try:
        width, height = png.size(head)
        request = png.read_parameters(head).get("request") or {}
    except ValueError:
        # Another program has saved it, or its head is longer than usual: what S3 says of it is enough.
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
        said_there = json.loads(content)
        reason, detail = str(said_there["reason"]), str(said_there["detail"])
    except (ValueError, KeyError, TypeError):
        said_there, reason, detail = {}, "unreadable", "The note cannot be read: look at it."
    return ErrorNote(
        uri=f"s3://{workspace.bucket}/{entry['Key']}",
        written=entry["LastModified"].astimezone(UTC),
        reason=reason,
        detail=detail,
        request=said_there.get("request") or {},
    )


# Followed by the path of a queue's address.
PEEK_PATH = "/_couch/messages"
PEEK_TIMEOUT_S = 10


@dataclass(frozen=True)
class MessageSnapshot:
    """One message of the job.

    `dead` tells that it is a dead-letter message. `back_at` is when it can be received (again), None when it can be now or that is
    not known.
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
    """The job's messages, and what could not be looked into."""

    sightings: list[MessageSnapshot] = field(default_factory=list)
    looked_into: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def search_queues(workspace: Workspace, wanted: str, *, painted: bool = False) -> QueueSearch:
    """Look for a job by its id or its message's id.

    The local cloud shows its messages. AWS does not without handing them out: there the queue is left alone, because a
    look would take a job from the workers, and the dead-letter queue is read, and its messages put back. Of a `painted` job neither is asked.
    """
    found = QueueSearch()
    if workspace.queue_url is None or workspace.dead_letter_url is None:
        found.notes.append(f"{not_deployed('queue', workspace.target)}.")
        return found
    if workspace.target == "local":
        for url, dead in ((workspace.queue_url, False), (workspace.dead_letter_url, True)):
            _peek(workspace, url, wanted, found, dead=dead)
    elif not painted:
        _depths(workspace, found)
        _read_dead_letters(workspace, wanted, found)
    return found


def _peek(workspace: Workspace, url: str, wanted: str, found: QueueSearch, *, dead: bool) -> None:
    address = f"{workspace.endpoint}{PEEK_PATH}{urlsplit(url).path}"
    name = dead_letters.queue_name(url)
    try:
        with open_url(address, timeout_s=PEEK_TIMEOUT_S) as answer:
            messages = json.load(answer)["messages"]
    except (OSError, ValueError, KeyError) as error:
        found.notes.append(f"The queue {name} could not be looked into: {error}")
        return
    found.looked_into.append(name)
    seen = (_peeked(message, dead=dead) for message in messages)
    found.sightings += [sighting for sighting in seen if wanted in (sighting.job_id, sighting.message_id)]


def _peeked(message: Mapping[str, Any], *, dead: bool) -> MessageSnapshot:
    """Read a message as the local cloud shows it: all its attributes, and when it can be received again."""
    back_at = message["VisibleAt"]
    at = None if back_at is None else datetime.fromtimestamp(back_at, UTC)
    return _snapshot(dead_letters.parse_message(message), dead=dead, back_at=at)


def _read_dead_letters(workspace: Workspace, wanted: str, found: QueueSearch) -> None:
    try:
        letters = dead_letters.read_all(workspace)
    except OncallError as error:
        found.notes.append(str(error))
        return
    found.looked_into.append(dead_letters.queue_name(str(workspace.dead_letter_url)))
    found.notes += [letters.hidden_note] if letters.hidden_note else []
    found.sightings += [
        _snapshot(letter, dead=True) for letter in letters if wanted in (letter.job_id, letter.message_id)
    ]


def _depths(workspace: Workspace, found: QueueSearch) -> None:
    name = dead_letters.queue_name(str(workspace.queue_url))
    alone = (
        f"AWS does not show what is in {name} without taking it from the workers: the log tells where a job was last"
    )
    try:
        answer = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=list(DEPTHS))
    except (BotoCoreError, ClientError) as error:
        found.notes.append(
            f"{alone}. How many wait there could not be asked: {errors.reason(error, 'sqs:GetQueueAttributes')}.",
        )
        return
    waiting, in_flight, delayed = (int(answer["Attributes"].get(depth, 0)) for depth in DEPTHS)
    found.notes.append(
        f"{alone}. In the queue are about {waiting} waiting, {in_flight} in flight or postponed, {delayed} delayed.",
    )


def _snapshot(
    letter: dead_letters.DeadLetterMessage,
    *,
    dead: bool,
    back_at: datetime | None = None,
) -> MessageSnapshot:
    return MessageSnapshot(
        dead=dead,
        message_id=letter.message_id,
        job_id=letter.job_id,
        sent=letter.since,
        receives=letter.receives,
        body=letter.body,
        reason=letter.reason,
        detail=letter.detail,
        moved_by_sqs=letter.moved_by_sqs,
        back_at=back_at,
    )


def request_in(body: str) -> dict[str, Any]:
    """What a message's body asks for, as far as it can be read: for showing, not for serving."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return {name: value for name, value in fields.items() if name != "id"}
    return {"prompt": body}


# The fields by which the handlers' lines name a job: its id, its SQS message, its request at the gateway, its invocation.
ID_FIELDS = ("job_id", "message_id", "api_request_id", "function_request_id")
# Hours back from now, one look after the other: most questions are about today. The last is as long as SQS keeps anything
# (14 days), and as the log groups do by default.
LOOKBACK_HOURS = (24, 4 * 24, 14 * 24)
# FilterLogEvents reads about 1 MB of log for each of its pages, even where nothing matches: then the look is cut short.
MAX_PAGES = 200
LOG_TIME = "%Y-%m-%d %H:%M:%S,%f%z"


@dataclass(frozen=True)
class LogLine:
    """One line: `function` is "worker" or "api", `fields` are its JSON, empty for a line of Lambda's own."""

    time: datetime
    function: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict, compare=False)

    def get(self, name: str) -> str:
        """A field as text, empty where there is none."""
        value = self.fields.get(name)
        return "" if value is None else str(value)


@dataclass
class LogSearch:
    """The lines that were found, oldest first; how far back was searched, and what could not be."""

    lines: list[LogLine] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    since: datetime | None = None
    notes: list[str] = field(default_factory=list)


def search_logs(logs: Any, functions: Mapping[str, str], wanted: str, now: datetime) -> LogSearch:
    """Search the logs of the deployed functions ("worker", "api" → name) for an id.

    `logs` is a client of CloudWatch Logs; what cannot be searched becomes a note.
    """
    found = LogSearch()
    left = dict(functions)
    if not left:
        found.notes.append("No function is deployed, so there is no log.")
        return found
    end = now
    for hours in LOOKBACK_HOURS:
        begin = now - timedelta(hours=hours)
        part = _search_window(logs, left, wanted, begin, end)
        found.lines[:0] = part.lines
        found.notes += part.notes
        left = {function: left[function] for function in part.functions}
        if not left:
            break
        found.since, found.functions = begin, list(left)
        if any(_is_first_line(line) for line in found.lines):
            break
        # FilterLogEvents takes both ends for inside.
        end = begin - timedelta(milliseconds=1)
    return found


def _search_window(logs: Any, functions: Mapping[str, str], wanted: str, begin: datetime, end: datetime) -> LogSearch:
    """Search one stretch of all logs at the same time; `functions` of the answer are those that could be searched."""
    found = LogSearch()
    with ThreadPoolExecutor(len(functions), "story-log") as pool:
        looks = {
            function: pool.submit(_search_group, logs, f"/aws/lambda/{name}", function, wanted, begin, end)
            for function, name in functions.items()
        }
    for function, look in looks.items():
        group = f"/aws/lambda/{functions[function]}"
        try:
            lines, whole = look.result()
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
        if not whole:
            found.notes.append(
                f"The log {group} is too long to be searched at once: between {utc_time(begin)} and "
                f"{utc_time(end)} UTC only its older part was.",
            )
    found.lines.sort(key=lambda line: line.time)
    return found


def _search_group(
    logs: Any,
    group: str,
    function: str,
    wanted: str,
    begin: datetime,
    end: datetime,
) -> tuple[list[LogLine], bool]:
    """Search one stretch; False with it when there was more than is read at once."""
    arguments = {
        "logGroupName": group,
        # The id as a quoted phrase rather than as JSON fields: it also finds the lines that Lambda itself writes.
        "filterPattern": f'"{wanted}"',
        "startTime": int(begin.timestamp() * 1000),
        "endTime": int(end.timestamp() * 1000),
    }
    lines: list[LogLine] = []
    for _ in range(MAX_PAGES):
        answer = logs.filter_log_events(**arguments)
        read = (_log_line(event, function) for event in answer.get("events", []))
        lines += [line for line in read if _mentions(line, wanted)]
        if not (token := answer.get("nextToken")):
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
        # The handler's own clock: a log may be handed over only at the end of an invocation.
        time = datetime.strptime(str(fields.get("timestamp")), LOG_TIME).astimezone(UTC)
    return LogLine(time, function, str(fields.get("message", "")), fields)


def _mentions(line: LogLine, wanted: str) -> bool:
    """Tell whether a line is about this id: the pattern also finds longer ids that hold it."""
    if "_aws" in line.fields:
        return False
    if line.fields:
        return any(line.get(name) == wanted for name in ID_FIELDS)
    return re.search(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])", line.text) is not None


def _is_first_line(line: LogLine) -> bool:
    """Tell whether a job has no line before this one: the first receive of a message, or a request to the API."""
    return line.function == "api" or line.get("receives") == "1"
