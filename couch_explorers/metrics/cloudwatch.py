"""From CloudWatch to a frame: every number of a review, for a window and for the same window a day and a week before."""

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
    """Fetch the last `hours`, up to the minute that is not over yet; otherwise as `fetch`."""
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
    """Fetch all numbers from `start` to `end` and of the windows to compare with, and what stands around them.

    Gives a tidy frame: index `time` (UTC, the start of each period), columns `model.COLUMNS`; no row where nothing was
    measured. Its `context` is the Context. A time without a zone is one of `timezone`, in which people read the
    times. `compare` is "before" (the same hours, a day or as many whole days before as it takes), "week" or "none".

    What the caller may not ask, what is not deployed and what was not measured is told by `Context.states`, `unanswered`
    and `notes`. Raises MetricsParameterError for a window or a time zone that makes no sense, and MetricsError when
    CloudWatch throttles to the end, refuses, or cannot be reached; windows to compare with are left out then, with a note.
    """
    now = now or datetime.now(UTC)
    # Wrong parameters are told before anybody is asked.
    time_windows.plan(start, end, timezone=timezone, compare=compare, now=now, series=0)
    names = series.Names.of(workspace)
    clients = context.Clients.of(workspace)
    with ThreadPoolExecutor(1, thread_name_prefix="objectives") as pool:
        asked = pool.submit(context.read_functions, clients.functions, names)
        found = find_dimensions(clients.cloudwatch, names, workspace.model_arns)
        functions = asked.result()
    objectives = context.objectives_of(functions)
    usual = _series(names, found, objectives, min(time_windows.RETENTION), time_windows.PERCENTILE_PERIOD_S)
    percentiles = sum(series.is_percentile(each.key) for each in usual)
    plan = time_windows.plan(
        start, end, timezone=timezone, compare=compare, now=now,
        series=len(usual) - percentiles + len(_marks(workspace, names, min(time_windows.RETENTION))), percentiles=percentiles,
    )  # fmt: skip
    lines = _series(names, found, objectives, plan.period_s, plan.percentile_period_s)
    return _fetch(workspace, names, clients, plan, lines, found, functions, timezone, now)


def _series(
    names: Names, found: MetricDimensions, objectives: dict[str, Objective], period_s: int, percentile_period_s: int
) -> tuple[Series, ...]:
    return series.build(
        names, period_s=period_s, percentile_period_s=percentile_period_s, reasons=found.reasons, models=found.models,
        objectives=objectives,
    )  # fmt: skip


def _marks(workspace: Workspace, names: Names, period_s: int) -> tuple[Series, ...]:
    return series.synthetic_marks(names, period_s) if workspace.target == "local" else ()


def _fetch(
    workspace: Workspace,
    names: Names,
    clients: Clients,
    plan: WindowPlan,
    lines: tuple[Series, ...],
    found: MetricDimensions,
    functions: FunctionAnswers,
    timezone: str,
    now: datetime,
) -> pd.DataFrame:
    """Ask for all windows and their surroundings at the same time, and put everything together."""
    asked = [each for each in lines if each.resource in names.deployed]
    marks = _marks(workspace, names, plan.period_s) if asked else ()
    objectives = context.objectives_of(functions)
    keys = {key for resource in FUNCTIONS for key in series.of_objective(resource, objectives[resource])}
    of_objective = [each for each in asked if each.key in keys]
    longer = time_windows.objective_windows(plan.windows[0].end, now) if of_objective else {}
    with ThreadPoolExecutor(len(plan.windows) + len(longer) or 1, thread_name_prefix="windows") as pool:
        waiting = [
            pool.submit(get_metric_data, clients.cloudwatch, window, (*asked, *marks)) for window in plan.windows
        ]
        budgets = {
            window: pool.submit(
                get_metric_data, clients.cloudwatch, window, [replace(each, period_s=period_s) for each in of_objective]
            )
            for window, period_s in longer.items()
        }
        around = context.load(workspace, names, clients, plan.windows, now, functions)
        plan, answered = _answered(plan, waiting)
        plan, budget_answers = _budgets_answered(plan, budgets)
    states = _states(plan, lines, asked, answered, around)
    for window, answer in budget_answers.items():
        states |= {(window.name, each.key): state for each, state in zip(of_objective, answer.states, strict=True)}
    every_answer = [*answered, *budget_answers.values()]
    requested = sum(each.metrics_requested for each in every_answer)
    unanswered = found.error_notes | around.error_notes
    if SeriesState.DENIED in states.values():
        unanswered[GET_METRIC_DATA] = errors.missing_right(GET_METRIC_DATA, "read metrics")
    points = list(chain.from_iterable(each.points[: len(asked)] for each in answered))
    points += chain.from_iterable(each.points for each in budget_answers.values())
    marked = list(chain.from_iterable(each.points[len(asked) :] for each in answered))
    facts = Context(
        target=workspace.target,
        candidate=workspace.candidate,
        timezone=timezone,
        fetched=now.astimezone(UTC),
        windows=plan.windows,
        compare=plan.compare,
        period_s=plan.period_s,
        percentile_period_s=plan.percentile_period_s,
        series=lines,
        states=states,
        alarms=around.alarms,
        functions=around.functions,
        logs=around.logs,
        deploys=tuple(sorted((*around.deploys, *context.synthetic_deploys(marked)), key=lambda deploy: deploy.time)),
        synthetic=context.synthetic_intervals(marked),
        metrics_requested=requested,
        calls=sum(each.calls for each in every_answer),
        cost_usd=request_cost_usd(requested),
        error_notes=unanswered,
        notes=tuple(dict.fromkeys(_notes(workspace, names, plan, around, every_answer, unanswered, states))),
        objectives=objectives,
        objective_windows=tuple(budget_answers),
    )
    return model.build_frame((each for each in points if len(each.times_s)), facts)


