"""The context of a review's points: alarms, functions, logs and deploys, fetched concurrently.

None of it is essential: what AWS denies or cannot return is left out, with a note.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from couch_explorers.aws import errors
from couch_explorers.aws.alarms import GREATER
from couch_explorers.core.aws_errors import describe
from couch_explorers.files import read_json
from couch_explorers.metrics.model import (
    API_FUNCTION,
    DEAD_LETTERS,
    QUEUE,
    WORKER,
    Alarm,
    Deploy,
    FunctionConfiguration,
    LogSummary,
)
from couch_explorers.metrics.series import FUNCTIONS, OBJECTIVES, SYNTHETIC_DEPLOY, SYNTHETIC_HISTORY
from couch_explorers.objective import Objective
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from couch_explorers.metrics.model import Points, Window
    from couch_explorers.metrics.series import Names
    from couch_explorers.workspace import Workspace

T = TypeVar("T")
MAX_CONCURRENCY = 10

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html: alarm history is kept 30 days.
ALARM_HISTORY_KEPT = timedelta(days=30)


class Clients(NamedTuple):
    """A client per service, all created in one thread: boto3's clients are thread-safe, creating them is not."""

    cloudwatch: Any
    functions: Any
    logs: Any
    sqs: Any

    @classmethod
    def of(cls, workspace: Workspace) -> Clients:
        """Create the clients of a workspace."""
        return cls(*(workspace.client(service) for service in ("cloudwatch", "lambda", "logs", "sqs")))


