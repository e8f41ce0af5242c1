"""The axes of a sweep as people write them, read into plain values or refused in one sentence.

Only what is wrong whatever the model is refused here; what one model does not take becomes a refused cell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models, model_families
from couch_explorers.core.errors import InvalidJobError, UnknownModelError, shown
from couch_explorers.exploration.cells import ExplorationError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from couch_explorers.core.image_models import ImageModel

# A text without a name is named by so many of its first words, and by more where two begin alike.
FEWEST_WORDS, MOST_WORDS = 4, 12
LONGEST_NAME = 60


def named_prompts(given: Any) -> dict[str, str]:
    """Read the prompts: a mapping from name to text, (name, text) pairs, or texts, which their first words name."""
    if isinstance(given, Mapping):
        if not given:
            raise _empty("prompts")
        pairs = list(given.items())
    else:
        items = _values("prompts", given)
        if not any(isinstance(item, tuple | list) for item in items):
            texts = [_text("prompts", text) for text in items]
            _refuse_twice("prompts", texts)
            return dict(zip(_names(texts), texts, strict=True))
        pairs = [_pair(item) for item in items]
    names = [_name(name) for name, _ in pairs]
    texts = [_text("prompts", text) for _, text in pairs]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ExplorationError(f"{times} prompts have the name {shown(name)}: give each prompt a name of its own.")
    _refuse_twice("prompts", texts)
    return dict(zip(names, texts, strict=True))


def models(given: Any) -> tuple[str, ...]:
    """Read the models, each an id or an ARN."""
    names = _values("models", given)
    try:
        known = [image_models.get(name).id for name in names]
    except UnknownModelError as error:
        raise ExplorationError(error.detail) from error
    _refuse_twice("models", known)
    return tuple(names)


def seeds(given: Any, allowed: Sequence[ImageModel]) -> tuple[int, ...]:
    """Read the seeds; one that none of the sweep's models takes is refused, for it is a slip and no question."""
    values = _values("seeds", given)
    for value in values:
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise ExplorationError(
                f"The axis seeds holds {shown(value)}, which is no whole number: give seeds like 42."
            )
    whole = [int(value) for value in values]
    low = min(model.seed_range[0] for model in allowed)
    high = max(model.seed_range[1] for model in allowed)
    for value in whole:
        if not low <= value <= high:
            names = " or ".join(model.name for model in allowed)
            raise ExplorationError(f"The seed {value} is out of range for {names}: give {low} to {high}.")
    _refuse_twice("seeds", whole)
    return tuple(whole)


def sizes(given: Any) -> tuple[str, ...]:
    """Read the sizes, each "WxH" in pixels."""
    values = [model_families.with_plain_x(value) for value in _values("sizes", given)]
    try:
        for value in values:
            model_families.parse_size(value)
    except InvalidJobError as error:
        raise ExplorationError(error.detail) from error
    _refuse_twice("sizes", values)
    return tuple(values)


def cfg_scales(given: Any) -> tuple[float | None, ...]:
    """Read the cfg scales; None is each model's own default."""
    values = _values("cfg_scales", given)
    for value in values:
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            raise ExplorationError(
                f"The axis cfg_scales holds {shown(value)}, which is no number: give numbers like 7.5, or None."
            )
    scales = [None if value is None else float(value) for value in values]
    _refuse_twice("cfg_scales", scales)
    return tuple(scales)


def negative_prompts(given: Any) -> tuple[str | None, ...]:
    """Read the negative prompts; None is none."""
    values = _values("negative_prompts", given)
    texts = [None if value is None else _text("negative_prompts", value, none=", or None") for value in values]
    _refuse_twice("negative_prompts", texts)
    return tuple(texts)


def label(what: str, text: Any) -> str:
    """Read a text that stands over or beside pictures: one line, no outer blanks, possibly empty."""
    if not isinstance(text, str) or not _is_plain(text):
        raise ExplorationError(f"The {what} {shown(text)} is no plain Unicode text: give one line of text.")
    return " ".join(text.split())


def _values(axis: str, given: Any) -> list[Any]:
    """List the values of an axis; a single text, number or None stands for an axis with that one value."""
    if given is None or isinstance(given, str | bytes | Real):
        return [given]
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise ExplorationError(f"The axis {axis} takes a list of values, not {shown(given)}.")
    values = list(given)
    if not values:
        raise _empty(axis)
    return values


def _empty(axis: str) -> ExplorationError:
    return ExplorationError(f"The sweep is empty: the axis {axis} has no values, so give it at least one.")


def _refuse_twice(axis: str, values: Iterable[Hashable]) -> None:
    value, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise ExplorationError(f"The axis {axis} holds {shown(value)} {times} times: give each value once.")


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:  # noqa: PLR2004
        raise ExplorationError(
            f"The axis prompts holds {shown(item)} among (name, text) pairs: give all prompts as pairs, or all as texts."
        )
    name, text = item
    return name, text


def _name(name: Any) -> str:
    if not (line := label("prompt's name", name)):
        raise ExplorationError(f"The prompt's name {shown(name)} is empty: give each prompt a short name.")
    return line


def _text(axis: str, text: Any, none: str = "") -> str:
    if not isinstance(text, str) or not text.strip():
        raise ExplorationError(f"The axis {axis} holds {shown(text)}, which is no text with words: give texts{none}.")
    if not _is_plain(text):
        raise ExplorationError(
            f"The axis {axis} holds {shown(text)} with a NUL or half a character pair: give plain Unicode text."
        )
    return text.strip()


def _is_plain(text: str) -> bool:
    """Tell whether a file can hold the text, which one with a NUL or half a surrogate pair cannot."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _names(texts: Sequence[str]) -> list[str]:
    """Name each text by its first words, as many as tell it from the others, or else by a number behind them."""
    lengths = range(FEWEST_WORDS, MOST_WORDS + 1)
    words = [text.split() for text in texts]
    beginnings = Counter(tuple(text[:length]) for length in lengths for text in words)
    # A dict, for it keeps the order.
    names: dict[str, None] = {}
    for text in words:
        length = next((length for length in lengths if beginnings[tuple(text[:length])] == 1), MOST_WORDS)
        head = " ".join(text[:length]).rstrip(".,;:!?")
        name = head = head if len(head) <= LONGEST_NAME else f"{head[: LONGEST_NAME - 1].rstrip()}…"
        number = 1
        while name in names:
            number += 1
            name = f"{head} ({number})"
        names[name] = None
    return list(names)
