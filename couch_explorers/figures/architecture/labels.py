"""The text of the architecture figure: the contents of each box, the caption, and the alternative text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from couch_explorers import formatting, reports
from couch_explorers.aws.alarms import COMPARISONS
from couch_explorers.metrics import series
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.figures.architecture.deployment import AlarmRule, Deployed, Function, Queue, Topic

DAY_S = 86_400
NOT_KNOWN = "settings not known"
# Keeps a number beside its unit.
NBSP = "\u00a0"


class Named(Protocol):
    """A resource of any kind."""

    @property
    def name(self) -> str:
        """The name."""


@dataclass(frozen=True)
class Box:
    """A box: what the part is, its actual name, its settings, and whether it is deployed.

    `style` is its path: api, queue, failure, watch, store, or person for what is outside the system.
    """

    key: str
    style: str
    title: str
    name: str = ""
    lines: tuple[str, ...] = ()
    deployed: bool = True


def boxes(deployed: Deployed) -> dict[str, Box]:
    """Return every box, by its key."""
    listed = [*_of_the_api(deployed), *_of_the_queue(deployed), *_of_both(deployed), *_of_the_watch(deployed)]
    return {box.key: box for box in listed}


def _of_the_api(deployed: Deployed) -> list[Box]:
    gateway, function = deployed.gateway, deployed.api_function
    limits: list[str] = []
    if gateway is not None:
        limits.append(f"stage {gateway.stage}")
        if gateway.rate is not None and gateway.burst is not None:
            limits.append(
                f"{_kept(f'{formatting.number(gateway.rate)} requests/s')}, {_kept(f'bursts of {gateway.burst}')}"
            )
    request = f"POST {gateway.path}" if gateway else "POST"
    return [
        Box("caller", "person", "HTTP caller", lines=(request, "waits for the answer")),
        _box(deployed, "gateway", "api", "API Gateway", gateway, *limits),
        _box(deployed, "api_function", "api", "API Lambda", function, *_limits(function)),
    ]


def _of_the_queue(deployed: Deployed) -> list[Box]:
    queue, letters, worker, mapping = deployed.queue, deployed.dead_letters, deployed.worker, deployed.mapping
    taken = [_kept(f"batch size {mapping.batch_size}")] if mapping and mapping.batch_size else []
    if mapping and mapping.maximum_concurrency:
        taken.append(_kept(f"at most {mapping.maximum_concurrency} at once"))
    return [
        Box("sender", "person", "Java client", lines=("or any sender of SQS", "fetches the picture later")),
        _box(deployed, "queue", "queue", "SQS queue", queue, *_times(queue)),
        _box(deployed, "worker", "queue", "Worker Lambda", worker, *_limits(worker), ", ".join(taken)),
        # The visibility timeout of the dead-letter queue is irrelevant: its messages are received only by hand.
        _box(deployed, "dead_letters", "failure", "SQS DLQ", letters, *_times(letters)[-1:]),
    ]


def _of_both(deployed: Deployed) -> list[Box]:
    region, model = next(iter(deployed.models), ("", "none named"))
    more = len(deployed.models) - 1
    others = f"and {formatting.count(more, 'more model')}" if more > 0 else ""
    stand_in = "local stand-in for" if deployed.target == "local" else "Amazon"
    where = f"{stand_in} Bedrock {_kept(f'in {region}') if region else ''}"
    return [
        Box("models", "store", "Image models", model, tuple(filter(None, (where, others)))),
        _box(deployed, "bucket", "store", "S3 bucket", deployed.bucket, f"{deployed.prefix}/{_kept('<job id>')}.png"),
    ]


def _of_the_watch(deployed: Deployed) -> list[Box]:
    topic = deployed.topic
    local = deployed.target == "local"
    namespaces = (series.QUEUE_NAMESPACE, series.FUNCTION_NAMESPACE, series.API_NAMESPACE, series.OWN_NAMESPACE)
    return [
        Box("cloudwatch", "watch", "CloudWatch", lines=(f"metrics of {formatting.join(namespaces)}; logs",)),
        Box("notebooks", "person", "Notebooks", lines=(", ".join(reports.names()),)),
        Box("alarms", "watch", "CloudWatch alarms", deployed=deployed.alarms != ()),
        _box(deployed, "topic", "watch", "SNS topic", topic),
        Box("email", "person", "E-mail", lines=(*_heard(topic), *(("caught by couch emails",) if local else ()))),
        Box("on_call", "person", "On call", lines=("couch job: its story", "couch redrive: back to the queue")),
    ]


def _box(deployed: Deployed, key: str, style: str, title: str, there: Named | None, *lines: str) -> Box:
    """Return the box of a resource; a missing one has the name that it would have."""
    if there is None:
        return Box(key, style, title, deployed.expected_name(key), ("not deployed",), deployed=False)
    return Box(key, style, title, there.name, tuple(filter(None, lines)))


def rule(alarm: AlarmRule) -> str:
    """Describe an alarm's condition: "Maximum of each minute > 100 s"."""
    known = COMPARISONS.get(alarm.comparison)
    comparison = known.sign if known else alarm.comparison
    threshold = formatting.number(alarm.threshold)
    if alarm.metric == series.AGE[1]:
        threshold = formatting.seconds(alarm.threshold)
    elif alarm.metric == series.TIME_TO_PICTURE:
        threshold = formatting.seconds(alarm.threshold / 1000)
    return f"{alarm.statistic} of {formatting.period(alarm.period_s)} {comparison} {threshold}"