def _answered(plan: WindowPlan, waiting: Sequence[Future[MetricData]]) -> tuple[WindowPlan, list[MetricData]]:
    """Take the answers, one a window; a window to compare with that CloudWatch did not answer for leaves the plan with a note.

    Raises MetricsError where it is the window now: without it there is nothing to show.
    """
    answered: list[tuple[Window, MetricData]] = []
    lost: dict[str, list[str]] = {}
    for window, answer in zip(plan.windows, waiting, strict=True):
        try:
            answered.append((window, answer.result()))
        except MetricsError as error:
            if window.name == "now":
                raise
            lost.setdefault(str(error), []).append(repr(window.name))
    kept = tuple(window for window, _ in answered)
    notes = (
        f"The window{'s' if len(names) > 1 else ''} {formatting.join(names)} {'are' if len(names) > 1 else 'is'} left out. {why}"
        for why, names in lost.items()
    )
    compare = plan.compare if plan.compare in {window.name for window in kept} else None
    return replace(plan, windows=kept, compare=compare, notes=(*plan.notes, *notes)), [each for _, each in answered]


def _budgets_answered(
    plan: WindowPlan, waiting: dict[Window, Future[MetricData]]
) -> tuple[WindowPlan, dict[Window, MetricData]]:
    """Take the answers for the objective's longer windows; one that CloudWatch did not answer for is left out with a note."""
    answered: dict[Window, MetricData] = {}
    notes = []
    for window, answer in waiting.items():
        try:
            answered[window] = answer.result()
        except MetricsError as error:
            notes.append(f"The {BUDGET_WINDOWS[window.name]} of the objective is not known. {error}")
    return replace(plan, notes=(*plan.notes, *notes)), answered


def _states(
    plan: WindowPlan,
    lines: Iterable[Series],
    asked: Sequence[Series],
    answered: Sequence[MetricData],
    around: SystemContext,
) -> dict[tuple[str, SeriesKey], SeriesState]:
    """Say how each series answered in each window; one of a part that is gone may still have numbers from before."""
    states = {(window.name, line.key): SeriesState.MISSING for window in plan.windows for line in lines}
    for window, answer in zip(plan.windows, answered, strict=True):
        for line, state in zip(asked, answer.states, strict=False):  # the marks come last, and have no state
            is_gone = state is SeriesState.IDLE and line.resource in around.missing
            states[window.name, line.key] = SeriesState.MISSING if is_gone else state
    return cast("dict[tuple[str, SeriesKey], SeriesState]", states)