@dataclass(frozen=True)
class SystemContext:
    """The context that was found; `missing` lists the parts that the workspace names but that do not exist.

    `error_notes` has, by IAM action, the reason why AWS returned nothing; `notes` say what was truncated.
    """

    alarms: tuple[Alarm, ...] = ()
    functions: tuple[FunctionConfiguration, ...] = ()
    logs: tuple[LogSummary, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    missing: frozenset[str] = frozenset()
    error_notes: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


# By resource: a function's configuration, None if it does not exist, or if the note beside it says why it is unknown.
FunctionAnswers = Mapping[str, tuple[FunctionConfiguration | None, str]]


def load(
    workspace: Workspace,
    names: Names,
    clients: Clients,
    windows: Sequence[Window],
    now: datetime,
    functions: FunctionAnswers,
) -> SystemContext:
    """Fetch the context concurrently.

    Args:
        workspace: The workspace of the system.
        names: The names of its parts.
        clients: The workspace's clients.
        windows: The windows, the first of which is `now`, for which alarms and logs are read.
        now: The current time.
        functions: What `read_functions` returned.

    """
    with ThreadPoolExecutor(MAX_CONCURRENCY, thread_name_prefix="context") as pool:
        return _ContextLoader(pool, names, clients, windows[0]).all(workspace, windows, now, functions)


class _ContextLoader:
    """Fetches the context once; `error_notes` collects, by IAM action, why there was no response."""

    def __init__(self, pool: ThreadPoolExecutor, names: Names, clients: Clients, window: Window) -> None:
        self.pool, self.names, self.clients, self.window = pool, names, clients, window
        self.error_notes: dict[str, str] = {}

    def all(
        self, workspace: Workspace, windows: Sequence[Window], now: datetime, functions: FunctionAnswers
    ) -> SystemContext:
        """Fetch everything, and combine the results."""
        deployed = self.names.deployed
        alarms = self.start(
            lambda: read_alarms(self.clients.cloudwatch, self.names.candidate),
            DESCRIBE_ALARMS, "read the alarms",
        )  # fmt: skip
        concurrency = self._concurrency() if WORKER in deployed else None
        log_futures = [self._logs(resource) for resource in FUNCTIONS if resource in deployed]
        queues = {resource: self._queue(resource) for resource in (QUEUE, DEAD_LETTERS) if resource in deployed}
        alarms_with_history = self._with_history(alarms.result() or ())

        for _, note in functions.values():
            if note:
                self.error_notes[GET_FUNCTION] = note
        configurations = [
            replace(configuration, maximum_concurrency=concurrency.result())
            if concurrency and configuration.resource == WORKER
            else configuration
            for configuration, _ in functions.values()
            if configuration is not None
        ]
        deploys = recorded_deploys(Home.current()) if workspace.target == "local" else ()
        deploys = deploys or deploys_from_functions(configurations)
        logs = tuple(log for future in log_futures if (log := future.result()) is not None)
        missing = {
            resource for resource, (configuration, note) in functions.items() if configuration is None and not note
        }
        missing |= {resource for resource, future in queues.items() if future.result() is False}
        return SystemContext(
            alarms=alarms_with_history,
            functions=tuple(
                replace(configuration, commit=configuration.commit or _commit(configuration.resource, deploys))
                for configuration in configurations
            ),
            logs=logs,
            deploys=deploys_inside(deploys, windows),
            missing=frozenset(missing),
            error_notes=dict(sorted(self.error_notes.items())),
            notes=tuple(self._truncation_notes(logs, now)),
        )

    def _truncation_notes(self, logs: Sequence[LogSummary], now: datetime) -> Iterator[str]:
        if now - self.window.start > ALARM_HISTORY_KEPT:
            yield f"CloudWatch keeps the history of an alarm for {ALARM_HISTORY_KEPT.days} days: earlier changes are not shown."
        for each in logs:
            if not each.complete:
                yield f"Not all log lines of the {each.resource} were read: its figures are those of {each.reports:,} runs."

    def start(self, call: Callable[[], T], action: str, to: str) -> Future[T | None]:
        """Start a call; its result is None if AWS returned none."""

        def run() -> T | None:
            result, note = errors.call_optional(call, action=action, to=to)
            if note:
                self.error_notes[action] = note
            return result

        return self.pool.submit(run)

    def _concurrency(self) -> Future[int | None]:
        return self.start(
            lambda: maximum_concurrency(self.clients.functions, self.names.worker),
            LIST_EVENT_SOURCE_MAPPINGS, "read how many workers may run at once",
        )  # fmt: skip

    def _logs(self, resource: str) -> Future[LogSummary | None]:
        name = self.names.function(resource)
        return self.start(
            lambda: read_logs(self.clients.logs, resource, name, self.window),
            FILTER_LOG_EVENTS, "read the functions' logs",
        )  # fmt: skip

    def _queue(self, resource: str) -> Future[bool | None]:
        name = self.names.queue if resource == QUEUE else self.names.dead_letters
        return self.start(
            lambda: exists(lambda: self.clients.sqs.get_queue_url(QueueName=name)),
            GET_QUEUE_URL, "see whether the queues are there",
        )  # fmt: skip

    def _with_history(self, alarms: Sequence[Alarm]) -> tuple[Alarm, ...]:
        """Add to each alarm when it was in ALARM, as far as AWS returns it."""

        def start(alarm: Alarm) -> Future[Alarm | None]:
            return self.start(
                lambda: with_history(self.clients.cloudwatch, alarm, self.window),
                DESCRIBE_ALARM_HISTORY, "read the alarms' history",
            )  # fmt: skip

        futures = [(alarm, start(alarm)) for alarm in alarms]
        return tuple(future.result() or alarm for alarm, future in futures)


def _commit(resource: str, deploys: Sequence[Deploy]) -> str:
    """Return the commit that a function was last deployed from, if recorded."""
    return next((deploy.commit for deploy in reversed(deploys) if resource in deploy.resources), "")


DESCRIBE_ALARMS, DESCRIBE_ALARM_HISTORY = "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"
IN_ALARM = "ALARM"

# The summary of a change, used if its data cannot be read: "Alarm updated from OK to ALARM".
SUMMARY = re.compile(r"from (\w+) to (\w+)")

Change = tuple[datetime, str, str]
"""when, from which state, to which"""


def read_alarms(cloudwatch: Any, candidate: str) -> tuple[Alarm, ...]:
    """Read a candidate's metric alarms, sorted by name, without their history."""
    stem = f"couch-explorers-{candidate}-"
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=stem, AlarmTypes=["MetricAlarm"])
    found = [_read_alarm(alarm, stem) for page in pages for alarm in page["MetricAlarms"]]
    return tuple(sorted(found, key=lambda alarm: alarm.name))


