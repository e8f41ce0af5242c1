"""Replay a measured window with other workers, another quota or another model.

`from_metrics` takes what CloudWatch knows of a window: messages sent in each period, the worker's durations, and the attempts
that failed. It does not know when within a period a message came, nor each duration: both are drawn, with a given generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from couch_explorers import metrics, workspace
from couch_explorers.capacity.queue_metrics import minute_metrics
from couch_explorers.capacity.queue_model import (
    CapacityError,
    ColdStart,
    Disruption,
    JobTrace,
    PollerRamp,
    Quota,
    Retry,
    simulate_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

QUEUE, WORKER = "queue", "worker"
DEFAULT_PERIOD_S = 60.0
MILLISECONDS_A_SECOND = 1000.0
# Standard deviations between the median and the 95th percentile of a normal distribution.
P95_DEVIATIONS = 1.645


@dataclass(frozen=True)
class Replay:
    """A measured window as arrivals and service times.

    Attributes:
        start: When the window began, UTC.
        seconds: How long it was, up to the end of the last period.
        arrivals_s: Seconds from `start`, ascending, shape (n,).
        service_s: Seconds that each picture takes, shape (n,).
        failure_rate: Share of attempts that failed and were postponed, over the whole window.
        crash_rate: Share of attempts that crashed or timed out.
        failures: The periods in which attempts failed, each with its own share.

    """

    start: pd.Timestamp
    seconds: float
    arrivals_s: NDArray[np.float64]
    service_s: NDArray[np.float64]
    failure_rate: float
    crash_rate: float
    failures: tuple[Disruption, ...] = ()

    def run(
        self,
        concurrency: int,
        *,
        quota: float = math.inf,
        service_factor: float = 1.0,
        function_timeout_s: float = 60.0,
        cold_start_s: float = 0.0,
        rng: np.random.Generator,
    ) -> JobTrace:
        """Simulate the window's jobs.

        Args:
            concurrency: How many workers there are.
            quota: Images a minute; the failures that were measured stay as they were.
            service_factor: How much longer another model takes.
            function_timeout_s: The worker's time-out.
            cold_start_s: What a new worker takes in addition; measured durations hold no initialization.
            rng: Draws failures and backoffs.

        Raises:
            CapacityError: For values that `simulate_jobs` refuses.

        """
        retry = Retry(
            crash_rate=self.crash_rate,
            visibility_timeout_s=6 * function_timeout_s,
            timeout_s=function_timeout_s,
        )
        return simulate_jobs(
            self.arrivals_s,
            self.service_s * service_factor,
            concurrency,
            cold_start=ColdStart(cold_start_s),
            poller_ramp=PollerRamp(),
            retry=retry,
            quota=None if math.isinf(quota) else Quota(quota),
            disruptions=self.failures,
            rng=rng,
        )


def from_metrics(frame: pd.DataFrame, *, window: str = "now", rng: np.random.Generator) -> Replay:
    """Read arrivals, service times and failures from a frame of `metrics.fetch`.

    Args:
        frame: Points of a window: UTC index, columns window, resource, metric, statistic and value. Needs the queue's
            NumberOfMessagesSent and the worker's Duration (p50 and p95, or Average); Invocations, PostponedJobs and Errors
            give the failures where they are there.
        window: Which window of the frame.
        rng: Draws when within its period each message came, and how long each picture takes.

    Raises:
        CapacityError: Where nothing was sent, or no duration is known.

    """
    sent = _points(frame, window, QUEUE, "NumberOfMessagesSent", "Sum")
    if not sent.sum() > 0:
        raise CapacityError("Nothing was sent to the queue in this window: choose a longer or a busier one.")
    period_s = _period_s(sent)
    start = sent.index[0]
    begins = (sent.index - start).total_seconds().to_numpy()
    counts = sent.to_numpy().astype(int)
    arrivals = np.sort(np.repeat(begins, counts) + rng.uniform(0, period_s, counts.sum()))

    invocations = _points(frame, window, WORKER, "Invocations", "Sum")
    postponed = _points(frame, window, WORKER, "PostponedJobs", "Sum")
    crashed = _points(frame, window, WORKER, "Errors", "Sum")
    ran = invocations.sum()
    failing, crashing = ((part.sum() / ran if ran else 0.0) for part in (postponed, crashed))
    whole = max(1.0, failing + crashing)
    crash_rate = float(crashing / whole)
    return Replay(
        start=start,
        seconds=float(begins[-1] + period_s),
        arrivals_s=arrivals,
        service_s=_service_s(frame, window, start, arrivals, rng),
        failure_rate=float(failing / whole),
        crash_rate=crash_rate,
        failures=tuple(_failures(invocations, postponed, start, 1.0 - crash_rate)),
    )


def fetch_window(
    target: str, candidate: str, hours: float, *, rng: np.random.Generator, region: str = ""
) -> Replay | None:
    """Read the last hours from CloudWatch; None for 0 hours.

    Raises:
        CapacityError: Where nothing was sent, or no duration is known.

    """
    if not hours:
        return None
    deployed = workspace.connect(target, candidate, region)
    return from_metrics(metrics.fetch_hours(deployed, hours, compare="none"), rng=rng)


def median_seconds(window: Replay | None, seconds_a_picture: float) -> float:
    """Return the seconds per picture: the given number, or the median of the window for 0.

    Raises:
        CapacityError: Where neither is given.

    """
    if seconds_a_picture > 0:
        return seconds_a_picture
    if window is None:
        raise CapacityError("seconds_a_picture is 0, which takes it from the metrics: set replay_hours as well.")
    return float(np.median(window.service_s))


def what_if(
    window: Replay | None, objective_s: float, concurrency: int, quota: float, *, rng: np.random.Generator
) -> pd.DataFrame | None:
    """Replay a window unchanged, with other workers, another quota, and a slower model; None without a window.

    Returns:
        A row a setting: `what`, `attained` within the objective, `median_s` and `p95_s` until the picture (infinite where there
        is none), the largest `age_s` that CloudWatch would show, `dead_letters`.

    """
    if window is None:
        return None
    settings: dict[str, dict[str, float]] = {
        f"{concurrency} workers, as it was": {},
        f"{2 * concurrency} workers": {"concurrency": 2 * concurrency},
        f"{max(1, concurrency // 2)} workers": {"concurrency": max(1, concurrency // 2)},
        f"a quota of {quota:g} images a minute": {"quota": quota},
        f"a quota of {quota / 2:g} images a minute": {"quota": quota / 2},
        "a model that takes twice as long": {"service_factor": 2.0},
    }
    rows = []
    for what, changed in settings.items():
        workers = int(changed.get("concurrency", concurrency))
        trace = window.run(
            workers,
            quota=changed.get("quota", math.inf),
            service_factor=changed.get("service_factor", 1.0),
            rng=rng,
        )
        times = trace.time_to_picture_s
        rows.append(
            {
                "what": what,
                "attained": trace.attained(objective_s),
                "median_s": float(np.percentile(times, 50, method="inverted_cdf")),
                "p95_s": float(np.percentile(times, 95, method="inverted_cdf")),
                "age_s": float(minute_metrics(trace)["ApproximateAgeOfOldestMessage"].max()),
                "dead_letters": int(np.sum(~trace.succeeded)),
            }
        )
    return pd.DataFrame(rows)


def _service_s(
    frame: pd.DataFrame, window: str, start: pd.Timestamp, arrivals: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw lognormal durations by median and 95th percentile of the period in which each job arrived, or the last one before."""
    middle = _points(frame, window, WORKER, "Duration", "p50")
    if middle.empty:
        middle = _points(frame, window, WORKER, "Duration", "Average")
    if middle.empty:
        raise CapacityError("The worker's Duration is not known in this window: choose one in which it ran.")
    high = _points(frame, window, WORKER, "Duration", "p95").reindex(middle.index)
    spread = np.log((high / middle).clip(lower=1.0)).fillna(0.0).to_numpy() / P95_DEVIATIONS
    begins = (middle.index - start).total_seconds().to_numpy()
    place = np.clip(np.searchsorted(begins, arrivals, side="right") - 1, 0, len(begins) - 1)
    medians = middle.to_numpy()[place] / MILLISECONDS_A_SECOND
    drawn: NDArray[np.float64] = medians * np.exp(spread[place] * rng.standard_normal(len(arrivals)))
    return drawn


def _failures(invocations: pd.Series, postponed: pd.Series, start: pd.Timestamp, most: float) -> Iterator[Disruption]:
    """Return the share of failed attempts in each period with failures; a share is at most `most`."""
    period_s = _period_s(invocations)
    shares = (postponed / invocations.reindex(postponed.index)).where(postponed > 0).dropna().clip(upper=most)
    for time, share in shares.items():
        begin_s = (time - start).total_seconds()
        yield Disruption(begin_s, begin_s + period_s, failure_rate=float(share))


def _points(frame: pd.DataFrame, window: str, resource: str, metric: str, statistic: str) -> pd.Series:
    """Return one series of one window, without gaps; empty if there is none."""
    chosen = (frame["resource"] == resource) & (frame["metric"] == metric) & (frame["statistic"] == statistic)
    return frame.loc[chosen & (frame["window"] == window), "value"].dropna().sort_index()


def _period_s(series: pd.Series) -> float:
    steps = np.diff(series.index.unique()) / np.timedelta64(1, "s")
    return float(steps.min()) if len(steps) else DEFAULT_PERIOD_S
