"""The account of a fault storm: what became of each message, and why a picture was paid for more than once.

It reads what the storm has left behind: the log of the model's calls (COUCH_MODEL_LOG), the log of the requests (COUCH_REQUEST_LOG), the log
of the functions, and the list of what was sent. The X-Ray header of an invocation, `Root=1-<time>-<24 digits of its request's ID>`, leads from
one to the other.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# What a kill of the local cloud may take: what was acknowledged so shortly before it.
LAST_S = 1.0
# Seconds by which the clocks of two logs may differ about one moment: lines are written after what they describe.
SLACK_S = 0.3
OK = 200

TRACE = re.compile(r"Root=1-[0-9a-f]{8}-(?P<digits>[0-9a-f]{24})")
TIMED_OUT = re.compile(r"^REPORT RequestId: (?P<id>\S+)\s.*Status: timeout", re.DOTALL)
KILLED = re.compile(r"RequestId: (?P<id>\S+) Error: Runtime exited with error: signal: killed")
REPORTED = re.compile(r"^REPORT RequestId: (?P<id>\S+)")

# Why a picture was paid for that is not the one in the bucket. The last is a fault of the worker or of this account.
CLOUD, FUNCTION, TIMEOUT, BESIDE, STORAGE, AGAIN, UNEXPLAINED = CAUSES = (
    "the local cloud was killed or stopped while the call was in flight, or less than a second after its picture was stored",
    "the function was killed between the call and the picture's storage",
    "the call took longer than the function waits",
    "another delivery of the same job was at work when this one looked, or since",
    "S3 failed every attempt to store the picture",
    "the message was delivered or sent again, and the worker does not look for its picture",
    "unexplained",
)


@dataclass(frozen=True)
class Outage:
    """A time in which the local cloud was gone: from a kill or a stop until it served again; Unix seconds."""

    kind: str
    began: float
    ended: float


@dataclass
class PaidCall:
    """A call of the model that was billed, or was in flight when the local cloud was killed, which counts as billed.

    `stored_at` and `status` are those of the request that stored its picture, None where there was none. `looked` is when the
    invocation had last looked for the picture before the call.
    """

    call: str
    job: str
    invocation: str
    began: float
    billed: float | None = None
    hanging: bool = False
    stored_at: float | None = None
    status: int | None = None
    looked: float | None = None

    @property
    def first(self) -> float:
        """When the invocation was first seen at work for this call."""
        return self.began if self.looked is None else min(self.looked, self.began)

    @property
    def last(self) -> float:
        """When the invocation was last seen at work for this call."""
        return max(self.began, self.billed or 0.0, self.stored_at or 0.0)


@dataclass(frozen=True)
class ExtraCall:
    """A billed call whose picture is not the one that stands, with the cause."""

    job: str
    at: float
    cause: str


@dataclass
class Account:
    """The outcomes of one worker's messages."""

    sent: int
    calls: int
    paid: int
    # Jobs by what they are at the end.
    pictures: set[str] = field(default_factory=set)
    dead: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    # Jobs that are none of the three, and those of them whose message was acknowledged in the last second before a kill.
    lost: set[str] = field(default_factory=set)
    lost_at_kill: set[str] = field(default_factory=set)
    # Successful writes of a picture beyond the first of its job, pictures that a kill took aside.
    duplicated: int = 0
    extra: list[ExtraCall] = field(default_factory=list)
    # Seconds from the acknowledgement of a message to its picture.
    time_to_picture: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)

    def causes(self) -> dict[str, int]:
        """The number of extra calls by cause, the most frequent first."""
        counted: dict[str, int] = defaultdict(int)
        for each in self.extra:
            counted[each.cause] += 1
        return dict(sorted(counted.items(), key=lambda item: -item[1]))

    def percentile(self, share: float) -> float:
        """The time to the picture that this share of the pictures stays below, in seconds; 0 without pictures."""
        times = sorted(self.time_to_picture)
        if len(times) < 2:  # noqa: PLR2004 - what quantiles needs
            return times[0] if times else 0.0
        return statistics.quantiles(times, n=1000, method="inclusive")[round(share * 1000) - 1]


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read a log of JSON lines; a line that a kill has cut off is left out."""
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def digits_of(trace: str) -> str:
    """The digits of an invocation's request ID in a trace's header, "" where it has none."""
    found = TRACE.search(trace)
    return found["digits"] if found else ""


def paid_calls(
    model_log: Iterable[Mapping[str, Any]], request_log: Iterable[Mapping[str, Any]], jobs: Mapping[str, str]
) -> list[PaidCall]:
    """Find the billed calls of a worker, each with the request that stored its picture.

    Args:
        model_log: The lines of COUCH_MODEL_LOG.
        request_log: The lines of COUCH_REQUEST_LOG.
        jobs: The job of each prompt.

    Returns:
        The calls in the order in which they were begun.
    """
    paid = billed_calls(model_log, jobs)
    stores: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    looks: dict[str, list[float]] = defaultdict(list)
    for line in request_log:
        digits = digits_of(line["trace"])
        if line["method"] == "GET":
            # An invocation serves one message, and looks for its picture before each call.
            looks[digits].append(line["start"])
        if line["method"] == "PUT" and line["path"].endswith(".png"):
            stores[digits].append(line)
    by_invocation: dict[str, list[PaidCall]] = defaultdict(list)
    for call in paid:
        call.looked = max((look for look in looks[call.invocation] if look <= call.began), default=None)
        by_invocation[call.invocation].append(call)
    for invocation, made in by_invocation.items():
        for call, following in zip(made, [*made[1:], None], strict=True):
            until = following.began if following else float("inf")
            attempts = [line for line in stores[invocation] if call.began <= line["start"] <= until]
            # A repeated attempt of the SDK finds its own picture: what counts is the one that stored it.
            decisive = next((line for line in attempts if line["status"] == OK), attempts[-1] if attempts else None)
            if decisive:
                call.stored_at, call.status = decisive["end"], decisive["status"]
    return paid


def billed_calls(model_log: Iterable[Mapping[str, Any]], jobs: Mapping[str, str]) -> list[PaidCall]:
    """Find the calls that were billed, and those in flight when the cloud was killed, in the order in which they were begun."""
    calls: dict[str, PaidCall] = {}
    ended: set[str] = set()
    for line in model_log:
        name = line["call"]
        if line["event"] == "begun" and line["prompt"] in jobs:
            calls[name] = PaidCall(name, jobs[line["prompt"]], digits_of(line["trace"]), line["at"])
        elif line["event"] == "billed" and name in calls and line["images"]:
            calls[name].billed, calls[name].hanging = line["at"], line["hanging"]
        elif line["event"] == "ended":
            ended.add(name)
    # Ended without being billed: unavailable or filtered.
    paid = [call for name, call in calls.items() if call.billed is not None or name not in ended]
    return sorted(paid, key=lambda call: call.began)


def total_calls(model_log: Iterable[Mapping[str, Any]], jobs: Mapping[str, str]) -> int:
    """The number of valid calls to the model for these prompts; throttled ones have no prompt and are not counted."""
    return sum(line["event"] == "begun" and line["prompt"] in jobs for line in model_log)


def explain(
    call: PaidCall,
    others: Sequence[PaidCall],
    outages: Sequence[Outage],
    function_log: Mapping[str, set[str]],
    *,
    idempotent: bool,
) -> str:
    """Name the cause of a billed call whose picture is not the one that stands.

    Args:
        call: The call.
        others: The other billed calls of its job.
        outages: When the cloud was gone.
        function_log: The endings of each invocation, by its digits: "killed", "timeout", "reported", and the reasons for which the
            worker has postponed its job.
        idempotent: Whether the worker promises not to pay for a picture that is there.
    """
    endings = function_log.get(call.invocation, set())
    cut_off = "reported" not in endings or call.status == OK
    beside = any(
        other.invocation != call.invocation and other.first <= call.last and call.first <= other.last
        for other in others
    )
    candidates = {
        # Lambda's time-out, or the worker's own for the model's response: a slow machine meets it without a call that hangs.
        TIMEOUT: call.hanging or bool(endings & {"timeout", "ModelTimeout"}),
        FUNCTION: "killed" in endings,
        # A call that has neither been billed nor ended was in flight until the cloud was gone.
        CLOUD: any(
            call.began <= each.ended
            if call.billed is None
            else cut_off and call.began - SLACK_S <= each.began <= call.last + LAST_S + SLACK_S
            for each in outages
        ),
        BESIDE: beside,
        STORAGE: "Storage" in endings and call.status != OK,
        AGAIN: not idempotent,
    }
    return next((cause for cause, applies in candidates.items() if applies), UNEXPLAINED)


def endings_of(events: Iterable[str]) -> dict[str, set[str]]:
    """Read how invocations ended from the messages of a function's log, by the digits of their request's ID."""
    endings: dict[str, set[str]] = defaultdict(set)
    for message in events:
        for pattern, ending in ((TIMED_OUT, "timeout"), (KILLED, "killed"), (REPORTED, "reported")):
            if found := pattern.search(message):
                endings[digits_of_id(found["id"])].add(ending)
        if '"Job postponed"' in message:
            line = json.loads(message)
            endings[digits_of_id(line["function_request_id"])].add(line["reason"])
    return endings


def digits_of_id(request_id: str) -> str:
    """The digits of a request's ID as they stand in its trace."""
    return request_id.replace("-", "")[:24]


