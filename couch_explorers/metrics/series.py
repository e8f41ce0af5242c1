"""The series of a review: how a frame names each, and what CloudWatch is asked for it.

A key is (resource, metric, statistic). The metric is CloudWatch's own name; where it is told by reason or by model, that
stands behind a space: "FailedJobs ContentFiltered". Sources, in the AWS documentation:

- "Available CloudWatch metrics for Amazon SQS", AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
- "Types of metrics for Lambda functions", lambda/latest/dg/monitoring-metrics-types.html
- "Amazon API Gateway dimensions and metrics", apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from couch_explorers.core.errors import client_reasons
from couch_explorers.metrics.model import API, API_FUNCTION, DEAD_LETTERS, QUEUE, WORKER, Context, Series, SeriesKey
from couch_explorers.objective import API_OBJECTIVE, QUEUE_OBJECTIVE, Objective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from couch_explorers.workspace import Workspace

QUEUE_NAMESPACE, FUNCTION_NAMESPACE, API_NAMESPACE = "AWS/SQS", "AWS/Lambda", "AWS/ApiGateway"
OWN_NAMESPACE = "CouchExplorers"
# What marks synthetic points; no such metric exists on AWS.
LOCAL_NAMESPACE, SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY = "CouchExplorers/Local", "SyntheticHistory", "SyntheticDeploy"

COUNT, SECONDS, MILLISECONDS, PERCENT = "Count", "Seconds", "Milliseconds", "Percent"
FUNCTIONS = (WORKER, API_FUNCTION)
# The objective of each path, where the function does not say another.
OBJECTIVES: Mapping[str, Objective] = {WORKER: QUEUE_OBJECTIVE, API_FUNCTION: API_OBJECTIVE}

DurationStatistic = Literal["Average", "p50", "p95", "p99", "Maximum"]
DURATION_STATISTICS: tuple[DurationStatistic, ...] = ("Average", "p50", "p95", "p99", "Maximum")
TimeStatistic = Literal["p50", "p95", "p99", "SampleCount"]
TIME_PERCENTILES: tuple[TimeStatistic, ...] = ("p50", "p95", "p99")
LatencyStatistic = Literal["p50", "p95"]
LATENCY_STATISTICS: tuple[LatencyStatistic, ...] = ("p50", "p95")

VISIBLE: SeriesKey = (QUEUE, "ApproximateNumberOfMessagesVisible", "Maximum")
IN_FLIGHT: SeriesKey = (QUEUE, "ApproximateNumberOfMessagesNotVisible", "Maximum")
SENT: SeriesKey = (QUEUE, "NumberOfMessagesSent", "Sum")
DELETED: SeriesKey = (QUEUE, "NumberOfMessagesDeleted", "Sum")
AGE: SeriesKey = (QUEUE, "ApproximateAgeOfOldestMessage", "Maximum")
DEAD_LETTERS_VISIBLE: SeriesKey = (DEAD_LETTERS, "ApproximateNumberOfMessagesVisible", "Maximum")

FAILED_JOBS: SeriesKey = (WORKER, "FailedJobs", "Sum")
POSTPONED_JOBS: SeriesKey = (WORKER, "PostponedJobs", "Sum")

FAILED_REQUESTS = "FailedRequests"
TIME_TO_PICTURE = "TimeToPicture"

API_COUNT: SeriesKey = (API, "Count", "Sum")
API_4XX: SeriesKey = (API, "4XXError", "Sum")
API_5XX: SeriesKey = (API, "5XXError", "Sum")


def invocations(resource: str) -> SeriesKey:
    """How often a function ran."""
    return (resource, "Invocations", "Sum")


def errors(resource: str) -> SeriesKey:
    """How many of a function's runs ended in an error: a crash or a time-out."""
    return (resource, "Errors", "Sum")


def throttles(resource: str) -> SeriesKey:
    """How often a function was refused a run for want of concurrency; such a call is no invocation."""
    return (resource, "Throttles", "Sum")


def concurrency(resource: str) -> SeriesKey:
    """How many runs of a function were under way at once."""
    return (resource, "ConcurrentExecutions", "Maximum")


def duration(resource: str, statistic: DurationStatistic) -> SeriesKey:
    """How long a function's handler took."""
    return (resource, "Duration", statistic)


