"""The queue: exact waits of a first-in-first-out queue served by many workers, for any arrivals and service times.

`simulate` gives each job's wait, `simulate_stream` a summary of any number of jobs in flat memory, and `simulate_jobs` what
happened to each job, with cold starts, Lambda's ramp of pollers, retries with the worker's own backoff, a model's quota and
disruptions. `erlang_c` is the formula that the waits are checked against. Times are seconds from any origin.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.capacity import kernels
from couch_explorers.objective import judge, time_to_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

MINUTE_S = 60.0


class CapacityError(ValueError):
    """The arrivals, service times or workers are invalid; the message says which value is wrong."""


class OverloadWarning(UserWarning):
    """More work arrives than the workers can handle: waits grow as long as that lasts."""


@dataclass(frozen=True)
class ColdStart:
    """A cold start: a worker's first job, and one after a long pause, takes `seconds` longer.

    Lambda does not document for how long it keeps an idle environment; `idle_s` is what the caller assumes.
    """

    seconds: float
    idle_s: float = 300.0


@dataclass(frozen=True)
class PollerRamp:
    """Lambda's scaling of workers: `initial` at the first arrival, `per_minute` more each minute up to all.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    """

    initial: int = 5
    per_minute: float = 300.0


@dataclass(frozen=True)
class Retry:
    """Failing attempts, and when the job is delivered again.

    A share `failure_rate` of attempts fails at its end and is postponed by full jitter over `base_s` * 2^(receives - 1), at most
    `cap_s`, in whole seconds, as the worker does it (lambda_code/lambda_sqs.py). A share `crash_rate` ends without a word at
    its end: the job is hidden until `visibility_timeout_s` after its start. An attempt that would take longer than `timeout_s`
    fails then; the picture may have been billed. After `max_receives` attempts a job goes to the dead-letter queue.
    """

    failure_rate: float = 0.0
    crash_rate: float = 0.0
    visibility_timeout_s: float = 360.0
    base_s: float = 5.0
    cap_s: float = 900.0
    max_receives: int = 10
    timeout_s: float = math.inf


@dataclass(frozen=True)
class Quota:
    """A model's limit of images a minute: a token bucket that holds `burst` at most, a minute's worth by default.

    An attempt without a token takes a worker for `throttled_s` and is then postponed as `Retry` says.
    """

    images_per_minute: float
    burst: float | None = None
    throttled_s: float = 0.5


@dataclass(frozen=True)
class Disruption:
    """An interval, from `start_s` to `end_s`, with worse conditions.

    Service times are multiplied by `service_factor`, the quota by `quota_factor`; shares `failure_rate` and `crash_rate` of
    attempts fail on top of those of `Retry`, after `failure_s` each where that is given, and else at their ordinary end.
    """

    start_s: float
    end_s: float
    service_factor: float = 1.0
    quota_factor: float = 1.0
    failure_rate: float = 0.0
    crash_rate: float = 0.0
    failure_s: float | None = None


@dataclass(frozen=True)
class WaitSummary:
    """The outcome of all jobs; waits in seconds, from a job's arrival to the start of its successful attempt.

    `p50`, `p95` and `p99` are exact within a share of SKETCH_ERROR; `backlog` is the largest number of jobs that had arrived
    and not begun, and `backlog_at_end` that number at the last arrival. `attempts` counts deliveries, `throttled` those that the
    quota refused, `dead_lettered` the jobs given up on; each other job succeeded. `utilization` is the work that arrived divided
    by what all workers can do in that time; above 1 the backlog grows by `growth_per_minute` jobs.
    """

    n: int
    mean: float
    p50: float
    p95: float
    p99: float
    maximum: float
    backlog: int
    backlog_at_end: int
    attempts: int
    throttled: int
    dead_lettered: int
    utilization: float
    growth_per_minute: float


