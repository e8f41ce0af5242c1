"""A sweep: every combination of prompts, models, seeds, sizes, cfg scales and negative prompts, each a cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.core import image_models
from couch_explorers.core.errors import InvalidJobError
from couch_explorers.core.image_models import DEFAULT_MODEL_ID, DEFAULT_SIZE
from couch_explorers.core.jobs import Job, canonical_json
from couch_explorers.exploration.cells import Cell, ExplorationError, picture_job
from couch_explorers.exploration.planning import sweep_axes as read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.exploration.planning.plan_summary import NoPlan, PlanSummary
    from couch_explorers.exploration.running.cache import ImageCache
    from couch_explorers.workspace import Workspace


@dataclass(frozen=True, init=False)
class Sweep:
    """All combinations of the values on six axes; each becomes one picture, or one row that says why there is none.

    `prompts` are a mapping from name to text, (name, text) pairs, or texts, which are then named by their first words;
    `models` are ids or ARNs; `sizes` are "WxH" in pixels; a `cfg_scales` of None is the model's own default and a
    `negative_prompts` of None is none. A single value may stand without a list around it. `title` and `purpose` stand
    over the pictures.

    Raises ExplorationError for an axis without values, a value or name that stands there twice, a model that is not
    known, and a value that is wrong whatever the model. What one model does not take is no error: see `cells`.
    """

    prompts: Mapping[str, str]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    sizes: tuple[str, ...]
    cfg_scales: tuple[float | None, ...]
    negative_prompts: tuple[str | None, ...]
    title: str
    purpose: str

    def __init__(
        self,
        prompts: Mapping[str, str] | Iterable[tuple[str, str]] | Iterable[str] | str,
        models: Iterable[str] | str = (DEFAULT_MODEL_ID,),
        seeds: Iterable[int] | int = (1,),
        sizes: Iterable[str] | str = (DEFAULT_SIZE,),
        cfg_scales: Iterable[float | None] | float | None = (None,),
        negative_prompts: Iterable[str | None] | str | None = (None,),
        title: str = "",
        purpose: str = "",
    ) -> None:
        named_models = read.models(models)
        values = {
            "prompts": read.named_prompts(prompts),
            "models": named_models,
            "seeds": read.seeds(seeds, [image_models.get(name) for name in named_models]),
            "sizes": read.sizes(sizes),
            "cfg_scales": read.cfg_scales(cfg_scales),
            "negative_prompts": read.negative_prompts(negative_prompts),
            "title": read.label("title", title),
            "purpose": read.label("purpose", purpose),
        }
        for name, value in values.items():
            # What is given may take many forms, what is kept has one: hence no generated __init__.
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Count the cells."""
        return prod(len(values) for values in self.axes().values())

    def axes(self) -> dict[str, Any]:
        """Give the axes as plain values, ready for JSON; `Sweep(**axes)` reads them back."""
        return {
            "prompts": dict(self.prompts),
            "models": list(self.models),
            "seeds": list(self.seeds),
            "sizes": list(self.sizes),
            "cfg_scales": list(self.cfg_scales),
            "negative_prompts": list(self.negative_prompts),
        }

    def cells(self, model_arns: Sequence[str] = ()) -> tuple[Cell, ...]:
        """Make the cells in order: prompt, model, size, cfg scale, negative prompt, and the seed changes fastest.

        A combination that its model does not take has no job and says why. `model_arns` are the models as a workspace
        has them: where it names one of the sweep's, its region counts.
        """
        grid = product(
            self.prompts.items(),
            [_placed(name, model_arns) for name in self.models],
            self.sizes,
            self.cfg_scales,
            self.negative_prompts,
            self.seeds,
        )
        first: dict[tuple[str, str], int] = {}
        cells = []
        for number, ((name, prompt), model, size, cfg_scale, negative_prompt, seed) in enumerate(grid, start=1):
            job, refusal = _job(model, prompt, seed, size, cfg_scale, negative_prompt)
            same_as = None
            if job is not None and (leader := first.setdefault(_asked(job), number)) != number:
                same_as = leader
            cells.append(
                Cell(number, name, prompt, model.id, seed, size, cfg_scale, negative_prompt, job, refusal, same_as)
            )
        return tuple(cells)

    def plan(self, workspace: Workspace, via: str = "direct", concurrency: int = 8) -> pd.DataFrame:
        """Say what a run would do, before anything is paid: one row a cell, see `plan.frame`.

        Looks into this machine's cache and asks the target for the lifecycle of models, but not into the bucket: a
        picture that is only there is planned as new and fetched in the run. Raises ExplorationError for an unknown `via`
        and for via="queue" where no queue is deployed.
        """
        # Here, for the plan's modules import this one's neighbours, and only who plans needs them.
        from couch_explorers.exploration.planning import plan  # noqa: PLC0415

        return plan.make(self, workspace, via=via, concurrency=concurrency)

    def summary(
        self,
        workspace: Workspace,
        via: str = "direct",
        concurrency: int = 8,
        *,
        errors: Literal["raise", "show"] = "raise",
    ) -> PlanSummary | NoPlan:
        """Say in a few lines what a run would ask, cost and take.

        Raises ExplorationError as `plan` does; with errors="show" its sentence is returned in the summary's place, so
        that a notebook goes on.
        """
        from couch_explorers.exploration.planning import plan_summary  # noqa: PLC0415

        try:
            return plan_summary.of(self.plan(workspace, via=via, concurrency=concurrency))
        except ExplorationError as error:
            if errors == "raise":
                raise
            return plan_summary.NoPlan(str(error))

    def run(
        self,
        workspace: Workspace,
        via: str = "direct",
        concurrency: int = 8,
        max_cost_usd: float | None = None,
        cache: ImageCache | None = None,
        *,
        errors: Literal["raise", "show"] = "raise",
    ) -> pd.DataFrame:
        """Make the pictures that are not there yet and return one row a cell, in order, whatever became of it.

        The columns are `outcomes.COLUMNS`; `seconds` and `usd` are the cell's own. Raises ExplorationError before
        anything is sent: as `plan` does, and where the new pictures cost more than `max_cost_usd`. With
        errors="show" nothing is sent either, but the rows are returned, "stopped" with that sentence as their reason
        unless their picture is in the cache; `conclude` then says BAD.
        """
        from couch_explorers.exploration.running import run_sweep  # noqa: PLC0415

        return run_sweep.run(
            self, workspace, via=via, concurrency=concurrency, max_cost_usd=max_cost_usd, cache=cache, errors=errors
        )


def _placed(name: str, model_arns: Sequence[str]) -> ImageModel:
    """Find a model in the region where the workspace has it, else where its ARN or AWS's list of models puts it."""
    model = image_models.get(name)
    # By the id in the ARN: a deploy may have models that are not known here.
    return next((image_models.get(arn) for arn in model_arns if image_models.parse_arn(arn)[1] == model.id), model)


def _job(
    model: ImageModel, prompt: str, seed: int, size: str, cfg_scale: float | None, negative_prompt: str | None
) -> tuple[Job | None, str]:
    """Make a cell's job, or say why the model does not take it."""
    try:
        job = picture_job(model, prompt, seed=seed, size=size, cfg_scale=cfg_scale, negative_prompt=negative_prompt)
    except InvalidJobError as error:
        return None, error.detail
    return job, ""


def _asked(job: Job) -> tuple[str, str]:
    """Tell what Bedrock would be asked: two requests may come to one, as sizes do that share an aspect ratio."""
    body = job.model.build_request(job.prompt, job.seed, job.size, job.cfg_scale, job.negative_prompt)
    return job.model.id, canonical_json(body)
