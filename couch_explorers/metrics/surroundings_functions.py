"""The deployed functions: time-out, memory, when the code was changed, from which commit, and how many may run at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.metrics.facts import FunctionFacts

if TYPE_CHECKING:
    from collections.abc import Callable

ACTION, MAPPINGS_ACTION, QUEUE_ACTION = "lambda:GetFunction", "lambda:ListEventSourceMappings", "sqs:GetQueueUrl"
COMMIT_TAG = "commit"

GONE = ("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def is_there(question: Callable[[], object]) -> bool:
    """Whether what a question is about exists; raises what AWS answers otherwise."""
    try:
        question()
    except ClientError as error:
        if describe(error)[0] in GONE:
            return False
        raise
    return True


def read(functions: Any, resource: str, name: str) -> FunctionFacts | None:
    """Read a function's limits; None where there is no such function."""
    found: dict[str, Any] = {}
    if not is_there(lambda: found.update(functions.get_function(FunctionName=name))):
        return None
    configuration = found["Configuration"]
    return FunctionFacts(
        resource=resource,
        name=name,
        timeout_s=float(configuration["Timeout"]),
        memory_mb=int(configuration["MemorySize"]),
        updated=_moment(configuration.get("LastModified", "")),
        # Tags come only to a caller with lambda:ListTags.
        commit=found.get("Tags", {}).get(COMMIT_TAG, ""),
    )


def maximum_concurrency(functions: Any, name: str) -> int | None:
    """Read how many runs the queue's mapping allows at once, the sum of several; None where nothing bounds them."""
    mappings: list[dict[str, Any]] = []

    def read_pages() -> None:
        for page in functions.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
            mappings.extend(page["EventSourceMappings"])

    is_there(read_pages)
    bounds = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in mappings]
    return sum(bounds) if bounds and None not in bounds else None


def _moment(text: str) -> datetime | None:
    """Read Lambda's time, such as 2026-11-24T23:51:07.000+0000."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