def pictures(resource: str, model: str = "") -> SeriesKey:
    """How many pictures a function made; with a model's id, by that model."""
    return (resource, f"PicturesMade {model}".rstrip(), "Sum")


def failed_jobs(reason: str = "") -> SeriesKey:
    """How many jobs failed for good; with a reason, for that reason."""
    return (WORKER, f"FailedJobs {reason}".rstrip(), "Sum")


def time_to_picture(resource: str, statistic: TimeStatistic) -> SeriesKey:
    """How long people waited for a picture: from asking to the stored picture, as the function publishes it."""
    return (resource, TIME_TO_PICTURE, statistic)


def within_objective(resource: str, objective: Objective) -> SeriesKey:
    """Which percentage of the pictures came within the objective, by CloudWatch's percentile rank, such as PR(:60000).

    "CloudWatch statistics definitions":
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    return (resource, TIME_TO_PICTURE, f"PR(:{objective.seconds * 1000:.10g})")


def excluded(resource: str) -> tuple[SeriesKey, ...]:
    """The jobs or requests that no service can turn into a picture, by reason: the client has to change them."""
    metric = "FailedJobs" if resource == WORKER else FAILED_REQUESTS
    return tuple((resource, f"{metric} {reason}", "Sum") for reason in sorted(client_reasons()))


def of_objective(resource: str, objective: Objective) -> tuple[SeriesKey, ...]:
    """All that the attained share of a path is made of; see `metrics.objectives`."""
    path = (FAILED_JOBS, SENT, VISIBLE, IN_FLIGHT, DEAD_LETTERS_VISIBLE) if resource == WORKER else (API_4XX, API_5XX)
    times = (within_objective(resource, objective), time_to_picture(resource, "SampleCount"))
    return (*times, *excluded(resource), *path)


def api_latency(statistic: LatencyStatistic) -> SeriesKey:
    """How long the API took to answer."""
    return (API, "Latency", statistic)


def samples_of(key: SeriesKey) -> SeriesKey:
    """Give the series that counts what a percentile is made of: runs of a function, requests to the API."""
    return API_COUNT if key[0] == API else invocations(key[0])


def reasons(facts: Context) -> tuple[str, ...]:
    """The reasons of failed jobs that were asked for, in alphabetical order."""
    return _after(facts, WORKER, "FailedJobs ")


def models(facts: Context, resource: str) -> tuple[str, ...]:
    """The ids of the models whose pictures by this function were asked for, in alphabetical order."""
    return _after(facts, resource, "PicturesMade ")


def _after(facts: Context, resource: str, head: str) -> tuple[str, ...]:
    metrics = {each.metric for each in facts.series if each.resource == resource}
    return tuple(sorted(metric.removeprefix(head) for metric in metrics if metric.startswith(head)))


@dataclass(frozen=True)
class Names:
    """What the parts of a candidate's system are called; `deployed` lists the parts that are there."""

    queue: str
    dead_letters: str
    worker: str
    api_function: str
    api: str
    candidate: str
    deployed: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> Names:
        """Read the names from a workspace; those of what is not deployed follow from the candidate's number."""
        stem = f"couch-explorers-{workspace.candidate}"
        there = {
            QUEUE: workspace.queue_url is not None,
            DEAD_LETTERS: workspace.dead_letter_url is not None,
            WORKER: "worker" in workspace.functions,
            API_FUNCTION: "api" in workspace.functions,
            API: workspace.api_url is not None,
        }
        return cls(
            queue=_last(workspace.queue_url) or f"{stem}-jobs",
            dead_letters=_last(workspace.dead_letter_url) or f"{stem}-jobs-dead-letter",
            worker=workspace.functions.get("worker", f"{stem}-worker"),
            api_function=workspace.functions.get("api", f"{stem}-generate-image"),
            api=f"{stem}-api",
            candidate=workspace.candidate,
            deployed=frozenset(part for part, is_there in there.items() if is_there),
        )

    def function(self, resource: str) -> str:
        """The name of the worker or of the API's function."""
        return {WORKER: self.worker, API_FUNCTION: self.api_function}[resource]


def _last(url: str | None) -> str:
    return (url or "").rsplit("/", 1)[-1]


# Key, unit, namespace and dimensions.
Asked = tuple[SeriesKey, str, str, dict[str, str]]


