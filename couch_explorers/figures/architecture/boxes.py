"""The words of the architecture: what stands in each box, from what is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from couch_explorers import formatting, reports
from couch_explorers.metrics import series

if TYPE_CHECKING:
    from couch_explorers.figures.architecture.deployed import AlarmRule, Deployed, Function, Queue, Topic

DAY_S = 86_400
NOT_KNOWN = "settings not known"
# Keeps a number beside its unit.
NBSP = "\u00a0"
# CloudWatch's names for comparisons (PutMetricAlarm, ComparisonOperator).
COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "\u2265",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "\u2264",
}


class Named(Protocol):
    """A resource of any kind."""

    @property
    def name(self) -> str:
        """What it is called."""


@dataclass(frozen=True)
class Box:
    """A part of the system in words: what it is, its real name, its settings, and whether it is deployed.

    `look` says whose it is: api, queue, failure, watch, store, or person for what stands outside.
    """

    key: str
    look: str
    title: str
    name: str = ""
    lines: tuple[str, ...] = ()
    deployed: bool = True


def boxes(deployed: Deployed) -> dict[str, Box]:
    """Word every box, by its key."""
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
    asked = f"POST {gateway.path}" if gateway else "POST"
    return [
        Box("caller", "person", "HTTP caller", lines=(asked, "waits for the answer")),
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
        # The visibility timeout of dead letters tells nothing: nobody receives them but by hand.
        _box(deployed, "dead_letters", "failure", "SQS dead letters", letters, *_times(letters)[-1:]),
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


def _box(deployed: Deployed, key: str, look: str, title: str, there: Named | None, *lines: str) -> Box:
    """Word a deployed resource; one that is not there has the name that it would have."""
    if there is None:
        return Box(key, look, title, deployed.expected_name(key), ("not deployed",), deployed=False)
    return Box(key, look, title, there.name, tuple(filter(None, lines)))


def rule(alarm: AlarmRule) -> str:
    """Say when an alarm rings: "Maximum of each minute > 100 s"."""
    comparison = COMPARISONS.get(alarm.comparison, alarm.comparison)
    told = formatting.seconds if alarm.metric == series.AGE[1] else formatting.number
    return f"{alarm.statistic} of {formatting.period(alarm.period_s)} {comparison} {told(alarm.threshold)}"


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
