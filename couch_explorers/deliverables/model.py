"""The content of the list of deliverables, independent of language: values, and reasons for missing ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class DeliverablesError(Exception):
    """The list could not be written; the message says where and what to do."""


class Reason(StrEnum):
    """The reason why a row is empty; each language has a sentence for it, which says how to fill the row."""

    API_NOT_ON_AWS = "api_not_on_aws"
    API_NOT_LOCAL = "api_not_local"
    QUEUE_NOT_ON_AWS = "queue_not_on_aws"
    QUEUE_NOT_LOCAL = "queue_not_local"
    ALARM_MISSING = "alarm_missing"
    ALARM_UNREADABLE = "alarm_unreadable"  # why
    RUNS_NOT_ASKED_FOR = "runs_not_asked_for"
    RUNS_NOT_LOCAL = "runs_not_local"
    NO_RUN_ON_MAIN = "no_run_on_main"  # repository, workflow
    NO_RUN_ELSEWHERE = "no_run_elsewhere"  # repository, workflow
    NO_REPOSITORY = "no_repository"
    NOT_ON_GITHUB = "not_on_github"  # host
    NOT_FOUND = "not_found"  # repository, workflow
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a reason, no token
    NO_RIGHT = "no_right"  # repository
    RATE_LIMIT = "rate_limit"  # until
    GITHUB_FAILED = "github_failed"  # status
    GITHUB_UNREACHABLE = "github_unreachable"  # host, why
    GITHUB_UNREADABLE = "github_unreadable"  # host
    NO_IMAGE = "no_image"
    BAD_IMAGE = "bad_image"  # image


@dataclass(frozen=True)
class Missing:
    """A missing value: the reason, and the values in its sentence."""

    reason: Reason
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A successful run of a workflow on GitHub."""

    number: int
    branch: str
    day: date
    url: str


@dataclass(frozen=True)
class Alarm:
    """The deployed alarm on the age of the oldest job, and how many it notifies.

    `operator` is CloudWatch's ComparisonOperator; `topic` is None where it notifies nobody; subscriptions are counted,
    not named, because the list is published.
    """

    name: str
    namespace: str
    metric: str
    statistic: str
    period_s: int
    operator: str
    threshold: float
    topic: str | None
    confirmed: int
    pending: int


@dataclass(frozen=True)
class Facts:
    """Everything in the list that is not the same in every copy of this repository.

    `target` is None before anything is deployed; `endpoint` is the address that stands in for AWS's own, where one is set.
    """

    api_url: str | Missing = Missing(Reason.API_NOT_ON_AWS)
    queue_url: str | Missing = Missing(Reason.QUEUE_NOT_ON_AWS)
    alarm: Alarm | Missing = Missing(Reason.QUEUE_NOT_ON_AWS)
    lambda_run: Run | Missing = Missing(Reason.RUNS_NOT_ASKED_FOR)
    terraform_run: Run | Missing = Missing(Reason.RUNS_NOT_ASKED_FOR)
    plan_run: Run | Missing = Missing(Reason.RUNS_NOT_ASKED_FOR)
    image: str | Missing = Missing(Reason.NO_IMAGE)
    target: str | None = None
    candidate: str | None = None
    region: str | None = None
    endpoint: str | None = None
    read_on: date | None = None


NOTHING_DEPLOYED = Facts()
"""The list in git until a copy of the repository is deployed."""
