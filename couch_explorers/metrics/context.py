"""What stands around the points of a review: alarms, functions, logs and deploys, asked side by side.

Nothing of it is indispensable: what AWS refuses or cannot answer is left out, and a sentence says so.
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
AT_A_TIME = 10

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html: what an alarm did is kept 30 days.
ALARM_HISTORY_KEPT = timedelta(days=30)


class Clients(NamedTuple):
    """A client for each service that is asked, made in one thread: boto3 may use a client in several, but not make one."""

    cloudwatch: Any
    functions: Any
    logs: Any
    sqs: Any

    @classmethod
    def of(cls, workspace: Workspace) -> Clients:
        """Make the clients of a workspace."""
        return cls(*(workspace.client(service) for service in ("cloudwatch", "lambda", "logs", "sqs")))


@dataclass(frozen=True)
class SystemContext:
    """What was found; `missing` lists the parts that are not there though the workspace names them.

    `unanswered` gives, by IAM action, the sentence that says why AWS did not answer; `notes` tell what was cut off.
    """

    alarms: tuple[Alarm, ...] = ()
    functions: tuple[FunctionConfiguration, ...] = ()
    logs: tuple[LogSummary, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    missing: frozenset[str] = frozenset()
    error_notes: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


# By resource: what was read of a function, None where there is none, or where the sentence beside it says why nobody knows.
FunctionAnswers = Mapping[str, tuple[FunctionConfiguration | None, str]]


def load(
    workspace: Workspace,
    names: Names,
    clients: Clients,
    windows: Sequence[Window],
    now: datetime,
    functions: FunctionAnswers,
) -> SystemContext:
    """Ask for everything else at once.

    Args:
        workspace: Where the system is deployed.
        names: What its parts are called.
        clients: Of the workspace.
        windows: They begin with the window now, for which alarms and logs are read.
        now: When that is.
        functions: What `read_functions` gave.

    """
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="context") as pool:
        return _ContextLoader(pool, names, clients, windows[0]).all(workspace, windows, now, functions)


class _ContextLoader:
    """One look around; `why` collects, by IAM action, why there was no answer."""

    def __init__(self, pool: ThreadPoolExecutor, names: Names, clients: Clients, window: Window) -> None:
        self.pool, self.names, self.clients, self.window = pool, names, clients, window
        self.why: dict[str, str] = {}

    def all(
        self, workspace: Workspace, windows: Sequence[Window], now: datetime, functions: FunctionAnswers
    ) -> SystemContext:
        """Ask, and put the answers together."""
        deployed = self.names.deployed
        alarms = self.start(
            lambda: read_alarms(self.clients.cloudwatch, self.names.candidate),
            DESCRIBE_ALARMS, "read the alarms",
        )  # fmt: skip
        bound = self._concurrency() if WORKER in deployed else None
        lines = [self._logs(resource) for resource in FUNCTIONS if resource in deployed]
        queues = {resource: self._queue(resource) for resource in (QUEUE, DEAD_LETTERS) if resource in deployed}
        rung = self._with_history(alarms.result() or ())

        for _, note in functions.values():
            if note:
                self.why[GET_FUNCTION] = note
        limits = [
            replace(limit, maximum_concurrency=bound.result()) if bound and limit.resource == WORKER else limit
            for limit, _ in functions.values()
            if limit is not None
        ]
        deploys = recorded_deploys(Home.current()) if workspace.target == "local" else ()
        deploys = deploys or deploys_from_functions(limits)
        logs = tuple(said for answer in lines if (said := answer.result()) is not None)
        gone = {resource for resource, (limit, note) in functions.items() if limit is None and not note}
        gone |= {resource for resource, answer in queues.items() if answer.result() is False}
        return SystemContext(
            alarms=rung,
            functions=tuple(
                replace(limit, commit=limit.commit or _commit(limit.resource, deploys)) for limit in limits
            ),
            logs=logs,
            deploys=deploys_inside(deploys, windows),
            missing=frozenset(gone),
            error_notes=dict(sorted(self.why.items())),
            notes=tuple(self._cut_off(logs, now)),
        )

    def _cut_off(self, logs: Sequence[LogSummary], now: datetime) -> Iterator[str]:
        if now - self.window.start > ALARM_HISTORY_KEPT:
            yield f"CloudWatch keeps what an alarm did for {ALARM_HISTORY_KEPT.days} days: what it did earlier is not shown."
        for each in logs:
            if not each.complete:
                yield f"Not all log lines of the {each.resource} were read: its figures are those of {each.reports:,} runs."

    def start(self, question: Callable[[], T], action: str, to: str) -> Future[T | None]:
        """Put a question; its answer is None where AWS gave none."""

        def put() -> T | None:
            answer, note = errors.call_optional(question, action=action, to=to)
            if note:
                self.why[action] = note
            return answer

        return self.pool.submit(put)

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
        """Add to each alarm when it rang, as far as that is answered."""

        def ask(alarm: Alarm) -> Future[Alarm | None]:
            return self.start(
                lambda: with_history(self.clients.cloudwatch, alarm, self.window),
                DESCRIBE_ALARM_HISTORY, "read the alarms' history",
            )  # fmt: skip

        asked = [(alarm, ask(alarm)) for alarm in alarms]
        return tuple(answer.result() or alarm for alarm, answer in asked)


def _commit(resource: str, deploys: Sequence[Deploy]) -> str:
    """Name the commit that a function was last deployed from, as far as that was noted."""
    return next((deploy.commit for deploy in reversed(deploys) if resource in deploy.resources), "")


DESCRIBE_ALARMS, DESCRIBE_ALARM_HISTORY = "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"
IN_ALARM = "ALARM"

# The summary of a change, for a history whose data cannot be read: "Alarm updated from OK to ALARM".
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
    """Add to an alarm when it rang in a window.

    The history is read from the window's start until now: a later change tells how the alarm stood when the window ended.
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
    """Tell the stretches of a window in which an alarm rang, from its changes since the window's start, in order of time."""
    since: datetime | None = None
    is_first = True
    for moment, old, new in changes:
        if is_first and old == IN_ALARM:
            since = window.start
        is_first = False
        if new == IN_ALARM:
            since = since or moment
        elif since is not None:
            if since < window.end:
                yield since, min(moment, window.end)
            since = None
    if is_first and alarm.state == IN_ALARM:
        # No change since the window's start: it rang before, or its history is not kept any more.
        since = max(window.start, alarm.since or window.start)
    if since is not None and since < window.end:
        yield since, window.end