@dataclass(frozen=True)
class JobTrace:
    """The outcome of each job, as arrays of shape (n,) in the order of arrival; times in seconds, as given.

    `left_s` is when the job left the queue: as a picture, or (`succeeded` is False) for the dead-letter queue.
    `third_receive_s` is infinite for a job that was received less often. `timeouts` counts a job's attempts that ran into
    `Retry.timeout_s`. `throttled` is the number of attempts that the quota refused.
    """

    arrival_s: NDArray[np.float64]
    first_start_s: NDArray[np.float64]
    last_start_s: NDArray[np.float64]
    third_receive_s: NDArray[np.float64]
    left_s: NDArray[np.float64]
    receives: NDArray[np.int64]
    succeeded: NDArray[np.bool_]
    timeouts: NDArray[np.int64]
    throttled: int

    @property
    def time_to_picture_s(self) -> NDArray[np.float64]:
        """Seconds from arrival to picture, retries and waits included; infinite for a job without a picture."""
        return time_to_picture(self.arrival_s, self.left_s, self.succeeded)

    def attained(self, objective_s: float) -> float:
        """Return the share of all jobs with a picture within `objective_s` seconds."""
        return judge(self.time_to_picture_s, objective_s).share


def simulate(arrivals_s: ArrayLike, service_s: ArrayLike, workers: int) -> NDArray[np.float64]:
    """Return each job's wait in a first-in-first-out queue with `workers` workers.

    Args:
        arrivals_s: Times at which jobs arrive, ascending; seconds, shape (n,).
        service_s: How long each job keeps a worker; seconds, shape (n,), or one number for all.
        workers: How many jobs are served at once, at least 1.

    Returns:
        Seconds from arrival to start, shape (n,), in the order of the arrivals.

    Raises:
        CapacityError: For no jobs, unequal lengths, negative, infinite or missing (NaN) times, arrivals that are not ascending,
            or fewer than one worker.

    Warns:
        OverloadWarning: Where more work arrives than the workers can do, with the backlog's growth.

    """
    arrivals, service = checked_times(arrivals_s, service_s)
    free_s = np.full(_checked_workers(workers), -np.inf)
    waits = np.empty(len(arrivals))
    kernels.serve(arrivals, service, free_s, waits)
    utilization, growth = _load(len(arrivals), float(arrivals[-1] - arrivals[0]), float(service.sum()), workers)
    _warn_overload(utilization, growth, workers)
    return waits


def simulate_stream(
    chunks: Iterable[tuple[ArrayLike, ArrayLike]],
    workers: int,
    *,
    cold_start: ColdStart | None = None,
    poller_ramp: PollerRamp | None = None,
    retry: Retry | None = None,
    quota: Quota | None = None,
    rng: np.random.Generator | None = None,
) -> WaitSummary:
    """Summarize the waits of any number of jobs, which are given in chunks; memory grows with the backlog only.

    Args:
        chunks: Pairs of (arrivals, service times) as `simulate` takes them; arrivals ascend across chunks too.
        workers: How many jobs are served at once, at least 1.
        cold_start: Time that a worker's first job takes in addition.
        poller_ramp: How Lambda adds workers after the first arrival.
        retry: Failures and their retries; with a quota alone, retries of throttled attempts only.
        quota: The model's limit of images a minute.
        rng: Draws failures and backoffs; needed with `retry` or `quota`.

    Returns:
        The summary; without options the same waits as `simulate` gives for all chunks in one.

    Raises:
        CapacityError: As `simulate`; also for options out of range, and for `retry` or `quota` without `rng`.

    Warns:
        OverloadWarning: As `simulate`.

    """
    run = _Run(_checked_workers(workers), cold_start, poller_ramp, retry, quota, rng)
    for arrivals_s, service_s in chunks:
        run.add(*checked_times(arrivals_s, service_s))
    summary = run.summary()
    _warn_overload(summary.utilization, summary.growth_per_minute, workers)
    return summary


