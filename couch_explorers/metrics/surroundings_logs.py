"""The REPORT lines that Lambda writes at the end of each run: cold starts, memory, billed time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.core.aws_errors import describe
from couch_explorers.metrics.facts import LogFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.metrics.facts import Window

ACTION = "logs:FilterLogEvents"

# What each line looks like: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, "REPORT line data fields".
PATTERN = '"REPORT RequestId: "'
REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: ")
BILLED = re.compile(r"Billed Duration: ([\d.]+) ms")
MEMORY = re.compile(r"Max Memory Used: ([\d.]+) MB")
INIT = re.compile(r"Init Duration: ([\d.]+) ms")

# A page holds at most 10,000 events and takes about a second, and may be empty though more follow:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
# What lies beyond is left: shares and maxima of some ten thousand runs do not change by it, and the standup does not wait.
MOST_PAGES = 12
EVENTS_A_PAGE = 10_000


def read(logs: Any, resource: str, function: str, window: Window) -> LogFacts:
    """Read what the REPORT lines of a window say; no line where the function has never run."""
    messages: list[str] = []
    complete = True
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        startTime=int(window.start.timestamp() * 1000),
        endTime=int(window.end.timestamp() * 1000) - 1,  # the end belongs to the window here
        filterPattern=PATTERN,
    )
    try:
        for number, page in enumerate(pages, start=1):
            messages += [event["message"] for event in page.get("events", ())]
            if number == MOST_PAGES and page.get("nextToken"):
                complete = False
                break
            if len(page.get("events", ())) >= EVENTS_A_PAGE and not page.get("nextToken"):
                # The local cloud cuts a page there and gives no token for the rest.
                complete = False
    except ClientError as error:
        if describe(error)[0] != "ResourceNotFoundException":
            raise
    return summed_up(resource, messages, complete=complete)


def summed_up(resource: str, messages: Iterable[str], *, complete: bool) -> LogFacts:
    """Sum REPORT lines up; what no line gives is None. A memory of 0 MB is no measurement."""
    reports = [message for message in messages if REPORT.match(message)]
    inits = _figures(INIT, reports)
    memory = [megabytes for megabytes in _figures(MEMORY, reports) if megabytes > 0]
    billed = _figures(BILLED, reports)
    return LogFacts(
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