def _read_alarm(alarm: dict[str, Any], stem: str) -> Alarm:
    # The update's time moves with every new reason, the transition's only with the state.
    since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
    return Alarm(
        name=alarm["AlarmName"],
        short_name=alarm["AlarmName"].removeprefix(stem),
        # Anomaly bands and expressions have none.
        threshold=float(alarm.get("Threshold", math.nan)),
        state=alarm["StateValue"],
        reason=alarm.get("StateReason", ""),
        since=since.astimezone(UTC) if since else None,
        period_s=int(alarm.get("Period", 0)),
        actions_enabled=alarm.get("ActionsEnabled", True),
        comparison=alarm.get("ComparisonOperator", GREATER),
    )


def read_state_change(item: dict[str, Any]) -> Change | None:
    """Read an item of DescribeAlarmHistory, by its data or else by its summary.

    Returns:
        Time, old and new state; None where neither says what changed.

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


# What `couch up` calls the parts of the system.
DEPLOYED_PARTS = {"queue": WORKER, "api": API_FUNCTION}

# Two functions that change within a deploy do not change in the same second.
ONE_DEPLOY = timedelta(minutes=10)


def recorded_deploys(home: Home) -> tuple[Deploy, ...]:
    """Read the deploys of the local cloud, oldest first; none where nothing was noted. What cannot be read is left out."""
    deployment = read_json(home.deployment_file)
    entries = deployment.get("deploys", []) if isinstance(deployment, dict) else []
    found = [deploy for entry in entries if (deploy := _read_deploy(entry)) is not None]
    return tuple(sorted(found, key=lambda deploy: deploy.time))


def deploys_from_functions(functions: Iterable[FunctionConfiguration]) -> tuple[Deploy, ...]:
    """Tell the latest deploys from when each function was last changed, oldest first; a change of settings counts too.

    Functions that changed together, from one commit, are one deploy; one that names no commit goes with the other.
    """
    deploys: list[Deploy] = []
    changed = [(each.updated, each) for each in functions if each.updated is not None]
    for moment, function in sorted(changed, key=lambda pair: pair[0]):
        last = deploys[-1] if deploys else None
        commits = {commit for commit in (last.commit if last else "", function.commit) if commit}
        if last and len(commits) <= 1 and moment - last.time <= ONE_DEPLOY:
            deploys[-1] = Deploy(last.time, (*last.resources, function.resource), last.commit or function.commit)
        else:
            deploys.append(Deploy(moment, (function.resource,), function.commit))
    return tuple(deploys)


def deploys_inside(deploys: Iterable[Deploy], windows: Sequence[Window]) -> tuple[Deploy, ...]:
    """Keep the deploys of these windows, oldest first."""
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


def exists(question: Callable[[], object]) -> bool:
    """Whether what a question is about exists; raises what AWS answers otherwise."""
    try:
        question()
    except ClientError as error:
        if describe(error)[0] in GONE:
            return False
        raise
    return True


def read_function(functions: Any, resource: str, name: str) -> FunctionConfiguration | None:
    """Read a function's limits; None where there is no such function."""
    found: dict[str, Any] = {}
    if not exists(lambda: found.update(functions.get_function(FunctionName=name))):
        return None
    configuration = found["Configuration"]
    return FunctionConfiguration(
        resource=resource,
        name=name,
        timeout_s=float(configuration["Timeout"]),
        memory_mb=int(configuration["MemorySize"]),
        updated=_moment(configuration.get("LastModified", "")),
        objective=read_objective(configuration),
        # Tags come only to a caller with lambda:ListTags.
        commit=found.get("Tags", {}).get(COMMIT_TAG, ""),
    )