def simulate_jobs(
    arrivals_s: ArrayLike,
    service_s: ArrayLike,
    workers: int,
    *,
    cold_start: ColdStart | None = None,
    poller_ramp: PollerRamp | None = None,
    retry: Retry | None = None,
    quota: Quota | None = None,
    disruptions: Sequence[Disruption] = (),
    rng: np.random.Generator | None = None,
) -> JobTrace:
    """Trace each job from its arrival to its picture, or to the dead-letter queue.

    Args:
        arrivals_s: Times at which jobs arrive, ascending; seconds, shape (n,).
        service_s: How long each job keeps a worker; seconds, shape (n,), or one number for all.
        workers: How many jobs are served at once, at least 1.
        cold_start: As `simulate_stream` takes it; so are `poller_ramp`, `retry` and `quota`.
        poller_ramp: How Lambda adds workers after the first arrival.
        retry: Failures and their retries.
        quota: The model's limit of images a minute.
        disruptions: Stretches in which attempts go worse; where two overlap, the first counts.
        rng: Draws failures and backoffs; needed with `retry`, `quota` or `disruptions`.

    Returns:
        One entry a job, in the order of arrival. No warning is given for an overload: it shows in the trace.

    Raises:
        CapacityError: As `simulate_stream`; also for a disruption that is out of range.

    """
    run = _Run(_checked_workers(workers), cold_start, poller_ramp, retry, quota, rng, disruptions)
    arrivals, service = checked_times(arrivals_s, service_s)
    run.jobs = np.full((len(arrivals), kernels.JOB_COLUMNS), np.inf)
    run.add(arrivals, service)
    run.finish()
    jobs = run.jobs
    return JobTrace(
        arrival_s=arrivals,
        first_start_s=jobs[:, kernels.FIRST_START],
        last_start_s=jobs[:, kernels.LAST_START],
        third_receive_s=jobs[:, kernels.THIRD_RECEIVE],
        left_s=jobs[:, kernels.LEFT],
        receives=jobs[:, kernels.RECEIVED].astype(np.int64),
        succeeded=jobs[:, kernels.SUCCESS] == 1.0,
        timeouts=jobs[:, kernels.TIMED_OUT].astype(np.int64),
        throttled=int(run.counters[kernels.THROTTLED]),
    )


