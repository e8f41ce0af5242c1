"""Measure `couch up` from nothing and unchanged, with the dependencies installed."""

import time

from own_cloud import own_cloud
from results import Results, parser


def main() -> None:
    """Measure both figures."""
    options = parser(__doc__, runs=3).parse_args()
    results = Results("couch_up", options.runs)
    from_nothing, unchanged = [], []
    for _ in range(options.runs):
        with own_cloud() as cloud:
            started = time.perf_counter()
            cloud.up()
            from_nothing.append(time.perf_counter() - started)
            started = time.perf_counter()
            cloud.up()
            unchanged.append(time.perf_counter() - started)
    results.add("up.from_nothing", "couch up from nothing", from_nothing, "s", budget=75)
    results.add("up.unchanged", "couch up unchanged", unchanged, "s", budget=7)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
