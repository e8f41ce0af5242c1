"""The series of a review: their keys in a frame, and their CloudWatch metrics.

A key is (resource, metric, statistic). The metric is CloudWatch's name, followed by a space and the reason or model if the
series is for one: "FailedJobs ContentFiltered". Sources, in the AWS documentation:

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
# The metrics that mark synthetic points; they do not exist on AWS.
LOCAL_NAMESPACE, SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY = "CouchExplorers/Local", "SyntheticHistory", "SyntheticDeploy"

COUNT, SECONDS, MILLISECONDS, PERCENT = "Count", "Seconds", "Milliseconds", "Percent"
FUNCTIONS = (WORKER, API_FUNCTION)
# The default objective of each path, unless its function has another.
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
    """Return the series of a function's invocations."""
    return (resource, "Invocations", "Sum")


def errors(resource: str) -> SeriesKey:
    """Return the series of invocations that ended in an error: a crash or a timeout."""
    return (resource, "Errors", "Sum")


def throttles(resource: str) -> SeriesKey:
    """Return the series of calls throttled for lack of concurrency, which are not invocations."""
    return (resource, "Throttles", "Sum")


def concurrency(resource: str) -> SeriesKey:
    """Return the series of concurrent executions."""
    return (resource, "ConcurrentExecutions", "Maximum")


def duration(resource: str, statistic: DurationStatistic) -> SeriesKey:
    """Return the series of a function's duration."""
    return (resource, "Duration", statistic)


def pictures(resource: str, model: str = "") -> SeriesKey:
    """Return the series of pictures that a function made; with a model's id, by that model."""
    return (resource, f"PicturesMade {model}".rstrip(), "Sum")


def failed_jobs(reason: str = "") -> SeriesKey:
    """Return the series of permanently failed jobs; with a reason, for that reason."""
    return (WORKER, f"FailedJobs {reason}".rstrip(), "Sum")


def time_to_picture(resource: str, statistic: TimeStatistic) -> SeriesKey:
    """Return the series of the time from request to stored picture, as the function publishes it."""
    return (resource, TIME_TO_PICTURE, statistic)


def within_objective(resource: str, objective: Objective) -> SeriesKey:
    """Return the series of the percentage of pictures within the objective, a percentile rank such as PR(:60000).

    "CloudWatch statistics definitions":
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    return (resource, TIME_TO_PICTURE, f"PR(:{objective.seconds * 1000:.10g})")


def excluded(resource: str) -> tuple[SeriesKey, ...]:
    """Return the series of client errors by reason: jobs or requests that the client has to change."""
    metric = "FailedJobs" if resource == WORKER else FAILED_REQUESTS
    return tuple((resource, f"{metric} {reason}", "Sum") for reason in sorted(client_reasons()))


def of_objective(resource: str, objective: Objective) -> tuple[SeriesKey, ...]:
    """Return all series that the attained share of a path is computed from; see `metrics.objectives`."""
    path = (FAILED_JOBS, SENT, VISIBLE, IN_FLIGHT, DEAD_LETTERS_VISIBLE) if resource == WORKER else (API_4XX, API_5XX)
    times = (within_objective(resource, objective), time_to_picture(resource, "SampleCount"))
    return (*times, *excluded(resource), *path)


def api_latency(statistic: LatencyStatistic) -> SeriesKey:
    """Return the series of the API's latency."""
    return (API, "Latency", statistic)


def samples_of(key: SeriesKey) -> SeriesKey:
    """Return the series that counts a percentile's samples: invocations of a function, requests to the API."""
    return API_COUNT if key[0] == API else invocations(key[0])


def reasons(context: Context) -> tuple[str, ...]:
    """Return the requested reasons of failed jobs, in alphabetical order."""
    return _suffixes(context, WORKER, "FailedJobs ")


def models(context: Context, resource: str) -> tuple[str, ...]:
    """Return the ids of the models whose pictures by this function were requested, in alphabetical order."""
    return _suffixes(context, resource, "PicturesMade ")


def _suffixes(context: Context, resource: str, prefix: str) -> tuple[str, ...]:
    metrics = {each.metric for each in context.series if each.resource == resource}
    return tuple(sorted(metric.removeprefix(prefix) for metric in metrics if metric.startswith(prefix)))


@dataclass(frozen=True)
class Names:
    """The names of the parts of a candidate's system; `deployed` lists the parts that exist."""

    queue: str
    dead_letters: str
    worker: str
    api_function: str
    api: str
    candidate: str
    deployed: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> Names:
        """Read the names from a workspace; those of missing parts are derived from the candidate's number."""
        stem = f"couch-explorers-{workspace.candidate}"
        is_deployed = {
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
            deployed=frozenset(part for part, exists in is_deployed.items() if exists),
        )

    def function(self, resource: str) -> str:
        """Return the name of the worker or of the API's function."""
        return {WORKER: self.worker, API_FUNCTION: self.api_function}[resource]


