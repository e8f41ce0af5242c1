"""Measure `couch run smoke_test`: wall time less the time in which a request to the cloud was open."""

import argparse
import json
import time
from pathlib import Path

from own_cloud import heading, line, own_cloud


def open_seconds(log: Path, since: float, until: float) -> float:
    """How long at least one request was open between two moments, in Unix seconds."""
    spans = sorted((entry["start"], entry["end"]) for entry in map(json.loads, log.read_text().splitlines()))
    total, reached = 0.0, since
    for start, end in spans:
        begin, finish = max(start, reached), min(end, until)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total


def main() -> None:
    """Print the whole, the open and the remaining time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    wall, waited = [], []
    with own_cloud() as cloud:
        cloud.up()
        for number in range(runs + 1):
            since = time.time()
            cloud.couch("run", "smoke_test", "--out", str(cloud.home / "reports"))
            until = time.time()
            # The first run starts the Lambdas; the others find them warm.
            if number:
                wall.append(until - since)
                waited.append(open_seconds(cloud.home / "requests.jsonl", since, until))
    print(heading(runs))
    print(line("couch run smoke_test", wall, "s", "none"))
    print(line("  of it with a request open", waited, "s", "none"))
    print(line("  the rest", [whole - part for whole, part in zip(wall, waited, strict=True)], "s", "8 s"))


if __name__ == "__main__":
    main()
