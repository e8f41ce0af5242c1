"""The cost of the window, and of a thousand images by each path (the queue, the API), by part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers import formatting, plot_style
from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.figures import charts, metric_figures, provenance
from couch_explorers.figures.charts import Group, Row
from couch_explorers.figures.figure import FigureError, RenderedFigure
from couch_explorers.metrics import cost, series, statistics
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState, context_of
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.metrics.cost import Cost
    from couch_explorers.metrics.model import Context

THOUSAND = 1000
MONTH_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Way:
    """USD for a thousand pictures by one path; NaN if unknown.

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
        """The sum of all parts; NaN if one is unknown."""
        return self.pictures + self.functions + self.requests


def ways(frame: pd.DataFrame, model: str) -> list[Way]:
    """Return the cost of a thousand pictures of a model, given by id or ARN, by each deployed path."""
    facts = context_of(frame)
    deployed = [
        resource
        for resource in (WORKER, API_FUNCTION)
        if facts.state(series.invocations(resource)) is not SeriesState.MISSING
    ]
    return [_way(frame, resource, _price(model)) for resource in deployed]


def idle_month() -> float:
    """Return the cost of a month of Lambda's polling of the queue in USD, which is the same without any jobs."""
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


NAME, TITLE = "cost", "What pictures cost"
WAYS = {WORKER: "the queue", API_FUNCTION: "the API"}
REQUESTS = {WORKER: "SQS requests", API_FUNCTION: "API Gateway requests"}
MODEL = "image model"
NOTHING, NOT_KNOWN, NOT_MEASURED = "nothing", "not known", "not measured: no picture in the window"
NO_PRICE = "no price is known"
COLOURS = {MODEL: plot_style.VERMILLION, "Lambda": plot_style.BLUE}
# From here on, cents are precise enough.
CENTS_FROM = 0.1
HOUR_S = 3600
# From here on, whole per cents would suggest that there is nothing else.
NEARLY_ALL = 0.995


def make(frame: pd.DataFrame, model: str) -> RenderedFigure:
    """Draw the costs at list prices; `model` is the deployment's default, by id or ARN.

    FigureError where neither way made a picture, so that there is nothing to compute with.
    """
    facts = context_of(frame)
    spent, found = cost.cost_of_window(frame), ways(frame, model)
    idle = [way for way in found if not way.made > 0]
    gone = [resource for resource in WAYS if resource not in {way.resource for way in found}]
    missing = metric_figures.lacking(
        facts, *(series.pictures(part) for part in (*gone, *(way.resource for way in idle)))
    )
    if len(idle) == len(found):
        raise FigureError(missing)
    made = sum(way.made for way in found if way.made > 0)
    groups = [_window(facts, spent, made), *(_thousand(way) for way in found)]
    reading = _sentence(facts, spent, found, model)
    kind = "Dots on a logarithmic scale of USD: the window's cost by part, and that of 1,000 pictures by each way"
    panel = Panel(NAME, TITLE, f"{reading} {_prices(facts)}", f"{kind}. {reading}", charts.dots(groups, "USD"))
    unpriced = spent.unpriced or ((model,) if math.isnan(found[0].pictures) else ())
    without = f"Not in the sums, for no price is known here: {formatting.join(unpriced)}." if unpriced else ""
    return RenderedFigure(panel, provenance.measured(frame), " ".join(filter(None, (missing, without))))


def _window(facts: Context, spent: Cost, made: float) -> Group:
    parts = {
        MODEL: spent.pictures, "Lambda": spent.functions, REQUESTS[WORKER]: spent.queue, REQUESTS[API_FUNCTION]: spent.api,
    }  # fmt: skip
    hours = formatting.count(facts.window().length.total_seconds() / HOUR_S, "hour")
    return _group(f"The last {hours}", parts, spent.total, {}, f" for {formatting.count(made, 'picture')}")


def _thousand(way: Way) -> Group:
    parts = {MODEL: way.pictures, "Lambda": way.functions, REQUESTS[way.resource]: way.requests}
    unknown = dict.fromkeys(parts, NOT_MEASURED) | {MODEL: NO_PRICE}
    return _group(f"1,000 pictures by {WAYS[way.resource]}", parts, way.total, unknown)


def _group(title: str, parts: dict[str, float], total: float, unknown: dict[str, str], suffix: str = "") -> Group:
    """Return the rows of the parts; `unknown` says, by part, why it is unknown."""
    listed = []
    for name, usd in parts.items():
        value = unknown.get(name, NOT_KNOWN) if math.isnan(usd) else _usd(usd) if usd else NOTHING
        listed.append(Row(name, usd, value, share(usd, total), colour=COLOURS.get(name, plot_style.GREEN)))
    return Group(title, tuple(listed), "" if math.isnan(total) else f"in all USD {_usd(total)}{suffix}")


def _sentence(facts: Context, spent: Cost, found: list[Way], model: str) -> str:
    hours = formatting.count(facts.window().length.total_seconds() / HOUR_S, "hour")
    part = share(spent.pictures, spent.total)
    clauses = [f"the last {hours} cost USD {_usd(spent.total)}{f', {part} of it for the model' if part else ''}"]
    whole = formatting.join(
        f"USD {_usd(way.total)} by {WAYS[way.resource]} (Lambda: USD {_usd(way.functions)}, {formatting.seconds(way.seconds)} a picture)"
        for way in found
        if not math.isnan(way.total)
    )
    if whole:
        clauses.append(f"1,000 pictures by {_name(model)} cost {whole}, failed runs included")
    if any(way.resource == WORKER for way in found):
        idle = _usd(idle_month())
        clauses.append(f"Lambda's polling of the queue costs USD {idle} in 30 days, even without any jobs")
    return formatting.sentence(*clauses)


def _prices(facts: Context) -> str:
    """Return the source and date of the prices, and what they do not include."""
    where = (
        "At AWS's list prices (the local cloud costs nothing)" if facts.target == "local" else "At AWS's list prices"
    )
    models = f"pictures as of {image_models.PRICES_AS_OF} ({image_models.PRICES_SOURCE})"
    rest = f"the rest in eu-west-1 as of {cost.PRICES_AS_OF} ({', '.join(cost.SOURCES.values())})"
    return f"{where}: {models}, {rest}; without free tiers, S3, logs and metrics."


def _name(model: str) -> str:
    try:
        return image_models.get(model).name
    except UnknownModelError:
        return model


def share(part: float, whole: float) -> str:
    """Format the share in the whole; empty if unknown or zero."""
    if math.isnan(part) or math.isnan(whole) or not part:
        return ""
    return f"{100 * part / whole:.1f} %" if NEARLY_ALL <= part / whole < 1 else formatting.percent(part / whole)


def _usd(amount: float) -> str:
    return formatting.usd(amount, symbol="", cents_from=CENTS_FROM)
