"""Fetches every number of a review from CloudWatch, for a window and the same window a day and a week before."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import formatting
from couch_explorers.aws import errors
from couch_explorers.core import errors as failures
from couch_explorers.core import image_models
from couch_explorers.core.aws_errors import describe
from couch_explorers.metrics import context, model, series, time_windows
from couch_explorers.metrics.model import (
    API,
    API_FUNCTION,
    DEAD_LETTERS,
    QUEUE,
    WORKER,
    Context,
    MetricsError,
    Points,
    SeriesState,
)
from couch_explorers.metrics.series import FUNCTIONS, LOCAL_NAMESPACE, OWN_NAMESPACE
from couch_explorers.workspace import HOW_TO_DEPLOY, not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import pandas as pd

    from couch_explorers.metrics.context import Clients, FunctionAnswers, SystemContext
    from couch_explorers.metrics.model import Series, SeriesKey, Window
    from couch_explorers.metrics.series import Names
    from couch_explorers.metrics.time_windows import Compare, WindowPlan
    from couch_explorers.objective import Objective
    from couch_explorers.workspace import Workspace

DEFAULT_TIMEZONE = "Europe/Oslo"
STACKS: dict[Literal["queue", "API"], tuple[str, ...]] = {
    "queue": (QUEUE, DEAD_LETTERS, WORKER),
    "API": (API, API_FUNCTION),
}


def fetch_hours(
    workspace: Workspace,
    hours: float,
    *,
    timezone: str = DEFAULT_TIMEZONE,
    compare: Compare = "before",
    now: datetime | None = None,
) -> pd.DataFrame:
    """Fetch the last `hours`, up to the last complete minute; otherwise like `fetch`."""
    now = now or datetime.now(UTC)
    start, end = time_windows.last_hours(hours, now)
    return fetch(workspace, start, end, timezone=timezone, compare=compare, now=now)


def fetch(
    workspace: Workspace,
    start: datetime,
    end: datetime,
    *,
    timezone: str = DEFAULT_TIMEZONE,
    compare: Compare = "before",
    now: datetime | None = None,
) -> pd.DataFrame:
    """Fetch all numbers from `start` to `end` and of the windows to compare with, and their context.

    Returns a tidy frame: index `time` (UTC, the start of each period), columns `model.COLUMNS`; no row if nothing was
    measured. Its `context` is the Context. A time without a zone is in `timezone`, which is also used for display.
    `compare` is "before" (the same hours, a day or as many whole days before as it takes), "week" or "none".

    What is denied, not deployed or not measured is in `Context.states`, `error_notes` and `notes`. Raises
    MetricsParameterError for an invalid window or time zone, and MetricsError if CloudWatch keeps throttling, refuses, or
    cannot be reached; windows to compare with are then left out, with a note.
    """
    now = now or datetime.now(UTC)
    # Invalid parameters are reported before the first call.
    time_windows.plan(start, end, timezone=timezone, compare=compare, now=now, series=0)
    names = series.Names.of(workspace)
    clients = context.Clients.of(workspace)
    with ThreadPoolExecutor(1, thread_name_prefix="objectives") as pool:
        functions_future = pool.submit(context.read_functions, clients.functions, names)
        found = find_dimensions(clients.cloudwatch, names, workspace.model_arns)
        functions = functions_future.result()
    objectives = context.objectives_of(functions)
    finest = _series(names, found, objectives, min(time_windows.RETENTION), time_windows.PERCENTILE_PERIOD_S)
    percentiles = sum(series.is_percentile(each.key) for each in finest)
    plan = time_windows.plan(
        start, end, timezone=timezone, compare=compare, now=now,
        series=len(finest) - percentiles + len(_markers(workspace, names, min(time_windows.RETENTION))), percentiles=percentiles,
    )  # fmt: skip
    requested_series = _series(names, found, objectives, plan.period_s, plan.percentile_period_s)
    return _fetch(workspace, names, clients, plan, requested_series, found, functions, timezone, now)


def _series(
    names: Names, found: MetricDimensions, objectives: dict[str, Objective], period_s: int, percentile_period_s: int
) -> tuple[Series, ...]:
    return series.build(
        names, period_s=period_s, percentile_period_s=percentile_period_s, reasons=found.reasons, models=found.models,
        objectives=objectives,
    )  # fmt: skip


def _markers(workspace: Workspace, names: Names, period_s: int) -> tuple[Series, ...]:
    return series.synthetic_marks(names, period_s) if workspace.target == "local" else ()


def _fetch(
    workspace: Workspace,
    names: Names,
    clients: Clients,
    plan: WindowPlan,
    requested_series: tuple[Series, ...],
    found: MetricDimensions,
    functions: FunctionAnswers,
    timezone: str,
    now: datetime,
) -> pd.DataFrame:
    """Fetch all windows and their context concurrently, and build the frame."""
    deployed = [each for each in requested_series if each.resource in names.deployed]
    markers = _markers(workspace, names, plan.period_s) if deployed else ()
    objectives = context.objectives_of(functions)
    keys = {key for resource in FUNCTIONS for key in series.of_objective(resource, objectives[resource])}
    of_objective = [each for each in deployed if each.key in keys]
    long_windows = time_windows.objective_windows(plan.windows[0].end, now) if of_objective else {}
    with ThreadPoolExecutor(len(plan.windows) + len(long_windows) or 1, thread_name_prefix="windows") as pool:
        futures = [
            pool.submit(get_metric_data, clients.cloudwatch, window, (*deployed, *markers)) for window in plan.windows
        ]
        budgets = {
            window: pool.submit(
                get_metric_data, clients.cloudwatch, window, [replace(each, period_s=period_s) for each in of_objective]
            )
            for window, period_s in long_windows.items()
        }
        system = context.load(workspace, names, clients, plan.windows, now, functions)
        plan, results = _collect(plan, futures)
        plan, budget_answers = _collect_budgets(plan, budgets)
    states = _states(plan, requested_series, deployed, results, system)
    for window, answer in budget_answers.items():
        states |= {(window.name, each.key): state for each, state in zip(of_objective, answer.states, strict=True)}
    every_answer = [*results, *budget_answers.values()]
    requested = sum(each.metrics_requested for each in every_answer)
    error_notes = found.error_notes | system.error_notes
    if SeriesState.DENIED in states.values():
        error_notes[GET_METRIC_DATA] = errors.missing_right(GET_METRIC_DATA, "read metrics")
    points = list(chain.from_iterable(each.points[: len(deployed)] for each in results))
    points += chain.from_iterable(each.points for each in budget_answers.values())
    marker_points = list(chain.from_iterable(each.points[len(deployed) :] for each in results))
    review_context = Context(
        target=workspace.target,
        candidate=workspace.candidate,
        timezone=timezone,
        fetched=now.astimezone(UTC),
        windows=plan.windows,
        compare=plan.compare,
        period_s=plan.period_s,
        percentile_period_s=plan.percentile_period_s,
        series=requested_series,
        states=states,
        alarms=system.alarms,
        functions=system.functions,
        logs=system.logs,
        deploys=tuple(
            sorted((*system.deploys, *context.synthetic_deploys(marker_points)), key=lambda deploy: deploy.time)
        ),
        synthetic=context.synthetic_intervals(marker_points),
        metrics_requested=requested,
        calls=sum(each.calls for each in every_answer),
        cost_usd=request_cost_usd(requested),
        error_notes=error_notes,
        notes=tuple(dict.fromkeys(_notes(workspace, names, plan, system, every_answer, error_notes, states))),
        objectives=objectives,
        objective_windows=tuple(budget_answers),
    )
    return model.build_frame((each for each in points if len(each.times_s)), review_context)


def _collect(plan: WindowPlan, futures: Sequence[Future[MetricData]]) -> tuple[WindowPlan, list[MetricData]]:
    """Collect the result of each window; a window to compare with that failed is removed from the plan, with a note.

    Raises MetricsError if the window `now` failed: without it there is nothing to show.
    """
    results: list[tuple[Window, MetricData]] = []
    failed: dict[str, list[str]] = {}
    for window, answer in zip(plan.windows, futures, strict=True):
        try:
            results.append((window, answer.result()))
        except MetricsError as error:
            if window.name == "now":
                raise
            failed.setdefault(str(error), []).append(repr(window.name))
    kept = tuple(window for window, _ in results)
    notes = (
        f"The window{'s' if len(names) > 1 else ''} {formatting.join(names)} {'are' if len(names) > 1 else 'is'} left out. {why}"
        for why, names in failed.items()
    )
    compare = plan.compare if plan.compare in {window.name for window in kept} else None
    return replace(plan, windows=kept, compare=compare, notes=(*plan.notes, *notes)), [each for _, each in results]


def _collect_budgets(
    plan: WindowPlan, futures: dict[Window, Future[MetricData]]
) -> tuple[WindowPlan, dict[Window, MetricData]]:
    """Collect the results of the objective's longer windows; one that failed is left out, with a note."""
    results: dict[Window, MetricData] = {}
    notes = []
    for window, answer in futures.items():
        try:
            results[window] = answer.result()
        except MetricsError as error:
            notes.append(f"The {BUDGET_WINDOWS[window.name]} of the objective is not known. {error}")
    return replace(plan, notes=(*plan.notes, *notes)), results


