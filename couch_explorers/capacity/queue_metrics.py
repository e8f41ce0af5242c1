"""Metrics of a simulated queue: CloudWatch's metrics per minute, how long the backlog lasts, and the cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from couch_explorers.capacity import kernels
from couch_explorers.capacity.queue_model import MINUTE_S
from couch_explorers.core import image_models
from couch_explorers.metrics import cost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from couch_explorers.capacity.queue_model import JobTrace

MB_A_GB = 1024
# A job's own requests: its send and its deletion; each delivery is another.
REQUESTS_A_JOB = 2


@dataclass(frozen=True)
class Cost:
    """The cost of simulated work in USD, at list prices without free tiers; `wasted` is the part of `pictures` that nobody got."""

    pictures: float
    wasted: float
    compute: float
    requests: float

    @property
    def total(self) -> float:
        """The total cost."""
        return self.pictures + self.compute + self.requests


def minute_metrics(trace: JobTrace, *, start_s: float = 0.0, end_s: float | None = None) -> pd.DataFrame:
    """Return a queue's metrics as CloudWatch publishes them, one row per minute.

    ApproximateAgeOfOldestMessage follows the rule of three receives: a message that was received three times and not deleted
    goes to the back of a standard queue, and no longer counts
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).

    Args:
        trace: What happened to each job.
        start_s: Where the grid of minutes begins.
        end_s: Where it ends; by default a minute after the last job has left.

    Returns:
        Index `minute` (from 0 at `start_s`); columns ApproximateAgeOfOldestMessage (seconds, at the end of the minute),
        ApproximateNumberOfMessagesVisible (not received yet), ApproximateNumberOfMessagesNotVisible (being served, or put
        off), NumberOfMessagesSent, NumberOfMessagesDeleted, and DeadLetters (lying in the dead-letter queue).

    """
    last_s = float(trace.left_s.max()) + MINUTE_S if end_s is None else end_s
    minutes = max(1, math.ceil((last_s - start_s) / MINUTE_S))
    ends = start_s + MINUTE_S * np.arange(1, minutes + 1)
    ages = oldest_ages(trace, ends)
    arrived, left = _counts(trace.arrival_s, ends), _counts(trace.left_s, ends)
    started = _counts(trace.first_start_s, ends)
    before = np.array([[np.sum(trace.arrival_s <= start_s)], [np.sum(trace.left_s <= start_s)]])
    return pd.DataFrame(
        {
            "ApproximateAgeOfOldestMessage": np.floor(ages),
            "ApproximateNumberOfMessagesVisible": arrived - started,
            "ApproximateNumberOfMessagesNotVisible": started - left,
            "NumberOfMessagesSent": np.diff(arrived, prepend=before[0]),
            "NumberOfMessagesDeleted": np.diff(left, prepend=before[1]),
            "DeadLetters": _counts(trace.left_s[~trace.succeeded], ends),
        },
        index=pd.RangeIndex(minutes, name="minute"),
    )


def oldest_ages(trace: JobTrace, times_s: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return the age of the oldest message that counts, at each of the times (ascending); seconds, 0 if there is none."""
    ages = np.empty(len(times_s))
    kernels.oldest_age(trace.arrival_s, np.minimum(trace.left_s, trace.third_receive_s), times_s, ages)
    return ages


def drain_time_s(trace: JobTrace, after_s: float) -> float:
    """Return the seconds from `after_s` until every job that had arrived has had its first delivery; 0 if none waits."""
    there = trace.arrival_s <= after_s
    return max(0.0, float(trace.first_start_s[there].max()) - after_s) if there.any() else 0.0


def queue_cost(
    trace: JobTrace,
    service_s: NDArray[np.float64],
    model: str,
    *,
    memory_mb: int = 512,
    size: str = image_models.DEFAULT_SIZE,
) -> Cost:
    """Return the cost of a queue: pictures, timed-out attempts (which may be billed), Lambda's time, and requests.

    Raises:
        UnknownModelError: For a model that is not known.

    """
    attempts, timeouts = int(trace.receives.sum()), int(trace.timeouts.sum())
    made = int(trace.succeeded.sum())
    price = image_models.get(model).price_usd(size)
    # Failed attempts are assumed to last as long as a picture: an upper bound.
    seconds = float((service_s * trace.receives).sum())
    return Cost(
        pictures=(made + timeouts) * price,
        wasted=timeouts * price,
        compute=seconds * memory_mb / MB_A_GB * cost.LAMBDA_GB_SECOND + attempts * cost.LAMBDA_REQUEST,
        requests=(REQUESTS_A_JOB * len(trace.arrival_s) + attempts) * cost.SQS_REQUEST,
    )


def api_cost(
    paid: int,
    wasted: int,
    attempts: int,
    seconds: float,
    model: str,
    *,
    memory_mb: int = 1024,
    size: str = image_models.DEFAULT_SIZE,
) -> Cost:
    """Return the cost of the API: pictures, of which `wasted` reached nobody, `seconds` of Lambda, and requests.

    Raises:
        UnknownModelError: For a model that is not known.

    """
    price = image_models.get(model).price_usd(size)
    return Cost(
        pictures=paid * price,
        wasted=wasted * price,
        compute=seconds * memory_mb / MB_A_GB * cost.LAMBDA_GB_SECOND + attempts * cost.LAMBDA_REQUEST,
        requests=attempts * cost.API_REQUEST,
    )


def _counts(events_s: NDArray[np.float64], times_s: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return how many events there were up to each time."""
    return np.searchsorted(np.sort(events_s), times_s, side="right").astype(np.int64)
