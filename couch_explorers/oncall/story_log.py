"""The lines of a job in the logs of the two functions, searched backwards from now."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.oncall.errors import said
from couch_explorers.oncall.wording import day_and_time, from_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

# The fields by which the handlers' lines name a job: its id, its SQS message, its request at the gateway, its invocation.
ID_FIELDS = ("job_id", "message_id", "api_request_id", "function_request_id")
# Hours back from now, one look after the other: most questions are about today. The last is as long as SQS keeps anything
# (14 days), and as the log groups do by default.
LOOKS_BACK_H = (24, 4 * 24, 14 * 24)
# FilterLogEvents reads about 1 MB of log for each of its pages, even where nothing matches: then the look is cut short.
PAGES_PER_LOOK = 200
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


def search(logs: Any, functions: Mapping[str, str], wanted: str, now: datetime) -> LogSearch:
    """Search the logs of the deployed functions ("worker", "api" → name) for an id.

    `logs` is a client of CloudWatch Logs; what cannot be searched becomes a note.
    """
    found = LogSearch()
    left = dict(functions)
    if not left:
        found.notes.append("No function is deployed, so there is no log.")
        return found
    end = now
    for hours in LOOKS_BACK_H:
        begin = now - timedelta(hours=hours)
        part = _look_into(logs, left, wanted, begin, end)
        found.lines[:0] = part.lines
        found.notes += part.notes
        left = {function: left[function] for function in part.functions}
        if not left:
            break
        found.since, found.functions = begin, list(left)
        if any(_is_beginning(line) for line in found.lines):
            break
        # FilterLogEvents takes both ends for inside.
        end = begin - timedelta(milliseconds=1)
    return found


def _look_into(logs: Any, functions: Mapping[str, str], wanted: str, begin: datetime, end: datetime) -> LogSearch:
    """Search one stretch of all logs at the same time; `functions` of the answer are those that could be searched."""
    found = LogSearch()
    with ThreadPoolExecutor(len(functions), "story-log") as pool:
        looks = {
            function: pool.submit(_look, logs, f"/aws/lambda/{name}", function, wanted, begin, end)
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
                found.notes.append(f"The log {group} could not be read: {said(error, 'logs:FilterLogEvents')}.")
            continue
        found.functions.append(function)
        found.lines += lines
        if not whole:
            found.notes.append(
                f"The log {group} is too long to be searched at once: between {day_and_time(begin)} and "
                f"{day_and_time(end)} UTC only its older part was."
            )
    found.lines.sort(key=lambda line: line.time)
    return found


def _look(
    logs: Any, group: str, function: str, wanted: str, begin: datetime, end: datetime
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
    for _ in range(PAGES_PER_LOOK):
        answer = logs.filter_log_events(**arguments)
        read = (_line(event, function) for event in answer.get("events", []))
        lines += [line for line in read if _names(line, wanted)]
        if not (token := answer.get("nextToken")):
            return lines, True
        arguments["nextToken"] = token
    return lines, False


def _line(event: dict[str, Any], function: str) -> LogLine:
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


def _names(line: LogLine, wanted: str) -> bool:
    """Tell whether a line is about this id: the pattern also finds longer ids that hold it."""
    if "_aws" in line.fields:
        return False
    if line.fields:
        return any(line.get(name) == wanted for name in ID_FIELDS)
    return re.search(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])", line.text) is not None


def _is_beginning(line: LogLine) -> bool:
    """Tell whether a job has no line before this one: the first receive of a message, or a request to the API."""
    return line.function == "api" or line.get("receives") == "1"
