"""The loops of the models, compiled by numba at the first call: heaps, the first-in-first-out queue, the API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Relative error of a percentile from the histogram of waits: its bins have edges that grow by a constant factor, as in
# DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019).
SKETCH_ERROR = 0.005
GROWTH = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR)
# The bins reach from a microsecond, below which a wait counts as none, to thirty years.
SMALLEST_S, LARGEST_S = 1e-6, 1e9
BINS = math.ceil(math.log(LARGEST_S / SMALLEST_S) / math.log(GROWTH)) + 1

COUNTERS = ("succeeded", "attempts", "throttled", "dead_lettered", "backlog", "at_end")
SUCCEEDED, ATTEMPTS, THROTTLED, DEAD_LETTERED, BACKLOG, AT_END = range(len(COUNTERS))

# The options of a queue as one row of numbers, which numba takes.
COLD, IDLE, FAIL, CRASH, HIDDEN, BASE, CAP, RECEIVES, TIMEOUT, RATE, BURST, REFUSAL = range(12)
# A disruption as a row: from, until, what multiplies service times and the quota, shares that fail and crash, how long a
# failing attempt takes (NaN: as long as the job).
FROM, UNTIL, SLOWER, QUOTA, FAILS, CRASHES, FAILURE_S = range(7)
# What is kept of a job: start of its first and of its last attempt, its third receive, when it left the queue, receives, and
# whether it succeeded.
FIRST_START, LAST_START, THIRD_RECEIVE, LEFT, RECEIVED, SUCCESS, TIMED_OUT = range(7)
DISRUPTION_COLUMNS, JOB_COLUMNS = 7, 7


def compiled(function: Any) -> Any:
    """Compile a function at its first call."""
    # nogil: a notebook's other threads go on; cache: the second process does not compile again.
    return numba.njit(function, nogil=True, cache=True)


@compiled
def sift_down(heap: NDArray[np.float64]) -> None:
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


@compiled
def serve(
    arrivals: NDArray[np.float64], service: NDArray[np.float64], free_s: NDArray[np.float64], waits: NDArray[np.float64]
) -> None:
    """Assign each job to the first free worker; `free_s` is a heap of when each worker is free."""
    for place in range(len(arrivals)):
        start = max(arrivals[place], free_s[0])
        waits[place] = start - arrivals[place]
        free_s[0] = start + service[place]
        sift_down(free_s)


@compiled
def sift_down_server(servers: NDArray[np.float64]) -> None:
    """Restore a heap of rows (free, whether it has served), ordered by the first column."""
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


@compiled
def push_row(heap: NDArray[np.float64], size: int, row: NDArray[np.float64]) -> None:
    """Put a row on a heap of `size` rows, which is ordered by the first column."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if heap[parent, 0] <= row[0]:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = row


