"""What a run would do, before anything is paid: which cells are new, which are there, which are refused, and the cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral, Real
from typing import TYPE_CHECKING

from couch_explorers.aws import lifecycle
from couch_explorers.aws.lifecycle import LifecycleStatus
from couch_explorers.core import image_models
from couch_explorers.core.errors import shown
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.money import dollars
from couch_explorers.exploration.outcomes import COLUMNS
from couch_explorers.exploration.planning import timing
from couch_explorers.exploration.running.cache import ImageCache
from couch_explorers.paths import Home
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from couch_explorers.exploration.cells import Cell
    from couch_explorers.exploration.planning.sweep import Sweep
    from couch_explorers.exploration.running.cache import CachedPicture
    from couch_explorers.workspace import Workspace

VIAS = ("direct", "queue")
# What a plan says of each cell, after the columns that tell which one it is.
CELL_COLUMNS = COLUMNS[: COLUMNS.index("status")]
PLAN_COLUMNS = (*CELL_COLUMNS, "status", "reason", "usd", "id", "warning")
DTYPES = {"number": "int64", "seed": "int64", "cfg_scale": "float64", "usd": "float64"}


class Planned(StrEnum):
    """What a run would do with a cell."""

    NEW = "new"  # ask for it, and pay
    CACHED = "cached"  # take the picture that is here
    SAME = "same"  # take the picture of an earlier cell, which asks for the same
    REFUSED = "refused"  # send nothing: the model or the target does not take it


@dataclass(frozen=True)
class PlanRow:
    """The plan for one cell.

    `reason` says why it is refused, which cell it is the same as, or why a picture that is here does not count; `usd` is
    what it would cost, 0 unless new; `warning` is worth knowing and stops nothing; `picture` is the cached one.
    """

    cell: Cell
    status: Planned
    reason: str = ""
    usd: float = 0.0
    warning: str = ""
    picture: CachedPicture | None = None


def make(sweep: Sweep, workspace: Workspace, *, via: str = "direct", concurrency: int = 8) -> pd.DataFrame:
    """Plan a sweep on a workspace with the cache of its target: see `rows` and `frame`."""
    check_concurrency(concurrency)
    cache = ImageCache(Home.current().images(workspace.target))
    planned = rows(sweep, workspace, cache, via)
    return frame(planned, workspace=workspace, cache=cache, via=via, concurrency=concurrency, title=sweep.title)


def rows(sweep: Sweep, workspace: Workspace, cache: ImageCache, via: str = "direct") -> list[PlanRow]:
    """Plan every cell, in order; the models' lifecycles are asked here, once, and only of models with something new.

    The job of each row's cell stands in the region where the workspace has its model. Raises ExplorationError for an
    unknown `via`, and for via="queue" where no queue is deployed.
    """
    _check_via(via, workspace)
    cells = sweep.cells(workspace.model_arns)
    pictures = {cell.number: cache.find(cell.id) for cell in cells if cell.job is not None and cell.same_as is None}
    asked = {
        cell.job.model.id: cell.job.model
        for cell in cells
        if cell.job is not None and cell.same_as is None and pictures[cell.number] is None
    }
    refusals = _not_in_queue(asked, workspace) if via == "queue" else {}
    warnings: dict[str, str] = {}
    remaining = [model for model in asked.values() if model.id not in refusals]
    for model_id, found in lifecycle.fetch_all(workspace, remaining).items():
        kind = refusals if found.status is LifecycleStatus.GONE else warnings
        kind[model_id] = lifecycle.warning(asked[model_id], found)

    planned: list[PlanRow] = []
    for cell in cells:
        if cell.job is None:
            row = PlanRow(cell, Planned.REFUSED, cell.refusal)
        elif cell.same_as is not None:
            row = _same(cell, planned[cell.same_as - 1])
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
    """Refuse a plan that costs more than the limit in USD; None is no limit. Raises ExplorationError."""
    if max_cost_usd is None:
        return
    if not isinstance(max_cost_usd, Real) or isinstance(max_cost_usd, bool) or not max_cost_usd >= 0:
        raise ExplorationError(f"max_cost_usd is {shown(max_cost_usd)}: give an amount in USD from 0, or None.")
    new = [row.usd for row in planned if row.status is Planned.NEW]
    # Summed exactly: ten pictures of $0.01 do not break a limit of $0.10.
    cost = round(math.fsum(new), 6)
    if cost > max_cost_usd:
        pictures = "1 new picture costs" if len(new) == 1 else f"{len(new)} new pictures cost"
        raise ExplorationError(
            f"{pictures} {dollars(cost)} (prices of {PRICES_AS_OF}), more than max_cost_usd={max_cost_usd:g}: "
            "raise the limit, or ask for fewer prompts, models, seeds or sizes."
        )


def check_concurrency(concurrency: int) -> None:
    """Refuse a number of pictures at a time that is none; raises ExplorationError."""
    if not isinstance(concurrency, Integral) or isinstance(concurrency, bool) or concurrency < 1:
        raise ExplorationError(
            f"concurrency is {shown(concurrency)}: give the number of pictures at a time, 1 or more."
        )


def frame(
    planned: Sequence[PlanRow],
    *,
    workspace: Workspace,
    cache: ImageCache,
    via: str = "direct",
    concurrency: int = 8,
    title: str = "",
) -> pd.DataFrame:
    """Lay the plan out as PLAN_COLUMNS, one row a cell.

    `status` is "new", "cached", "same" or "refused"; `usd` is what the cell would cost, 0 unless new; `cfg_scale` is NaN
    for the model's own default, `id` and `negative_prompt` are missing where there is none. The frame's attrs hold what a
    summary needs beside: target, via, title, at_a_time (pictures) and seconds_by_model (of one picture).
    """
    import pandas as pd  # noqa: PLC0415 - only who wants the frame pays for the import

    models = {row.cell.model for row in planned if row.status is Planned.NEW}
    columns = {
        name: pd.Series([_value(row, name) for row in planned], dtype=DTYPES.get(name, "str")) for name in PLAN_COLUMNS
    }
    table = pd.DataFrame(columns)
    table.attrs = {
        "target": workspace.target,
        "via": via,
        "title": title,
        "at_a_time": timing.at_a_time(workspace, concurrency, via=via) if models else int(concurrency),
        "seconds_by_model": timing.seconds_by_model(cache, models, workspace.target),
    }
    return table


def _value(row: PlanRow, column: str) -> object:
    if column in CELL_COLUMNS:
        return getattr(row.cell, column)
    if column == "id":
        return row.cell.id or None
    value = getattr(row, column)
    return str(value) if column == "status" else value


def _same(cell: Cell, leader: PlanRow) -> PlanRow:
    if leader.status is Planned.REFUSED:
        return PlanRow(cell, Planned.REFUSED, leader.reason)
    return PlanRow(cell, Planned.SAME, f"The same picture as cell {leader.cell.number}.")


def _check_via(via: str, workspace: Workspace) -> None:
    if via not in VIAS:
        raise ExplorationError(f"There is no way named {shown(via)}: use via={' or '.join(map(shown, VIAS))}.")
    if via == "queue" and workspace.queue_url is None:
        raise ExplorationError(f'{not_deployed("queue", workspace.target)}, or use via="direct".')


def _not_in_queue(asked: Mapping[str, image_models.ImageModel], workspace: Workspace) -> dict[str, str]:
    """Say of each model that the deployed queue does not take why it is refused."""
    taken = [image_models.parse_arn(arn)[1] for arn in workspace.model_arns]
    return {
        model.id: f"The queue is not deployed for {model.name} ({model.id}), only for {', '.join(taken) or 'no model'}: "
        'use one of them, add it to model_arns and deploy, or use via="direct".'
        for model in asked.values()
        if model.id not in taken
    }