def build(
    names: Names,
    *,
    period_s: int,
    percentile_period_s: int,
    reasons: Iterable[str] = (),
    models: Mapping[str, Iterable[str]] | None = None,
    objectives: Mapping[str, Objective] = OBJECTIVES,
) -> tuple[Series, ...]:
    """Every series of a review.

    Args:
        names: What the parts are called.
        period_s: Seconds that a point stands for.
        percentile_period_s: The same of a percentile.
        reasons: For which jobs failed, beside those that are the client's, which are always asked for.
        models: For each function the ids of the models that it painted with.
        objectives: For each function the objective of its path.

    """
    asked = [*_of_queues(names), *_of_jobs(names, reasons), *_of_api(names)]
    for resource in FUNCTIONS:
        asked += _of_function(names, resource, (models or {}).get(resource, ()))
        asked += _of_times(names, resource, objectives[resource])
    return tuple(
        Series(
            *key,
            unit=unit,
            period_s=percentile_period_s if is_percentile(key) else period_s,
            namespace=namespace,
            cloudwatch_metric=key[1].partition(" ")[0],
            dimensions=tuple(sorted(dimensions.items())),
        )
        for key, unit, namespace, dimensions in asked
    )


def is_percentile(key: SeriesKey) -> bool:
    """Whether a series is a percentile, which has a period of its own."""
    return key[2].startswith("p")


def _of_queues(names: Names) -> Iterator[Asked]:
    jobs = {"QueueName": names.queue}
    for key in (VISIBLE, IN_FLIGHT, SENT, DELETED):
        yield key, COUNT, QUEUE_NAMESPACE, jobs
    yield AGE, SECONDS, QUEUE_NAMESPACE, jobs
    yield DEAD_LETTERS_VISIBLE, COUNT, QUEUE_NAMESPACE, {"QueueName": names.dead_letters}


def _of_function(names: Names, resource: str, models: Iterable[str]) -> Iterator[Asked]:
    function, service = {"FunctionName": names.function(resource)}, {"service": names.function(resource)}
    for key in (invocations(resource), errors(resource), throttles(resource), concurrency(resource)):
        yield key, COUNT, FUNCTION_NAMESPACE, function
    for statistic in DURATION_STATISTICS:
        yield duration(resource, statistic), MILLISECONDS, FUNCTION_NAMESPACE, function
    yield pictures(resource), COUNT, OWN_NAMESPACE, service
    for model in sorted(set(models)):
        yield pictures(resource, model), COUNT, OWN_NAMESPACE, service | {"model": model}


def _of_jobs(names: Names, reasons: Iterable[str]) -> Iterator[Asked]:
    service = {"service": names.worker}
    for key in (FAILED_JOBS, POSTPONED_JOBS):
        yield key, COUNT, OWN_NAMESPACE, service
    for reason in sorted({*reasons, *client_reasons()}):
        yield failed_jobs(reason), COUNT, OWN_NAMESPACE, service | {"reason": reason}


def _of_times(names: Names, resource: str, objective: Objective) -> Iterator[Asked]:
    service = {"service": names.function(resource)}
    for statistic in TIME_PERCENTILES:
        yield time_to_picture(resource, statistic), MILLISECONDS, OWN_NAMESPACE, service
    yield within_objective(resource, objective), PERCENT, OWN_NAMESPACE, service
    yield time_to_picture(resource, "SampleCount"), COUNT, OWN_NAMESPACE, service
    if resource == API_FUNCTION:
        for key in excluded(resource):
            yield key, COUNT, OWN_NAMESPACE, service | {"reason": key[1].partition(" ")[2]}


def _of_api(names: Names) -> Iterator[Asked]:
    api = {"ApiName": names.api}
    for key in (API_COUNT, API_4XX, API_5XX):
        yield key, COUNT, API_NAMESPACE, api
    for statistic in LATENCY_STATISTICS:
        yield api_latency(statistic), MILLISECONDS, API_NAMESPACE, api


def synthetic_marks(names: Names, period_s: int) -> tuple[Series, ...]:
    """What marks synthetic points: their minutes and their deploy. They do not enter the frame."""
    candidate = (("candidate", names.candidate),)
    return tuple(
        Series("synthetic metrics", metric, "Sum", COUNT, period_s, LOCAL_NAMESPACE, metric, candidate)
        for metric in (SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY)
    )
