"""What a thousand pictures cost by each way: the model, the Lambda's time, the requests around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.metrics import cost, series, statistics
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState, context_of

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
    facts = context_of(frame)
    deployed = [
        resource
        for resource in (WORKER, API_FUNCTION)
        if facts.state(series.invocations(resource)) is not SeriesState.MISSING
    ]
    return [_way(frame, resource, _price(model)) for resource in deployed]


def idle_month() -> float:
    """USD of a month of Lambda's looks into the queue, which it takes whether anybody paints or not."""
    return cost.idle_requests(MONTH_S) * cost.SQS_REQUEST


def _way(frame: pd.DataFrame, resource: str, price: float) -> Way:
    made = cost.count_of(frame, series.pictures(resource))

    def each(total: float) -> float:
        return statistics.share(total, made)

    if resource == WORKER:
        requests = cost.queue_requests(frame) * cost.SQS_REQUEST
    else:
        requests = cost.count_of(frame, series.API_COUNT) * cost.API_REQUEST
    return Way(
        resource,
        pictures=THOUSAND * price,
        functions=THOUSAND * each(cost.function_cost(frame, resource)),
        requests=THOUSAND * each(requests),
        seconds=each(cost.run_seconds(frame, resource)),
        made=made,
    )


def _price(model: str) -> float:
    try:
        return image_models.get(model).price_usd()
    except UnknownModelError:
        return math.nan
