"""A cell of a sweep: one combination of prompt, model, seed, size, cfg scale and negative prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from couch_explorers.core.jobs import Job

if TYPE_CHECKING:
    from couch_explorers.core.image_models import ImageModel

# A picture's id is made from its request, so that the same request is the same picture wherever it is asked for. The
# head tells it from other jobs in the bucket; 160 bits of the hash tell any two requests apart.
ID_HEAD = "image-"
ID_DIGITS = 40


class ExplorationError(Exception):
    """What was asked for cannot be planned, run or shown; the message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """One combination, numbered from 1 in the order of the sweep.

    `model` is a model's id; `job` is None where the model does not take the combination, and `refusal` then says why.
    `same_as` is the number of an earlier cell that asks for the very same picture.
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

    @property
    def id(self) -> str:
        """The picture's id, empty where there can be none."""
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
    """Make the job whose id follows from its request; raises InvalidJobError where the model does not take it."""
    # The worker strips the same way: both must come to one request, hence to one id.
    prompt = prompt.strip() if isinstance(prompt, str) else prompt
    negative_prompt = negative_prompt.strip() if isinstance(negative_prompt, str) else negative_prompt
    model.check(prompt, seed, size, cfg_scale, negative_prompt)
    strength = model.default_cfg_scale if cfg_scale is None else float(cfg_scale)
    job = Job("", model, prompt, seed, size, strength, negative_prompt)
    return replace(job, id=f"{ID_HEAD}{job.request_hash[:ID_DIGITS]}")
