"""The sentences about the architecture: what it shows, what is missing in it, and the alternative text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from couch_explorers import formatting
from couch_explorers.figures.architecture.boxes import NOT_KNOWN, boxes, rule
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.figures.architecture.deployed import Deployed

# What makes up each part that is deployed as one.
STACKS: dict[Literal["API", "queue"], tuple[str, ...]] = {
    "API": ("gateway", "api_function"),
    "queue": ("queue", "dead_letters", "worker", "alarms", "topic"),
}


def sentence(deployed: Deployed) -> str:
    """Say in one sentence which ways a prompt may take, and what becomes of one that fails."""
    return formatting.sentence(*_clauses(deployed)) or "Nothing is deployed."


def missing(deployed: Deployed) -> str:
    """Say what is not deployed and what deploys it, and what AWS did not answer; empty where all is there."""
    listed = boxes(deployed)
    told = []
    for part, keys in STACKS.items():
        gone = [listed[key] for key in keys if not listed[key].deployed]
        if len(gone) == len(keys):
            told.append(f"{not_deployed(part, deployed.target)}.")
        elif gone:
            how = not_deployed(part, deployed.target).partition(": ")[2]
            told.append(
                f"Missing, though other parts of the {part} are there: {formatting.join(box.title for box in gone)}. To bring it back, {how}."
            )
    return " ".join((*told, *_loose_ends(deployed), *deployed.notes))


def _loose_ends(deployed: Deployed) -> Iterator[str]:
    """Tell what is there and leads nowhere."""
    queue, worker = deployed.queue, deployed.worker
    if queue and worker and deployed.mapping is None:
        yield "Nobody takes jobs from the queue: the worker has no event source mapping."
    if queue and queue.is_known and queue.max_receives is None:
        yield "Nothing is ever given up on: the queue has no redrive policy."
    deaf = [alarm.short_name for alarm in deployed.alarms or () if not alarm.is_wired]
    if deaf:
        yield f"Wired to no topic, or switched off: {formatting.join(deaf)}."
    if deployed.bucket is None:
        yield f"There is no bucket {deployed.expected_name('bucket')}."


def alternative(deployed: Deployed) -> str:
    """Tell every box in words, in the order in which they stand."""
    rules = tuple(f"{alarm.short_name}: {rule(alarm)}" for alarm in deployed.alarms or ())
    absent = "" if deployed.alarms else NOT_KNOWN if deployed.alarms is None else "not deployed"
    told = []
    for box in boxes(deployed).values():
        lines = (*rules, absent) if box.key == "alarms" else box.lines
        told.append(": ".join(filter(None, (box.title, ", ".join(filter(None, (box.name, *lines)))))))
    return f"Diagram of the system. {'; '.join(told)}."


def _clauses(deployed: Deployed) -> Iterator[str]:
    gateway, function, queue, mapping = deployed.gateway, deployed.api_function, deployed.queue, deployed.mapping
    if gateway:
        limit = f", answered within {formatting.seconds(function.timeout_s)}" if function and function.timeout_s else ""
        yield f"a prompt comes by the API {gateway.name}{limit}"
    if queue:
        at_once = mapping.maximum_concurrency if mapping else None
        workers = f", of which at most {at_once} are painted at once" if at_once else ""
        yield f"{'or as a message' if gateway else 'a prompt comes as a message'} on the queue {queue.name}{workers}"
    if deployed.dead_letters:
        receives = f", or was received {queue.max_receives} times," if queue and queue.max_receives else ""
        yield f"what cannot succeed{receives} lies among the dead letters"
    if deployed.alarms:
        heard = deployed.topic.confirmed if deployed.topic else None
        whom = "" if heard is None else f" tell {formatting.count(heard, 'confirmed subscriber')}"
        yield f"{formatting.count(len(deployed.alarms), 'alarm')}{whom or ' watch'}"
