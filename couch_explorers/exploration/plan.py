"""The plan of a run, before anything is paid for: new, cached and refused cells, the cost and the expected time."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import formatting
from couch_explorers.aws import lifecycle
from couch_explorers.aws.lifecycle import LifecycleStatus
from couch_explorers.checks import Verdict, badge
from couch_explorers.core import image_models
from couch_explorers.core.errors import shown
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration import results
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.results import COLUMNS
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import render
from couch_explorers.paths import Home
from couch_explorers.text_layout import wrap_terminal
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from couch_explorers.exploration.cache import CachedPicture
    from couch_explorers.exploration.frames import PlanFrame
    from couch_explorers.exploration.sweep_spec import Cell, SweepSpec
    from couch_explorers.workspace import Workspace


VIAS = ("direct", "queue")
# The columns that identify a cell; a plan's own columns follow them.
CELL_COLUMNS = COLUMNS[: COLUMNS.index("status")]
PLAN_COLUMNS = (*CELL_COLUMNS, "status", "reason", "usd", "id", "warning")
PLAN_DTYPES = {"number": "int64", "seed": "int64", "cfg_scale": "float64", "usd": "float64"}


class Planned(StrEnum):
    """The action that a run would take for a cell."""

    NEW = "new"  # request it, and pay
    CACHED = "cached"  # use the cached picture
    SAME = "same"  # use the picture of an earlier cell with the same request
    REFUSED = "refused"  # send nothing: the model or the target does not accept it


@dataclass(frozen=True)
class PlanContext:
    """The target and settings of a plan: the `context` of its frame.

    `at_a_time` is the number of concurrent pictures, `seconds_by_model` the seconds per picture of each model.
    """

    target: str
    via: str
    title: str
    at_a_time: int
    seconds_by_model: Mapping[str, float]


@dataclass(frozen=True)
class PlanRow:
    """The plan for one cell.

    `reason` says why it is refused, which cell it equals, or why an existing file does not count; `usd` is what it would
    cost, 0 unless new; `warning` does not prevent the run; `picture` is the cached one.
    """

    cell: Cell
    status: Planned
    reason: str = ""
    usd: float = 0.0
    warning: str = ""
    picture: CachedPicture | None = None


def make_plan(sweep: SweepSpec, workspace: Workspace, *, via: str = "direct", concurrency: int = 8) -> PlanFrame:
    """Plan a sweep on a workspace with the cache of its target: see `plan_rows` and `plan_frame`."""
    check_concurrency(concurrency)
    cache = ImageCache(Home.current().images(workspace.target))
    planned = plan_rows(sweep, workspace, cache, via)
    return plan_frame(planned, workspace=workspace, cache=cache, via=via, concurrency=concurrency, title=sweep.title)


def plan_rows(sweep: SweepSpec, workspace: Workspace, cache: ImageCache, via: str = "direct") -> list[PlanRow]:
    """Plan every cell, in order; the lifecycle of each model with new cells is queried once.

    The job of each row's cell is in the region where the workspace has its model. Raises ExplorationError for an unknown
    `via`, and for via="queue" if no queue is deployed.
    """
    _check_via(via, workspace)
    cells = sweep.cells(workspace.model_arns)
    pictures = {cell.number: cache.find(cell.id) for cell in cells if cell.job is not None and cell.same_as is None}
    needed = {
        cell.job.model.id: cell.job.model
        for cell in cells
        if cell.job is not None and cell.same_as is None and pictures[cell.number] is None
    }
    refusals = _not_in_queue(needed, workspace) if via == "queue" else {}
    warnings: dict[str, str] = {}
    remaining = [model for model in needed.values() if model.id not in refusals]
    for model_id, found in lifecycle.fetch_all(workspace, remaining).items():
        kind = refusals if found.status is LifecycleStatus.GONE else warnings
        kind[model_id] = lifecycle.warning(needed[model_id], found)

    planned: list[PlanRow] = []
    for cell in cells:
        if cell.job is None:
            row = PlanRow(cell, Planned.REFUSED, cell.refusal)
        elif cell.same_as is not None:
            row = _same_as_leader(cell, planned[cell.same_as - 1])
        elif (picture := pictures[cell.number]) is not None:
            row = PlanRow(cell, Planned.CACHED, picture=picture)
        elif cell.model in refusals:
            row = PlanRow(cell, Planned.REFUSED, refusals[cell.model])
        else:
            usd, warning = cell.job.model.price_usd(cell.size), warnings.get(cell.model, "")
            row = PlanRow(cell, Planned.NEW, cache.damage(cell.id), usd, warning)
        planned.append(row)
    return planned


def check_cost(planned: Iterable[PlanRow], max_cost_usd: float | None) -> None:
    """Raise ExplorationError for a plan that costs more than the limit in USD; None means no limit."""
    check_max_cost(max_cost_usd)
    if max_cost_usd is None:
        return
    new = [row.usd for row in planned if row.status is Planned.NEW]
    # Summed exactly: ten pictures of $0.01 do not exceed a limit of $0.10.
    cost = round(math.fsum(new), 6)
    if cost > max_cost_usd:
        pictures = "1 new picture costs" if len(new) == 1 else f"{len(new)} new pictures cost"
        raise ExplorationError(
            f"{pictures} {formatting.usd(cost, exact=True)} (prices of {PRICES_AS_OF}), more than max_cost_usd={max_cost_usd:g}: "
            "raise the limit, or ask for fewer prompts, models, seeds or sizes.",
        )


def check_max_cost(max_cost_usd: float | None) -> None:
    """Raise ExplorationError for a limit that is not an amount in USD; None means no limit."""
    if max_cost_usd is None:
        return
    if not isinstance(max_cost_usd, Real) or isinstance(max_cost_usd, bool) or not max_cost_usd >= 0:
        raise ExplorationError(f"max_cost_usd is {shown(max_cost_usd)}: give an amount in USD from 0, or None.")


def check_concurrency(concurrency: int) -> None:
    """Raise ExplorationError unless the concurrency is a whole number of at least 1."""
    if not isinstance(concurrency, Integral) or isinstance(concurrency, bool) or concurrency < 1:
        raise ExplorationError(
            f"concurrency is {shown(concurrency)}: give the number of pictures at a time, 1 or more.",
        )


def plan_frame(
    planned: Sequence[PlanRow],
    *,
    workspace: Workspace,
    cache: ImageCache,
    via: str = "direct",
    concurrency: int = 8,
    title: str = "",
) -> PlanFrame:
    """Return the plan as a frame with PLAN_COLUMNS, one row per cell.

    `status` is "new", "cached", "same" or "refused"; `usd` is what the cell would cost, 0 unless new; `cfg_scale` is NaN
    for the model's own default, `id` and `negative_prompt` may be missing. A sweep with variables also has
    `results.template_columns`. The frame's `context` holds what else a summary needs.
    """
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    from couch_explorers.exploration.frames import PlanFrame  # noqa: PLC0415 - likewise

    models = {row.cell.model for row in planned if row.status is Planned.NEW}
    columns = {
        name: pd.Series([_plan_value(row, name) for row in planned], dtype=PLAN_DTYPES.get(name, "str"))
        for name in PLAN_COLUMNS
    }
    variables = results.variables_of(row.cell for row in planned)
    rows = [results.template_values(row.cell, variables) for row in planned]
    for index, name in enumerate(results.template_columns(variables)):
        columns[name] = pd.Series([row[index] for row in rows], dtype="str")
    frame = PlanFrame(columns)
    frame.context = PlanContext(
        target=workspace.target,
        via=via,
        title=title,
        at_a_time=effective_concurrency(workspace, concurrency, via=via) if models else int(concurrency),
        seconds_by_model=seconds_by_model(cache, models, workspace.target),
    )
    return frame


def _plan_value(row: PlanRow, column: str) -> object:
    if column in CELL_COLUMNS:
        return getattr(row.cell, column)
    if column == "id":
        return row.cell.id or None
    value = getattr(row, column)
    return str(value) if column == "status" else value


def _same_as_leader(cell: Cell, leader: PlanRow) -> PlanRow:
    if leader.status is Planned.REFUSED:
        return PlanRow(cell, Planned.REFUSED, leader.reason)
    return PlanRow(cell, Planned.SAME, f"The same picture as cell {leader.cell.number}.")


def _check_via(via: str, workspace: Workspace) -> None:
    if via not in VIAS:
        raise ExplorationError(f"There is no way named {shown(via)}: use via={' or '.join(map(shown, VIAS))}.")
    if via == "queue" and workspace.queue_url is None:
        raise ExplorationError(f'{not_deployed("queue", workspace.target)}, or use via="direct".')


def _not_in_queue(models: Mapping[str, image_models.ImageModel], workspace: Workspace) -> dict[str, str]:
    """Return why each model that the deployed queue does not accept is refused, by model id."""
    deployed = [image_models.parse_arn(arn)[1] for arn in workspace.model_arns]
    return {
        model.id: f"The queue is not deployed for {model.name} ({model.id}), only for {', '.join(deployed) or 'no model'}: "
        'use one of them, add it to model_arns and deploy, or use via="direct".'
        for model in models.values()
        if model.id not in deployed
    }


# Seconds per picture before any was timed: locally the median latency of the emulated models, on AWS about ten.
TYPICAL_PICTURE_S = {"local": 1.0, "aws": 10.0}


def seconds_by_model(cache: ImageCache, models: Iterable[str], target: str) -> dict[str, float]:
    """Return the seconds per picture of each model: the median in the cache, or else a typical value."""
    wanted = sorted(set(models))
    timed: dict[str, list[float]] = defaultdict(list)
    for record in cache.records() if wanted else ():
        seconds = record.get("seconds")
        if isinstance(seconds, int | float) and seconds > 0:
            timed[str(record.get("model"))].append(seconds)
    typical = TYPICAL_PICTURE_S.get(target, TYPICAL_PICTURE_S["aws"])
    return {model: float(statistics.median(timed[model])) if model in timed else typical for model in wanted}


def effective_concurrency(workspace: Workspace, concurrency: int, *, via: str) -> int:
    """Return how many pictures are made concurrently: by this process, or by the queue's Lambda up to its limit."""
    worker = workspace.functions.get("worker")
    if via != "queue" or worker is None:
        return int(concurrency)
    try:
        response = workspace.client("lambda").list_event_source_mappings(FunctionName=worker)
    except (BotoCoreError, ClientError):
        # An estimate is not worth an error.
        return int(concurrency)
    limits = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in response["EventSourceMappings"]]
    return next((int(limit) for limit in limits if limit), int(concurrency))


