"""Which reasons and models there are numbers for: what CloudWatch lists, or everything it may be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core import errors, image_models
from couch_explorers.metrics import asking
from couch_explorers.metrics.facts import WORKER
from couch_explorers.metrics.series import FUNCTIONS, OWN_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.metrics.series import Names

ACTION = "cloudwatch:ListMetrics"

# The worker's word for a failure that nobody foresaw.
UNEXPECTED = "Unexpected"


@dataclass
class Labels:
    """The reasons of failed jobs, the model ids of each function's pictures, and why they are not CloudWatch's own list."""

    reasons: set[str] = field(default_factory=set)
    models: dict[str, set[str]] = field(default_factory=lambda: {resource: set() for resource in FUNCTIONS})
    unanswered: dict[str, str] = field(default_factory=dict)


def find(cloudwatch: Any, names: Names, model_arns: Iterable[str]) -> Labels:
    """List the reasons and models of the deployed functions; those that are known where CloudWatch lists none to this caller.

    CloudWatch lists what had a value in the last two weeks, and a new one after up to 15 minutes:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
    Raises MetricsError where it cannot be reached, or refuses for another reason than rights or haste.
    """
    labels = Labels()
    deployed = [resource for resource in FUNCTIONS if resource in names.deployed]
    if not deployed:
        return labels

    def ask(resource: str) -> tuple[list[dict[str, Any]] | None, str]:
        try:
            return _listed(cloudwatch, names.function(resource)), ""
        except (ClientError, BotoCoreError) as error:
            if not (asking.is_denied(error) or asking.is_throttled(error)):
                # Whoever is out of reach, or does not know the caller, will not give numbers either.
                raise asking.failure(error, ACTION) from error
            return None, asking.excuse(error, action=ACTION, to="list reasons and models")

    with ThreadPoolExecutor(len(deployed), thread_name_prefix="labels") as pool:
        answers = dict(zip(deployed, pool.map(ask, deployed), strict=True))
    for resource, (metrics, note) in answers.items():
        if metrics is None:
            labels.unanswered[ACTION] = f"{note} All that are known are asked for instead."
            labels.models[resource] = {arn.rpartition("/")[2] for arn in model_arns} or {image_models.DEFAULT_MODEL_ID}
            labels.reasons |= known_reasons() if resource == WORKER else set()
            continue
        labels.models[resource] = _values(metrics, "PicturesMade", "model")
        if resource == WORKER:
            labels.reasons = _values(metrics, "FailedJobs", "reason")
    return labels


def known_reasons() -> set[str]:
    """Every reason for which a job can fail."""

    def below(kind: type[errors.GenerationError]) -> set[str]:
        return {kind.reason}.union(*(below(each) for each in kind.__subclasses__()))

    return (below(errors.GenerationError) - {errors.GenerationError.reason}) | {UNEXPECTED}


def _listed(cloudwatch: Any, service: str) -> list[dict[str, Any]]:
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=OWN_NAMESPACE, Dimensions=[{"Name": "service", "Value": service}]
    )
    return [metric for page in pages for metric in page["Metrics"]]


def _values(metrics: Iterable[dict[str, Any]], metric: str, dimension: str) -> set[str]:
    """The values of a dimension beside the service, of the metrics that have just these two."""
    named = [
        {each["Name"]: each["Value"] for each in found["Dimensions"]}
        for found in metrics
        if found["MetricName"] == metric
    ]
    return {dimensions[dimension] for dimensions in named if dimensions.keys() == {"service", dimension}}