def _notes(
    workspace: Workspace,
    names: Names,
    plan: WindowPlan,
    around: SystemContext,
    answered: Iterable[MetricData],
    error_notes: dict[str, str],
    states: dict[tuple[str, SeriesKey], SeriesState],
) -> Iterator[str]:
    yield from plan.notes
    for part, resources in STACKS.items():
        missing = [resource for resource in resources if resource not in names.deployed or resource in around.missing]
        if len(missing) == len(resources):
            yield f"{not_deployed(part, workspace.target)}."
        elif missing:
            again = HOW_TO_DEPLOY[part, workspace.target]
            yield f"Missing, though other parts of the {part} are there: {', '.join(missing)}. To bring it back, {again}."
    yield from error_notes.values()
    yield from around.notes
    for window in plan.windows:
        partial = [key for (name, key), state in states.items() if name == window.name and state is SeriesState.PARTIAL]
        if partial:
            first = ", ".join(f"{resource} {metric}" for resource, metric, _ in partial[:3])
            more = f" and {len(partial) - 3} more" if len(partial) > 3 else ""  # noqa: PLR2004 - as many as were named
            yield f"CloudWatch gave only a part for the window {window.name!r}: {first}{more}. Try again in a minute."
    for answer in answered:
        yield from answer.notes


# What a note calls the windows that only the objective has.
BUDGET_WINDOWS = {"burn": "burn rate", "budget": "error budget"}

GET_METRIC_DATA = "cloudwatch:GetMetricData"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES_PER_CALL = 500

# StatusCode of a result. Forbidden comes for a metric of another account.
COMPLETE, PARTIAL, FORBIDDEN = "Complete", "PartialData", "Forbidden"


@dataclass
class MetricData:
    """What came back for a window: points, the state of each series in the order asked, calls, metrics billed, notes."""

    points: list[Points] = field(default_factory=list)
    states: list[SeriesState] = field(default_factory=list)
    calls: int = 0
    metrics_requested: int = 0
    notes: list[str] = field(default_factory=list)


def get_metric_data(cloudwatch: Any, window: Window, series: Sequence[Series]) -> MetricData:
    """Ask for every series of one window; a caller without the right gets every state DENIED and a note.

    Raises MetricsError when CloudWatch still throttles after the SDK's retries, refuses, or cannot be reached.
    """
    answer = MetricData()
    for begin in range(0, len(series), QUERIES_PER_CALL):
        some = series[begin : begin + QUERIES_PER_CALL]
        try:
            _ask_some(cloudwatch, window, some, answer)
        except (ClientError, BotoCoreError) as error:
            if not errors.is_access_denied(error):
                raise _metrics_error(error, GET_METRIC_DATA) from error
            answer.notes.append(errors.missing_right(GET_METRIC_DATA, "read metrics"))
            answer.points += [Points(window.name, each) for each in some]
            answer.states += [SeriesState.DENIED] * len(some)
    return answer


def _ask_some(cloudwatch: Any, window: Window, series: Sequence[Series], answer: MetricData) -> None:
    points = {f"s{number}": Points(window.name, each, [], []) for number, each in enumerate(series)}
    status = dict.fromkeys(points, PARTIAL)
    said: dict[str, str] = {}
    for page in _pages(cloudwatch, window, series):
        answer.calls += 1
        answer.metrics_requested += metrics_requested(series)
        answer.notes += [f"CloudWatch says: {_worded(message)}" for message in page.get("Messages", ())]
        for result in page["MetricDataResults"]:
            found = points[result["Id"]]
            found.times_s = [*found.times_s, *(moment.timestamp() for moment in result["Timestamps"])]
            found.values = [*found.values, *result["Values"]]  # noqa: PD011 - no frame yet
            # PartialData on a page means that a later page goes on; on the last page, that some is missing.
            status[result["Id"]] = result["StatusCode"]
            for message in result.get("Messages", ()):
                said[result["Id"]] = _worded(message)
    for name, found in points.items():
        state = _state(status[name], found)
        answer.points.append(found)
        answer.states.append(state)
        if state in (SeriesState.PARTIAL, SeriesState.DENIED) and name in said:
            answer.notes.append(f"CloudWatch says of {found.series.resource} {found.series.metric}: {said[name]}")


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


def _worded(message: dict[str, str]) -> str:
    return f"{message.get('Value', '').rstrip('. ')} ({message.get('Code', 'no code')})."


def _state(status: str, points: Points) -> SeriesState:
    if status == FORBIDDEN:
        return SeriesState.DENIED
    if status != COMPLETE:
        return SeriesState.PARTIAL
    return SeriesState.COMPLETE if points.values else SeriesState.IDLE  # noqa: PD011 - no frame yet


