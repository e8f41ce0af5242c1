"""What stands around the points of a review: alarms, functions, logs and deploys, asked side by side.

Nothing of it is indispensable: what AWS refuses or cannot answer is left out, and a sentence says so.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from couch_explorers.metrics import (
    asking,
    surroundings_alarms,
    surroundings_deploys,
    surroundings_functions,
    surroundings_logs,
)
from couch_explorers.metrics.facts import DEAD_LETTERS, QUEUE, WORKER
from couch_explorers.metrics.series import FUNCTIONS
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from couch_explorers.metrics.facts import Alarm, Deploy, FunctionFacts, LogFacts, Window
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
class Surroundings:
    """What was found; `missing` lists the parts that are not there though the workspace names them.

    `unanswered` gives, by IAM action, the sentence that says why AWS did not answer; `notes` tell what was cut off.
    """

    alarms: tuple[Alarm, ...] = ()
    functions: tuple[FunctionFacts, ...] = ()
    logs: tuple[LogFacts, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    missing: frozenset[str] = frozenset()
    unanswered: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def look(
    workspace: Workspace, names: Names, clients: Clients, windows: Sequence[Window], now: datetime
) -> Surroundings:
    """Ask for everything at once; `windows` begins with the window now, for which alarms and logs are read."""
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="surroundings") as pool:
        return _Look(pool, names, clients, windows[0]).all(workspace, windows, now)


class _Look:
    """One look around; `why` collects, by IAM action, why there was no answer."""

    def __init__(self, pool: ThreadPoolExecutor, names: Names, clients: Clients, window: Window) -> None:
        self.pool, self.names, self.clients, self.window = pool, names, clients, window
        self.why: dict[str, str] = {}

    def all(self, workspace: Workspace, windows: Sequence[Window], now: datetime) -> Surroundings:
        """Ask, and put the answers together."""
        deployed = self.names.deployed
        alarms = self.start(
            lambda: surroundings_alarms.deployed(self.clients.cloudwatch, self.names.candidate),
            surroundings_alarms.ACTION, "read the alarms",
        )  # fmt: skip
        functions = {resource: self._function(resource) for resource in FUNCTIONS if resource in deployed}
        lines = [self._logs(resource) for resource in FUNCTIONS if resource in deployed]
        queues = {resource: self._queue(resource) for resource in (QUEUE, DEAD_LETTERS) if resource in deployed}
        rung = self._with_history(alarms.result() or ())

        limits = [limit for answer in functions.values() for limit in answer.result() or ()]
        deploys = surroundings_deploys.noted(Home.current()) if workspace.target == "local" else ()
        deploys = deploys or surroundings_deploys.told_by(limits)
        logs = tuple(said for answer in lines if (said := answer.result()) is not None)
        gone = {resource for resource, answer in functions.items() if answer.result() == ()}
        gone |= {resource for resource, answer in queues.items() if answer.result() is False}
        return Surroundings(
            alarms=rung,
            functions=tuple(
                replace(limit, commit=limit.commit or _commit(limit.resource, deploys)) for limit in limits
            ),
            logs=logs,
            deploys=surroundings_deploys.inside(deploys, windows),
            missing=frozenset(gone),
            unanswered=dict(sorted(self.why.items())),
            notes=tuple(self._cut_off(logs, now)),
        )

    def _cut_off(self, logs: Sequence[LogFacts], now: datetime) -> Iterator[str]:
        if now - self.window.start > ALARM_HISTORY_KEPT:
            yield f"CloudWatch keeps what an alarm did for {ALARM_HISTORY_KEPT.days} days: what it did earlier is not shown."
        for each in logs:
            if not each.complete:
                yield f"Not all log lines of the {each.resource} were read: its figures are those of {each.reports:,} runs."

    def start(self, question: Callable[[], T], action: str, to: str) -> Future[T | None]:
        """Put a question; its answer is None where AWS gave none."""

        def put() -> T | None:
            answer, note = asking.tried(question, action=action, to=to)
            if note:
                self.why[action] = note
            return answer

        return self.pool.submit(put)

    def _function(self, resource: str) -> Future[tuple[FunctionFacts, ...] | None]:
        """Ask for a function; an empty answer is that there is none."""

        def question() -> tuple[FunctionFacts, ...]:
            found = surroundings_functions.read(self.clients.functions, resource, self.names.function(resource))
            if found is None:
                return ()
            return (replace(found, maximum_concurrency=bound.result()),) if bound else (found,)

        bound = self._concurrency() if resource == WORKER else None
        return self.start(question, surroundings_functions.ACTION, "read the functions' limits")

    def _concurrency(self) -> Future[int | None]:
        return self.start(
            lambda: surroundings_functions.maximum_concurrency(self.clients.functions, self.names.worker),
            surroundings_functions.MAPPINGS_ACTION, "read how many workers may run at once",
        )  # fmt: skip

    def _logs(self, resource: str) -> Future[LogFacts | None]:
        name = self.names.function(resource)
        return self.start(
            lambda: surroundings_logs.read(self.clients.logs, resource, name, self.window),
            surroundings_logs.ACTION, "read the functions' logs",
        )  # fmt: skip

    def _queue(self, resource: str) -> Future[bool | None]:
        name = self.names.queue if resource == QUEUE else self.names.dead_letters
        return self.start(
            lambda: surroundings_functions.is_there(lambda: self.clients.sqs.get_queue_url(QueueName=name)),
            surroundings_functions.QUEUE_ACTION, "see whether the queues are there",
        )  # fmt: skip

    def _with_history(self, alarms: Sequence[Alarm]) -> tuple[Alarm, ...]:
        """Add to each alarm when it rang, as far as that is answered."""

        def ask(alarm: Alarm) -> Future[Alarm | None]:
            return self.start(
                lambda: surroundings_alarms.with_history(self.clients.cloudwatch, alarm, self.window),
                surroundings_alarms.HISTORY_ACTION, "read the alarms' history",
            )  # fmt: skip

        asked = [(alarm, ask(alarm)) for alarm in alarms]
        return tuple(answer.result() or alarm for alarm, answer in asked)


def _commit(resource: str, deploys: Sequence[Deploy]) -> str:
    """Name the commit that a function was last deployed from, as far as that was noted."""
    return next((deploy.commit for deploy in reversed(deploys) if resource in deploy.resources), "")
