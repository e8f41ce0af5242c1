"""A model of the synchronous API: pictures, errors, waits, and what is paid for in vain.

API Gateway has no queue. A request is answered within 29 seconds or refused: by the stage's throttle, for want of Lambda
concurrency, or by the image model's quota. People press the button again, and at some time give up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from couch_explorers.capacity import kernels
from couch_explorers.capacity.queue_model import MINUTE_S, CapacityError, ColdStart, Quota, checked_times
from couch_explorers.objective import judge, time_to_picture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ApiOutcome(IntEnum):
    """The outcome of a user's last request."""

    PICTURE = kernels.PICTURE
    STAGE_THROTTLED = kernels.STAGE_THROTTLED
    NO_CONCURRENCY = kernels.NO_CONCURRENCY
    MODEL_THROTTLED = kernels.MODEL_THROTTLED
    MODEL_TIMEOUT = kernels.MODEL_TIMEOUT
    GATEWAY_TIMEOUT = kernels.GATEWAY_LATE
    GAVE_UP = kernels.ABANDONED

    @property
    def status(self) -> int | None:
        """The HTTP status that the client got; None for a user who gave up before a response."""
        return _STATUS[self]

    @property
    def label(self) -> str:
        """The name in a table."""
        return _LABELS[self]


# A refusal by Lambda's own concurrency limit reaches the client of a proxy integration as 500, not as 429:
# https://repost.aws/knowledge-center/api-gateway-internal-server-error
_STATUS: dict[ApiOutcome, int | None] = {
    ApiOutcome.PICTURE: 200,
    ApiOutcome.STAGE_THROTTLED: 429,
    ApiOutcome.NO_CONCURRENCY: 500,
    ApiOutcome.MODEL_THROTTLED: 429,
    ApiOutcome.MODEL_TIMEOUT: 504,
    ApiOutcome.GATEWAY_TIMEOUT: 504,
    ApiOutcome.GAVE_UP: None,
}
_LABELS = {
    ApiOutcome.PICTURE: "picture",
    ApiOutcome.STAGE_THROTTLED: "refused: stage throttle",
    ApiOutcome.NO_CONCURRENCY: "refused: Lambda concurrency",
    ApiOutcome.MODEL_THROTTLED: "refused: model quota",
    ApiOutcome.MODEL_TIMEOUT: "model timeout",
    ApiOutcome.GATEWAY_TIMEOUT: "gateway timeout",
    ApiOutcome.GAVE_UP: "gave up waiting",
}


@dataclass(frozen=True)
class ApiLimits:
    """The limits of a request; the defaults are those of sam_lambda/template.yaml, its function, and AWS.

    Attributes:
        stage_rate: Requests a second that the stage lets through (StageThrottleRate).
        stage_burst: Requests at once (StageThrottleBurst).
        concurrency: Environments of the function at once; 1,000 is an account's default, new accounts may have 10
            (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
        read_timeout_s: How long the function waits for the model before it answers 504.
        gateway_timeout_s: How long API Gateway waits for the function
            (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html).
        refused_s: How long a refusal takes.
        backoff_s: The longest pause before the function asks a model a second time that refused.

    """

    stage_rate: float = 5.0
    stage_burst: float = 10.0
    concurrency: int = 1000
    read_timeout_s: float = 20.0
    gateway_timeout_s: float = 29.0
    refused_s: float = 0.1
    backoff_s: float = 1.0


@dataclass(frozen=True)
class Client:
    """A user at a browser: retries `retries` times, about `pause_s` after an error, and leaves after `patience_s`."""

    retries: int = 3
    pause_s: float = 5.0
    patience_s: float = 60.0


