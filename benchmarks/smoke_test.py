"""Measure `couch run smoke_test`: wall time less the time in which a request to the cloud was open."""

import json
import time
from pathlib import Path

from own_cloud import own_cloud
from results import Results, parser


def open_seconds(log: Path, since: float, until: float) -> float:
    """The time for which at least one request was open between two times, in Unix seconds."""
    spans = sorted((entry["start"], entry["end"]) for entry in map(json.loads, log.read_text().splitlines()))
    total, reached = 0.0, since
    for start, end in spans:
        begin, finish = max(start, reached), min(end, until)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total


def main() -> None:
    """Report the total, the open and the remaining time."""
    options = parser(__doc__, runs=5).parse_args()
    results = Results("smoke_test", options.runs)
    wall, waited = [], []
    with own_cloud() as cloud:
        cloud.up()
        for number in range(options.runs + 1):
            since = time.time()
            cloud.couch("run", "smoke_test", "--out", str(cloud.home / "reports"))
            until = time.time()
            # The first run starts the Lambdas; the others find them warm.
            if number:
                wall.append(until - since)
                waited.append(open_seconds(cloud.home / "requests.jsonl", since, until))
    rest = [whole - part for whole, part in zip(wall, waited, strict=True)]
    results.add("run.whole", "couch run smoke_test", wall, "s")
    results.add("run.request_open", "of it with a request open", waited, "s")
    results.add("run.rest", "of it with none open", rest, "s", budget=8)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
