"""The image models: their limits, prices, regions and lifecycle.

An image model is data and two pure functions, `build_request` and `read_response`. A request that breaks a limit never
leaves the machine. Limits come from the Bedrock user guide (titan-image-models, Stable Image Core) and the Nova user
guide (image-gen-req-resp-structure).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from couch_explorers.core import model_families
from couch_explorers.core.errors import InvalidJobError, ModelAnswerError, UnknownModelError, shown

DEFAULT_MODEL_ID = "stability.stable-image-core-v1:1"
DEFAULT_SIZE = "1024x1024"

# Every family accepts these seeds: the sources on Nova Canvas differ (858993459 or 2147483646 at most), and 0 means "any
# seed" on Stability.
COMMON_SEED_RANGE = (1, 858_993_459)

# USD for one picture of standard quality, collected from several sources that differ; the page has what is billed.
PRICES_AS_OF = "2026-08-31"
PRICES_SOURCE = "https://aws.amazon.com/bedrock/pricing/"

# Characters that plain Unicode text cannot contain: NUL, and lone surrogates.
UNPLAIN = re.compile("[\x00\ud800-\udfff]")

_ARN = re.compile(r"arn:aws:bedrock:([a-z0-9-]+)::foundation-model/([A-Za-z0-9.:_-]+)")
# Both kinds of inference profile belong to an account:
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
_PROFILE_ARN = re.compile(
    r"arn:aws:bedrock:([a-z0-9-]+):[0-9]{12}:(inference-profile|application-inference-profile)/([A-Za-z0-9.:_-]+)"
)


@dataclass(frozen=True)
class ImageModel:
    """One image model of Bedrock and its limits; `family` is a key of `model_families.FAMILIES`.

    `profile_arn` is that of the inference profile by which the model is called, empty where it is called directly.
    `end_of_life` is an ISO date; `prompt_limit` counts characters, for the negative prompt too; `seed_range` and
    `cfg_scale_range` include both ends; `prices` are pairs of (pixels up to which the price holds, USD), None for any
    number of pixels.
    """

    id: str
    name: str
    family: str
    region: str
    prompt_limit: int
    prices: tuple[tuple[int | None, float], ...]
    seed_range: tuple[int, int] = COMMON_SEED_RANGE
    lifecycle: Literal["ACTIVE", "LEGACY"] = "ACTIVE"
    end_of_life: str | None = None
    cfg_scale_range: tuple[float, float] | None = None
    default_cfg_scale: float | None = None
    profile_arn: str = ""

    @property
    def arn(self) -> str:
        """The ARN to call: the inference profile's, or the foundation model's, which belongs to no account."""
        return self.profile_arn or f"arn:aws:bedrock:{self.region}::foundation-model/{self.id}"

    @property
    def invoke_id(self) -> str:
        """The `modelId` for InvokeModel: the id, or the ARN of the inference profile."""
        return self.profile_arn or self.id

    def price_usd(self, size: str = DEFAULT_SIZE) -> float:
        """Return the price of one picture of this size in USD, as of PRICES_AS_OF."""
        width, height = model_families.parse_size(size)
        return next(price for pixels, price in self.prices if pixels is None or width * height <= pixels)

    def picture_size(self, size: str = DEFAULT_SIZE) -> tuple[int, int]:
        """Return the (width, height) of the picture: on Stability about one megapixel in the nearest aspect ratio."""
        return self._family.picture_size(size)

    def check_size(self, size: object) -> None:
        """Raise InvalidJobError, with the limit, for a size that the model does not support."""
        self._family.check_size(self.name, size)

    def check(self, prompt: object, seed: object, size: object, cfg_scale: object, negative_prompt: object) -> None:
        """Raise InvalidJobError, with the limit, for a request that the model does not accept."""
        self._check_text("prompt", prompt)
        if negative_prompt is not None:
            self._check_text("negative_prompt", negative_prompt)
        low, high = self.seed_range
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise InvalidJobError(f"The seed {shown(seed)} is no whole number: give {low} to {high}, or none.")
        if not low <= seed <= high:
            raise InvalidJobError(f"{self.name} does not take the seed {shown(seed)}: give {low} to {high}, or none.")
        self.check_size(size)
        if cfg_scale is not None:
            self._check_cfg_scale(cfg_scale)

    def build_request(
        self,
        prompt: str,
        seed: int,
        size: str = DEFAULT_SIZE,
        cfg_scale: float | None = None,
        negative_prompt: str | None = None,
    ) -> dict[str, Any]:
        """Return the body of one InvokeModel call for one picture; raises InvalidJobError if a limit is exceeded."""
        self.check(prompt, seed, size, cfg_scale, negative_prompt)
        strength = cfg_scale if cfg_scale is not None else self.default_cfg_scale
        return self._family.request(
            prompt=prompt, negative_prompt=negative_prompt, size=size, cfg_scale=strength, seed=seed
        )

    def read_response(self, answer: dict[str, Any]) -> list[bytes]:
        """Read the pictures from a response.

        Raises BlockedError when a content filter withheld them and ModelAnswerError when there is none to read; never
        retry the first, it costs again.
        """
        if not isinstance(answer, dict):
            raise ModelAnswerError(f"{self.name} answered with something that is no JSON object.")
        return self._family.read(self.name, answer)

    def read_seed(self, answer: dict[str, Any], asked: int) -> int:
        """Read the seed that was used: the requested one, unless it was Stability's random seed (0)."""
        seeds = answer.get("seeds")
        used = seeds[0] if isinstance(seeds, list) and seeds else None
        return used if isinstance(used, int) and not isinstance(used, bool) else asked

    @property
    def _family(self) -> model_families.Family:
        return model_families.FAMILIES[self.family]

    def _check_text(self, field: str, text: object) -> None:
        if not isinstance(text, str):
            raise InvalidJobError(f"The {field} must be a text, not {shown(text)}.")
        if not text.strip():
            raise InvalidJobError(f"The {field} is empty: give 1 to {self.prompt_limit} characters.")
        # A prompt over the limit is reported by its length: a text of a megabyte need not be examined.
        if len(text) > self.prompt_limit:
            raise InvalidJobError(
                f"The {field} has {len(text)} characters: {self.name} takes at most {self.prompt_limit}."
            )
        if UNPLAIN.search(text):
            raise InvalidJobError(f"The {field} holds a NUL or half a character pair: give plain Unicode text.")

    def _check_cfg_scale(self, cfg_scale: object) -> None:
        if self.cfg_scale_range is None:
            raise InvalidJobError(f"{self.name} has no cfg_scale: leave it out.")
        low, high = self.cfg_scale_range
        if not isinstance(cfg_scale, int | float) or isinstance(cfg_scale, bool):
            raise InvalidJobError(f"The cfg_scale {shown(cfg_scale)} is no number: give {low} to {high}, or none.")
        # In this form, NaN is refused, too.
        if not low <= cfg_scale <= high:
            raise InvalidJobError(f"{self.name} does not take the cfg_scale {shown(cfg_scale)}: give {low} to {high}.")
        if round(cfg_scale, 1) != cfg_scale:
            # A request is hashed with one decimal: two that differ must not count as the same.
            raise InvalidJobError(f"The cfg_scale {shown(cfg_scale)} has more than one decimal: round it.")


