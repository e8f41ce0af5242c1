"""What is deployed, as AWS itself tells it: names and settings, None for a part that is not there.

A setting is None where AWS did not answer; `Deployed.notes` then says why.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gateway:
    """The API: its stage, the path that takes prompts, and how many requests a second it lets through."""

    name: str
    stage: str
    path: str
    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True)
class Function:
    """A Lambda function and its limits."""

    name: str
    timeout_s: int | None = None
    memory_mb: int | None = None
    runtime: str | None = None
    architecture: str | None = None


@dataclass(frozen=True)
class Mapping:
    """How Lambda takes jobs from the queue; `maximum_concurrency` is None where nothing bounds it, too."""

    batch_size: int | None = None
    maximum_concurrency: int | None = None


@dataclass(frozen=True)
class Queue:
    """An SQS queue; `max_receives` is after how many receives a job goes to the dead letters, None where it never does."""

    name: str
    visibility_s: int | None = None
    retention_s: int | None = None
    max_receives: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether AWS told its settings."""
        return self.visibility_s is not None


@dataclass(frozen=True)
class Bucket:
    """Where the pictures lie."""

    name: str


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm rings, and whether it then tells the topic.

    The comparison is CloudWatch's own name, such as GreaterThanThreshold.
    """

    short_name: str
    metric: str
    statistic: str
    period_s: int
    comparison: str
    threshold: float
    is_wired: bool = True


@dataclass(frozen=True)
class Topic:
    """Whom the alarms tell: how many have confirmed their subscription, and how many have not yet. No addresses."""

    name: str
    confirmed: int | None = None
    pending: int | None = None


@dataclass(frozen=True)
class Deployed:
    """The whole system. `models` are pairs of (region, id), the default first; `expected` names what is not there.

    `alarms` is None where AWS did not answer, and empty where there are none.
    """

    target: str
    candidate: str
    region: str
    prefix: str
    models: tuple[tuple[str, str], ...]
    gateway: Gateway | None = None
    api_function: Function | None = None
    queue: Queue | None = None
    dead_letters: Queue | None = None
    mapping: Mapping | None = None
    worker: Function | None = None
    alarms: tuple[AlarmRule, ...] | None = ()
    topic: Topic | None = None
    bucket: Bucket | None = None
    expected: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def expected_name(self, part: str) -> str:
        """What a part that is not deployed would be called."""
        return dict(self.expected).get(part, "")