@compiled
def pop_row(heap: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Pop the row with the smallest first column from a heap of `size` rows."""
    first: NDArray[np.float64] = heap[0].copy()
    last = heap[size - 1].copy()
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and heap[child + 1, 0] < heap[child, 0]:
            child += 1
        if heap[child, 0] >= last[0]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = last
    return first


@compiled
def take_token(bucket: NDArray[np.float64], now_s: float, rate: float, burst: float) -> bool:
    """Take a token from a bucket (tokens, when they were counted), which fills by `rate` a second up to `burst`."""
    if bucket[1] > -np.inf:
        bucket[0] = min(burst, bucket[0] + max(0.0, now_s - bucket[1]) * rate)
    bucket[1] = max(bucket[1], now_s)
    if bucket[0] < 1.0:
        return False
    bucket[0] -= 1.0
    return True


@compiled
def disruption_at(disruptions: NDArray[np.float64], time_s: float) -> int:
    """Return the index of the first disruption at a time, -1 for none."""
    for index in range(len(disruptions)):
        if disruptions[index, FROM] <= time_s < disruptions[index, UNTIL]:
            return index
    return -1


@compiled
def serve_chunk(  # noqa: C901, PLR0912, PLR0915 - one loop, which numba compiles as a whole
    arrivals: NDArray[np.float64],
    service: NDArray[np.float64],
    servers: NDArray[np.float64],
    retries: NDArray[np.float64],
    starts: NDArray[np.float64],
    sizes: NDArray[np.int64],
    counters: NDArray[np.int64],
    histogram: NDArray[np.int64],
    totals: NDArray[np.float64],
    bucket: NDArray[np.float64],
    options: NDArray[np.float64],
    disruptions: NDArray[np.float64],
    jobs: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Serve jobs and retries in the order in which they are ready, up to the last arrival; all retries where none arrives.

    `starts` holds when the jobs that have not begun at the present time will begin, ascending: its length is the backlog.
    A retry is (ready, arrival, service, receives, place of the job). `jobs` keeps what happened to each job of the chunk and
    of its retries; with no rows nothing is kept.
    """
    log_growth, begun, place = math.log(GROWTH), 0, 0
    waiting = sizes[1]
    flush = len(arrivals) == 0
    kept = len(jobs) > 0
    row = np.empty(5)
    while True:
        fresh = place < len(arrivals)
        if sizes[0] > 0 and (flush or (fresh and retries[0, 0] < arrivals[place])):
            row = pop_row(retries, sizes[0])
            sizes[0] -= 1
        elif fresh:
            row[0], row[1], row[2], row[3], row[4] = arrivals[place], arrivals[place], service[place], 0.0, place
            place += 1
        else:
            break
        ready, arrival, index = row[0], row[1], int(row[4])
        receives = row[3] + 1.0
        counters[ATTEMPTS] += 1
        start = max(ready, servers[0, 0])
        while begun < waiting and starts[begun] <= ready:
            begun += 1
        if start > ready:
            if waiting == len(starts):
                for move in range(begun, waiting):
                    starts[move - begun] = starts[move]
                begun, waiting = 0, waiting - begun
            starts[waiting] = start
            waiting += 1
        counters[BACKLOG] = max(counters[BACKLOG], waiting - begun)

        which = disruption_at(disruptions, start)
        takes = row[2] * (disruptions[which, SLOWER] if which >= 0 else 1.0)
        if servers[0, 1] == 0.0 or start - servers[0, 0] > options[IDLE]:
            takes += options[COLD]
        fails, crashes, timed_out = False, False, takes > options[TIMEOUT]
        if timed_out:
            takes, fails = options[TIMEOUT], True
        if options[RATE] < np.inf:
            rate = options[RATE] * (disruptions[which, QUOTA] if which >= 0 else 1.0)
            if not take_token(bucket, start, rate, options[BURST]):
                takes, fails, timed_out = options[REFUSAL], True, False
                counters[THROTTLED] += 1
        if not fails:
            failing, crashing = options[FAIL], options[CRASH]
            if which >= 0:
                failing = min(1.0, failing + disruptions[which, FAILS])
                crashing = min(1.0 - failing, crashing + disruptions[which, CRASHES])
            if failing + crashing > 0:
                chance = rng.random()
                fails = chance < failing + crashing
                crashes = fails and chance >= failing
                if fails and which >= 0 and not math.isnan(disruptions[which, FAILURE_S]):
                    takes = disruptions[which, FAILURE_S]
        servers[0, 0], servers[0, 1] = start + takes, 1.0
        sift_down_server(servers)

        again = start + takes
        if crashes:
            again = start + max(takes, options[HIDDEN])
        if kept:
            if receives == 1.0:
                jobs[index, FIRST_START] = start
                jobs[index, TIMED_OUT] = 0.0
            if receives == 3.0:  # noqa: PLR2004 - the rule of three receives
                jobs[index, THIRD_RECEIVE] = start
            jobs[index, LAST_START], jobs[index, LEFT] = start, again
            jobs[index, RECEIVED], jobs[index, SUCCESS] = receives, 0.0 if fails else 1.0
            jobs[index, TIMED_OUT] += 1.0 if timed_out else 0.0
        if not fails:
            wait = start - arrival
            counters[SUCCEEDED] += 1
            totals[0] += wait
            totals[1] = max(totals[1], wait)
            bin_ = 0 if wait <= SMALLEST_S else min(BINS, math.ceil(math.log(wait / SMALLEST_S) / log_growth))
            histogram[bin_] += 1
        elif receives >= options[RECEIVES]:
            counters[DEAD_LETTERED] += 1
        else:
            if not crashes:
                ceiling = min(options[CAP], options[BASE] * 2.0 ** (receives - 1.0))
                again += max(1.0, math.ceil(rng.random() * ceiling))
            row[0], row[3] = again, receives
            push_row(retries, sizes[0], row)
            sizes[0] += 1
    while begun < waiting and len(arrivals) and starts[begun] <= arrivals[-1]:
        begun += 1
    for move in range(begun, waiting):
        starts[move - begun] = starts[move]
    sizes[1] = waiting - begun
    if not flush:
        counters[AT_END] = sizes[1]


@compiled
def oldest_age(
    arrivals: NDArray[np.float64], leaves: NDArray[np.float64], times: NDArray[np.float64], ages: NDArray[np.float64]
) -> None:
    """Return the age of the oldest job at each time (ascending), of those that have arrived and not left; 0 if there is none."""
    first = 0
    for place in range(len(times)):
        # What has left by now has left for all later times too.
        while first < len(arrivals) and leaves[first] <= times[place]:
            first += 1
        there = first < len(arrivals) and arrivals[first] <= times[place]
        ages[place] = times[place] - arrivals[first] if there else 0.0


# The options of the API as one row of numbers.
(
    STAGE_RATE, STAGE_BURST, CONCURRENCY, READ_TIMEOUT, GATEWAY_TIMEOUT, REFUSED_S, API_COLD, API_IDLE, MODEL_RATE,
    MODEL_BURST, BACKOFF, CLIENT_RETRIES, CLIENT_PAUSE, PATIENCE,
) = range(14)  # fmt: skip
# How an attempt ends.
PICTURE, STAGE_THROTTLED, NO_CONCURRENCY, MODEL_THROTTLED, MODEL_TIMEOUT, GATEWAY_LATE, ABANDONED = range(7)


@compiled
def serve_requests(  # noqa: C901, PLR0912, PLR0915 - one loop, which numba compiles as a whole
    arrivals: NDArray[np.float64],
    service: NDArray[np.float64],
    options: NDArray[np.float64],
    outcome: NDArray[np.int64],
    attempts: NDArray[np.int64],
    ended: NDArray[np.float64],
    paid: NDArray[np.int64],
    wasted: NDArray[np.int64],
    errors: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Serve people's requests to the API and their retries in the order of time; `errors` counts answers by how they end."""
    environments = np.empty((1024, 2))
    running, size, place = 0, 0, 0
    pending = np.empty((len(arrivals) + 1, 2))
    stage = np.array([options[STAGE_BURST], -np.inf])
    model = np.array([options[MODEL_BURST], -np.inf])
    row = np.empty(2)
    while place < len(arrivals) or size > 0:
        if size > 0 and (place == len(arrivals) or pending[0, 0] < arrivals[place]):
            row = pop_row(pending, size)
            size -= 1
        else:
            row[0], row[1] = arrivals[place], place
            place += 1
        now, who = row[0], int(row[1])
        attempts[who] += 1
        gives_up = arrivals[who] + options[PATIENCE]
        took, result, bills = options[REFUSED_S], PICTURE, 0
        if not take_token(stage, now, options[STAGE_RATE], options[STAGE_BURST]):
            result = STAGE_THROTTLED
        elif (running == 0 or environments[0, 0] > now) and running >= options[CONCURRENCY]:
            result = NO_CONCURRENCY
        else:
            cold = running == 0 or environments[0, 0] > now
            start = options[API_COLD] if cold or now - environments[0, 0] > options[API_IDLE] else 0.0
            took = start
            allowed = options[MODEL_RATE] == np.inf or take_token(model, now, options[MODEL_RATE], options[MODEL_BURST])
            if not allowed:
                # The function retries once, after a short wait.
                took += options[REFUSED_S] + rng.random() * options[BACKOFF]
                allowed = take_token(model, now + took, options[MODEL_RATE], options[MODEL_BURST])
            if not allowed:
                result = MODEL_THROTTLED
                took += options[REFUSED_S]
            else:
                bills = 1
                if service[who] > options[READ_TIMEOUT]:
                    result = MODEL_TIMEOUT
                    took += options[READ_TIMEOUT]
                else:
                    took += service[who]
            if cold:
                if running == len(environments):
                    larger = np.empty((2 * running, 2))
                    larger[:running] = environments
                    environments = larger
                push_row(environments, running, np.array([now + took, 1.0]))
                running += 1
            else:
                environments[0, 0] = now + took
                sift_down_server(environments[:running])
            if took > options[GATEWAY_TIMEOUT]:
                result, took = GATEWAY_LATE, options[GATEWAY_TIMEOUT]
        paid[who] += bills
        answered = now + took
        if answered > gives_up:
            # A picture may still be made, for which nobody waits.
            wasted[who] += bills
            outcome[who], ended[who] = ABANDONED, gives_up
            errors[ABANDONED] += 1
            continue
        errors[result] += 1
        if result == PICTURE:
            outcome[who], ended[who] = PICTURE, answered
            continue
        wasted[who] += bills
        # People press the button again after a while, each in their own time.
        pause = options[CLIENT_PAUSE] * (0.5 + rng.random())
        if attempts[who] <= options[CLIENT_RETRIES] and answered + pause < gives_up:
            row[0] = answered + pause
            push_row(pending, size, row)
            size += 1
        else:
            outcome[who], ended[who] = result, answered