def account(
    *,
    sent: Mapping[str, float],
    jobs: Mapping[str, str],
    model_log: Sequence[Mapping[str, Any]],
    request_log: Sequence[Mapping[str, Any]],
    function_log: Mapping[str, set[str]],
    outages: Sequence[Outage],
    kept: set[str] | None,
    dead: Mapping[str, str],
    waiting: set[str],
    idempotent: bool,
) -> Account:
    """Account for every message.

    Args:
        sent: When each job's message was first acknowledged, Unix seconds.
        jobs: The job of each prompt.
        model_log: The lines of COUCH_MODEL_LOG.
        request_log: The lines of COUCH_REQUEST_LOG.
        function_log: As `endings_of` returns it.
        outages: When the cloud was gone.
        kept: The jobs whose picture is in the bucket; None where keys do not tell the job, and the request log has to.
        dead: The jobs in the dead-letter queue, with the reason.
        waiting: The jobs in the queue.
        idempotent: Whether the worker promises not to pay for a picture that is there.
    """
    paid = paid_calls(model_log, request_log, jobs)
    result = Account(sent=len(sent), calls=total_calls(model_log, jobs), paid=len(paid), waiting=waiting)
    by_job: dict[str, list[PaidCall]] = defaultdict(list)
    for call in paid:
        by_job[call.job].append(call)
    for job, calls in by_job.items():
        written = [call for call in calls if call.status == OK]
        there = bool(written) if kept is None else job in kept
        # A picture that was stored right before a kill is gone, and its job is done again: the last one stands.
        standing = written[-1] if there and written else None
        if there:
            result.pictures.add(job)
        if standing and standing.stored_at and job in sent:
            result.time_to_picture.append(standing.stored_at - sent[job])
            result.stored.append(standing.stored_at)
        for call in calls:
            if call is standing:
                continue
            others = [other for other in calls if other is not call]
            cause = explain(call, others, outages, function_log, idempotent=idempotent)
            result.extra.append(ExtraCall(job, call.began, cause))
            result.duplicated += call.status == OK and cause != CLOUD and there
    result.dead = {job: reason for job, reason in dead.items() if job not in result.pictures}
    known = result.pictures | result.dead.keys() | waiting
    for job, moment in sent.items():
        if job not in known:
            at_kill = any(outage.began - LAST_S <= moment <= outage.began + SLACK_S for outage in outages)
            (result.lost_at_kill if at_kill else result.lost).add(job)
    return result