def _states(
    plan: WindowPlan,
    all_series: Iterable[Series],
    deployed: Sequence[Series],
    results: Sequence[MetricData],
    system: SystemContext,
) -> dict[tuple[str, SeriesKey], SeriesState]:
    """Return the state of each series in each window; a deleted part may still have earlier numbers."""
    states = {(window.name, each.key): SeriesState.MISSING for window in plan.windows for each in all_series}
    for window, answer in zip(plan.windows, results, strict=True):
        for each, state in zip(deployed, answer.states, strict=False):  # the markers come last, and have no state
            is_gone = state is SeriesState.IDLE and each.resource in system.missing
            states[window.name, each.key] = SeriesState.MISSING if is_gone else state
    return cast("dict[tuple[str, SeriesKey], SeriesState]", states)


def _notes(
    workspace: Workspace,
    names: Names,
    plan: WindowPlan,
    system: SystemContext,
    results: Iterable[MetricData],
    error_notes: dict[str, str],
    states: dict[tuple[str, SeriesKey], SeriesState],
) -> Iterator[str]:
    yield from plan.notes
    for part, resources in STACKS.items():
        missing = [resource for resource in resources if resource not in names.deployed or resource in system.missing]
        if len(missing) == len(resources):
            yield f"{not_deployed(part, workspace.target)}."
        elif missing:
            how = HOW_TO_DEPLOY[part, workspace.target]
            yield f"Missing, though other parts of the {part} are there: {', '.join(missing)}. To bring it back, {how}."
    yield from error_notes.values()
    yield from system.notes
    for window in plan.windows:
        partial = [key for (name, key), state in states.items() if name == window.name and state is SeriesState.PARTIAL]
        if partial:
            first = ", ".join(f"{resource} {metric}" for resource, metric, _ in partial[:3])
            more = f" and {len(partial) - 3} more" if len(partial) > 3 else ""  # noqa: PLR2004 - as many as were named
            yield f"CloudWatch gave only a part for the window {window.name!r}: {first}{more}. Try again in a minute."
    for answer in results:
        yield from answer.notes


