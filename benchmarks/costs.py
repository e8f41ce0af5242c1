"""Compute what a picture costs by part, and from how many pictures an hour a container would be cheaper than Lambda."""

from results import Results, parser

from couch_explorers.core import image_models
from couch_explorers.metrics import cost
from couch_explorers.metrics.cost import MB_A_GB

# What the exam says of a picture, and what the worker is given (infra/variables.tf, memory_mb).
PICTURE_S, WORKER_MB = 10, 512
# The smallest task of Fargate that has the same memory.
CONTAINER_VCPU = 0.25
SECONDS_A_MONTH = 30 * 24 * 3600


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
    results.show(save=options.save)


if __name__ == "__main__":
    main()
