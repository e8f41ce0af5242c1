"""Measure `couch run prompt_exploration` with a template of two variables, judged: from the command to the written report."""

import json
import time

from own_cloud import OwnCloud, own_cloud
from results import Results, parser

TEMPLATE = {
    "prompts": {"cow": "A {medium} of a cow in {place}"},
    "variables": {"medium": ["photo", "watercolour"], "place": {"Norway": "a fjord at dusk", "Egypt": "Giza"}},
    "rubric": ["looks like a watercolour", "shows a cow"],
}


def seconds(cloud: OwnCloud, seed: int) -> float:
    """Time the notebook with a seed that was not used before."""
    parameters = TEMPLATE | {"seeds": [seed]}
    words = [word for name, value in parameters.items() for word in ("-p", name, json.dumps(value))]
    started = time.perf_counter()
    cloud.couch("run", "prompt_exploration", "--out", str(cloud.home / "reports"), *words)
    return time.perf_counter() - started


def main() -> None:
    """Report the time of four new images with their scores."""
    options = parser(__doc__, runs=5).parse_args()
    results = Results("prompt_exploration", options.runs)
    with own_cloud() as cloud:
        cloud.up()
        # The painter loads its libraries with the first picture, and Python compiles what is imported.
        seconds(cloud, options.runs + 1)
        took = [seconds(cloud, seed) for seed in range(1, options.runs + 1)]
    title = "couch run prompt_exploration: four images of a template, scored by two criteria"
    results.add("notebook.judged", title, took, "s", budget=40)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
