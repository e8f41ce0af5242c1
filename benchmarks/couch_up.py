"""Measure `couch up` from nothing and unchanged, with the dependencies installed."""

import argparse
import time

from own_cloud import heading, line, own_cloud


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    from_nothing, unchanged = [], []
    for _ in range(runs):
        with own_cloud() as cloud:
            started = time.perf_counter()
            cloud.up()
            from_nothing.append(time.perf_counter() - started)
            started = time.perf_counter()
            cloud.up()
            unchanged.append(time.perf_counter() - started)
    print(heading(runs))
    print(line("couch up from nothing", from_nothing, "s", "75 s"))
    print(line("couch up unchanged", unchanged, "s", "7 s"))


if __name__ == "__main__":
    main()
