"""The cost of a window: pictures by model, Lambda, SQS and API requests, at list prices and without free tiers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.metrics import model, series, statistics
from couch_explorers.metrics.model import SeriesState

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey

# Each is a request: a send, a receive, a deletion, a job postponed.
QUEUE_KEYS: tuple[SeriesKey, ...] = (
    series.SENT,
    series.invocations(model.WORKER),
    series.DELETED,
    series.POSTPONED_JOBS,
)
MB_A_GB = 1024
MILLISECONDS_A_SECOND = 1000


@dataclass(frozen=True)
class Cost:
    """The cost of a window in USD, by part; NaN for a part with unknown numbers or price.

    `unpriced` lists models without a price; their pictures are not included. `unnamed` counts pictures whose model CloudWatch
    does not list yet (a new one takes up to 15 minutes): they are priced as the default model's.
    """

    pictures: float
    functions: float
    queue: float
    api: float
    unpriced: tuple[str, ...] = ()
    unnamed: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the known parts; NaN if there are none."""
        parts = [part for part in (self.pictures, self.functions, self.queue, self.api) if not math.isnan(part)]
        return sum(parts) if parts else math.nan

    @property
    def unknown(self) -> tuple[str, ...]:
        """The parts with unknown cost."""
        parts = {"pictures": self.pictures, "Lambda": self.functions, "queue": self.queue, "API": self.api}
        return tuple(name for name, part in parts.items() if math.isnan(part))


def cost_of_window(frame: pd.DataFrame, window: str = "now") -> Cost:
    """Return the cost of a window. Pictures are assumed to have the default size; S3, logs and metrics are not included."""
    context = model.context_of(frame)
    pictures = [_pictures(frame, context, resource, window) for resource in series.FUNCTIONS]
    return Cost(
        pictures=_sum(usd for usd, _, _ in pictures),
        functions=_sum(function_cost(frame, resource, window) for resource in series.FUNCTIONS),
        queue=_queue(frame, context, window),
        api=count_of(frame, series.API_COUNT, window) * API_REQUEST,
        unpriced=tuple(sorted({model for _, models, _ in pictures for model in models})),
        unnamed=sum(unnamed for _, _, unnamed in pictures if not math.isnan(unnamed)),
    )


def cost_series(context: Context) -> tuple[SeriesKey, ...]:
    """Return the series that a cost is computed from."""
    pictures = [
        series.pictures(resource, model)
        for resource in series.FUNCTIONS
        for model in ("", *series.models(context, resource))
    ]
    runs = [series.invocations(model.API_FUNCTION), *(series.duration(each, "Average") for each in series.FUNCTIONS)]
    return (*QUEUE_KEYS, *pictures, *runs, series.API_COUNT)


def _pictures(frame: pd.DataFrame, context: Context, resource: str, window: str) -> tuple[float, list[str], float]:
    """Return the cost of a function's pictures, the models without a price, and the number of pictures without a model."""
    made = count_of(frame, series.pictures(resource), window)
    by_model = {
        model: count_of(frame, series.pictures(resource, model), window) for model in series.models(context, resource)
    }
    unnamed = max(0.0, made - sum(each for each in by_model.values() if not math.isnan(each)))
    usd = unnamed * _price(image_models.DEFAULT_MODEL_ID)
    priced = {model: count * _price(model) for model, count in by_model.items() if count > 0}
    return (
        math.nan if math.isnan(made) else usd + sum(each for each in priced.values() if not math.isnan(each)),
        [model for model, each in priced.items() if math.isnan(each)],
        unnamed,
    )


def count_of(frame: pd.DataFrame, key: SeriesKey, window: str = "now") -> float:
    """Return the sum of a series: 0 if it is not deployed, which costs nothing; NaN if unknown."""
    if model.context_of(frame).state(key, window) is SeriesState.MISSING:
        return 0.0
    return statistics.total(frame, key, window)


def _price(model: str) -> float:
    try:
        return image_models.get(model).price_usd()
    except UnknownModelError:
        return math.nan


def function_cost(frame: pd.DataFrame, resource: str, window: str = "now") -> float:
    """Return the cost of a function's runs in USD: duration times memory, and a price per request."""
    context = model.context_of(frame)
    runs = model.points(frame, series.invocations(resource), window)
    if runs.sum() == 0:
        return count_of(frame, series.invocations(resource), window)
    function = context.function(resource)
    if function is None:
        return math.nan
    seconds = run_seconds(frame, resource, window)
    return seconds * function.memory_mb / MB_A_GB * LAMBDA_GB_SECOND + float(runs.sum()) * LAMBDA_REQUEST


def run_seconds(frame: pd.DataFrame, resource: str, window: str = "now") -> float:
    """Return the total duration of a function's runs in seconds."""
    runs = model.points(frame, series.invocations(resource), window)
    took_ms = model.points(frame, series.duration(resource, "Average"), window)
    return float((runs * took_ms).sum()) / MILLISECONDS_A_SECOND


def _queue(frame: pd.DataFrame, context: Context, window: str) -> float:
    """Return the cost of the queue's requests in USD: sends, receives, deletions, postponements, and Lambda's polling."""
    if context.state(series.SENT, window) is SeriesState.MISSING:
        return 0.0
    polls = idle_requests(context.window(window).length.total_seconds())
    return (queue_requests(frame, window) + polls) * SQS_REQUEST


def queue_requests(frame: pd.DataFrame, window: str = "now") -> float:
    """Count the requests caused by the jobs of a window: sends, receives, deletions, postponements."""
    return sum(count_of(frame, key, window) for key in QUEUE_KEYS)


def idle_requests(seconds: float) -> float:
    """Count Lambda's polls of a queue in this time, which happen whether it has messages or not."""
    return POLLERS * seconds / POLL_S


def _sum(parts: Iterator[float]) -> float:
    """Return the sum of the known parts; NaN if there are none."""
    known = [part for part in parts if not math.isnan(part)]
    return sum(known) if known else math.nan


# Collected in November 2026; the pages below say what is billed.
PRICES_AS_OF = "2026-11-25"

# By service.
SOURCES = {
    "Lambda": "https://aws.amazon.com/lambda/pricing/",
    "SQS": "https://aws.amazon.com/sqs/pricing/",
    "API Gateway": "https://aws.amazon.com/api-gateway/pricing/",
}

# Lambda: arm64, the first 7.5 billion GB-seconds of a month.
LAMBDA_GB_SECOND = 0.0000133334
LAMBDA_REQUEST = 0.20 / 1e6

# SQS: standard queues, up to 100 billion requests a month; each 64 KB of a message is a request.
SQS_REQUEST = 0.40 / 1e6

# API Gateway: REST APIs, the first 333 million requests of a month.
API_REQUEST = 3.50 / 1e6

# Lambda polls a queue all the time, whether it has messages or not: with 5 pollers, each with a wait of up to 20 s.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html and
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
POLLERS = 5
POLL_S = 20

# What a container would cost in Lambda's place, arm64 on Fargate, by the hour: https://aws.amazon.com/fargate/pricing/
# (us-east-1's list price; the page has each region's).
FARGATE_VCPU_HOUR = 0.03238
FARGATE_GB_HOUR = 0.00356