# The names of the objective's windows in a note.
BUDGET_WINDOWS = {"burn": "burn rate", "budget": "error budget"}

GET_METRIC_DATA = "cloudwatch:GetMetricData"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES_PER_CALL = 500

# StatusCode of a result. Forbidden occurs for a metric of another account.
COMPLETE, PARTIAL, FORBIDDEN = "Complete", "PartialData", "Forbidden"


@dataclass
class MetricData:
    """The result for a window: points, the state of each series in the requested order, calls, metrics billed, notes."""

    points: list[Points] = field(default_factory=list)
    states: list[SeriesState] = field(default_factory=list)
    calls: int = 0
    metrics_requested: int = 0
    notes: list[str] = field(default_factory=list)


def get_metric_data(cloudwatch: Any, window: Window, series: Sequence[Series]) -> MetricData:
    """Fetch every series of one window; without the permission, every state is DENIED, with a note.

    Raises MetricsError if CloudWatch still throttles after the SDK's retries, refuses, or cannot be reached.
    """
    result = MetricData()
    for start in range(0, len(series), QUERIES_PER_CALL):
        batch = series[start : start + QUERIES_PER_CALL]
        try:
            _fetch_batch(cloudwatch, window, batch, result)
        except (ClientError, BotoCoreError) as error:
            if not errors.is_access_denied(error):
                raise _metrics_error(error, GET_METRIC_DATA) from error
            result.notes.append(errors.missing_right(GET_METRIC_DATA, "read metrics"))
            result.points += [Points(window.name, each) for each in batch]
            result.states += [SeriesState.DENIED] * len(batch)
    return result