def with_history(cloudwatch: Any, alarm: Alarm, window: Window) -> Alarm:
    """Add to an alarm when it was in ALARM in a window.

    The history is read from the window's start until now: a later change reveals the state at the window's end.
    """
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=alarm.name, HistoryItemType="StateUpdate", StartDate=window.start, ScanBy="TimestampAscending"
    )
    changes = [
        change
        for page in pages
        for item in page["AlarmHistoryItems"]
        if (change := read_state_change(item)) is not None
    ]
    return replace(alarm, alarm_intervals=tuple(alarm_intervals(sorted(changes), alarm, window)))


def alarm_intervals(changes: Iterable[Change], alarm: Alarm, window: Window) -> Iterable[tuple[datetime, datetime]]:
    """Yield the intervals of a window in ALARM, from the changes since the window's start, in order of time."""
    since: datetime | None = None
    is_first = True
    for time, old, new in changes:
        if is_first and old == IN_ALARM:
            since = window.start
        is_first = False
        if new == IN_ALARM:
            since = since or time
        elif since is not None:
            if since < window.end:
                yield since, min(time, window.end)
            since = None
    if is_first and alarm.state == IN_ALARM:
        # No change since the window's start: it was in ALARM before, or its history is no longer kept.
        since = max(window.start, alarm.since or window.start)
    if since is not None and since < window.end:
        yield since, window.end


def _read_alarm(alarm: dict[str, Any], stem: str) -> Alarm:
    # The update's time changes with every new reason, the transition's only with the state.
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return Alarm(
        name=alarm["AlarmName"],
        short_name=alarm["AlarmName"].removeprefix(stem),
        # Anomaly bands and expressions have no threshold.
        threshold=float(alarm.get("Threshold", math.nan)),
        state=alarm["StateValue"],
        reason=alarm.get("StateReason", ""),
        since=since.astimezone(UTC) if since else None,
        period_s=int(alarm.get("Period", 0)),
        actions_enabled=alarm.get("ActionsEnabled", True),
        comparison=alarm.get("ComparisonOperator", GREATER),
    )


def read_state_change(item: dict[str, Any]) -> Change | None:
    """Parse an item of DescribeAlarmHistory, from its data or else its summary.

    Returns:
        Time, old and new state; None if neither has the states.

    """
    try:
        data = json.loads(item["HistoryData"])
        old, new = data["oldState"]["stateValue"], data["newState"]["stateValue"]
    except (KeyError, TypeError, ValueError):
        match = SUMMARY.search(item.get("HistorySummary", ""))
        if match is None:
            return None
        old, new = match.groups()
    return item["Timestamp"].astimezone(UTC), str(old), str(new)


# The names of the parts in `couch up`.
DEPLOYED_PARTS = {"queue": WORKER, "api": API_FUNCTION}

# Functions of one deploy do not change in the same second.
ONE_DEPLOY = timedelta(minutes=10)


def recorded_deploys(home: Home) -> tuple[Deploy, ...]:
    """Read the deploys of the local cloud, oldest first; empty if none are recorded. Invalid entries are left out."""
    deployment = read_json(home.deployment_file)
    entries = deployment.get("deploys", []) if isinstance(deployment, dict) else []
    found = [deploy for entry in entries if (deploy := _read_deploy(entry)) is not None]
    return tuple(sorted(found, key=lambda deploy: deploy.time))


