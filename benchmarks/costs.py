"""Compute what a picture costs by part, and from how many pictures an hour a container would be cheaper than Lambda."""

import re
from pathlib import Path

from results import Results, parser
from samcli.yamlhelper import yaml_parse

from couch_explorers.core import image_models
from couch_explorers.metrics import cost
from couch_explorers.metrics.cost import MB_A_GB

# What the exam says of a picture, and what the worker is given (infra/variables.tf, memory_mb).
PICTURE_S, WORKER_MB = 10, 512
# The smallest task of Fargate that has the same memory.
CONTAINER_VCPU = 0.25
SECONDS_A_MONTH = 30 * 24 * 3600

ROOT = Path(__file__).resolve().parents[1]


def images_a_minute() -> tuple[float, float]:
    """The most images in any minute by default: through the API's stage, and through the queue at PICTURE_S each."""
    template = yaml_parse((ROOT / "sam_lambda" / "template.yaml").read_text(encoding="utf-8"))
    rate, burst = (template["Parameters"][f"StageThrottle{name}"]["Default"] for name in ("Rate", "Burst"))
    variables = (ROOT / "infra" / "variables.tf").read_text(encoding="utf-8")
    found = re.search(r'variable "maximum_concurrency" {.*?default\s*=\s*(\d+)', variables, re.DOTALL)
    if found is None:
        raise ValueError("infra/variables.tf has no default for maximum_concurrency.")
    return rate * 60 + burst, int(found[1]) * 60 / PICTURE_S


def main() -> None:
    """Print each price and what follows from it; nothing is measured, so that one run is enough."""
    options = parser(__doc__, runs=1).parse_args()
    gigabytes = WORKER_MB / MB_A_GB
    model = image_models.get(image_models.DEFAULT_MODEL_ID)
    lambda_usd = PICTURE_S * gigabytes * cost.LAMBDA_GB_SECOND + cost.LAMBDA_REQUEST
    container_usd = CONTAINER_VCPU * cost.FARGATE_VCPU_HOUR + gigabytes * cost.FARGATE_GB_HOUR
    results = Results("costs", options.runs)
    results.add("picture.model", f"a picture by {model.name}", model.price_usd(), "USD")
    results.add("picture.lambda", f"Lambda for it, {WORKER_MB} MB for {PICTURE_S} s", lambda_usd, "USD")
    results.add("picture.lambda_share", "Lambda's part of a picture's price", lambda_usd / model.price_usd())
    results.add(
        "container.hour", f"a container, {CONTAINER_VCPU} vCPU and {WORKER_MB} MB, an hour", container_usd, "USD"
    )
    results.add(
        "container.break_even", "pictures an hour at which both cost the same", container_usd / lambda_usd, "pictures"
    )
    looks = cost.POLLERS * SECONDS_A_MONTH / cost.POLL_S
    results.add("queue.idle_month", "Lambda's looks into an empty queue, 30 days", looks * cost.SQS_REQUEST, "USD")
    by_api, by_queue = images_a_minute()
    for path, images in (("api", by_api), ("queue", by_queue)):
        results.add(f"{path}.minute_images", f"the most images in a minute through the {path}", images, "images")
        results.add(f"{path}.minute", "what they cost", images * model.price_usd(), "USD")
    results.show(save=options.save)


if __name__ == "__main__":
    main()
