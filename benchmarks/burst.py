"""Compare the models with measured bursts on a local cloud, through the real queue and the real API.

What a picture takes is calibrated before, on bursts of other people: for the queue what a busy worker needs for each picture
(`occupied`) and what passes beside that until the picture is seen (`beside`); for the API what requests take.
Then come the bursts that are judged. The same arrivals go into the model.
"""

import os

import numpy as np
from own_cloud import own_cloud
from results import Results, parser

from couch_explorers import workspace
from couch_explorers.capacity import simulate_jobs
from couch_explorers.capacity.api_model import ApiLimits, Client, simulate_api
from couch_explorers.capacity.load_generator import LoadResult, run_load
from couch_explorers.local.settings import StackSettings

WORKERS = StackSettings().worker_concurrency
# How long the emulated model takes: long enough for a busy machine to render the pictures meanwhile.
QUEUE_LATENCY_S, API_LATENCY_S = 6.0, 8.0
QUEUE_USERS, QUEUE_MINUTES = 96, 1 / 3
API_USERS, API_MINUTES = 45, 0.5
ONE = Client(retries=0, patience_s=120.0)
SHARES = (50, 95)
DIFFERENCE = 0.15


def percentiles(times: np.ndarray) -> list[float]:
    """Median and 95th percentile of the people who got a picture."""
    return [float(value) for value in np.percentile(times[np.isfinite(times)], SHARES)]


def calibrate_queue(deployed: workspace.Workspace) -> tuple[float, float]:
    """Return (seconds that a picture occupies a worker, seconds beside that until it is seen), from a small burst and a calm load."""
    run_load(deployed, users=2 * WORKERS, minutes=0.01, via="queue", seed=100)  # warms all workers
    busy = run_load(deployed, users=5 * WORKERS, minutes=0.01, via="queue", seed=101).requests
    done = np.sort(busy["done_s"].to_numpy())
    # From the first round's end to the last's, all workers were busy.
    occupied = float((np.median(done[-WORKERS:]) - np.median(done[:WORKERS])) * WORKERS / (len(done) - WORKERS))
    calm = run_load(deployed, users=10, minutes=0.5, via="queue", seed=102).time_to_picture_s
    return occupied, max(0.0, float(np.median(calm)) - occupied)


def queue_model(burst: LoadResult, occupied: float, beside: float) -> np.ndarray:
    """The model's prediction of a burst's times to the picture."""
    arrivals = burst.requests["intended_s"].to_numpy()
    return simulate_jobs(arrivals, occupied, WORKERS).time_to_picture_s + beside


def api_model(burst: LoadResult, took: np.ndarray, seed: int) -> np.ndarray:
    """The same of the API; what a request takes is drawn from the calibration's."""
    rng = np.random.default_rng(seed)
    arrivals = burst.requests["intended_s"].to_numpy()
    service = rng.choice(took, len(arrivals))
    return simulate_api(arrivals, service, limits=ApiLimits(), client=ONE, rng=rng).time_to_picture_s


def add(results: Results, path: str, measured: list[np.ndarray], modelled: list[np.ndarray]) -> None:
    """Record each burst's measurement and model, and the difference of the medians."""
    for place, share in enumerate(SHARES):
        seen, modelled_percentiles = (
            [percentiles(times)[place] for times in bursts] for bursts in (measured, modelled)
        )
        results.add(f"{path}.measured_p{share}", f"{path}: p{share} measured", seen, "s")
        results.add(f"{path}.model_p{share}", f"{path}: p{share} by the model", modelled_percentiles, "s")
        apart = abs(float(np.median(modelled_percentiles)) / float(np.median(seen)) - 1)
        results.add(
            f"{path}.difference_p{share}", f"{path}: p{share}, model from measured", apart, "", budget=DIFFERENCE
        )


def main() -> None:
    """Print, and with --save keep, both paths' percentiles beside the model's."""
    options = parser(__doc__, runs=3).parse_args()
    results = Results("burst", options.runs)
    with own_cloud() as cloud:
        cloud.up()
        os.environ["COUCH_HOME"] = str(cloud.home)
        deployed = workspace.connect()
        cloud.couch("faults", f"latency={QUEUE_LATENCY_S}")
        occupied, beside = calibrate_queue(deployed)
        results.add("queue.occupied", "a picture occupies a worker, calibrated", occupied, "s")
        measured, modelled = [], []
        for seed in range(options.runs):
            burst = run_load(deployed, users=QUEUE_USERS, minutes=QUEUE_MINUTES, via="queue", seed=seed)
            measured.append(burst.time_to_picture_s)
            modelled.append(queue_model(burst, occupied, beside))
            print("queue", percentiles(measured[-1]), percentiles(modelled[-1]), flush=True)
        add(results, "queue", measured, modelled)

        cloud.couch("faults", f"latency={API_LATENCY_S}")
        run_load(deployed, users=API_USERS, minutes=API_MINUTES, via="api", seed=100)  # warms the function
        measured, modelled, requests, shares = [], [], [], []
        for seed in range(options.runs):
            others = run_load(
                deployed, users=API_USERS, minutes=API_MINUTES, via="api", seed=200 + seed
            ).time_to_picture_s
            took = others[np.isfinite(others)]
            requests.append(float(np.median(took)))
            burst = run_load(deployed, users=API_USERS, minutes=API_MINUTES, via="api", seed=seed)
            measured.append(burst.time_to_picture_s)
            modelled.append(api_model(burst, took, seed))
            shares.append([float(np.isfinite(times[-1]).mean()) for times in (measured, modelled)])
            print("api", percentiles(measured[-1]), percentiles(modelled[-1]), shares[-1], flush=True)
        results.add("api.request", "a request, calibrated", requests, "s")
        add(results, "api", measured, modelled)
        results.add("api.measured_share", "api: share with a picture, measured", [seen for seen, _ in shares])
        results.add(
            "api.model_share",
            "api: share with a picture, by the model",
            [share for _, share in shares],
        )
    results.show(save=options.save)


if __name__ == "__main__":
    main()