def get(id_or_arn: str) -> ImageModel:
    """Return a model by its id, or by its ARN, which defines its region.

    Args:
        id_or_arn: a model's id, a foundation model's ARN, or an inference profile with what is behind it (`parse_arn`).

    Raises:
        UnknownModelError: with those that are known.
    """
    is_arn = isinstance(id_or_arn, str) and id_or_arn.startswith("arn:")
    region, model_id = parse_arn(id_or_arn) if is_arn else (None, id_or_arn)
    model = MODELS.get(model_id) if isinstance(model_id, str) else None
    if model is None:
        raise UnknownModelError(f"The model {shown(model_id)} is not known: use one of {', '.join(MODELS)}.")
    profile_arn, plus, _ = id_or_arn.partition("+")
    if plus and is_arn:
        return replace(model, region=str(region), profile_arn=profile_arn)
    return model if region in (None, model.region) else replace(model, region=str(region))


def alternative(model_id: str) -> ImageModel:
    """Return a working model in place of this one: the default, or the next active one for the default itself."""
    return next(other for other in MODELS.values() if other.lifecycle == "ACTIVE" and other.id != model_id)


def parse_arn(arn: str) -> tuple[str, str]:
    """Parse the region to call and the model's id from one entry of MODEL_ARNS.

    Args:
        arn: a foundation model's ARN; or an inference profile's, followed by the ARN of each foundation model behind it,
            with `+` between. An application's profile does not name its model, and a caller by a profile needs the
            right to each model behind it.

    Raises:
        UnknownModelError: with the form that is taken.
    """
    profile, _, behind = arn.partition("+")
    if (called := _PROFILE_ARN.fullmatch(profile)) is not None:
        return called[1], _model_behind(called, behind.split("+"))
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UnknownModelError(
            f"{shown(arn)} is no ARN of a foundation model: write arn:aws:bedrock:<region>::foundation-model/<id>."
        )
    return match[1], match[2]