def read_objective(configuration: dict[str, Any]) -> Objective | None:
    """Read a path's objective from its function's environment; None where it says none that makes sense."""
    variables = configuration.get("Environment", {}).get("Variables", {})
    try:
        found = Objective(float(variables["OBJECTIVE_S"]), float(variables["OBJECTIVE_PERCENT"]) / 100)
    except (KeyError, ValueError):
        return None
    return found if found.seconds > 0 and 0 < found.share < 1 else None


def read_functions(functions: Any, names: Names) -> FunctionAnswers:
    """Read the limits of each function that the workspace names, without how many runs the queue's mapping allows."""
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
    """Give the objective of each path: what its function says, or the stack's default."""
    said = {resource: found.objective for resource, (found, _) in functions.items() if found and found.objective}
    return {**OBJECTIVES, **said}


def maximum_concurrency(functions: Any, name: str) -> int | None:
    """Read how many runs the queue's mapping allows at once, the sum of several; None where nothing bounds them."""
    mappings: list[dict[str, Any]] = []

    def read_pages() -> None:
        for page in functions.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
            mappings.extend(page["EventSourceMappings"])

    exists(read_pages)
    bounds = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in mappings]
    return sum(bounds) if bounds and None not in bounds else None


def _moment(text: str) -> datetime | None:
    """Read Lambda's time, such as 2026-11-24T23:51:07.000+0000."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


FILTER_LOG_EVENTS = "logs:FilterLogEvents"

# What each line looks like: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, "REPORT line data fields".
REPORT_FILTER = '"REPORT RequestId: "'
REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: ")
BILLED = re.compile(r"Billed Duration: ([\d.]+) ms")
MEMORY = re.compile(r"Max Memory Used: ([\d.]+) MB")
INIT = re.compile(r"Init Duration: ([\d.]+) ms")

# A page holds at most 10,000 events and takes about a second, and may be empty though more follow:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
# What lies beyond is left: shares and maxima of some ten thousand runs do not change by it, and the standup does not wait.
MAX_LOG_PAGES = 12
EVENTS_A_PAGE = 10_000


def read_logs(logs: Any, resource: str, function: str, window: Window) -> LogSummary:
    """Read what the REPORT lines of a window say; no line where the function has never run."""
    messages: list[str] = []
    complete = True
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        startTime=int(window.start.timestamp() * 1000),
        endTime=int(window.end.timestamp() * 1000) - 1,  # the end belongs to the window here
        filterPattern=REPORT_FILTER,
    )
    try:
        for number, page in enumerate(pages, start=1):
            messages += [event["message"] for event in page.get("events", ())]
            if number == MAX_LOG_PAGES and page.get("nextToken"):
                complete = False
                break
            if len(page.get("events", ())) >= EVENTS_A_PAGE and not page.get("nextToken"):
                # The local cloud cuts a page there and gives no token for the rest.
                complete = False
    except ClientError as error:
        if describe(error)[0] != "ResourceNotFoundException":
            raise
    return summarize_reports(resource, messages, complete=complete)


def summarize_reports(resource: str, messages: Iterable[str], *, complete: bool) -> LogSummary:
    """Sum REPORT lines up; what no line gives is None. A memory of 0 MB is no measurement."""
    reports = [message for message in messages if REPORT.match(message)]
    inits = _figures(INIT, reports)
    memory = [megabytes for megabytes in _figures(MEMORY, reports) if megabytes > 0]
    billed = _figures(BILLED, reports)
    return LogSummary(
        resource=resource,
        reports=len(reports),
        complete=complete,
        # Only the run that a cold start was for has the figure.
        cold_starts=len(inits) if reports else None,
        longest_init_ms=max(inits, default=None),
        highest_memory_mb=max(memory, default=None),
        billed_ms=sum(billed) if billed else None,
    )


def _figures(pattern: re.Pattern[str], reports: Iterable[str]) -> list[float]:
    return [float(match[1]) for report in reports if (match := pattern.search(report))]


def synthetic_intervals(marks: Iterable[Points]) -> tuple[tuple[datetime, datetime], ...]:
    """Return from when to when points are synthetic, each stretch as long as no period is missing."""
    return tuple(_joined(sorted(_spans(marks))))


def synthetic_deploys(marks: Iterable[Points]) -> tuple[Deploy, ...]:
    """Return the deploys of the synthetic metrics, oldest first."""
    times = {
        datetime.fromtimestamp(time_s, UTC)
        for mark in marks
        if mark.series.metric == SYNTHETIC_DEPLOY
        for time_s in mark.times_s
    }
    return tuple(Deploy(time, (WORKER, API_FUNCTION), synthetic=True) for time in sorted(times))


def _spans(marks: Iterable[Points]) -> Iterator[tuple[datetime, datetime]]:
    for mark in marks:
        if mark.series.metric == SYNTHETIC_HISTORY:
            for time_s in mark.times_s:
                begin = datetime.fromtimestamp(time_s, UTC)
                yield begin, begin + timedelta(seconds=mark.series.period_s)


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for begin, end in spans:
        if current is not None and begin <= current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = begin, end
    if current is not None:
        yield current
