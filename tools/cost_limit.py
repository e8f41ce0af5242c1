"""Print what a number of images costs at most by the deploy's default model, in USD: `0.20`.

    couch run prompt_exploration -p max_cost_usd "$(python tools/cost_limit.py 5)"

The default model is the first of `MODEL_ARNS` in the environment, the list that both stacks are deployed with. A limit in
dollars that is written down stops a dearer model's first run; one in images stops a notebook that grew.
Prices: `couch_explorers/core/image_models.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def limit_usd(images: int, model_arns: str, size: str = image_models.DEFAULT_SIZE) -> float:
    """Price that many images by the first model of a list.

    Args:
        images: how many images, at least one.
        model_arns: ARNs with commas between.
        size: width x height in pixels, which some models' prices depend on.

    Returns:
        USD, as of `image_models.PRICES_AS_OF`, rounded up to whole cents.

    Raises:
        UnknownModelError: the first ARN is not one of a known model.
    """
    cents = images * image_models.get(model_arns.split(",", maxsplit=1)[0].strip()).price_usd(size) * 100
    # 14 cents are 14.000000000000002: what is above a cent by less than a millionth is that cent.
    return -int(-(cents - 1e-6) // 1) / 100


def main(arguments: list[str], environment: Mapping[str, str], say: Callable[[str], object] = print) -> int:
    """Print the limit for a number of images; 1 for a model that is not known, 2 for a wrong call."""
    if len(arguments) != 1 or not arguments[0].isdecimal() or int(arguments[0]) < 1:
        sys.stderr.write("Give the number of images: python tools/cost_limit.py 5\n")
        return 2
    try:
        say(f"{limit_usd(int(arguments[0]), environment.get('MODEL_ARNS', '')):.2f}")
    except UnknownModelError as error:
        sys.stderr.write(f"MODEL_ARNS: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
