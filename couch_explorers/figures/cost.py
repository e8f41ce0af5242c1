"""What the window cost, and what a thousand pictures cost by each way, part by part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.figures import measured, rows, sources, thousand
from couch_explorers.figures.errors import FigureError
from couch_explorers.figures.figure import Made
from couch_explorers.figures.rows import Group, Row
from couch_explorers.metrics import cost, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, context_of
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.figures.thousand import Way
    from couch_explorers.metrics.cost import Cost
    from couch_explorers.metrics.model import Context

NAME, TITLE = "cost", "What pictures cost"
WAYS = {WORKER: "the queue", API_FUNCTION: "the API"}
REQUESTS = {WORKER: "SQS requests", API_FUNCTION: "API Gateway requests"}
MODEL = "image model"
NOTHING, NOT_KNOWN, NOT_MEASURED = "nothing", "not known", "not measured: no picture in the window"
NO_PRICE = "no price is known"
COLOURS = {MODEL: style.VERMILLION, "Lambda": style.BLUE}
# From here on cents are fine enough; below, two digits that tell something.
FINE = 0.1
HOUR_S = 3600
# From here on whole per cents would say that there is nothing else.
NEARLY_ALL = 0.995


def make(frame: pd.DataFrame, model: str) -> Made:
    """Draw the costs at list prices; `model` is the deploy's default, by its id or ARN.

    FigureError where neither way made a picture, so that there is nothing to compute with.
    """
    facts = context_of(frame)
    spent, found = cost.cost_of_window(frame), thousand.ways(frame, model)
    idle = [way for way in found if not way.made > 0]
    gone = [resource for resource in WAYS if resource not in {way.resource for way in found}]
    missing = measured.lacking(facts, *(series.pictures(part) for part in (*gone, *(way.resource for way in idle))))
    if len(idle) == len(found):
        raise FigureError(missing)
    made = sum(way.made for way in found if way.made > 0)
    groups = [_window(facts, spent, made), *(_thousand(way) for way in found)]
    reading = _sentence(facts, spent, found, model)
    kind = "Dots on a logarithmic scale of USD: the window's cost by part, and that of 1,000 pictures by each way"
    panel = Panel(NAME, TITLE, f"{reading} {_prices(facts)}", f"{kind}. {reading}", rows.dots(groups, "USD"))
    unpriced = spent.unpriced or ((model,) if math.isnan(found[0].pictures) else ())
    without = f"Not in the sums, for no price is known here: {formatting.join(unpriced)}." if unpriced else ""
    return Made(panel, sources.measured(frame), " ".join(filter(None, (missing, without))))


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


def _group(title: str, parts: dict[str, float], total: float, unknown: dict[str, str], told: str = "") -> Group:
    """Make rows of parts; `unknown` says by part why one is not known."""
    listed = []
    for name, usd in parts.items():
        value = unknown.get(name, NOT_KNOWN) if math.isnan(usd) else amount(usd) if usd else NOTHING
        listed.append(Row(name, usd, value, share(usd, total), colour=COLOURS.get(name, style.GREEN)))
    return Group(title, tuple(listed), "" if math.isnan(total) else f"in all USD {amount(total)}{told}")


def _sentence(facts: Context, spent: Cost, found: list[Way], model: str) -> str:
    hours = formatting.count(facts.window().length.total_seconds() / HOUR_S, "hour")
    part = share(spent.pictures, spent.total)
    clauses = [f"the last {hours} cost USD {amount(spent.total)}{f', {part} of it for the model' if part else ''}"]
    whole = formatting.join(
        f"USD {amount(way.total)} by {WAYS[way.resource]} (Lambda: USD {amount(way.functions)}, {formatting.seconds(way.seconds)} a picture)"
        for way in found
        if not math.isnan(way.total)
    )
    if whole:
        clauses.append(f"1,000 pictures by {_name(model)} cost {whole}, failed runs included")
    if any(way.resource == WORKER for way in found):
        idle = amount(thousand.idle_month())
        clauses.append(f"Lambda's looks into the queue cost USD {idle} in 30 days, whether anybody paints or not")
    return formatting.sentence(*clauses)


def _prices(facts: Context) -> str:
    """Say whose prices these are, of which day, and what is not in them."""
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
    """Write what part of the whole it is; nothing where that is not known, or where there is nothing."""
    if math.isnan(part) or math.isnan(whole) or not part:
        return ""
    return f"{100 * part / whole:.1f} %" if NEARLY_ALL <= part / whole < 1 else formatting.percent(part / whole)


def amount(usd: float) -> str:
    """Write USD with cents, or, where that would tell nothing, with two digits that do: 40.00, 0.012, 0.00040."""
    if usd >= FINE or usd <= 0:
        return f"{usd:,.2f}"
    return f"{usd:.{1 - math.floor(math.log10(usd))}f}"
