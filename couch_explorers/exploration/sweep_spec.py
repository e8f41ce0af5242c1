"""The axes of a sweep and the cells that they make: one combination of prompt, model, size, cfg scale, negative prompt and seed each.

Values that are wrong for every model are rejected here; a combination that one model does not accept becomes a refused cell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models, model_families
from couch_explorers.core.errors import InvalidJobError, UnknownModelError, shown
from couch_explorers.core.image_models import DEFAULT_MODEL_ID, DEFAULT_SIZE
from couch_explorers.core.jobs import Job, canonical_json

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from couch_explorers.core.image_models import ImageModel


# A picture's id is made from its request, so that the same request is the same picture wherever it is asked for. The
# head tells it from other jobs in the bucket; 160 bits of the hash tell any two requests apart.
ID_PREFIX = "image-"
ID_HASH_DIGITS = 40


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
    return replace(job, id=f"{ID_PREFIX}{job.request_hash[:ID_HASH_DIGITS]}")


# A text without a name is named by so many of its first words, and by more where two begin alike.
MIN_NAME_WORDS, MAX_NAME_WORDS = 4, 12
MAX_NAME_CHARACTERS = 60


def parse_prompts(given: Any) -> dict[str, str]:
    """Read the prompts: a mapping from name to text, (name, text) pairs, or texts, which their first words name."""
    if isinstance(given, Mapping):
        if not given:
            raise _empty_axis("prompts")
        pairs = list(given.items())
    else:
        items = _axis_values("prompts", given)
        if not any(isinstance(item, tuple | list) for item in items):
            texts = [_parse_text("prompts", text) for text in items]
            _reject_duplicates("prompts", texts)
            return dict(zip(_default_names(texts), texts, strict=True))
        pairs = [_parse_pair(item) for item in items]
    names = [_parse_name(name) for name, _ in pairs]
    texts = [_parse_text("prompts", text) for _, text in pairs]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ExplorationError(f"{times} prompts have the name {shown(name)}: give each prompt a name of its own.")
    _reject_duplicates("prompts", texts)
    return dict(zip(names, texts, strict=True))


def parse_models(given: Any) -> tuple[str, ...]:
    """Read the models, each an id or an ARN."""
    names = _axis_values("models", given)
    try:
        known = [image_models.get(name).id for name in names]
    except UnknownModelError as error:
        raise ExplorationError(error.detail) from error
    _reject_duplicates("models", known)
    return tuple(names)


def parse_seeds(given: Any, allowed: Sequence[ImageModel]) -> tuple[int, ...]:
    """Read the seeds; one that none of the sweep's models takes is refused, for it is a slip and no question."""
    values = _axis_values("seeds", given)
    for value in values:
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise ExplorationError(
                f"The axis seeds holds {shown(value)}, which is no whole number: give seeds like 42.",
            )
    whole = [int(value) for value in values]
    low = min(model.seed_range[0] for model in allowed)
    high = max(model.seed_range[1] for model in allowed)
    for value in whole:
        if not low <= value <= high:
            names = " or ".join(model.name for model in allowed)
            raise ExplorationError(f"The seed {value} is out of range for {names}: give {low} to {high}.")
    _reject_duplicates("seeds", whole)
    return tuple(whole)


def parse_sizes(given: Any) -> tuple[str, ...]:
    """Read the sizes, each "WxH" in pixels."""
    values = [model_families.with_plain_x(value) for value in _axis_values("sizes", given)]
    try:
        for value in values:
            model_families.parse_size(value)
    except InvalidJobError as error:
        raise ExplorationError(error.detail) from error
    _reject_duplicates("sizes", values)
    return tuple(values)


def parse_cfg_scales(given: Any) -> tuple[float | None, ...]:
    """Read the cfg scales; None is each model's own default."""
    values = _axis_values("cfg_scales", given)
    for value in values:
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise ExplorationError(
                f"The axis cfg_scales holds {shown(value)}, which is no number: give numbers like 7.5, or None.",
            )
    scales = [None if value is None else float(value) for value in values]
    _reject_duplicates("cfg_scales", scales)
    return tuple(scales)


def parse_negative_prompts(given: Any) -> tuple[str | None, ...]:
    """Read the negative prompts; None is none."""
    values = _axis_values("negative_prompts", given)
    texts = [None if value is None else _parse_text("negative_prompts", value, none=", or None") for value in values]
    _reject_duplicates("negative_prompts", texts)
    return tuple(texts)


def parse_label(what: str, text: Any) -> str:
    """Read a text that stands over or beside pictures: one line, no outer blanks, possibly empty."""
    if not isinstance(text, str) or not _is_plain(text):
        raise ExplorationError(f"The {what} {shown(text)} is no plain Unicode text: give one line of text.")
    return " ".join(text.split())


def _axis_values(axis: str, given: Any) -> list[Any]:
    """List the values of an axis; a single text, number or None stands for an axis with that one value."""
    if given is None or isinstance(given, str | bytes | Real):
        return [given]
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise ExplorationError(f"The axis {axis} takes a list of values, not {shown(given)}.")
    values = list(given)
    if not values:
        raise _empty_axis(axis)
    return values