def erlang_c(arrivals_per_s: float, service_s: float, workers: int) -> tuple[float, float]:
    """Return (share of jobs that wait, mean wait in seconds) of a queue with Poisson arrivals and exponential service times.

    The M/M/c queue in its steady state: A. K. Erlang, 1917; computed by the recursion of Erlang's B formula, which neither
    overflows nor cancels. Raises CapacityError where the load is not below the number of workers.
    """
    offered = arrivals_per_s * service_s
    if not 0 < offered < _checked_workers(workers):
        raise CapacityError(f"A load of {offered:g} has no steady state with {workers} workers: it must lie between.")
    blocked = 1.0
    for count in range(1, workers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    waiting = blocked / (1 - offered / workers * (1 - blocked))
    return waiting, waiting * service_s / (workers - offered)


class _Run:
    """The state of one stream between its chunks."""

    def __init__(
        self,
        workers: int,
        cold_start: ColdStart | None,
        poller_ramp: PollerRamp | None,
        retry: Retry | None,
        quota: Quota | None,
        rng: np.random.Generator | None,
        disruptions: Sequence[Disruption] = (),
    ) -> None:
        if (retry or quota or disruptions) and rng is None:
            raise CapacityError("Retries are drawn at random: give rng, such as numpy.random.default_rng(1).")
        self.workers, self.poller_ramp = workers, poller_ramp
        self.options = _options(cold_start, retry, quota)
        self.disruptions = _disruption_rows(disruptions)
        # Without a generator nothing is drawn, but numba needs one.
        self.rng = rng or np.random.default_rng(0)
        self.servers: NDArray[np.float64] | None = None
        self.retries = np.empty((0, 5))
        self.starts = np.empty(0)
        # How many retries wait, how many entries of `starts` count, and the counters in the order of kernels.COUNTERS.
        self.sizes = np.zeros(2, dtype=np.int64)
        self.counters = np.zeros(len(kernels.COUNTERS), dtype=np.int64)
        self.histogram = np.zeros(kernels.BINS + 1, dtype=np.int64)
        # Sum and largest of the waits.
        self.totals = np.zeros(2)
        # Tokens of the quota, and when they were counted.
        self.bucket = np.array([self.options[kernels.BURST], -np.inf])
        # What happens to each job, where that is kept.
        self.jobs = np.empty((0, kernels.JOB_COLUMNS))
        self.n, self.work_s, self.first_s, self.last_s = 0, 0.0, math.nan, -math.inf

    def add(self, arrivals: NDArray[np.float64], service: NDArray[np.float64]) -> None:
        """Simulate a chunk up to its last arrival."""
        if arrivals[0] < self.last_s:
            raise CapacityError(f"Arrivals must ascend across chunks: {arrivals[0]:g} s comes after {self.last_s:g} s.")
        if self.servers is None:
            self.first_s = float(arrivals[0])
            free_s = _free_from(self.first_s, self.workers, self.poller_ramp)
            self.servers = np.stack([free_s, np.zeros(self.workers)], axis=1)
        self.n += len(arrivals)
        self.work_s += float(service.sum())
        self.last_s = float(arrivals[-1])
        self._make_room(len(arrivals))
        self._step(arrivals, service)

    def summary(self) -> WaitSummary:
        """Simulate the remaining retries, and return the summary."""
        if self.servers is None:
            raise CapacityError("There are no jobs: give at least one chunk with at least one arrival.")
        at_end = int(self.counters[kernels.AT_END])
        self.finish()
        count = {name: int(value) for name, value in zip(kernels.COUNTERS, self.counters, strict=True)}
        succeeded = count["succeeded"]
        utilization, growth = _load(self.n, self.last_s - self.first_s, self.work_s, self.workers)
        p50, p95, p99 = (_percentile(self.histogram, share) for share in (0.50, 0.95, 0.99))
        return WaitSummary(
            n=self.n,
            mean=float(self.totals[0]) / succeeded if succeeded else math.nan,
            p50=p50, p95=p95, p99=p99,
            maximum=float(self.totals[1]) if succeeded else math.nan,
            backlog=count["backlog"], backlog_at_end=at_end,
            attempts=count["attempts"], throttled=count["throttled"], dead_lettered=count["dead_lettered"],
            utilization=utilization, growth_per_minute=growth,
        )  # fmt: skip

    def finish(self) -> None:
        """Simulate all remaining retries."""
        nothing = np.empty(0)
        self._make_room(0)
        self._step(nothing, nothing)

    def _step(self, arrivals: NDArray[np.float64], service: NDArray[np.float64]) -> None:
        kernels.serve_chunk(
            arrivals, service, self.servers, self.retries, self.starts, self.sizes, self.counters, self.histogram,
            self.totals, self.bucket, self.options, self.disruptions, self.jobs, self.rng,
        )  # fmt: skip

    def _make_room(self, arriving: int) -> None:
        """Grow the arrays of waiting jobs for all that a chunk can add: each job is in each of them at most once."""
        retries, starts = (int(size) for size in self.sizes)
        jobs = retries + starts + arriving + 1
        if len(self.retries) < jobs:
            self.retries = np.concatenate([self.retries[:retries], np.empty((2 * jobs, 5))])
        if len(self.starts) < jobs:
            self.starts = np.concatenate([self.starts[:starts], np.empty(2 * jobs)])


def _options(cold_start: ColdStart | None, retry: Retry | None, quota: Quota | None) -> NDArray[np.float64]:
    cold, again = cold_start or ColdStart(0.0, math.inf), retry or Retry()
    limit = quota or Quota(math.inf)
    shares = {"failure_rate": again.failure_rate, "crash_rate": again.crash_rate}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise CapacityError(f"{name} is {share:g}: give a share from 0 to 1.")
    if sum(shares.values()) > 1:
        raise CapacityError(f"failure_rate and crash_rate together are {sum(shares.values()):g}: at most 1.")
    if again.max_receives < 1:
        raise CapacityError(f"max_receives is {again.max_receives}: give at least 1.")
    if not limit.images_per_minute > 0:
        raise CapacityError(f"images_per_minute is {limit.images_per_minute:g}: give more than 0.")
    burst = limit.images_per_minute if limit.burst is None else limit.burst
    seconds = {
        "seconds": cold.seconds, "idle_s": cold.idle_s, "visibility_timeout_s": again.visibility_timeout_s,
        "base_s": again.base_s, "cap_s": again.cap_s, "timeout_s": again.timeout_s,
        "throttled_s": limit.throttled_s,
    }  # fmt: skip
    for name, value in seconds.items():
        if not value >= 0:
            raise CapacityError(f"{name} is {value:g}: give 0 or more seconds.")
    if not burst >= 1:
        raise CapacityError(f"burst is {burst:g}: a bucket that holds less than one token lets nothing through.")
    return np.array([
        cold.seconds, cold.idle_s, again.failure_rate, again.crash_rate, again.visibility_timeout_s, again.base_s,
        again.cap_s, float(again.max_receives), again.timeout_s, limit.images_per_minute / MINUTE_S, burst, limit.throttled_s,
    ])  # fmt: skip


def _disruption_rows(disruptions: Sequence[Disruption]) -> NDArray[np.float64]:
    rows = np.empty((len(disruptions), kernels.DISRUPTION_COLUMNS))
    for place, each in enumerate(disruptions):
        if not each.start_s < each.end_s:
            raise CapacityError(f"A disruption from {each.start_s:g} s to {each.end_s:g} s has no length.")
        if not (each.service_factor >= 0 and each.quota_factor >= 0):
            raise CapacityError("A disruption's service_factor and quota_factor are 0 or more.")
        if not (each.failure_rate >= 0 and each.crash_rate >= 0 and each.failure_rate + each.crash_rate <= 1):
            raise CapacityError("A disruption's failure_rate and crash_rate are shares, together at most 1.")
        rows[place] = (
            each.start_s, each.end_s, each.service_factor, each.quota_factor, each.failure_rate, each.crash_rate,
            math.nan if each.failure_s is None else each.failure_s,
        )  # fmt: skip
    return rows


def _free_from(first_s: float, workers: int, ramp: PollerRamp | None) -> NDArray[np.float64]:
    """Return when each worker is first available, ascending, which is also a heap."""
    free_s = np.full(workers, -np.inf)
    if ramp is not None:
        if ramp.initial < 1 or not ramp.per_minute > 0:
            raise CapacityError(f"{ramp} never serves: give initial of at least 1 and per_minute above 0.")
        later = np.arange(1, max(0, workers - ramp.initial) + 1)
        free_s[min(workers, ramp.initial) :] = first_s + later * (MINUTE_S / ramp.per_minute)
    return free_s


def checked_times(arrivals_s: ArrayLike, service_s: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float arrays of the same length; raises CapacityError with the first invalid value."""
    arrivals = np.ascontiguousarray(arrivals_s, dtype=np.float64)
    if arrivals.ndim != 1 or not len(arrivals):
        raise CapacityError(f"arrivals_s has the shape {arrivals.shape}: give one row of at least one time.")
    service = np.asarray(service_s, dtype=np.float64)
    service = np.full(len(arrivals), service) if service.ndim == 0 else np.ascontiguousarray(service)
    if service.shape != arrivals.shape:
        raise CapacityError(f"There are {len(arrivals)} arrivals and {service.size} service times: give one for each.")
    for name, values in (("arrivals_s", arrivals), ("service_s", service)):
        right = np.isfinite(values) & (values >= 0)
        if not right.all():
            place = int(np.argmin(right))
            raise CapacityError(f"{name}[{place}] is {values[place]:g}: give seconds, 0 or more.")
    falls = np.flatnonzero(np.diff(arrivals) < 0)
    if len(falls):
        place = int(falls[0]) + 1
        raise CapacityError(
            f"arrivals_s[{place}] is {arrivals[place]:g} s, after {arrivals[place - 1]:g} s: sort the arrivals first."
        )
    return arrivals, service


def _checked_workers(workers: int) -> int:
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 1:
        raise CapacityError(f"workers is {workers!r}: give a whole number of at least 1.")
    return int(workers)


def _load(n: int, span_s: float, work_s: float, workers: int) -> tuple[float, float]:
    """Return (utilization, growth of the backlog in jobs a minute) between the first and the last arrival."""
    if span_s <= 0 or n < 2:  # noqa: PLR2004 - one job has no rate
        return math.nan, 0.0
    # The first job opens the time in which the others arrive.
    rate = (n - 1) / span_s
    utilization = rate * (work_s / n) / workers
    return utilization, max(0.0, rate * (1 - 1 / utilization)) * MINUTE_S if utilization > 1 else 0.0


def _warn_overload(utilization: float, growth_per_minute: float, workers: int) -> None:
    if utilization > 1:
        warnings.warn(
            f"The work that arrives is {utilization:.2f} times what {workers} worker{'s' if workers > 1 else ''} can do: the "
            f"backlog grows by {growth_per_minute:.3g} jobs a minute as long as that lasts.",
            OverloadWarning,
            stacklevel=3,
        )


def _percentile(histogram: NDArray[np.int64], share: float) -> float:
    """Return a percentile of the waits; NaN if there are none."""
    total = int(histogram.sum())
    if total == 0:
        return math.nan
    place = int(np.searchsorted(np.cumsum(histogram), max(1, math.ceil(share * total))))
    # The middle of a bin, by which neither of its edges is off by more than SKETCH_ERROR.
    return 0.0 if place == 0 else kernels.SMALLEST_S * kernels.GROWTH**place * 2 / (1 + kernels.GROWTH)