LIST_METRICS = "cloudwatch:ListMetrics"


@dataclass
class MetricDimensions:
    """The reasons of failed jobs, the model ids of each function's pictures, and why they are not CloudWatch's own list."""

    reasons: set[str] = field(default_factory=set)
    models: dict[str, set[str]] = field(default_factory=lambda: {resource: set() for resource in FUNCTIONS})
    error_notes: dict[str, str] = field(default_factory=dict)


def find_dimensions(cloudwatch: Any, names: Names, model_arns: Iterable[str]) -> MetricDimensions:
    """List the reasons and models of the deployed functions; those that are known where CloudWatch lists none to this caller.

    CloudWatch lists what had a value in the last two weeks, and a new one after up to 15 minutes:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
    Raises MetricsError where it cannot be reached, or refuses for another reason than rights or haste.
    """
    labels = MetricDimensions()
    deployed = [resource for resource in FUNCTIONS if resource in names.deployed]
    if not deployed:
        return labels

    def ask(resource: str) -> tuple[list[dict[str, Any]] | None, str]:
        try:
            return _listed(cloudwatch, names.function(resource)), ""
        except (ClientError, BotoCoreError) as error:
            if not (errors.is_access_denied(error) or errors.is_throttled(error)):
                # A region that cannot be reached, or does not know the caller, will not give numbers either.
                raise _metrics_error(error, LIST_METRICS) from error
            return None, errors.error_note(error, action=LIST_METRICS, to="list reasons and models")

    with ThreadPoolExecutor(len(deployed), thread_name_prefix="labels") as pool:
        answers = dict(zip(deployed, pool.map(ask, deployed), strict=True))
    for resource, (metrics, note) in answers.items():
        if metrics is None:
            labels.error_notes[LIST_METRICS] = f"{note} All that are known are asked for instead."
            labels.models[resource] = {arn.rpartition("/")[2] for arn in model_arns} or {image_models.DEFAULT_MODEL_ID}
            labels.reasons |= failures.reasons() if resource == WORKER else set()
            continue
        labels.models[resource] = _values(metrics, "PicturesMade", "model")
        if resource == WORKER:
            labels.reasons = _values(metrics, "FailedJobs", "reason")
    return labels


def _metrics_error(error: Exception, action: str) -> MetricsError:
    """Make the error for a call without which there is nothing to show; `action` is the IAM action that it needs."""
    operation = action.partition(":")[2]
    if errors.is_throttled(error):
        return MetricsError(
            f"CloudWatch throttled {operation}, after all of the SDK's retries too. Somebody else in the account and region asks a lot:"
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
    """The values of a dimension beside the service, of the metrics that have just these two."""
    named = [
        {each["Name"]: each["Value"] for each in found["Dimensions"]}
        for found in metrics
        if found["MetricName"] == metric
    ]
    return {dimensions[dimension] for dimensions in named if dimensions.keys() == {"service", dimension}}


# https://aws.amazon.com/cloudwatch/pricing/, "APIs", GetMetricData: USD 0.01 per 1,000 metrics requested, outside of the free
# tier; up to five statistics of the same metric in one request are one metric, further ones another. As of November 2026.
USD_PER_METRIC = 0.01 / 1000
STATISTICS_PER_METRIC = 5


def metrics_requested(series: Iterable[Series]) -> int:
    """Count the metrics that one GetMetricData request for these series is billed as, on AWS: without the local marks."""
    metrics = ((each.namespace, each.cloudwatch_metric, each.dimensions) for each in series)
    statistics = Counter(metric for metric in metrics if metric[0] != LOCAL_NAMESPACE)
    return sum(math.ceil(count / STATISTICS_PER_METRIC) for count in statistics.values())


def request_cost_usd(metrics: int) -> float:
    """Price requested metrics in USD."""
    return metrics * USD_PER_METRIC


def request_sentence(facts: Context) -> str:
    """Say what was asked of CloudWatch and what that costs; every page of an answer is counted as a request."""
    calls = f"{facts.calls} call{'' if facts.calls == 1 else 's'} of GetMetricData"
    asked = f"{calls} for {facts.metrics_requested:,} metrics"
    if facts.target == "local":
        return f"{asked}: the local cloud costs nothing, AWS would bill ${facts.cost_usd:.4f}."
    return f"{asked}: ${facts.cost_usd:.4f}."
