"""The values of a sweep's axes: parsed from user input, and rejected if they are invalid for every model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from itertools import islice
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models, model_families
from couch_explorers.core.errors import InvalidJobError, UnknownModelError, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from couch_explorers.core.image_models import ImageModel


# Ten times the largest sweep that is benchmarked (benchmarks/sweep_scale.py): planning that many cells takes a minute.
MAX_CELLS = 100_000


class ExplorationError(Exception):
    """The request cannot be planned, run or shown; the message says why and what to do."""


# A text without a name is named by this many of its first words, and by more if two texts begin alike.
MIN_NAME_WORDS, MAX_NAME_WORDS = 4, 12
MAX_NAME_CHARACTERS = 60
# Words that a name must not end with: "A cow on the" becomes "A cow".
JOINING_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "to",
        "for",
        "from",
        "with",
        "without",
        "under",
        "over",
        "and",
        "or",
        "as",
        "is",
    ]
)


def parse_prompts(given: Any) -> dict[str, str]:
    """Parse the prompts: a mapping from name to text, (name, text) pairs, or texts, which are named by their first words."""
    if isinstance(given, Mapping):
        if not given:
            raise _empty_axis("prompts")
        refuse_too_many("prompts", len(given))
        pairs = list(given.items())
    else:
        items = axis_values("prompts", given)
        if not any(isinstance(item, tuple | list) for item in items):
            texts = [_parse_text("prompts", text) for text in items]
            reject_duplicates("prompts", texts)
            return dict(zip(_default_names(texts), texts, strict=True))
        pairs = [_parse_pair(item) for item in items]
    names = [_parse_name(name) for name, _ in pairs]
    texts = [_parse_text("prompts", text) for _, text in pairs]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ExplorationError(f"{times} prompts have the name {shown(name)}: give each prompt a name of its own.")
    reject_duplicates("prompts", texts)
    return dict(zip(names, texts, strict=True))


def parse_models(given: Any) -> tuple[str, ...]:
    """Parse the models, each an id or an ARN."""
    names = axis_values("models", given)
    try:
        known = [image_models.get(name).id for name in names]
    except UnknownModelError as error:
        raise ExplorationError(error.detail) from error
    reject_duplicates("models", known)
    return tuple(names)


def parse_seeds(given: Any, allowed: Sequence[ImageModel]) -> tuple[int, ...]:
    """Parse the seeds; reject one that no model of the sweep accepts, which can only be a mistake."""
    values = axis_values("seeds", given)
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
    reject_duplicates("seeds", whole)
    return tuple(whole)


def parse_sizes(given: Any) -> tuple[str, ...]:
    """Parse the sizes, each "WxH" in pixels."""
    values = [model_families.with_plain_x(value) for value in axis_values("sizes", given)]
    try:
        for value in values:
            model_families.parse_size(value)
    except InvalidJobError as error:
        raise ExplorationError(error.detail) from error
    reject_duplicates("sizes", values)
    return tuple(values)


def parse_cfg_scales(given: Any) -> tuple[float | None, ...]:
    """Parse the cfg scales; None is each model's own default."""
    values = axis_values("cfg_scales", given)
    for value in values:
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise ExplorationError(
                f"The axis cfg_scales holds {shown(value)}, which is no number: give numbers like 7.5, or None.",
            )
    scales = [None if value is None else float(value) for value in values]
    reject_duplicates("cfg_scales", scales)
    return tuple(scales)


def parse_negative_prompts(given: Any) -> tuple[str | None, ...]:
    """Parse the negative prompts; None means no negative prompt."""
    values = axis_values("negative_prompts", given)
    texts = [None if value is None else _parse_text("negative_prompts", value, none=", or None") for value in values]
    reject_duplicates("negative_prompts", texts)
    return tuple(texts)


def parse_label(what: str, text: Any) -> str:
    """Parse a title or label: one line, without surrounding whitespace, possibly empty."""
    if not isinstance(text, str) or not is_plain(text):
        raise ExplorationError(f"The {what} {shown(text)} is no plain Unicode text: give one line of text.")
    return " ".join(text.split())


def axis_values(axis: str, given: Any) -> list[Any]:
    """List the values of an axis; a single text, number or None is an axis with that one value.

    Args:
        axis: its name, for the message.
        given: the value or values. No more of an iterable is read than a sweep can hold.

    Raises:
        ExplorationError: not a list of values, an empty one, or more than MAX_CELLS values.

    """
    if given is None or isinstance(given, str | bytes | Real):
        return [given]
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise ExplorationError(f"The axis {axis} takes a list of values, not {shown(given)}.")
    if isinstance(given, Sized):
        refuse_too_many(axis, len(given))
    values = list(islice(given, MAX_CELLS + 1))
    if not values:
        raise _empty_axis(axis)
    refuse_too_many(axis, len(values), more=True)
    return values


def refuse_too_many(axis: str, count: int, *, more: bool = False) -> None:
    """Reject an axis that alone has more values than a sweep may have cells, before the cells are built.

    Args:
        axis: its name, for the message.
        count: the number of its values.
        more: the values were not read to the end; `count` is the minimum.

    Raises:
        ExplorationError: with the count and the limit.

    """
    if count > MAX_CELLS:
        amount = f"more than {MAX_CELLS:,}" if more else f"{count:,}"
        raise ExplorationError(
            f"The axis {axis} has {amount} values, and a sweep has at most {MAX_CELLS:,} cells: give fewer.",
        )


def _empty_axis(axis: str) -> ExplorationError:
    return ExplorationError(f"The sweep is empty: the axis {axis} has no values, so give it at least one.")


def reject_duplicates(axis: str, values: Iterable[Hashable]) -> None:
    """Reject duplicate values; raises ExplorationError with the value and its count."""
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
    if not is_plain(text):
        raise ExplorationError(
            f"The axis {axis} holds {shown(text)} with a NUL or half a character pair: give plain Unicode text.",
        )
    return text.strip()


def is_plain(text: str) -> bool:
    """Check that a text can be written to a file: it has no NUL and no lone surrogate."""
    return image_models.UNPLAIN.search(text) is None


def _default_names(texts: Sequence[str]) -> list[str]:
    """Name each text by as many of its first words as distinguish it from the others, or else by a trailing number."""
    lengths = range(MIN_NAME_WORDS, MAX_NAME_WORDS + 1)
    words = [text.split() for text in texts]
    beginnings = Counter(tuple(text[:length]) for length in range(1, MAX_NAME_WORDS + 1) for text in words)
    # A dict as an ordered set.
    names: dict[str, None] = {}
    for text in words:
        length = next((length for length in lengths if beginnings[tuple(text[:length])] == 1), MAX_NAME_WORDS)
        head = _head(text, length, beginnings).rstrip(".,;:!?")
        name = head = head if len(head) <= MAX_NAME_CHARACTERS else f"{head[: MAX_NAME_CHARACTERS - 1].rstrip()}…"
        number = 1
        while name in names:
            number += 1
            name = f"{head} ({number})"
        names[name] = None
    return list(names)


def _head(text: Sequence[str], length: int, beginnings: Mapping[tuple[str, ...], int]) -> str:
    """Join the first `length` words; drop trailing joining words, unless another text begins with the rest."""
    end = length
    while end > 1 and len(text) > length and text[end - 1].lower() in JOINING_WORDS:
        end -= 1
    return " ".join(text[: end if beginnings[tuple(text[:end])] == 1 else length])