def _fetch_batch(cloudwatch: Any, window: Window, series: Sequence[Series], collected: MetricData) -> None:
    points = {f"s{number}": Points(window.name, each, [], []) for number, each in enumerate(series)}
    status = dict.fromkeys(points, PARTIAL)
    messages: dict[str, str] = {}
    for page in _pages(cloudwatch, window, series):
        collected.calls += 1
        collected.metrics_requested += metrics_requested(series)
        collected.notes += [f"CloudWatch says: {_format_message(message)}" for message in page.get("Messages", ())]
        for result in page["MetricDataResults"]:
            found = points[result["Id"]]
            found.times_s = [*found.times_s, *(time.timestamp() for time in result["Timestamps"])]
            found.values = [*found.values, *result["Values"]]  # noqa: PD011 - not a frame
            # PartialData on a page means that another page follows; on the last page, that data is missing.
            status[result["Id"]] = result["StatusCode"]
            for message in result.get("Messages", ()):
                messages[result["Id"]] = _format_message(message)
    for name, found in points.items():
        state = _state(status[name], found)
        collected.points.append(found)
        collected.states.append(state)
        if state in (SeriesState.PARTIAL, SeriesState.DENIED) and name in messages:
            collected.notes.append(
                f"CloudWatch says of {found.series.resource} {found.series.metric}: {messages[name]}"
            )


def _pages(cloudwatch: Any, window: Window, series: Sequence[Series]) -> Iterator[dict[str, Any]]:
    queries = [
        {
            "Id": f"s{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": each.namespace,
                    "MetricName": each.cloudwatch_metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in each.dimensions],
                },
                "Period": each.period_s,
                "Stat": each.statistic,
            },
        }
        for number, each in enumerate(series)
    ]
    pages: Iterator[dict[str, Any]] = iter(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=window.start, EndTime=window.end, ScanBy="TimestampAscending"
        )
    )
    return pages


def _format_message(message: dict[str, str]) -> str:
    return f"{message.get('Value', '').rstrip('. ')} ({message.get('Code', 'no code')})."


def _state(status: str, points: Points) -> SeriesState:
    if status == FORBIDDEN:
        return SeriesState.DENIED
    if status != COMPLETE:
        return SeriesState.PARTIAL
    return SeriesState.COMPLETE if points.values else SeriesState.IDLE  # noqa: PD011 - not a frame


LIST_METRICS = "cloudwatch:ListMetrics"


@dataclass
class MetricDimensions:
    """The reasons of failed jobs, the model ids of each function's pictures, and why CloudWatch could not list them."""

    reasons: set[str] = field(default_factory=set)
    models: dict[str, set[str]] = field(default_factory=lambda: {resource: set() for resource in FUNCTIONS})
    error_notes: dict[str, str] = field(default_factory=dict)


