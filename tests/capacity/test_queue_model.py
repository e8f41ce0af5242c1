import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couch_explorers.capacity import (
    SKETCH_ERROR,
    CapacityError,
    ColdStart,
    OverloadWarning,
    PollerRamp,
    Quota,
    Retry,
    erlang_c,
    simulate,
    simulate_stream,
)
from couch_explorers.core import retries
from tests.lambda_code.conftest import ENVIRONMENT


def random_stream(n, arrivals_per_s, seed=1):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(1 / arrivals_per_s, n)), rng.exponential(1.0, n)


def split(arrivals, service, cuts):
    pieces = zip(np.split(arrivals, cuts), np.split(service, cuts), strict=True)
    return [piece for piece in pieces if len(piece[0])]


seconds = st.floats(min_value=0, max_value=1000, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=60), st.integers(1, 8))
@pytest.mark.filterwarnings("ignore::couch_explorers.capacity.OverloadWarning")
def test_simulate_gives_each_job_the_worker_that_is_free_first(jobs, workers):
    jobs.sort()
    free = [0.0] * workers
    expected = []
    for arrival, service in jobs:
        start = max(arrival, heapq.heappop(free))
        heapq.heappush(free, start + service)
        expected.append(start - arrival)

    waits = simulate([arrival for arrival, _ in jobs], [service for _, service in jobs], workers)

    assert waits.tolist() == expected


def test_simulate_takes_one_service_time_for_all():
    with pytest.warns(OverloadWarning):
        waits = simulate([0, 0, 1], 2, 1)

    assert waits.tolist() == [0, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=12).map(sorted), st.sampled_from([1, 5, 40]))
def test_simulate_stream_agrees_with_simulate_however_the_stream_is_split(cuts, workers):
    arrivals, service = random_stream(20_000, 0.8 * workers)
    waits = simulate(arrivals, service, workers)

    summary = simulate_stream(split(arrivals, service, cuts), workers)

    assert (summary.n, summary.attempts, summary.maximum) == (20_000, 20_000, waits.max())
    assert summary.mean == pytest.approx(waits.mean())
    for share in (50, 95, 99):
        exact = np.percentile(waits, share, method="inverted_cdf")
        assert getattr(summary, f"p{share}") == pytest.approx(exact, rel=SKETCH_ERROR, abs=1e-6)


@pytest.mark.parametrize("workers", [1, 5])
def test_simulate_stream_counts_the_backlog(workers):
    arrivals, service = random_stream(5000, 0.9 * workers)
    starts = arrivals + simulate(arrivals, service, workers)
    waiting = [np.sum(starts[: place + 1] > arrival) for place, arrival in enumerate(arrivals)]

    summary = simulate_stream(split(arrivals, service, [7, 4000]), workers)

    assert (summary.backlog, summary.backlog_at_end) == (max(waiting), waiting[-1])


@pytest.mark.parametrize(("workers", "load"), [(1, 0.5), (1, 0.8), (5, 0.8), (50, 0.95)])
def test_simulate_agrees_with_erlang_c(workers, load):
    arrivals, service = random_stream(2_000_000, load * workers, seed=7)
    share, mean = erlang_c(load * workers, 1.0, workers)

    waits = simulate(arrivals, service, workers)

    assert np.mean(waits > 0) == pytest.approx(share, rel=0.02)
    assert waits.mean() == pytest.approx(mean, rel=0.03)


def test_simulate_agrees_with_pollaczek_and_khinchine_for_constant_service():
    arrivals, _ = random_stream(1_000_000, 0.7)

    assert simulate(arrivals, 1.0, 1).mean() == pytest.approx(0.7 / (2 * (1 - 0.7)), rel=0.02)


def crommelin(offered, workers):
    """Mean wait of the M/D/c queue in service times: C. D. Crommelin, "Delay probability formulae", 1932."""
    total = 0.0
    for i in range(1, 400):
        mean, first = i * offered, i * workers
        # Poisson probabilities from `first` on, by their logarithms.
        j = np.arange(first, first + int(mean + 12 * math.sqrt(mean)) + 200)
        chances = np.exp(j * math.log(mean) - mean - np.array([math.lgamma(each + 1) for each in j]))
        total += chances.sum() - workers / offered * chances[1:].sum()
    return total


def test_crommelins_formula_gives_that_of_one_worker():
    assert crommelin(0.7, 1) == pytest.approx(0.7 / (2 * (1 - 0.7)), rel=1e-6)


