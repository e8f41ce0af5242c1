"""How long do jobs wait? Exact waits of a first-in-first-out queue served by many workers, for any arrivals and service times.

`simulate` gives each job's wait, `simulate_stream` a summary of any number of jobs in flat memory, optionally with cold starts,
Lambda's ramp of pollers, retries with the worker's own backoff, and a model's quota. `erlang_c` is the formula that both are
checked against. Times are seconds from any origin; the loops are compiled by numba at the first call.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

# Relative error of a percentile that `simulate_stream` reports: its histogram has bins whose edges grow by a constant factor,
# as in DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019).
SKETCH_ERROR = 0.005
_GROWTH = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR)
# The bins reach from a microsecond, below which a wait counts as none, to thirty years.
_SMALLEST_S, _LARGEST_S = 1e-6, 1e9
_BINS = math.ceil(math.log(_LARGEST_S / _SMALLEST_S) / math.log(_GROWTH)) + 1

MINUTE_S = 60.0


class CapacityError(ValueError):
    """The arrivals, service times or workers describe no queue; the message says which value is wrong."""


class OverloadWarning(UserWarning):
    """More work arrives than the workers can do: waits grow as long as that lasts."""


@dataclass(frozen=True)
class ColdStart:
    """A worker's first job, and one after a long pause, takes `seconds` longer.

    Lambda does not document for how long it keeps an idle environment; `idle_s` is what the caller assumes.
    """

    seconds: float
    idle_s: float = 300.0


@dataclass(frozen=True)
class PollerRamp:
    """Workers that Lambda adds by and by: `initial` at the first arrival, `per_minute` more each minute up to all.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    """

    initial: int = 5
    per_minute: float = 300.0


@dataclass(frozen=True)
class Retry:
    """Attempts that fail, and when the job is delivered again.

    A share `failure_rate` of attempts fails at its end and is put off by full jitter over `base_s` * 2^(receives - 1), at most
    `cap_s`, in whole seconds, as the worker does it (lambda_code/lambda_sqs.py). A share `crash_rate` ends without a word at
    its end: the job is hidden until `visibility_timeout_s` after its start. After `max_receives` attempts a job goes to the
    dead-letter queue.
    """

    failure_rate: float = 0.0
    crash_rate: float = 0.0
    visibility_timeout_s: float = 360.0
    base_s: float = 5.0
    cap_s: float = 900.0
    max_receives: int = 10


@dataclass(frozen=True)
class Quota:
    """A model's limit of images a minute: a token bucket that holds `burst` at most, a minute's worth by default.

    An attempt without a token takes a worker for `throttled_s` and is then put off as `Retry` says.
    """

    images_per_minute: float
    burst: float | None = None
    throttled_s: float = 0.5


@dataclass(frozen=True)
class WaitSummary:
    """What became of all jobs; waits in seconds, from a job's arrival to the start of the attempt that succeeded.

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


def simulate(arrivals_s: ArrayLike, service_s: ArrayLike, workers: int) -> NDArray[np.float64]:
    """Give each job's wait in a first-in-first-out queue with `workers` workers.

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
    arrivals, service = _checked(arrivals_s, service_s)
    free_s = np.full(_checked_workers(workers), -np.inf)
    waits = np.empty(len(arrivals))
    _serve(arrivals, service, free_s, waits)
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
        run.add(*_checked(arrivals_s, service_s))
    summary = run.summary()
    _warn_overload(summary.utilization, summary.growth_per_minute, workers)
    return summary


def erlang_c(arrivals_per_s: float, service_s: float, workers: int) -> tuple[float, float]:
    """Give (share of jobs that wait, mean wait in seconds) of a queue with random arrivals and exponential service times.

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
    ) -> None:
        if (retry or quota) and rng is None:
            raise CapacityError("Retries are drawn at random: give rng, such as numpy.random.default_rng(1).")
        self.workers, self.poller_ramp = workers, poller_ramp
        self.options = _options(cold_start, retry, quota)
        # Without a generator nothing is drawn; numba wants one all the same.
        self.rng = rng or np.random.default_rng(0)
        self.servers: NDArray[np.float64] | None = None
        self.retries = np.empty((0, 4))
        self.starts = np.empty(0)
        # How many retries wait, how many entries of `starts` count, and the counters in the order of _COUNTERS.
        self.sizes = np.zeros(2, dtype=np.int64)
        self.counters = np.zeros(len(_COUNTERS), dtype=np.int64)
        self.histogram = np.zeros(_BINS + 1, dtype=np.int64)
        # Sum and largest of the waits; tokens of the quota and when they were counted.
        self.totals = np.array([0.0, 0.0, self.options[_BURST], -np.inf])
        self.n, self.work_s, self.first_s, self.last_s = 0, 0.0, math.nan, -math.inf

    def add(self, arrivals: NDArray[np.float64], service: NDArray[np.float64]) -> None:
        """Serve a chunk as far as its last arrival."""
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
        """Serve what is still to be retried, and sum up."""
        if self.servers is None:
            raise CapacityError("There are no jobs: give at least one chunk with at least one arrival.")
        nothing = np.empty(0)
        at_end = int(self.counters[_AT_END])
        self._make_room(0)
        self._step(nothing, nothing)
        count = {name: int(value) for name, value in zip(_COUNTERS, self.counters, strict=True)}
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

    def _step(self, arrivals: NDArray[np.float64], service: NDArray[np.float64]) -> None:
        _serve_chunk(
            arrivals, service, self.servers, self.retries, self.starts, self.sizes, self.counters, self.histogram,
            self.totals, self.options, self.rng,
        )  # fmt: skip

    def _make_room(self, arriving: int) -> None:
        """Let the arrays of waiting jobs hold all that a chunk can add: each job is in each of them once at most."""
        retries, starts = (int(size) for size in self.sizes)
        jobs = retries + starts + arriving + 1
        if len(self.retries) < jobs:
            self.retries = np.concatenate([self.retries[:retries], np.empty((2 * jobs, 4))])
        if len(self.starts) < jobs:
            self.starts = np.concatenate([self.starts[:starts], np.empty(2 * jobs)])