def find_dimensions(cloudwatch: Any, names: Names, model_arns: Iterable[str]) -> MetricDimensions:
    """List the reasons and models of the deployed functions; all known ones if CloudWatch denies the listing.

    CloudWatch lists metrics with a value in the last two weeks, and new ones after up to 15 minutes:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
    Raises MetricsError if it cannot be reached, or fails other than by denying access or throttling.
    """
    dimensions = MetricDimensions()
    deployed = [resource for resource in FUNCTIONS if resource in names.deployed]
    if not deployed:
        return dimensions

    def list_metrics(resource: str) -> tuple[list[dict[str, Any]] | None, str]:
        try:
            return _listed(cloudwatch, names.function(resource)), ""
        except (ClientError, BotoCoreError) as error:
            if not (errors.is_access_denied(error) or errors.is_throttled(error)):
                # A region that cannot be reached, or rejects the caller, will not return numbers either.
                raise _metrics_error(error, LIST_METRICS) from error
            return None, errors.error_note(error, action=LIST_METRICS, to="list reasons and models")

    with ThreadPoolExecutor(len(deployed), thread_name_prefix="labels") as pool:
        answers = dict(zip(deployed, pool.map(list_metrics, deployed), strict=True))
    for resource, (metrics, note) in answers.items():
        if metrics is None:
            dimensions.error_notes[LIST_METRICS] = f"{note} All that are known are asked for instead."
            dimensions.models[resource] = {arn.rpartition("/")[2] for arn in model_arns} or {
                image_models.DEFAULT_MODEL_ID
            }
            dimensions.reasons |= failures.reasons() if resource == WORKER else set()
            continue
        dimensions.models[resource] = _values(metrics, "PicturesMade", "model")
        if resource == WORKER:
            dimensions.reasons = _values(metrics, "FailedJobs", "reason")
    return dimensions


def _metrics_error(error: Exception, action: str) -> MetricsError:
    """Create the error for an essential call; `action` is the IAM action that it needs."""
    operation = action.partition(":")[2]
    if errors.is_throttled(error):
        return MetricsError(
            f"CloudWatch throttled {operation}, after all of the SDK's retries too. Another client in the account and region sends many requests:"
            " wait a minute and try again, ask for fewer hours, or raise the quota of"
            f" {operation} in Service Quotas."
        )
    if isinstance(error, ClientError):
        code, _, message = describe(error)
        return MetricsError(
            f"CloudWatch refused {operation} ({code}): {message.rstrip('. ')}. Check the credentials and the window."
        )
    return MetricsError(
        f"CloudWatch could not be reached for {operation}: {str(error).rstrip('. ')}. Check the network;"
        " for the local cloud: couch status."
    )


def _listed(cloudwatch: Any, service: str) -> list[dict[str, Any]]:
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=OWN_NAMESPACE, Dimensions=[{"Name": "service", "Value": service}]
    )
    return [metric for page in pages for metric in page["Metrics"]]


def _values(metrics: Iterable[dict[str, Any]], metric: str, dimension: str) -> set[str]:
    """Return the values of a dimension, from the metrics with exactly this one and the service."""
    named = [
        {each["Name"]: each["Value"] for each in found["Dimensions"]}
        for found in metrics
        if found["MetricName"] == metric
    ]
    return {dimensions[dimension] for dimensions in named if dimensions.keys() == {"service", dimension}}


# https://aws.amazon.com/cloudwatch/pricing/, "APIs", GetMetricData: USD 0.01 per 1,000 metrics requested, outside the free
# tier; up to five statistics of the same metric in one request are one metric, further ones another. As of November 2026.
USD_PER_METRIC = 0.01 / 1000
STATISTICS_PER_METRIC = 5


def metrics_requested(series: Iterable[Series]) -> int:
    """Count the metrics that AWS bills for one GetMetricData request of these series, without the local markers."""
    metrics = ((each.namespace, each.cloudwatch_metric, each.dimensions) for each in series)
    statistics = Counter(metric for metric in metrics if metric[0] != LOCAL_NAMESPACE)
    return sum(math.ceil(count / STATISTICS_PER_METRIC) for count in statistics.values())


def request_cost_usd(metrics: int) -> float:
    """Return the price of requested metrics in USD."""
    return metrics * USD_PER_METRIC


def request_sentence(context: Context) -> str:
    """Summarize the calls of CloudWatch and their cost; every page of a response counts as a request."""
    calls = f"{context.calls} call{'' if context.calls == 1 else 's'} of GetMetricData"
    requested = f"{calls} for {context.metrics_requested:,} metrics"
    if context.target == "local":
        return f"{requested}: the local cloud costs nothing, AWS would bill ${context.cost_usd:.4f}."
    return f"{requested}: ${context.cost_usd:.4f}."
