"""Vision models on Bedrock that can judge a picture: their ids, prices and picture limits.

All are called by Converse through AWS's own inference profile of the United States, so that one client in JUDGE_REGION
reaches each of them, and all take a forced tool choice.

- ids and profiles: Bedrock user guide, model cards (https://docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html) and
  inference-profiles-support
- tool choice: "only supported by Anthropic Claude 3 and Amazon Nova models",
  https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html. Claude Haiku 5.5 is left out: it thinks by
  default, and Claude refuses a forced tool choice while it does.
- prices: on demand through the profile; `price_source` of each model names where AWS publishes it. Two collections have the same
  amounts (read on 26 November 2026): LiteLLM 1.110.2, `model_prices_and_context_window.json`, entries `us.<id>`; and genai-prices
  0.2.3, provider `aws`, entries `regional.<id>` where a model's price depends on the profile.
- tokens of an image: https://docs.aws.amazon.com/nova/latest/userguide/modalities-image.html (900 x 900 is about 1,300) and
  https://platform.claude.com/docs/en/build-with-claude/vision (width x height / 750). Nova 2 bills a flat 230 for each image and
  reports more, so that a cost from the reported count is an upper bound.
- sizes: the same pages; a request of Nova holds 25 MB, an image of Claude 5 MB in base64, and neither takes more than 8,000 pixels a side
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from couch_explorers.core.errors import UnknownModelError, shown

VISION_PRICES_AS_OF = "November 2026"
# AWS's price list as a file, which LiteLLM names as its source for Nova, and AWS's page, which it names for Claude.
PRICE_LIST = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonBedrock/current/us-east-1/index.json"
PRICE_PAGE = "https://aws.amazon.com/bedrock/pricing/"
JUDGE_REGION = "us-west-2"
# A response with this header comes from the local cloud: no model has seen the picture.
STAND_IN_HEADER = "x-couch-stand-in"

_PROFILE_ARN = re.compile(
    r"arn:aws:bedrock:([a-z0-9-]+):[0-9]{12}:(inference-profile|application-inference-profile)/(.+)"
)
_MODEL_ARN = re.compile(r"arn:aws:bedrock:[a-z0-9-]*::foundation-model/(.+)")


@dataclass(frozen=True)
class VisionModel:
    """A model that takes a picture and responds in text.

    `id` is the foundation model's; `destinations` are the regions to which the profile may route a call; prices are USD per
    million tokens, as published at `price_source`; an image counts one token per `pixels_per_token`, `least_image_tokens` at least; `max_image_bytes` are
    those of the picture before base64.
    """

    id: str
    name: str
    provider: str
    input_usd: float
    output_usd: float
    pixels_per_token: int
    least_image_tokens: int
    max_image_bytes: int
    price_source: str
    max_side: int = 8000
    region: str = JUDGE_REGION
    geography: str = "us"
    destinations: tuple[str, ...] = ("us-east-1", "us-east-2", "us-west-2")
    lifecycle: str = "ACTIVE"
    # An inference profile that is called in place of AWS's own.
    profile_arn: str = ""

    @property
    def profile_id(self) -> str:
        """The id of AWS's inference profile, such as "us.amazon.nova-2-lite-v1:0"."""
        return f"{self.geography}.{self.id}"

    @property
    def invoke_id(self) -> str:
        """The `modelId` for Converse."""
        return self.profile_arn or self.profile_id

    @property
    def arn(self) -> str:
        """The foundation model's ARN in the region of the call."""
        return f"arn:aws:bedrock:{self.region}::foundation-model/{self.id}"

    def image_tokens(self, width: int, height: int) -> int:
        """Estimate the input tokens of a picture of this size in pixels."""
        return max(self.least_image_tokens, math.ceil(width * height / self.pixels_per_token))

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price of a call in USD, as of VISION_PRICES_AS_OF."""
        return (input_tokens * self.input_usd + output_tokens * self.output_usd) / 1_000_000


def _nova(model_id: str, name: str, input_usd: float, output_usd: float) -> VisionModel:
    # The image is scaled up until its shorter side has 896 pixels.
    return VisionModel(model_id, name, "Amazon", input_usd, output_usd, 600, 1300, 18_000_000, PRICE_LIST)


# The first is the default.
VISION_MODELS: dict[str, VisionModel] = {
    model.id: model
    for model in (
        _nova("amazon.nova-2-lite-v1:0", "Nova 2 Lite", 0.33, 2.75),
        _nova("amazon.nova-lite-v1:0", "Nova Lite", 0.06, 0.24),
        _nova("amazon.nova-pro-v1:0", "Nova Pro", 0.80, 3.20),
        # A geographic profile adds 10 % to the price of the global one, as for Nova 2 Lite.
        VisionModel(
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            "Claude Haiku 4.5",
            "Anthropic",
            1.10,
            5.50,
            750,
            90,
            3_750_000,
            PRICE_PAGE,
        ),
    )
}
DEFAULT_VISION_MODEL_ID = next(iter(VISION_MODELS))


def get(name: str) -> VisionModel:
    """Find a vision model.

    Args:
        name: a model's id; the id or ARN of AWS's inference profile of it; or the ARN of an application's inference profile, a
            plus sign, and the ARN of the foundation model behind it, as `image_models.parse_arn` takes them.

    Raises:
        UnknownModelError: with those that are known.

    """
    profile, plus, behind = name.partition("+") if isinstance(name, str) else ("", "", "")
    called = _PROFILE_ARN.fullmatch(profile)
    if called is not None:
        tail = _MODEL_ARN.fullmatch(behind) if plus else None
        model = VISION_MODELS.get(tail[1]) if tail else by_profile(called[3])
        if model is not None:
            return replace(model, region=called[1], profile_arn=profile)
    model = VISION_MODELS.get(profile) or by_profile(profile)
    if model is None:
        raise UnknownModelError(
            f"The vision model {shown(name, 200)} is not known: use one of {', '.join(VISION_MODELS)}, or <ARN of an inference "
            "profile>+<ARN of the foundation model behind it>."
        )
    return model


def by_profile(profile_id: str) -> VisionModel | None:
    """Find the model behind one of AWS's own inference profiles, such as "us.amazon.nova-pro-v1:0"; None for any other."""
    return next((model for model in VISION_MODELS.values() if model.profile_id == profile_id), None)


def alternative(model: VisionModel) -> VisionModel:
    """Return another active model in place of this one."""
    return next(other for other in VISION_MODELS.values() if other.lifecycle == "ACTIVE" and other.id != model.id)
