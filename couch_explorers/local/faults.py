"""The faults that `couch faults` sets in the local cloud, and how they are written: of the models, of S3 and SQS, of deliveries."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import vision_models
from couch_explorers.core import errors, image_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCEPTED = (
    "throttle=0.2, error=0.05, filter=0.01, hang=0.01, unavailable=0.02, reset=0.01, duplicate=0.05, reorder=0.5 (shares from 0 to 1), "
    "latency=2.0, agreement=60 (seconds), retired=MODEL, unsubscribed=MODEL, or clear"
)
SHARES = ("throttle", "error", "filter", "hang", "unavailable", "reset", "duplicate", "reorder")
MODELS = ("retired", "unsubscribed")
# Longer than any Lambda or SDK waits (Lambda's own limit is 900 s): more is a slip of the finger.
LONGEST_LATENCY_S = 900.0
# After this long no Lambda and no SDK waits any more.
HANG_S = LONGEST_LATENCY_S


class FaultError(ValueError):
    """A fault that is not known or has no sensible value; `setting` is what was given."""

    def __init__(self, problem: str, setting: object) -> None:
        super().__init__(f"{problem} Accepted: {ACCEPTED}.")
        self.setting = setting


@dataclass(frozen=True)
class Faults:
    """Faults to inject at the local image models, at S3 and SQS, and in the delivery of messages.

    Of the image models: `throttle`, `error` and `filter` are shares (0 to 1) of calls that are throttled, of calls that find the
    service unavailable, and of pictures that the content filter withholds; `hang` is the share of calls whose pictures are made and
    billed, and whose response comes only after `HANG_S` seconds; `latency` is an exact time in seconds, None the usual
    spread; `retired` are ids of models that answer as retired ones, `unsubscribed` of those that the account has not agreed to on AWS
    Marketplace: they refuse until CreateFoundationModelAgreement, and `agreement` seconds longer.

    Of S3 and SQS: `unavailable` and `reset` are the shares of requests that are answered with 503, and whose connection is reset: one half
    before the service has seen the request, the other after it has done its work. Of standard queues: `duplicate` is the share of
    deliveries after which the message stays visible and is delivered again, `reorder` that of receives that begin with any message
    in place of the oldest.
    """

    throttle: float = 0.0
    error: float = 0.0
    latency: float | None = None
    filter: float = 0.0
    hang: float = 0.0
    unavailable: float = 0.0
    reset: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    retired: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    agreement: float = 0.0

    def __post_init__(self) -> None:
        for name in SHARES:
            object.__setattr__(self, name, _number(name, getattr(self, name), 1.0))
        if self.latency is not None:
            object.__setattr__(self, "latency", _number("latency", self.latency, LONGEST_LATENCY_S))
        object.__setattr__(self, "agreement", _number("agreement", self.agreement, LONGEST_LATENCY_S))
        for name in MODELS:
            models = getattr(self, name)
            if isinstance(models, str) or not all(isinstance(model, str) for model in models):
                raise FaultError(f"{name} is a list of model ids.", models)
            object.__setattr__(self, name, tuple(dict.fromkeys(_known_model(model) for model in models)))

    def to_json(self) -> dict[str, Any]:
        """Return the faults as the JSON object of `/_couch/faults`."""
        return asdict(self) | {name: list(getattr(self, name)) for name in MODELS}

    def __str__(self) -> str:
        """The faults as words of a command line; empty without any. A latency of 0 is one: it is not the usual spread."""
        usual = Faults()
        words = [
            (name, getattr(self, name))
            for name in (*SHARES, "latency", "agreement")
            if getattr(self, name) != getattr(usual, name)
        ]
        models = (f"{name}={model}" for name in MODELS for model in getattr(self, name))
        return " ".join([*(f"{name}={value:g}" for name, value in words), *models])

    @classmethod
    def from_json(cls, value: Any) -> Faults:
        """Read a JSON object; absent fields are without fault. Raises FaultError, which says what is accepted."""
        if not isinstance(value, dict):
            raise FaultError(f"Faults are a JSON object, not {errors.shown(value)}.", value)
        known: Mapping[str, Any] = {field.name: field for field in fields(cls)}
        for name in value:
            if name not in known:
                raise FaultError(f"There is no fault named {errors.shown(name)}.", name)
        for name in MODELS:
            if not isinstance(value.get(name, []), list | tuple):
                raise FaultError(f"{name} is a list of model ids, not {errors.shown(value[name])}.", value[name])
        return cls(**(value | {name: tuple(value.get(name, ())) for name in MODELS}))


def parse(settings: Sequence[str]) -> Faults:
    """Read the words of a command line, such as `["throttle=0.2", "latency=2"]` or `["clear"]`.

    `retired` and `unsubscribed` may be given several times or take several ids with commas between; of any other the last one
    counts.
    Raises FaultError, which tells what is accepted.
    """
    if list(settings) == ["clear"]:
        return Faults()
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if setting == "clear":
            raise FaultError("`clear` stands alone.", setting)
        if not equals or name not in (*SHARES, "latency", "agreement", *MODELS):
            raise FaultError(f"{errors.shown(setting)} is no fault.", setting)
        if name in MODELS:
            given[name] = (*given.get(name, ()), *(model.strip() for model in value.split(",")))
            continue
        try:
            given[name] = float(value)
        except ValueError as error:
            raise FaultError(f"{name} takes a number, not {errors.shown(value)}.", setting) from error
    return Faults(**given)


def _number(name: str, value: object, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FaultError(f"{name} takes a number, not {errors.shown(value)}.", value)
    if not 0 <= value <= highest:
        raise FaultError(f"{name} lies between 0 and {highest:g}, {value:g} does not.", value)
    return float(value)


def _known_model(model: str) -> str:
    if model in vision_models.VISION_MODELS:
        return model
    try:
        return image_models.get(model).id
    except errors.UnknownModelError as error:
        raise FaultError(error.detail, model) from error