def expected_seconds(seconds: Iterable[float], at_once: int) -> float:
    """Estimate the seconds for pictures of these durations, so many at once: at least the longest."""
    durations = list(seconds)
    return max(sum(durations) / at_once, *durations) if durations else 0.0


REMARKS_SHOWN = 5
HEADINGS = {
    Planned.NEW: "new",
    Planned.CACHED: "in the cache",
    Planned.SAME: "same as another",
    Planned.REFUSED: "refused",
}
SHORT_HEADINGS = HEADINGS | {Planned.CACHED: "cached", Planned.SAME: "same"}


@dataclass(frozen=True)
class ModelSummary:
    """The plan for one model, or for all: the number of cells of each kind, and the cost of the new ones in USD."""

    name: str
    counts: dict[Planned, int]
    usd: float


@dataclass(frozen=True, repr=False)
class PlanSummary:
    """The calls, cost and time of a run. Printed as text, displayed by a notebook as a table.

    `usd` is what the new pictures cost at AWS's prices of `prices_as_of`, wherever they are made; `seconds` is the expected
    time with `at_a_time` concurrent pictures; `warnings` are unique; `refusals` are pairs of (reason, cells), the most
    frequent first.
    """

    title: str
    target: str
    via: str
    requests: int
    new: int
    cached: int
    same: int
    refused: int
    usd: float
    prices_as_of: str
    seconds: float
    at_a_time: int
    models: tuple[ModelSummary, ...]
    warnings: tuple[str, ...]
    refusals: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """The plan in one or two sentences."""
        counts = {
            "new": self.new,
            "in the cache": self.cached,
            "the same as another": self.same,
            "refused": self.refused,
        }
        parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        return f"{requests}: {parts or 'nothing to do'}. {self._price()}"

    def _price(self) -> str:
        if not self.new:
            return "Nothing is asked for and nothing is paid."
        one = self.new == 1
        who = "The new one" if one else "The new ones"
        price = f"{formatting.usd(self.usd, exact=True)} (prices of {self.prices_as_of})"
        if self.target == "local":
            cost = f"{who} would cost {price} on AWS, here nothing, and {'takes' if one else 'take'}"
        else:
            cost = f"{who} {'costs' if one else 'cost'} {price} and {'takes' if one else 'take'}"
        at_once = "" if one else f", {self.at_a_time} at a time"
        by_queue = " by the queue's Lambda" if self.via == "queue" else ""
        return f"{cost} about {formatting.rough_duration(self.seconds)}{at_once}{by_queue}."

    def _remarks(self) -> list[str]:
        refusals = [f"{count:,} refused: {reason}" for reason, count in self.refusals]
        return [*_first_remarks(self.warnings, "warnings"), *_first_remarks(refusals, "reasons for refusals")]

    def __str__(self) -> str:
        lines = [self.title] if self.title else []
        lines += [*wrap_terminal(self.sentence), ""]
        width = max((len(line.name) for line in self.models), default=0)
        lines.append(f"{'model':{width}}" + "".join(f"{name:>9}" for name in (*SHORT_HEADINGS.values(), "USD")))
        for line, usd in self._lines():
            lines.append(f"{line.name:{width}}" + "".join(f"{line.counts[kind]:>9,}" for kind in Planned) + f"{usd:>9}")
        remarks = [part for remark in self._remarks() for part in wrap_terminal(f"! {remark}", rest="  ")]
        return "\n".join([*lines, *(["", *remarks] if remarks else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return render(
            "exploration/plan.html.j2",
            title=self.title,
            sentence=self.sentence,
            headings=[*HEADINGS.values(), "USD"],
            rows=[(line.name, [f"{line.counts[kind]:,}" for kind in Planned], usd) for line, usd in self._lines()],
            remarks=self._remarks(),
            badge=badge(Verdict.WARN),
        )

    def _lines(self) -> list[tuple[ModelSummary, str]]:
        """Return the table's lines with their amounts, all with as many decimals as the most precise one needs."""
        lines = self.models
        if len(lines) != 1:
            lines += (
                ModelSummary("all", {kind: sum(line.counts[kind] for line in lines) for kind in Planned}, self.usd),
            )
        decimals = max(len(formatting.usd(line.usd, exact=True).split(".")[1]) for line in lines)
        return [(line, f"{line.usd:,.{decimals}f}") for line in lines]


@dataclass(frozen=True)
class NoPlan:
    """Takes the place of a plan's summary, and says why nothing can be planned."""

    sentence: str
    verdict: Verdict = Verdict.BAD

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": f"<p>{badge(self.verdict)} {escape(self.sentence)}</p>", "text/plain": self.sentence}


def summarize_plan(plan: pd.DataFrame) -> PlanSummary:
    """Summarize a plan, or some of its rows, as returned by `Sweep.plan`. Raises ExplorationError for any other frame."""
    context = getattr(plan, "context", None)
    if not isinstance(context, PlanContext):
        raise ExplorationError(
            "The frame is not a plan, or was rebuilt from the rows of one: pass what Sweep.plan returned, or a part of it.",
        )
    counts = Counter(zip(plan["model"], plan["status"], strict=True))
    lines = tuple(
        ModelSummary(
            str(model),
            {kind: counts[model, str(kind)] for kind in Planned},
            _total_usd(plan.loc[plan["model"] == model, "usd"]),
        )
        for model in plan["model"].unique()
    )
    statuses = Counter(plan["status"])
    new = plan[plan["status"] == str(Planned.NEW)]
    refused = plan.loc[plan["status"] == str(Planned.REFUSED), "reason"]
    return PlanSummary(
        title=context.title,
        target=context.target,
        via=context.via,
        requests=len(plan),
        new=statuses[Planned.NEW],
        cached=statuses[Planned.CACHED],
        same=statuses[Planned.SAME],
        refused=statuses[Planned.REFUSED],
        usd=_total_usd(plan["usd"]),
        prices_as_of=PRICES_AS_OF,
        seconds=expected_seconds((context.seconds_by_model[model] for model in new["model"]), context.at_a_time),
        at_a_time=context.at_a_time,
        models=lines,
        # The reason of a new cell says why an existing file does not count.
        warnings=tuple(text for text in [*plan["warning"].unique(), *new["reason"].unique()] if text),
        refusals=tuple(Counter(refused).most_common()),
    )


def _first_remarks(remarks: Sequence[str], kind: str) -> list[str]:
    """Return the first remarks, and how many more there are."""
    hidden = len(remarks) - REMARKS_SHOWN
    more = [f"{hidden:,} more {kind} in the rows of the plan."] if hidden > 0 else []
    return [*remarks[:REMARKS_SHOWN], *more]


def _total_usd(usd: pd.Series) -> float:
    return round(math.fsum(usd), 6)
