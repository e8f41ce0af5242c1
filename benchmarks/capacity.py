"""Compare the queue model with SimPy's speed and Erlang's formula, and stream a hundred million jobs through it in flat memory."""

import math
import statistics
import time
from collections.abc import Iterator

import numpy as np
import psutil
import simpy
from numpy.typing import NDArray
from results import Results, parser

from couch_explorers.capacity import erlang_c, simulate, simulate_stream

# Jobs that SimPy, and this model, serve in a timed run.
SIMPY_JOBS, OWN_JOBS = 50_000, 5_000_000
# (workers, load, millions of jobs): where the formula's share of waiting jobs is at least 1 %, the mean wait is compared. The more
# workers and the higher the load, the longer waits depend on each other, and the more jobs it takes to know their mean within 1 %.
CASES = ((5, 0.5, 40), (5, 0.8, 40), (5, 0.95, 200), (50, 0.8, 100), (50, 0.95, 300), (1000, 0.95, 1500))
CHUNK = 1_000_000
BATCHES = 20
STREAM_JOBS = 100_000_000
SHARE_COMPARED = 0.01
MIB = 1024**2


def chunks(
    jobs: int, workers: int, load: float, seed: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Random arrivals and exponential service times of one second, a million at a time."""
    rng, last_s = np.random.default_rng(seed), 0.0
    for begin in range(0, jobs, CHUNK):
        size = min(CHUNK, jobs - begin)
        arrivals = last_s + np.cumsum(rng.exponential(1 / (load * workers), size))
        last_s = float(arrivals[-1])
        yield arrivals, rng.exponential(1.0, size)


def simpy_waits(arrivals: NDArray[np.float64], service: NDArray[np.float64], workers: int) -> list[float]:
    """The same queue, written as SimPy's documentation shows a bank with counters."""
    environment = simpy.Environment()
    counters = simpy.Resource(environment, capacity=workers)
    waits: list[float] = []

    def job(takes: float) -> Iterator[simpy.Event]:
        came = environment.now
        with counters.request() as turn:
            yield turn
            waits.append(environment.now - came)
            yield environment.timeout(takes)

    def source() -> Iterator[simpy.Event]:
        for at, takes in zip(arrivals, service, strict=True):
            yield environment.timeout(at - environment.now)
            environment.process(job(takes))

    environment.process(source())
    environment.run()
    return waits


def speeds(runs: int) -> tuple[list[float], list[float]]:
    """Jobs a second of this model and of SimPy, in turn, on the same kind of stream; both must give the same waits."""
    arrivals, service = next(chunks(SIMPY_JOBS, 5, 0.8, seed=1))
    own_arrivals, own_service = (np.concatenate(parts) for parts in zip(*chunks(OWN_JOBS, 5, 0.8, seed=2), strict=True))
    simulate(arrivals, service, 5)  # compiles
    own, other = [], []
    for _ in range(runs):
        begin = time.perf_counter()
        simulate(own_arrivals, own_service, 5)
        own.append(OWN_JOBS / (time.perf_counter() - begin))
        begin = time.perf_counter()
        waits = simpy_waits(arrivals, service, 5)
        other.append(SIMPY_JOBS / (time.perf_counter() - begin))
        np.testing.assert_allclose(waits, simulate(arrivals, service, 5), atol=1e-6)
    return own, other


def steady_state(workers: int, load: float, jobs: int) -> tuple[float, float, float, float]:
    """(mean wait, half of its 95 % interval, share that waits, half of its 95 % interval), by the method of batch means."""
    free_s, means, shares = None, [], []
    batch = jobs // BATCHES
    for number, (arrivals, service) in enumerate(chunks(jobs + batch, workers, load, seed=workers)):
        # The next chunk begins with the workers as this one leaves them: its first jobs are those that leave them so.
        if free_s is None:
            waits = simulate(arrivals, service, workers)
        else:
            waits = simulate(np.concatenate([free_s[0], arrivals]), np.concatenate([free_s[1], service]), workers)[
                workers:
            ]
        ends = np.partition(arrivals + waits + service, -workers)[-workers:]
        free_s = (np.full(workers, arrivals[-1]), np.maximum(0.0, ends - arrivals[-1]))
        # The first batch only fills the queue.
        if number * CHUNK >= batch:
            means.append(float(waits.mean()))
            shares.append(float(np.mean(waits > 0)))

    def interval(values: list[float]) -> tuple[float, float]:
        groups = [statistics.fmean(part) for part in np.array_split(values, BATCHES)]
        # Student's t for 19 degrees of freedom.
        return statistics.fmean(groups), 2.093 * statistics.stdev(groups) / math.sqrt(BATCHES)

    return *interval(means), *interval(shares)


def main() -> None:
    """Print, and with --save keep, speed, agreement and memory."""
    options = parser(__doc__, runs=5).parse_args()
    results = Results("capacity", options.runs)
    own, other = speeds(options.runs)
    results.add("model.speed", "jobs a second by simulate", own, "jobs/s")
    results.add("simpy.speed", "jobs a second by SimPy", other, "jobs/s")
    results.add("model.ratio", "times SimPy", [a / b for a, b in zip(own, other, strict=True)], "", budget=100)
    for workers, load, millions in CASES:
        share, mean = erlang_c(load * workers, 1.0, workers)
        found, half, found_share, half_share = steady_state(workers, load, millions * CHUNK)
        name = f"c{workers}_load{round(load * 100)}"
        label = f"{workers} workers at load {load:g}"
        results.add(
            f"{name}.share", f"{label}: share that waits (Erlang C: {share:.4g} ± {half_share:.1g})", found_share
        )
        if share >= SHARE_COMPARED:
            results.add(
                f"{name}.difference",
                f"{label}: mean wait from Erlang C's, of it",
                abs(found / mean - 1),
                "",
                budget=0.01,
            )
            results.add(f"{name}.interval", f"{label}: half of its 95 % interval, of it", half / mean)
    begin = time.perf_counter()
    summary = simulate_stream(chunks(STREAM_JOBS, 5, 0.8, seed=3), 5)
    results.add("stream.seconds", f"{summary.n:,} jobs by simulate_stream", time.perf_counter() - begin, "s")
    results.add(
        "stream.memory", "memory of the process after it", psutil.Process().memory_info().rss / MIB, "MiB", budget=1024
    )
    results.show(save=options.save)


if __name__ == "__main__":
    main()