_COUNTERS = ("succeeded", "attempts", "throttled", "dead_lettered", "backlog", "at_end")
_SUCCEEDED, _ATTEMPTS, _THROTTLED, _DEAD_LETTERED, _BACKLOG, _AT_END = range(len(_COUNTERS))

# The options as one row of numbers, which numba takes.
_COLD, _IDLE, _FAIL, _CRASH, _HIDDEN, _BASE, _CAP, _RECEIVES, _RATE, _BURST, _REFUSAL = range(11)


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
        "base_s": again.base_s, "cap_s": again.cap_s, "throttled_s": limit.throttled_s,
    }  # fmt: skip
    for name, value in seconds.items():
        if not value >= 0:
            raise CapacityError(f"{name} is {value:g}: give 0 or more seconds.")
    if not burst >= 1:
        raise CapacityError(f"burst is {burst:g}: a bucket that holds less than one token lets nothing through.")
    return np.array([
        cold.seconds, cold.idle_s, again.failure_rate, again.crash_rate, again.visibility_timeout_s, again.base_s,
        again.cap_s, float(again.max_receives), limit.images_per_minute / MINUTE_S, burst, limit.throttled_s,
    ])  # fmt: skip


def _free_from(first_s: float, workers: int, ramp: PollerRamp | None) -> NDArray[np.float64]:
    """When each worker is there for the first time, ascending, which also makes a heap."""
    free_s = np.full(workers, -np.inf)
    if ramp is not None:
        if ramp.initial < 1 or not ramp.per_minute > 0:
            raise CapacityError(f"{ramp} never serves: give initial of at least 1 and per_minute above 0.")
        later = np.arange(1, max(0, workers - ramp.initial) + 1)
        free_s[min(workers, ramp.initial) :] = first_s + later * (MINUTE_S / ramp.per_minute)
    return free_s