def _model_behind(profile: re.Match[str], behind: list[str]) -> str:
    """Return the one model of an inference profile."""
    models = {match[2] if (match := _ARN.fullmatch(arn)) else "" for arn in behind}
    if len(models) != 1 or "" in models:
        raise UnknownModelError(
            f"The inference profile {shown(profile[0], 200)} needs the model behind it: write <profile's ARN>+<foundation "
            "model's ARN>, one for each region that it routes to, all of the same model (aws bedrock get-inference-profile)."
        )
    (model_id,) = models
    # AWS's own profiles are named by a geography and their model, such as us.amazon.nova-canvas-v1:0.
    if profile[2] == "inference-profile" and profile[3].partition(".")[2] != model_id:
        raise UnknownModelError(f"The inference profile {shown(profile[0], 200)} is not one of {model_id}.")
    return model_id


def _titan(model_id: str, name: str, end_of_life: str | None) -> ImageModel:
    return ImageModel(
        id=model_id,
        name=name,
        family="titan",
        region="us-east-1",
        lifecycle="LEGACY",
        end_of_life=end_of_life,
        prompt_limit=512,
        seed_range=(0, 2_147_483_646),
        cfg_scale_range=(1.1, 10.0),
        default_cfg_scale=8.0,
        prices=((512 * 512, 0.008), (None, 0.01)),
    )


def _stability(model_id: str, name: str, price: float) -> ImageModel:
    return ImageModel(
        id=model_id,
        name=name,
        family="stability",
        region="us-west-2",
        prompt_limit=10_000,
        seed_range=(0, 4_294_967_295),
        prices=((None, price),),
    )


# The lifecycle as AWS's model cards had it; both Amazon families are retired, and AWS gives no date for Titan v1.
MODELS: dict[str, ImageModel] = {
    model.id: model
    for model in (
        _stability(DEFAULT_MODEL_ID, "Stable Image Core", 0.04),
        _stability("stability.stable-image-ultra-v1:1", "Stable Image Ultra", 0.14),
        _stability("stability.sd3-5-large-v1:0", "Stable Diffusion 3.5 Large", 0.08),
        _titan("amazon.titan-image-generator-v1", "Titan Image Generator v1", None),
        _titan("amazon.titan-image-generator-v2:0", "Titan Image Generator v2", "2026-06-30"),
        ImageModel(
            id="amazon.nova-canvas-v1:0",
            name="Nova Canvas",
            family="nova-canvas",
            region="us-east-1",
            lifecycle="LEGACY",
            end_of_life="2026-09-30",
            prompt_limit=1024,
            # The lower of two documented upper bounds: valid whichever of them holds.
            seed_range=(0, 858_993_459),
            cfg_scale_range=(1.1, 10.0),
            default_cfg_scale=6.5,
            prices=((1024 * 1024, 0.04), (None, 0.06)),
        ),
    )
}