def _last(url: str | None) -> str:
    return (url or "").rsplit("/", 1)[-1]


# Key, unit, namespace and dimensions.
Definition = tuple[SeriesKey, str, str, dict[str, str]]


def build(
    names: Names,
    *,
    period_s: int,
    percentile_period_s: int,
    reasons: Iterable[str] = (),
    models: Mapping[str, Iterable[str]] | None = None,
    objectives: Mapping[str, Objective] = OBJECTIVES,
) -> tuple[Series, ...]:
    """Return every series of a review.

    Args:
        names: The names of the parts.
        period_s: The period of a point, in seconds.
        percentile_period_s: The period of a percentile, in seconds.
        reasons: The reasons of failed jobs, besides the client's, which are always included.
        models: For each function, the ids of the models that it has used.
        objectives: For each function, the objective of its path.

    """
    definitions = [*_queue_series(names), *_job_series(names, reasons), *_api_series(names)]
    for resource in FUNCTIONS:
        definitions += _function_series(names, resource, (models or {}).get(resource, ()))
        definitions += _time_series(names, resource, objectives[resource])
    return tuple(
        Series(
            *key,
            unit=unit,
            period_s=percentile_period_s if is_percentile(key) else period_s,
            namespace=namespace,
            cloudwatch_metric=key[1].partition(" ")[0],
            dimensions=tuple(sorted(dimensions.items())),
        )
        for key, unit, namespace, dimensions in definitions
    )


def is_percentile(key: SeriesKey) -> bool:
    """Check whether a series is a percentile, which has a period of its own."""
    return key[2].startswith("p")


def _queue_series(names: Names) -> Iterator[Definition]:
    jobs = {"QueueName": names.queue}
    for key in (VISIBLE, IN_FLIGHT, SENT, DELETED):
        yield key, COUNT, QUEUE_NAMESPACE, jobs
    yield AGE, SECONDS, QUEUE_NAMESPACE, jobs
    yield DEAD_LETTERS_VISIBLE, COUNT, QUEUE_NAMESPACE, {"QueueName": names.dead_letters}


def _function_series(names: Names, resource: str, models: Iterable[str]) -> Iterator[Definition]:
    function, service = {"FunctionName": names.function(resource)}, {"service": names.function(resource)}
    for key in (invocations(resource), errors(resource), throttles(resource), concurrency(resource)):
        yield key, COUNT, FUNCTION_NAMESPACE, function
    for statistic in DURATION_STATISTICS:
        yield duration(resource, statistic), MILLISECONDS, FUNCTION_NAMESPACE, function
    yield pictures(resource), COUNT, OWN_NAMESPACE, service
    for model in sorted(set(models)):
        yield pictures(resource, model), COUNT, OWN_NAMESPACE, service | {"model": model}


def _job_series(names: Names, reasons: Iterable[str]) -> Iterator[Definition]:
    service = {"service": names.worker}
    for key in (FAILED_JOBS, POSTPONED_JOBS):
        yield key, COUNT, OWN_NAMESPACE, service
    for reason in sorted({*reasons, *client_reasons()}):
        yield failed_jobs(reason), COUNT, OWN_NAMESPACE, service | {"reason": reason}


def _time_series(names: Names, resource: str, objective: Objective) -> Iterator[Definition]:
    service = {"service": names.function(resource)}
    for statistic in TIME_PERCENTILES:
        yield time_to_picture(resource, statistic), MILLISECONDS, OWN_NAMESPACE, service
    yield within_objective(resource, objective), PERCENT, OWN_NAMESPACE, service
    yield time_to_picture(resource, "SampleCount"), COUNT, OWN_NAMESPACE, service
    if resource == API_FUNCTION:
        for key in excluded(resource):
            yield key, COUNT, OWN_NAMESPACE, service | {"reason": key[1].partition(" ")[2]}


def _api_series(names: Names) -> Iterator[Definition]:
    api = {"ApiName": names.api}
    for key in (API_COUNT, API_4XX, API_5XX):
        yield key, COUNT, API_NAMESPACE, api
    for statistic in LATENCY_STATISTICS:
        yield api_latency(statistic), MILLISECONDS, API_NAMESPACE, api


def synthetic_marks(names: Names, period_s: int) -> tuple[Series, ...]:
    """Return the series that mark synthetic points and deploys. They are not part of the frame."""
    candidate = (("candidate", names.candidate),)
    return tuple(
        Series("synthetic metrics", metric, "Sum", COUNT, period_s, LOCAL_NAMESPACE, metric, candidate)
        for metric in (SYNTHETIC_HISTORY, SYNTHETIC_DEPLOY)
    )