@dataclass(frozen=True)
class ApiTrace:
    """The outcome for each user, as arrays of shape (n,) in the order of arrival; times in seconds.

    `outcome` holds values of ApiOutcome; `ended_s` is when the person had the picture or went away; `attempts` counts requests.
    `paid` counts pictures that the model was paid for, `wasted` those of them that nobody got. `errors` counts all answers,
    not only the last, by their outcome.
    """

    arrival_s: NDArray[np.float64]
    outcome: NDArray[np.int64]
    attempts: NDArray[np.int64]
    ended_s: NDArray[np.float64]
    paid: NDArray[np.int64]
    wasted: NDArray[np.int64]
    errors: NDArray[np.int64]

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Which users got a picture."""
        got: NDArray[np.bool_] = self.outcome == ApiOutcome.PICTURE
        return got

    @property
    def time_to_picture_s(self) -> NDArray[np.float64]:
        """Seconds from the first request to the picture; infinite without a picture."""
        return time_to_picture(self.arrival_s, self.ended_s, self.succeeded)

    def attained(self, objective_s: float) -> float:
        """Return the share of all users with a picture within `objective_s` seconds."""
        return judge(self.time_to_picture_s, objective_s).share

    def outcomes(self) -> pd.DataFrame:
        """Return a row for each outcome that occurred: users, share, HTTP status, median wait, responses before it."""
        waited = self.ended_s - self.arrival_s
        rows = [
            {
                "outcome": each.label,
                "status": each.status,
                "people": int(np.sum(self.outcome == each)),
                "share": float(np.mean(self.outcome == each)),
                "median_wait_s": float(np.median(waited[self.outcome == each]))
                if (self.outcome == each).any()
                else np.nan,
                "answers": int(self.errors[each]),
            }
            for each in ApiOutcome
        ]
        frame = pd.DataFrame(rows).astype({"status": "Int64"})
        return frame[(frame["people"] > 0) | (frame["answers"] > 0)].reset_index(drop=True)


def simulate_api(
    arrivals_s: ArrayLike,
    service_s: ArrayLike,
    *,
    limits: ApiLimits | None = None,
    client: Client | None = None,
    quota: Quota | None = None,
    cold_start: ColdStart | None = None,
    rng: np.random.Generator,
) -> ApiTrace:
    """Simulate each user requesting a picture from the API.

    Args:
        arrivals_s: When people ask for the first time, ascending; seconds, shape (n,).
        service_s: How long the model takes for each person's picture, and its storage; seconds, shape (n,), or one number.
        limits: What bounds a request.
        client: What people do after an error, and how long they wait.
        quota: The model's limit of images a minute; `throttled_s` plays no part here.
        cold_start: What a new environment takes, and after which pause an idle one is new again.
        rng: Draws pauses.

    Returns:
        One entry a person, in the order of arrival.

    Raises:
        CapacityError: For times as `simulate` refuses them, and for limits or clients out of range.

    """
    arrivals, service = checked_times(arrivals_s, service_s)
    options = _options(limits or ApiLimits(), client or Client(), quota, cold_start)
    n = len(arrivals)
    outcome, attempts, paid, wasted = (np.zeros(n, dtype=np.int64) for _ in range(4))
    errors, ended = np.zeros(len(ApiOutcome), dtype=np.int64), np.zeros(n)
    kernels.serve_requests(arrivals, service, options, outcome, attempts, ended, paid, wasted, errors, rng)
    return ApiTrace(arrivals, outcome, attempts, ended, paid, wasted, errors)


def _options(
    limits: ApiLimits, client: Client, quota: Quota | None, cold_start: ColdStart | None
) -> NDArray[np.float64]:
    cold, model = cold_start or ColdStart(0.0), quota or Quota(np.inf, burst=1.0)
    burst = model.images_per_minute if model.burst is None else model.burst
    positive = {
        "stage_rate": limits.stage_rate,
        "stage_burst": limits.stage_burst,
        "concurrency": limits.concurrency,
        "images_per_minute": model.images_per_minute,
        "burst": burst,
        "gateway_timeout_s": limits.gateway_timeout_s,
        "patience_s": client.patience_s,
    }
    for name, value in positive.items():
        if not value > 0:
            raise CapacityError(f"{name} is {value:g}: give more than 0.")
    seconds = {
        "read_timeout_s": limits.read_timeout_s,
        "refused_s": limits.refused_s,
        "backoff_s": limits.backoff_s,
        "seconds": cold.seconds,
        "idle_s": cold.idle_s,
        "retries": client.retries,
        "pause_s": client.pause_s,
    }
    for name, value in seconds.items():
        if not value >= 0:
            raise CapacityError(f"{name} is {value:g}: give 0 or more.")
    return np.array([
        limits.stage_rate, limits.stage_burst, limits.concurrency, limits.read_timeout_s, limits.gateway_timeout_s,
        limits.refused_s, cold.seconds, cold.idle_s, model.images_per_minute / MINUTE_S, burst, limits.backoff_s,
        client.retries, client.pause_s, client.patience_s,
    ], dtype=np.float64)  # fmt: skip