def _checked(arrivals_s: ArrayLike, service_s: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as arrays of floats of one length; raises CapacityError with the first value that is wrong."""
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
    """(utilization, growth of the backlog in jobs a minute) over the time from the first to the last arrival."""
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
    """The value below which a share of the waits lies; NaN where there are none."""
    total = int(histogram.sum())
    if total == 0:
        return math.nan
    place = int(np.searchsorted(np.cumsum(histogram), max(1, math.ceil(share * total))))
    # The middle of a bin, by which neither of its edges is off by more than SKETCH_ERROR.
    return 0.0 if place == 0 else _SMALLEST_S * _GROWTH**place * 2 / (1 + _GROWTH)


def _compiled(function: Any) -> Any:
    # nogil: a notebook's other threads go on; cache: the second process does not compile again.
    return numba.njit(function, nogil=True, cache=True)


@_compiled
def _sift_down(heap: NDArray[np.float64]) -> None:
    """Restore a heap whose first value was replaced by a larger one."""
    value, place, size = heap[0], 0, len(heap)
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@_compiled
def _serve(
    arrivals: NDArray[np.float64], service: NDArray[np.float64], free_s: NDArray[np.float64], waits: NDArray[np.float64]
) -> None:
    """Give each job to the worker that is free first; `free_s` is a heap of when each worker is free."""
    for place in range(len(arrivals)):
        start = max(arrivals[place], free_s[0])
        waits[place] = start - arrivals[place]
        free_s[0] = start + service[place]
        _sift_down(free_s)


@_compiled
def _sift_down_server(servers: NDArray[np.float64]) -> None:
    """The same for rows of (free, whether it has served), ordered by the first."""
    free, served, place = servers[0, 0], servers[0, 1], 0
    while True:
        child = 2 * place + 1
        if child >= len(servers):
            break
        if child + 1 < len(servers) and servers[child + 1, 0] < servers[child, 0]:
            child += 1
        if servers[child, 0] >= free:
            break
        servers[place, 0], servers[place, 1] = servers[child, 0], servers[child, 1]
        place = child
    servers[place, 0], servers[place, 1] = free, served


@_compiled
def _push_retry(retries: NDArray[np.float64], size: int, row: tuple[float, float, float, float]) -> None:
    """Put (ready, arrival, service, receives) on the heap of retries, which is ordered by the first."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if retries[parent, 0] <= row[0]:
            break
        retries[place] = retries[parent]
        place = parent
    for column in range(4):
        retries[place, column] = row[column]


@_compiled
def _pop_retry(retries: NDArray[np.float64], size: int) -> tuple[float, float, float, float]:
    """Take the retry that is ready first off the heap."""
    first = (retries[0, 0], retries[0, 1], retries[0, 2], retries[0, 3])
    last = retries[size - 1].copy()
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and retries[child + 1, 0] < retries[child, 0]:
            child += 1
        if retries[child, 0] >= last[0]:
            break
        retries[place] = retries[child]
        place = child
    retries[place] = last
    return first


@_compiled
def _serve_chunk(  # noqa: C901, PLR0912, PLR0915 - one loop, which numba compiles as a whole
    arrivals: NDArray[np.float64],
    service: NDArray[np.float64],
    servers: NDArray[np.float64],
    retries: NDArray[np.float64],
    starts: NDArray[np.float64],
    sizes: NDArray[np.int64],
    counters: NDArray[np.int64],
    histogram: NDArray[np.int64],
    totals: NDArray[np.float64],
    options: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Serve jobs and retries in the order in which they are ready, up to the last arrival; all retries where none arrives.

    `starts` holds when the jobs that have not begun at the present time will begin, ascending: its length is the backlog.
    """
    log_growth, begun, place = math.log(_GROWTH), 0, 0
    waiting = sizes[1]
    flush = len(arrivals) == 0
    while True:
        fresh = place < len(arrivals)
        if sizes[0] > 0 and (flush or (fresh and retries[0, 0] < arrivals[place])):
            ready, arrival, needs, receives = _pop_retry(retries, sizes[0])
            sizes[0] -= 1
        elif fresh:
            ready, arrival, needs, receives = arrivals[place], arrivals[place], service[place], 0.0
            place += 1
        else:
            break
        receives += 1.0
        counters[_ATTEMPTS] += 1
        start = max(ready, servers[0, 0])
        while begun < waiting and starts[begun] <= ready:
            begun += 1
        if start > ready:
            if waiting == len(starts):
                for index in range(begun, waiting):
                    starts[index - begun] = starts[index]
                begun, waiting = 0, waiting - begun
            starts[waiting] = start
            waiting += 1
        counters[_BACKLOG] = max(counters[_BACKLOG], waiting - begun)
        takes = needs
        if servers[0, 1] == 0.0 or start - servers[0, 0] > options[_IDLE]:
            takes += options[_COLD]
        allowed = True
        if options[_RATE] < np.inf:
            if totals[3] > -np.inf:
                totals[2] = min(options[_BURST], totals[2] + (start - totals[3]) * options[_RATE])
            totals[3] = start
            allowed = totals[2] >= 1.0
            totals[2] -= 1.0 if allowed else 0.0
        fails, crashes = not allowed, False
        if not allowed:
            takes = options[_REFUSAL]
            counters[_THROTTLED] += 1
        elif options[_FAIL] + options[_CRASH] > 0:
            chance = rng.random()
            fails = chance < options[_FAIL] + options[_CRASH]
            crashes = fails and chance >= options[_FAIL]
        servers[0, 0], servers[0, 1] = start + takes, 1.0
        _sift_down_server(servers)
        if not fails:
            wait = start - arrival
            counters[_SUCCEEDED] += 1
            totals[0] += wait
            totals[1] = max(totals[1], wait)
            bin_ = 0 if wait <= _SMALLEST_S else min(_BINS, math.ceil(math.log(wait / _SMALLEST_S) / log_growth))
            histogram[bin_] += 1
        elif receives >= options[_RECEIVES]:
            counters[_DEAD_LETTERED] += 1
        else:
            if crashes:
                again = start + max(takes, options[_HIDDEN])
            else:
                ceiling = min(options[_CAP], options[_BASE] * 2.0 ** (receives - 1.0))
                again = start + takes + max(1.0, math.ceil(rng.random() * ceiling))
            _push_retry(retries, sizes[0], (again, arrival, needs, receives))
            sizes[0] += 1
    while begun < waiting and len(arrivals) and starts[begun] <= arrivals[-1]:
        begun += 1
    for index in range(begun, waiting):
        starts[index - begun] = starts[index]
    sizes[1] = waiting - begun
    if not flush:
        counters[_AT_END] = sizes[1]