def deploys_from_functions(functions: Iterable[FunctionConfiguration]) -> tuple[Deploy, ...]:
    """Derive the latest deploys from the functions' last changes, oldest first; a change of settings counts, too.

    Functions that changed together, from one commit, are one deploy; a function without a commit joins the other.
    """
    deploys: list[Deploy] = []
    changed = [(each.updated, each) for each in functions if each.updated is not None]
    for time, function in sorted(changed, key=lambda pair: pair[0]):
        last = deploys[-1] if deploys else None
        commits = {commit for commit in (last.commit if last else "", function.commit) if commit}
        if last and len(commits) <= 1 and time - last.time <= ONE_DEPLOY:
            deploys[-1] = Deploy(last.time, (*last.resources, function.resource), last.commit or function.commit)
        else:
            deploys.append(Deploy(time, (function.resource,), function.commit))
    return tuple(deploys)


def deploys_inside(deploys: Iterable[Deploy], windows: Sequence[Window]) -> tuple[Deploy, ...]:
    """Return the deploys in these windows, oldest first."""
    kept = [deploy for deploy in deploys if any(window.start <= deploy.time < window.end for window in windows)]
    return tuple(sorted(kept, key=lambda deploy: deploy.time))


def _read_deploy(entry: Any) -> Deploy | None:
    try:
        time = datetime.fromisoformat(entry["time"])
        resources = tuple(DEPLOYED_PARTS.get(part, str(part)) for part in entry["parts"])
        commit = str(entry.get("commit") or "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return Deploy(time.astimezone(UTC), resources, commit) if time.tzinfo else None


GET_FUNCTION, LIST_EVENT_SOURCE_MAPPINGS, GET_QUEUE_URL = (
    "lambda:GetFunction",
    "lambda:ListEventSourceMappings",
    "sqs:GetQueueUrl",
)
COMMIT_TAG = "commit"

GONE = ("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def exists(call: Callable[[], object]) -> bool:
    """Return whether the resource of a call exists; raises any other error."""
    try:
        call()
    except ClientError as error:
        if describe(error)[0] in GONE:
            return False
        raise
    return True


def read_function(functions: Any, resource: str, name: str) -> FunctionConfiguration | None:
    """Read a function's configuration; None if there is no such function."""
    found: dict[str, Any] = {}
    if not exists(lambda: found.update(functions.get_function(FunctionName=name))):
        return None
    configuration = found["Configuration"]
    return FunctionConfiguration(
        resource=resource,
        name=name,
        timeout_s=float(configuration["Timeout"]),
        memory_mb=int(configuration["MemorySize"]),
        updated=_parse_time(configuration.get("LastModified", "")),
        objective=read_objective(configuration),
        # Tags are returned only to a caller with lambda:ListTags.
        commit=found.get("Tags", {}).get(COMMIT_TAG, ""),
    )


def read_objective(configuration: dict[str, Any]) -> Objective | None:
    """Read a path's objective from its function's environment; None if there is no valid one."""
    variables = configuration.get("Environment", {}).get("Variables", {})
    try:
        found = Objective(float(variables["OBJECTIVE_S"]), float(variables["OBJECTIVE_PERCENT"]) / 100)
    except (KeyError, ValueError):
        return None
    return found if found.seconds > 0 and 0 < found.share < 1 else None


def read_functions(functions: Any, names: Names) -> FunctionAnswers:
    """Read the configuration of each function of the workspace, without the concurrency of the queue's mapping."""
    return {
        resource: errors.call_optional(
            partial(read_function, functions, resource, names.function(resource)),
            action=GET_FUNCTION,
            to="read the functions' limits",
        )
        for resource in FUNCTIONS
        if resource in names.deployed
    }


def objectives_of(functions: FunctionAnswers) -> dict[str, Objective]:
    """Return the objective of each path: its function's, or the stack's default."""
    configured = {resource: found.objective for resource, (found, _) in functions.items() if found and found.objective}
    return {**OBJECTIVES, **configured}


def maximum_concurrency(functions: Any, name: str) -> int | None:
    """Read the maximum concurrency of the queue's mappings, summed; None if it is unlimited."""
    mappings: list[dict[str, Any]] = []

    def read_pages() -> None:
        for page in functions.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
            mappings.extend(page["EventSourceMappings"])

    exists(read_pages)
    limits = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in mappings]
    return sum(limits) if limits and None not in limits else None


def _parse_time(text: str) -> datetime | None:
    """Parse Lambda's time format, such as 2026-11-24T23:51:07.000+0000."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


FILTER_LOG_EVENTS = "logs:FilterLogEvents"

# Format of the lines: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, "REPORT line data fields".
REPORT_FILTER = '"REPORT RequestId: "'
REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: ")
BILLED = re.compile(r"Billed Duration: ([\d.]+) ms")
MEMORY = re.compile(r"Max Memory Used: ([\d.]+) MB")
INIT = re.compile(r"Init Duration: ([\d.]+) ms")

# A page has at most 10,000 events and takes about a second; it may be empty although more follow:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
# The rest is skipped: it hardly changes the shares and maxima of ten thousand runs, and the standup does not wait.
MAX_LOG_PAGES = 12
EVENTS_A_PAGE = 10_000


def read_logs(logs: Any, resource: str, function: str, window: Window) -> LogSummary:
    """Summarize the REPORT lines of a window; no lines if the function has never run."""
    messages: list[str] = []
    complete = True
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        startTime=int(window.start.timestamp() * 1000),
        endTime=int(window.end.timestamp() * 1000) - 1,  # the end is inclusive here
        filterPattern=REPORT_FILTER,
    )
    try:
        for number, page in enumerate(pages, start=1):
            messages += [event["message"] for event in page.get("events", ())]
            if number == MAX_LOG_PAGES and page.get("nextToken"):
                complete = False
                break
            if len(page.get("events", ())) >= EVENTS_A_PAGE and not page.get("nextToken"):
                # The local cloud truncates a page there and returns no token for the rest.
                complete = False
    except ClientError as error:
        if describe(error)[0] != "ResourceNotFoundException":
            raise
    return summarize_reports(resource, messages, complete=complete)


def summarize_reports(resource: str, messages: Iterable[str], *, complete: bool) -> LogSummary:
    """Summarize REPORT lines; figures that no line has are None. A memory of 0 MB is not a measurement."""
    reports = [message for message in messages if REPORT.match(message)]
    inits = _figures(INIT, reports)
    memory = [megabytes for megabytes in _figures(MEMORY, reports) if megabytes > 0]
    billed = _figures(BILLED, reports)
    return LogSummary(
        resource=resource,
        reports=len(reports),
        complete=complete,
        # Only an invocation with a cold start has the figure.
        cold_starts=len(inits) if reports else None,
        longest_init_ms=max(inits, default=None),
        highest_memory_mb=max(memory, default=None),
        billed_ms=sum(billed) if billed else None,
    )


def _figures(pattern: re.Pattern[str], reports: Iterable[str]) -> list[float]:
    return [float(match[1]) for report in reports if (match := pattern.search(report))]


def synthetic_intervals(markers: Iterable[Points]) -> tuple[tuple[datetime, datetime], ...]:
    """Return the intervals with synthetic points; a missing period ends an interval."""
    return tuple(_joined(sorted(_spans(markers))))


def synthetic_deploys(markers: Iterable[Points]) -> tuple[Deploy, ...]:
    """Return the deploys of the synthetic metrics, oldest first."""
    times = {
        datetime.fromtimestamp(time_s, UTC)
        for marker in markers
        if marker.series.metric == SYNTHETIC_DEPLOY
        for time_s in marker.times_s
    }
    return tuple(Deploy(time, (WORKER, API_FUNCTION), synthetic=True) for time in sorted(times))


def _spans(markers: Iterable[Points]) -> Iterator[tuple[datetime, datetime]]:
    for marker in markers:
        if marker.series.metric == SYNTHETIC_HISTORY:
            for time_s in marker.times_s:
                start = datetime.fromtimestamp(time_s, UTC)
                yield start, start + timedelta(seconds=marker.series.period_s)


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for start, end in spans:
        if current is not None and start <= current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current