@pytest.mark.parametrize(("workers", "load"), [(2, 0.7), (5, 0.8), (10, 0.9)])
def test_simulate_agrees_with_crommelin_for_constant_service(workers, load):
    arrivals, _ = random_stream(2_000_000, load * workers, seed=5)

    assert simulate(arrivals, 1.0, workers).mean() == pytest.approx(crommelin(load * workers, workers), rel=0.03)


@pytest.mark.parametrize(
    ("load", "workers", "share", "mean"),
    [
        # One worker: the load itself, and load / (1 - load) service times.
        (0.5, 1, 0.5, 1.0),
        (0.9, 1, 0.9, 9.0),
        # Two workers: 2 a^2 / (2 - a) / (1 + ...) worked out by hand for a = 1: 1/3.
        (1.0, 2, 1 / 3, 1 / 3),
    ],
)
def test_erlang_c_gives_known_values(load, workers, share, mean):
    assert erlang_c(load, 1.0, workers) == pytest.approx((share, mean))


def test_erlang_c_holds_for_a_thousand_workers():
    share, mean = erlang_c(950.0, 1.0, 1000)

    assert 0 < share < 1
    assert mean == pytest.approx(share / 50)


@pytest.mark.parametrize("load", [0.0, 5.0, 6.0])
def test_erlang_c_refuses_a_load_without_a_steady_state(load):
    with pytest.raises(CapacityError, match="no steady state with 5 workers"):
        erlang_c(load, 1.0, 5)


@pytest.mark.parametrize(
    ("arrivals", "service", "workers", "message"),
    [
        ([], [], 1, "at least one time"),
        ([[1, 2]], [1], 1, "one row"),
        ([0, 1], [1], 1, "2 arrivals and 1 service times"),
        ([0, 2, 1], [1, 1, 1], 1, "arrivals_s[2] is 1 s, after 2 s"),
        ([-1, 0], [1, 1], 1, "arrivals_s[0] is -1"),
        ([0, math.nan], [1, 1], 1, "arrivals_s[1] is nan"),
        ([0, math.inf], [1, 1], 1, "arrivals_s[1] is inf"),
        ([0, 1], [1, -0.5], 1, "service_s[1] is -0.5"),
        ([0, 1], [math.nan, 1], 1, "service_s[0] is nan"),
        ([0], [1], 0, "workers is 0"),
        ([0], [1], -3, "workers is -3"),
        ([0], [1], 2.5, "workers is 2.5"),
        ([0], [1], True, "workers is True"),
    ],
)
def test_wrong_input_is_named(arrivals, service, workers, message):
    with pytest.raises(CapacityError) as one:
        simulate(arrivals, service, workers)
    with pytest.raises(CapacityError) as stream:
        simulate_stream([(arrivals, service)], workers)

    assert message in str(one.value)
    assert str(stream.value) == str(one.value)


def test_chunks_out_of_order_are_named():
    with pytest.raises(CapacityError, match="3 s comes after 5 s"):
        simulate_stream([([1, 5], 1), ([3], 1)], 2)


def test_a_stream_without_chunks_is_named():
    with pytest.raises(CapacityError, match="There are no jobs"):
        simulate_stream([], 2)


def test_overload_is_reported_with_the_growth_of_the_backlog():
    # Two jobs a second, one second each, one worker: one job more each second.
    arrivals = np.arange(0, 60, 0.5)

    with pytest.warns(OverloadWarning, match=r"2\.00 times what 1 worker can do.* grows by 60 jobs a minute"):
        simulate(arrivals, 1.0, 1)
    with pytest.warns(OverloadWarning):
        summary = simulate_stream([(arrivals, 1.0)], 1)

    assert (summary.utilization, summary.growth_per_minute) == (pytest.approx(2), pytest.approx(60))


# Options.


def test_options_that_change_nothing_leave_the_waits_as_they_are():
    arrivals, service = random_stream(5000, 4)
    plain = simulate_stream([(arrivals, service)], 5)

    same = simulate_stream(
        [(arrivals, service)], 5, cold_start=ColdStart(0), poller_ramp=PollerRamp(initial=5), retry=Retry(),
        quota=Quota(1e9), rng=np.random.default_rng(1),
    )  # fmt: skip

    assert same == plain


def test_cold_start_is_paid_once_a_worker_and_again_after_a_pause():
    # Two at once, then one that follows on the first, then one after a pause longer than `idle_s`.
    chunk = ([0.0, 0.0, 10.0, 10.0, 100.0, 101.0], 1.0)

    warm = simulate_stream([chunk], 1, cold_start=ColdStart(0, 50))
    cold = simulate_stream([chunk], 1, cold_start=ColdStart(5, 50))

    # The second waits five seconds longer for the first's cold start, the last for that of the one after the pause.
    assert cold.mean * 6 - warm.mean * 6 == pytest.approx(5 + 5)


