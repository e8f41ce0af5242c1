"""The specification of a sweep and its cells: one per combination of prompt, model, size, cfg scale, negative prompt and seed.

Values that are invalid for every model are rejected in `axes`; a combination that one model does not accept becomes a refused
cell here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models
from couch_explorers.core.errors import InvalidJobError
from couch_explorers.core.image_models import DEFAULT_MODEL_ID, DEFAULT_SIZE
from couch_explorers.core.jobs import Job, canonical_json
from couch_explorers.exploration import axes as sweep_axes
from couch_explorers.exploration import prompt_templates
from couch_explorers.exploration.axes import MAX_CELLS, ExplorationError
from couch_explorers.exploration.prompt_files import read_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.exploration.prompt_templates import VariableValue

__all__ = ["Cell", "ExplorationError", "SweepSpec", "picture_job"]

# A picture's id is derived from its request, so that the same request is the same picture everywhere. The prefix distinguishes
# it from other jobs in the bucket; 160 bits of the hash distinguish any two requests.
ID_PREFIX = "image-"
ID_HASH_DIGITS = 40


@dataclass(frozen=True)
class Cell:
    """One combination, numbered from 1 in the order of the sweep.

    `model` is a model's id; `job` is None if the model does not accept the combination, and `refusal` says why. `same_as` is
    the number of an earlier cell with the same request. `template` is the template that the prompt was made from, None if
    there was none; `variables` are the values filled in.
    """

    number: int
    prompt_name: str
    prompt: str
    model: str
    seed: int
    size: str
    cfg_scale: float | None
    negative_prompt: str | None
    job: Job | None = None
    refusal: str = ""
    same_as: int | None = None
    template: str | None = None
    variables: tuple[VariableValue, ...] = ()

    @property
    def id(self) -> str:
        """The picture's id, empty for a refused cell."""
        return self.job.id if self.job is not None else ""


def picture_job(
    model: ImageModel,
    prompt: str,
    *,
    seed: int,
    size: str,
    cfg_scale: float | None = None,
    negative_prompt: str | None = None,
) -> Job:
    """Create the job whose id is derived from its request; raises InvalidJobError if the model does not accept it."""
    # The worker strips in the same way: both must derive the same request, hence the same id.
    prompt = prompt.strip() if isinstance(prompt, str) else prompt
    negative_prompt = negative_prompt.strip() if isinstance(negative_prompt, str) else negative_prompt
    model.check(prompt, seed, size, cfg_scale, negative_prompt)
    strength = model.default_cfg_scale if cfg_scale is None else float(cfg_scale)
    job = Job("", model, prompt, seed, size, strength, negative_prompt)
    return replace(job, id=f"{ID_PREFIX}{job.request_hash[:ID_HASH_DIGITS]}")


