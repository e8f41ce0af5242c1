"""From CloudWatch to a frame: every number of a review, for a window and for the same window a day and a week before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Literal, cast

from couch_explorers.metrics import (
    answers,
    asking,
    frames,
    labels,
    pricing,
    series,
    surroundings,
    synthetic,
    windows,
    words,
)
from couch_explorers.metrics.errors import MetricsError
from couch_explorers.metrics.facts import API, API_FUNCTION, DEAD_LETTERS, QUEUE, WORKER, Facts, SeriesState
from couch_explorers.workspace import HOW_TO_DEPLOY, not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    import pandas as pd

    from couch_explorers.metrics.answers import Answer
    from couch_explorers.metrics.facts import Series, SeriesKey, Window
    from couch_explorers.metrics.labels import Labels
    from couch_explorers.metrics.series import Names
    from couch_explorers.metrics.surroundings import Clients, Surroundings
    from couch_explorers.metrics.windows import Compare, Plan
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
    start, end = windows.stretch(hours, now)
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

    Gives a tidy frame: index `time` (UTC, the start of each period), columns `facts.COLUMNS`; no row where nothing was
    measured. `attrs["facts"]` holds the Facts. A time without a zone is one of `timezone`, in which people read the
    times. `compare` is "before" (the same hours, a day or as many whole days before as it takes), "week" or "none".

    What the caller may not ask, what is not deployed and what was not measured is told by `Facts.states`, `unanswered`
    and `notes`. Raises MetricsParameterError for a window or a time zone that makes no sense, and MetricsError when
    CloudWatch throttles to the end, refuses, or cannot be reached; windows to compare with are left out then, with a note.
    """
    now = now or datetime.now(UTC)
    # Wrong parameters are told before anybody is asked.
    windows.plan(start, end, timezone=timezone, compare=compare, now=now, series=0)
    names = series.Names.of(workspace)
    clients = surroundings.Clients.of(workspace)
    found = labels.find(clients.cloudwatch, names, workspace.model_arns)
    usual = _series(names, found, min(windows.RETENTION), windows.PERCENTILE_PERIOD_S)
    percentiles = sum(series.is_percentile(each.key) for each in usual)
    plan = windows.plan(
        start, end, timezone=timezone, compare=compare, now=now,
        series=len(usual) - percentiles + len(_marks(workspace, names, min(windows.RETENTION))), percentiles=percentiles,
    )  # fmt: skip
    lines = _series(names, found, plan.period_s, plan.percentile_period_s)
    return _fetch(workspace, names, clients, plan, lines, found, timezone, now)


def _series(names: Names, found: Labels, period_s: int, percentile_period_s: int) -> tuple[Series, ...]:
    return series.build(
        names, period_s=period_s, percentile_period_s=percentile_period_s, reasons=found.reasons, models=found.models
    )


def _marks(workspace: Workspace, names: Names, period_s: int) -> tuple[Series, ...]:
    return series.synthetic_marks(names, period_s) if workspace.target == "local" else ()


def _fetch(
    workspace: Workspace,
    names: Names,
    clients: Clients,
    plan: Plan,
    lines: tuple[Series, ...],
    found: Labels,
    timezone: str,
    now: datetime,
) -> pd.DataFrame:
    """Ask for all windows and their surroundings at the same time, and put everything together."""
    asked = [each for each in lines if each.resource in names.deployed]
    marks = _marks(workspace, names, plan.period_s) if asked else ()
    with ThreadPoolExecutor(len(plan.windows), thread_name_prefix="windows") as pool:
        waiting = [pool.submit(answers.ask, clients.cloudwatch, window, (*asked, *marks)) for window in plan.windows]
        around = surroundings.look(workspace, names, clients, plan.windows, now)
        plan, answered = _answered(plan, waiting)
    states = _states(plan, lines, asked, answered, around)
    requested = sum(each.metrics_requested for each in answered)
    unanswered = found.unanswered | around.unanswered
    if SeriesState.DENIED in states.values():
        unanswered[answers.ACTION] = asking.no_right(answers.ACTION, "read metrics")
    points = list(chain.from_iterable(each.points[: len(asked)] for each in answered))
    marked = list(chain.from_iterable(each.points[len(asked) :] for each in answered))
    facts = Facts(
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
        deploys=tuple(sorted((*around.deploys, *synthetic.deploys(marked)), key=lambda deploy: deploy.time)),
        synthetic=synthetic.stretches(marked),
        metrics_requested=requested,
        calls=sum(each.calls for each in answered),
        cost_usd=pricing.cost_usd(requested),
        unanswered=unanswered,
        notes=tuple(dict.fromkeys(_notes(workspace, names, plan, around, answered, unanswered, states))),
    )
    return frames.build((each for each in points if len(each.times_s)), facts)


def _answered(plan: Plan, waiting: Sequence[Future[Answer]]) -> tuple[Plan, list[Answer]]:
    """Take the answers, one a window; a window to compare with that CloudWatch did not answer for leaves the plan with a note.

    Raises MetricsError where it is the window now: without it there is nothing to show.
    """
    answered: list[tuple[Window, Answer]] = []
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
        f"The window{'s' if len(names) > 1 else ''} {words.join(names)} {'are' if len(names) > 1 else 'is'} left out. {why}"
        for why, names in lost.items()
    )
    compare = plan.compare if plan.compare in {window.name for window in kept} else None
    return replace(plan, windows=kept, compare=compare, notes=(*plan.notes, *notes)), [each for _, each in answered]


def _states(
    plan: Plan, lines: Iterable[Series], asked: Sequence[Series], answered: Sequence[Answer], around: Surroundings
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
    plan: Plan,
    around: Surroundings,
    answered: Iterable[Answer],
    unanswered: dict[str, str],
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
    yield from unanswered.values()
    yield from around.notes
    for window in plan.windows:
        partial = [key for (name, key), state in states.items() if name == window.name and state is SeriesState.PARTIAL]
        if partial:
            first = ", ".join(f"{resource} {metric}" for resource, metric, _ in partial[:3])
            more = f" and {len(partial) - 3} more" if len(partial) > 3 else ""  # noqa: PLR2004 - as many as were named
            yield f"CloudWatch gave only a part for the window {window.name!r}: {first}{more}. Try again in a minute."
    for answer in answered:
        yield from answer.notes
