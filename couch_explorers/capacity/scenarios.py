"""The beta on both paths, its cost with more users, and which limit is reached first as the number of users grows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from couch_explorers.capacity.alarm_advice import HOUR_S, Load
from couch_explorers.capacity.api_model import ApiLimits, Client, simulate_api
from couch_explorers.capacity.queue_metrics import api_cost, queue_cost
from couch_explorers.capacity.queue_model import MINUTE_S, ColdStart, Quota
from couch_explorers.core import image_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from couch_explorers.capacity.alarm_advice import System
    from couch_explorers.capacity.api_model import ApiTrace
    from couch_explorers.capacity.queue_metrics import Cost
    from couch_explorers.capacity.queue_model import JobTrace

QUEUE, API, BOTH = "queue", "API", "both"
# Workers that are busy for more than this share of the busiest hour have no room for a crowd.
FULL = 0.85
DAY_MINUTES = 24 * 60

_LAMBDA_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_SQS_SCALING = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"
_API_LIMITS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"
_BEDROCK_QUOTAS = "https://docs.aws.amazon.com/bedrock/latest/userguide/quotas.html"
_S3_RATES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html"


@dataclass(frozen=True)
class Beta:
    """The same users on both paths.

    Attributes:
        arrivals_s: When each person asks, ascending; seconds from the beta's start.
        service_s: How long each picture takes, on either path; seconds.
        minutes: How long people come for.
        queue: What the queue made of it.
        api: What the synchronous API made of it.
        queue_cost: USD of the queue's work.
        api_cost: USD of the API's work.

    """

    arrivals_s: NDArray[np.float64]
    service_s: NDArray[np.float64]
    minutes: float
    queue: JobTrace
    api: ApiTrace
    queue_cost: Cost
    api_cost: Cost


def run_beta(
    users: int,
    minutes: float,
    system: System,
    *,
    quota: float = math.inf,
    limits: ApiLimits | None = None,
    client: Client | None = None,
    model: str = image_models.DEFAULT_MODEL_ID,
    service_s: NDArray[np.float64] | None = None,
    rng: np.random.Generator,
) -> Beta:
    """Simulate users who each request one picture, at random times within the minutes, through the queue and the API.

    Args:
        users: How many people, at least 1.
        minutes: How long they come for, above 0.
        system: The workers, and how long a picture takes.
        quota: Images a minute that the model allows, on either path.
        limits: The API's settings.
        client: What people do after an error of the API.
        model: Whose price counts.
        service_s: Measured seconds a picture, of which each person draws one, in place of the system's.
        rng: Draws arrivals, durations and failures.

    Raises:
        CapacityError: For times, limits or quotas that the models refuse.

    """
    arrivals = np.sort(rng.uniform(0, minutes * MINUTE_S, users))
    service = system.service_s(users, rng) if service_s is None else rng.choice(service_s, users)
    queue = replace(system, quota=quota).run(arrivals, rng, service_s=service)
    api = simulate_api(
        arrivals,
        service,
        limits=limits,
        client=client,
        quota=None if math.isinf(quota) else Quota(quota),
        cold_start=ColdStart(system.cold_start_s),
        rng=rng,
    )
    paid, attempts = int(api.paid.sum()), int(api.attempts.sum())
    seconds = float((service * api.paid).sum()) + attempts * (limits or ApiLimits()).refused_s
    return Beta(
        arrivals_s=arrivals,
        service_s=service,
        minutes=minutes,
        queue=queue,
        api=api,
        queue_cost=queue_cost(queue, service, model),
        api_cost=api_cost(paid, int(api.wasted.sum()), attempts, seconds, model),
    )


def cost_by_users(
    users: Sequence[int], minutes: float, system: System, *, quota: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Run the beta with each number of users, all within the same minutes.

    Returns:
        A row a number of users: `users`, USD by the queue (`queue_usd`) and by the API (`api_usd`), what people got
        (`queue_pictures`, `api_pictures`), USD for one of these (`queue_usd_each`, `api_usd_each`), and the share of the API's
        money that was for nothing (`api_wasted`).

    """
    rows = []
    for count in users:
        beta = run_beta(count, minutes, system, quota=quota, rng=rng)
        got = {"queue": int(beta.queue.succeeded.sum()), "api": int(beta.api.succeeded.sum())}
        rows.append(
            {
                "users": count,
                "queue_usd": beta.queue_cost.total,
                "api_usd": beta.api_cost.total,
                "queue_pictures": got["queue"],
                "api_pictures": got["api"],
                "queue_usd_each": beta.queue_cost.total / max(1, got["queue"]),
                "api_usd_each": beta.api_cost.total / max(1, got["api"]),
                "api_wasted": beta.api_cost.wasted / beta.api_cost.total,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Bound:
    """A limit of the system, as pictures per second.

    Attributes:
        name: What is limited, with its value.
        path: Which path meets it: QUEUE, API or BOTH.
        pictures_per_s: What it carries.
        change: What to do when it is reached.
        source: Where the limit is documented, or which setting it is.

    """

    name: str
    path: str
    pictures_per_s: float
    change: str
    source: str


def bounds(system: System, quota: float, limits: ApiLimits | None = None) -> tuple[Bound, ...]:
    """Return the limits of a system, in the order in which a growing load reaches them.

    Args:
        system: Its concurrency and seconds a picture.
        quota: Images a minute that the model's quota allows.
        limits: The API's settings.

    """
    limits = limits or ApiLimits()
    picture_s = system.picture_s * math.exp(system.spread**2 / 2)
    found = (
        Bound(
            f"maximum_concurrency {system.concurrency}",
            QUEUE,
            FULL * system.concurrency / picture_s,
            "raise maximum_concurrency, up to the model's quota",
            "infra/variables.tf",
        ),
        Bound(
            f"model quota {quota:g} a minute",
            BOTH,
            quota / MINUTE_S,
            "request a higher quota; add a second model or region; batch inference or provisioned throughput where the "
            "model offers them",
            _BEDROCK_QUOTAS,
        ),
        Bound(
            f"stage throttle {limits.stage_rate:g} a second",
            API,
            limits.stage_rate,
            "raise StageThrottleRate, or answer at once and send the job through the queue",
            "sam_lambda/template.yaml",
        ),
        Bound(
            f"Lambda concurrency {limits.concurrency:,}",
            BOTH,
            FULL * limits.concurrency / picture_s,
            "raise the account's concurrency; let one environment wait for several pictures (a container)",
            _LAMBDA_LIMITS,
        ),
        Bound(
            "concurrency of one queue 1,000",
            QUEUE,
            FULL * 1000 / picture_s,
            "several queues, each with a mapping of its own",
            _SQS_SCALING,
        ),
        Bound(
            "S3 writes 3,500 a second and prefix",
            BOTH,
            3500.0,
            "spread the keys over several prefixes",
            _S3_RATES,
        ),
        Bound(
            "API Gateway 10,000 a second and account",
            API,
            10_000.0,
            "raise the account's quota, or several regions",
            _API_LIMITS,
        ),
    )
    return tuple(sorted(found, key=lambda bound: bound.pictures_per_s))


def breaking_points(
    system: System, quota: float, *, pictures_a_user: float = 1.0, limits: ApiLimits | None = None
) -> pd.DataFrame:
    """Return from how many users a day on each limit is exceeded, in the busiest hour.

    Returns:
        A row a bound, the first to break first: `bound`, `path`, `users_a_day`, `pictures_a_minute` that it carries, `change`,
        `source`.

    """
    per_user = pictures_a_user * busiest_hour_share() / HOUR_S
    return pd.DataFrame(
        [
            {
                "bound": bound.name,
                "path": bound.path,
                "users_a_day": bound.pictures_per_s / per_user,
                "pictures_a_minute": bound.pictures_per_s * MINUTE_S,
                "change": bound.change,
                "source": bound.source,
            }
            for bound in bounds(system, quota, limits)
        ]
    )


def steps(
    system: System,
    quota: float,
    *,
    users: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    pictures_a_user: float = 1.0,
    model: str = image_models.DEFAULT_MODEL_ID,
) -> pd.DataFrame:
    """Return what each number of users a day needs: `pictures_a_minute` and `workers` in the busiest hour, `usd_a_day` for the model.

    `broken` lists the bounds that are reached by then.
    """
    points = breaking_points(system, quota, pictures_a_user=pictures_a_user)
    price = image_models.get(model).price_usd()
    picture_s = system.picture_s * math.exp(system.spread**2 / 2)
    rows = []
    for count in users:
        a_second = count * pictures_a_user * busiest_hour_share() / HOUR_S
        rows.append(
            {
                "users_a_day": count,
                "pictures_a_minute": a_second * MINUTE_S,
                "workers": math.ceil(a_second * picture_s / FULL),
                "usd_a_day": count * pictures_a_user * price,
                "broken": ", ".join(points.loc[points["users_a_day"] <= count, "bound"]) or "nothing",
            }
        )
    return pd.DataFrame(rows)


def busiest_hour_share() -> float:
    """Return the share of a day's pictures that is requested in its busiest hour."""
    load = Load()
    return float(load.busiest_hour / load.per_minute(np.arange(DAY_MINUTES) / MINUTE_S).sum())
