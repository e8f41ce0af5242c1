"""What a thousand pictures cost by each way: the model, the Lambda's time, the requests around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.metrics import derived, money, prices, series
from couch_explorers.metrics import facts as known
from couch_explorers.metrics.facts import API_FUNCTION, WORKER, SeriesState

if TYPE_CHECKING:
    import pandas as pd

THOUSAND = 1000
MONTH_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Way:
    """USD for a thousand pictures by one way; NaN for what is not known.

    Lambda and requests are what the window's pictures took on the average, failed runs included; `seconds` is the
    Lambda's time for one picture. `made` is how many pictures the window had.
    """

    resource: str
    pictures: float
    functions: float
    requests: float
    seconds: float
    made: float

    @property
    def total(self) -> float:
        """All parts; NaN where one is not known."""
        return self.pictures + self.functions + self.requests


def ways(frame: pd.DataFrame, model: str) -> list[Way]:
    """Price a thousand pictures of a model, given by its id or ARN, by each way that is deployed."""
    facts = known.of(frame)
    deployed = [
        resource
        for resource in (WORKER, API_FUNCTION)
        if facts.state(series.invocations(resource)) is not SeriesState.MISSING
    ]
    return [_way(frame, resource, _price(model)) for resource in deployed]


def idle_month() -> float:
    """USD of a month of Lambda's looks into the queue, which it takes whether anybody paints or not."""
    return money.idle_requests(MONTH_S) * prices.SQS_REQUEST


def _way(frame: pd.DataFrame, resource: str, price: float) -> Way:
    made = money.counted(frame, series.pictures(resource))

    def each(total: float) -> float:
        return derived.share(total, made)

    if resource == WORKER:
        requests = money.queue_requests(frame) * prices.SQS_REQUEST
    else:
        requests = money.counted(frame, series.API_COUNT) * prices.API_REQUEST
    return Way(
        resource,
        pictures=THOUSAND * price,
        functions=THOUSAND * each(money.of_function(frame, resource)),
        requests=THOUSAND * each(requests),
        seconds=each(money.run_seconds(frame, resource)),
        made=made,
    )


def _price(model: str) -> float:
    try:
        return image_models.get(model).price_usd()
    except UnknownModelError:
        return math.nan