def _empty_axis(axis: str) -> ExplorationError:
    return ExplorationError(f"The sweep is empty: the axis {axis} has no values, so give it at least one.")


def _reject_duplicates(axis: str, values: Iterable[Hashable]) -> None:
    value, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise ExplorationError(f"The axis {axis} holds {shown(value)} {times} times: give each value once.")


def _parse_pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:  # noqa: PLR2004
        raise ExplorationError(
            f"The axis prompts holds {shown(item)} among (name, text) pairs: give all prompts as pairs, or all as texts.",
        )
    name, text = item
    return name, text


def _parse_name(name: Any) -> str:
    if not (line := parse_label("prompt's name", name)):
        raise ExplorationError(f"The prompt's name {shown(name)} is empty: give each prompt a short name.")
    return line


def _parse_text(axis: str, text: Any, none: str = "") -> str:
    if not isinstance(text, str) or not text.strip():
        raise ExplorationError(f"The axis {axis} holds {shown(text)}, which is no text with words: give texts{none}.")
    if not _is_plain(text):
        raise ExplorationError(
            f"The axis {axis} holds {shown(text)} with a NUL or half a character pair: give plain Unicode text.",
        )
    return text.strip()


def _is_plain(text: str) -> bool:
    """Tell whether a file can hold the text, which one with a NUL or half a surrogate pair cannot."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _default_names(texts: Sequence[str]) -> list[str]:
    """Name each text by its first words, as many as tell it from the others, or else by a number behind them."""
    lengths = range(MIN_NAME_WORDS, MAX_NAME_WORDS + 1)
    words = [text.split() for text in texts]
    beginnings = Counter(tuple(text[:length]) for length in lengths for text in words)
    # A dict, for it keeps the order.
    names: dict[str, None] = {}
    for text in words:
        length = next((length for length in lengths if beginnings[tuple(text[:length])] == 1), MAX_NAME_WORDS)
        head = " ".join(text[:length]).rstrip(".,;:!?")
        name = head = head if len(head) <= MAX_NAME_CHARACTERS else f"{head[: MAX_NAME_CHARACTERS - 1].rstrip()}…"
        number = 1
        while name in names:
            number += 1
            name = f"{head} ({number})"
        names[name] = None
    return list(names)


@dataclass(frozen=True, init=False)
class SweepSpec:
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
        named_models = parse_models(models)
        values = {
            "prompts": parse_prompts(prompts),
            "models": named_models,
            "seeds": parse_seeds(seeds, [image_models.get(name) for name in named_models]),
            "sizes": parse_sizes(sizes),
            "cfg_scales": parse_cfg_scales(cfg_scales),
            "negative_prompts": parse_negative_prompts(negative_prompts),
            "title": parse_label("title", title),
            "purpose": parse_label("purpose", purpose),
        }
        for name, value in values.items():
            # What is given may take many forms, what is kept has one: hence no generated __init__.
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Count the cells."""
        return prod(len(values) for values in self.axes().values())

    def axes(self) -> dict[str, Any]:
        """Give the axes as plain values, ready for JSON; `SweepSpec(**axes)` reads them back."""
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
            [_deployed_model(name, model_arns) for name in self.models],
            self.sizes,
            self.cfg_scales,
            self.negative_prompts,
            self.seeds,
        )
        first: dict[tuple[str, str], int] = {}
        cells = []
        for number, ((name, prompt), model, size, cfg_scale, negative_prompt, seed) in enumerate(grid, start=1):
            job, refusal = _job_or_refusal(model, prompt, seed, size, cfg_scale, negative_prompt)
            same_as = None
            if job is not None and (leader := first.setdefault(_bedrock_request(job), number)) != number:
                same_as = leader
            cells.append(
                Cell(number, name, prompt, model.id, seed, size, cfg_scale, negative_prompt, job, refusal, same_as),
            )
        return tuple(cells)


def _deployed_model(name: str, model_arns: Sequence[str]) -> ImageModel:
    """Find a model in the region where the workspace has it, else where its ARN or AWS's list of models puts it."""
    model = image_models.get(name)
    # By the id in the ARN: a deploy may have models that are not known here.
    return next((image_models.get(arn) for arn in model_arns if image_models.parse_arn(arn)[1] == model.id), model)


def _job_or_refusal(
    model: ImageModel,
    prompt: str,
    seed: int,
    size: str,
    cfg_scale: float | None,
    negative_prompt: str | None,
) -> tuple[Job | None, str]:
    """Make a cell's job, or say why the model does not take it."""
    try:
        job = picture_job(model, prompt, seed=seed, size=size, cfg_scale=cfg_scale, negative_prompt=negative_prompt)
    except InvalidJobError as error:
        return None, error.detail
    return job, ""


def _bedrock_request(job: Job) -> tuple[str, str]:
    """Tell what Bedrock would be asked: two requests may come to one, as sizes do that share an aspect ratio."""
    body = job.model.build_request(job.prompt, job.seed, job.size, job.cfg_scale, job.negative_prompt)
    return job.model.id, canonical_json(body)