def test_poller_ramp_adds_workers_by_and_by():
    # Four jobs at once, one worker at first, another each ten seconds.
    summary = simulate_stream([([0.0] * 4, 100.0)], 4, poller_ramp=PollerRamp(initial=1, per_minute=6))

    assert summary.maximum == 30
    assert summary.mean == pytest.approx((0 + 10 + 20 + 30) / 4)


def test_jobs_that_always_fail_go_to_the_dead_letter_queue_after_max_receives():
    rng = np.random.default_rng(3)

    summary = simulate_stream([(np.arange(50.0), 0.1)], 5, retry=Retry(failure_rate=1, max_receives=4), rng=rng)

    assert (summary.attempts, summary.dead_lettered) == (200, 50)
    assert math.isnan(summary.mean)
    assert math.isnan(summary.p95)


def test_a_crash_hides_the_job_for_the_visibility_timeout():
    rng = np.random.default_rng(5)
    chunk = ([0.0], 1.0)
    summary = simulate_stream([chunk], 1, retry=Retry(crash_rate=0.5, visibility_timeout_s=60), rng=rng)

    assert summary.maximum % 60 == 0
    assert summary.maximum == 60 * (summary.attempts - 1)


@pytest.mark.parametrize("chunks", [1, 7])
def test_every_job_ends_as_a_success_or_in_the_dead_letter_queue(chunks):
    arrivals, service = random_stream(20_000, 4, seed=11)
    parts = split(arrivals, service, np.linspace(0, 20_000, chunks + 1)[1:-1].astype(int))

    summary = simulate_stream(
        parts, 8, retry=Retry(failure_rate=0.4, crash_rate=0.1, max_receives=5), rng=np.random.default_rng(1)
    )

    # Half of all attempts fail: one job in 2^5 is given up on, and each took two attempts less those cut off.
    assert summary.dead_lettered / summary.n == pytest.approx(0.5**5, rel=0.1)
    assert summary.attempts / summary.n == pytest.approx(2 * (1 - 0.5**5), rel=0.02)


def test_a_quota_lets_no_more_through_than_its_tokens():
    arrivals = np.linspace(0, 600, 1500)

    with pytest.warns(OverloadWarning):
        summary = simulate_stream(
            [(arrivals, 10.0)], 24, quota=Quota(images_per_minute=60, burst=10), rng=np.random.default_rng(1)
        )

    assert summary.throttled > 0
    assert summary.attempts == summary.n - summary.dead_lettered + summary.throttled
    # 1,500 jobs by one a second take at least 1,490 seconds.
    assert summary.maximum > 800


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry": Retry(failure_rate=1.5)}, "failure_rate is 1.5"),
        ({"retry": Retry(failure_rate=0.7, crash_rate=0.7)}, "together are 1.4"),
        ({"retry": Retry(max_receives=0)}, "max_receives is 0"),
        ({"retry": Retry(cap_s=math.nan)}, "cap_s is nan"),
        ({"quota": Quota(0)}, "images_per_minute is 0"),
        ({"quota": Quota(10, burst=0.5)}, "burst is 0.5"),
        ({"cold_start": ColdStart(-1)}, "seconds is -1"),
        ({"poller_ramp": PollerRamp(initial=0)}, "never serves"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(CapacityError) as error:
        simulate_stream([([0.0], 1.0)], 1, rng=np.random.default_rng(1), **options)

    assert message in str(error.value)


def test_random_options_need_a_generator():
    with pytest.raises(CapacityError, match="give rng"):
        simulate_stream([([0.0], 1.0)], 1, retry=Retry())


def test_the_same_seed_gives_the_same_summary():
    arrivals, service = random_stream(2000, 4)
    runs = [
        simulate_stream([(arrivals, service)], 8, retry=Retry(failure_rate=0.3), rng=np.random.default_rng(9))
        for _ in range(2)
    ]

    assert runs[0] == runs[1]


def test_retry_puts_off_as_the_worker_does():
    assert (Retry().base_s, Retry().cap_s) == (retries.BACKOFF_BASE_S, retries.BACKOFF_CAP_S)
    assert Retry().max_receives == retries.MAX_RECEIVES == int(ENVIRONMENT["MAX_RECEIVE_COUNT"])


def test_the_largest_wait_that_the_sketch_holds_is_counted():
    summary = simulate_stream([([0.0, 0.0], [2e9, 1.0])], 1)

    assert summary.maximum == 2e9
    assert summary.p50 == 0
    assert summary.p99 > 0.9e9