def _kept(text: str) -> str:
    return text.replace(" ", NBSP)


def _limits(function: Function | None) -> tuple[str, ...]:
    if function is None or function.timeout_s is None or function.memory_mb is None:
        return (NOT_KNOWN,)
    return (
        f"{_kept(f'time-out {formatting.seconds(function.timeout_s)}')}, {_kept(f'{formatting.number(function.memory_mb)} MB')}",
        ", ".join(filter(None, (function.runtime, function.architecture))),
    )


def _times(queue: Queue | None) -> tuple[str, ...]:
    if queue is None or queue.visibility_s is None or queue.retention_s is None:
        return (NOT_KNOWN,)
    return (
        f"visibility timeout {formatting.seconds(queue.visibility_s)}",
        f"kept for {formatting.count(queue.retention_s / DAY_S, 'day')}",
    )


def _heard(topic: Topic | None) -> tuple[str, ...]:
    if topic is None:
        return ()
    if topic.confirmed is None or topic.pending is None:
        return ("subscribers not known",)
    pending = f"{topic.pending} not confirmed yet" if topic.pending else ""
    return tuple(filter(None, (formatting.count(topic.confirmed, "confirmed subscriber"), pending)))


# What makes up each part that is deployed as one.
STACKS: dict[Literal["API", "queue"], tuple[str, ...]] = {
    "API": ("gateway", "api_function"),
    "queue": ("queue", "dead_letters", "worker", "alarms", "topic"),
}


def sentence(deployed: Deployed) -> str:
    """Describe in one sentence the paths of a prompt, and what happens to one that fails."""
    return formatting.sentence(*_clauses(deployed)) or "Nothing is deployed."


def missing(deployed: Deployed) -> str:
    """Return what is not deployed and how to deploy it, and what AWS did not return; empty if complete."""
    listed = boxes(deployed)
    sentences = []
    for part, keys in STACKS.items():
        gone = [listed[key] for key in keys if not listed[key].deployed]
        if len(gone) == len(keys):
            sentences.append(f"{not_deployed(part, deployed.target)}.")
        elif gone:
            how = not_deployed(part, deployed.target).partition(": ")[2]
            sentences.append(
                f"Missing, though other parts of the {part} are there: {formatting.join(box.title for box in gone)}. To bring it back, {how}."
            )
    return " ".join((*sentences, *_loose_ends(deployed), *deployed.notes))


def _loose_ends(deployed: Deployed) -> Iterator[str]:
    """Yield a sentence for each part that is deployed but not connected."""
    queue, worker = deployed.queue, deployed.worker
    if queue and worker and deployed.mapping is None:
        yield "Nobody takes jobs from the queue: the worker has no event source mapping."
    if queue and queue.is_known and queue.max_receives is None:
        yield "Nothing is ever given up on: the queue has no redrive policy."
    without_action = [alarm.short_name for alarm in deployed.alarms or () if not alarm.is_wired]
    if without_action:
        yield f"Wired to no topic, or switched off: {formatting.join(without_action)}."
    if deployed.bucket is None:
        yield f"There is no bucket {deployed.expected_name('bucket')}."


def alternative(deployed: Deployed) -> str:
    """Describe every box, in order."""
    rules = tuple(f"{alarm.short_name}: {rule(alarm)}" for alarm in deployed.alarms or ())
    absent = "" if deployed.alarms else NOT_KNOWN if deployed.alarms is None else "not deployed"
    descriptions = []
    for box in boxes(deployed).values():
        lines = (*rules, absent) if box.key == "alarms" else box.lines
        descriptions.append(": ".join(filter(None, (box.title, ", ".join(filter(None, (box.name, *lines)))))))
    return f"Diagram of the system. {'; '.join(descriptions)}."


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
        yield f"what cannot succeed{receives} goes to the dead-letter queue"
    if deployed.alarms:
        heard = deployed.topic.confirmed if deployed.topic else None
        whom = "" if heard is None else f" notify {formatting.count(heard, 'confirmed subscriber')}"
        yield f"{formatting.count(len(deployed.alarms), 'alarm')}{whom or ' watch'}"