@dataclass(frozen=True, init=False)
class SweepSpec:
    """All combinations of the values on a sweep's axes; each becomes a picture, or a row with the reason why there is none.

    Args:
        prompts: a mapping from name to text, (name, text) pairs, or texts, which are named by their first words.
        models: ids or ARNs.
        seeds: whole numbers.
        sizes: "WxH" in pixels.
        cfg_scales: numbers; None is the model's own default.
        negative_prompts: texts; None means no negative prompt.
        title: the title of the contact sheet.
        purpose: the text below the title.
        variables: the values for the prompts' templates, see `prompt_templates.parse_variables`; each variable is an axis.
            Without it, prompts are sent exactly as written, braces included.
        prompts_file: a file with a list of prompts in place of `prompts`, see `prompt_files.read_prompts`.

    A single value need not be in a list.

    Raises:
        ExplorationError: for an axis without values, a duplicate value or name, an unknown model, a value that is invalid for
            every model, a template that names an unknown variable, a variable that no template names, and more than
            MAX_CELLS combinations. A value that only one model does not accept is not an error: see `cells`.

    """

    prompts: Mapping[str, str]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    sizes: tuple[str, ...]
    cfg_scales: tuple[float | None, ...]
    negative_prompts: tuple[str | None, ...]
    title: str
    purpose: str
    variables: prompt_templates.Variables

    def __init__(
        self,
        prompts: Mapping[str, str] | Iterable[tuple[str, str]] | Iterable[str] | str | None = None,
        models: Iterable[str] | str = (DEFAULT_MODEL_ID,),
        seeds: Iterable[int] | int = (1,),
        sizes: Iterable[str] | str = (DEFAULT_SIZE,),
        cfg_scales: Iterable[float | None] | float | None = (None,),
        negative_prompts: Iterable[str | None] | str | None = (None,),
        title: str = "",
        purpose: str = "",
        variables: Mapping[str, Mapping[str, str] | Iterable[str] | str] | None = None,
        prompts_file: str | Path | None = None,
    ) -> None:
        named_models = sweep_axes.parse_models(models)
        values = {
            "prompts": read_prompts(prompts_file) if prompts_file else sweep_axes.parse_prompts(prompts),
            "models": named_models,
            "seeds": sweep_axes.parse_seeds(seeds, [image_models.get(name) for name in named_models]),
            "sizes": sweep_axes.parse_sizes(sizes),
            "cfg_scales": sweep_axes.parse_cfg_scales(cfg_scales),
            "negative_prompts": sweep_axes.parse_negative_prompts(negative_prompts),
            "title": sweep_axes.parse_label("title", title),
            "purpose": sweep_axes.parse_label("purpose", purpose),
            "variables": prompt_templates.parse_variables(variables),
        }
        for name, value in values.items():
            # The arguments have many forms, the fields have one: hence no generated __init__.
            object.__setattr__(self, name, value)
        counts = self._counts()
        if (cells := prod(counts.values())) > MAX_CELLS:
            factors = ", ".join(f"{count:,} {axis.replace('_', ' ')}" for axis, count in counts.items() if count > 1)
            raise ExplorationError(
                f"The sweep has {cells:,} combinations (of {factors}), and at most {MAX_CELLS:,} are planned: "
                "give fewer values, or make several sweeps.",
            )

    def __len__(self) -> int:
        """Count the cells."""
        return prod(self._counts().values())

    def _counts(self) -> dict[str, int]:
        """Count the values of each axis, the prompts after their expansion."""
        counts = {name: len(values) for name, values in self.axes().items() if name != "variables"}
        return counts | {"prompts": prompt_templates.count_prompts(self.prompts, self.variables)}

    def axes(self) -> dict[str, Any]:
        """Return the axes as plain values for JSON; `SweepSpec(**axes)` accepts them."""
        return {
            "prompts": dict(self.prompts),
            "models": list(self.models),
            "seeds": list(self.seeds),
            "sizes": list(self.sizes),
            "cfg_scales": list(self.cfg_scales),
            "negative_prompts": list(self.negative_prompts),
            "variables": {name: dict(values) for name, values in self.variables.items()},
        }

    def cells(self, model_arns: Sequence[str] = ()) -> tuple[Cell, ...]:
        """Return the cells in order: prompt, variables, model, size, cfg scale, negative prompt; the seed changes fastest.

        A combination that its model does not accept has no job, and a `refusal`. `model_arns` are a workspace's models: they
        define the regions of the sweep's models.
        """
        grid = product(
            prompt_templates.expand(self.prompts, self.variables),
            [_deployed_model(name, model_arns) for name in self.models],
            self.sizes,
            self.cfg_scales,
            self.negative_prompts,
            self.seeds,
        )
        first: dict[tuple[str, str], int] = {}
        cells = []
        for number, (prompt, model, size, cfg_scale, negative_prompt, seed) in enumerate(grid, start=1):
            job, refusal = _job_or_refusal(model, prompt.text, seed, size, cfg_scale, negative_prompt)
            same_as = None
            if job is not None and (leader := first.setdefault(_bedrock_request(job), number)) != number:
                same_as = leader
            cells.append(
                Cell(
                    number=number,
                    prompt_name=prompt.name,
                    prompt=prompt.text,
                    model=model.id,
                    seed=seed,
                    size=size,
                    cfg_scale=cfg_scale,
                    negative_prompt=negative_prompt,
                    job=job,
                    refusal=refusal,
                    same_as=same_as,
                    template=prompt.template,
                    variables=prompt.values,
                ),
            )
        return tuple(cells)


def _deployed_model(name: str, model_arns: Sequence[str]) -> ImageModel:
    """Return a model in the region where the workspace has it, else in that of its ARN or its default one."""
    model = image_models.get(name)
    # By the id in the ARN: a deployment may have models that are unknown here.
    return next((image_models.get(arn) for arn in model_arns if image_models.parse_arn(arn)[1] == model.id), model)


def _job_or_refusal(
    model: ImageModel,
    prompt: str,
    seed: int,
    size: str,
    cfg_scale: float | None,
    negative_prompt: str | None,
) -> tuple[Job | None, str]:
    """Return a cell's job, or why the model does not accept it."""
    try:
        job = picture_job(model, prompt, seed=seed, size=size, cfg_scale=cfg_scale, negative_prompt=negative_prompt)
    except InvalidJobError as error:
        return None, error.detail
    return job, ""


def _bedrock_request(job: Job) -> tuple[str, str]:
    """Return the request to Bedrock: two jobs may have the same, such as with sizes of the same aspect ratio."""
    body = job.model.build_request(job.prompt, job.seed, job.size, job.cfg_scale, job.negative_prompt)
    return job.model.id, canonical_json(body)
