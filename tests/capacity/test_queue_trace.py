"""What happens to each job of a simulated queue, and what CloudWatch would show of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couch_explorers.capacity import CapacityError, Disruption, Quota, Retry, simulate, simulate_jobs, simulate_stream
from couch_explorers.capacity.queue_metrics import drain_time_s, minute_metrics, oldest_ages, queue_cost

MODEL = "stability.stable-image-core-v1:1"
AGE = "ApproximateAgeOfOldestMessage"


def generator():
    return np.random.default_rng(4)


def test_trace_without_options_agrees_with_simulate():
    rng = generator()
    arrivals, service = np.cumsum(rng.exponential(1 / 4, 5000)), rng.exponential(1.0, 5000)

    trace = simulate_jobs(arrivals, service, 5)

    assert (trace.first_start_s - arrivals).tolist() == simulate(arrivals, service, 5).tolist()
    assert np.allclose(trace.left_s, trace.first_start_s + service)
    assert trace.succeeded.all()
    assert set(trace.receives) == {1}


def test_trace_agrees_with_the_stream_for_the_same_draws():
    arrivals = np.arange(0, 500, 0.5)
    options = {"retry": Retry(failure_rate=0.3, max_receives=4), "quota": Quota(200, burst=5)}

    trace = simulate_jobs(arrivals, 1.0, 8, rng=generator(), **options)
    summary = simulate_stream([(arrivals, 1.0)], 8, rng=generator(), **options)

    waits = (trace.last_start_s - arrivals)[trace.succeeded]
    assert (trace.receives.sum(), trace.throttled) == (summary.attempts, summary.throttled)
    assert np.sum(~trace.succeeded) == summary.dead_lettered
    assert waits.mean() == pytest.approx(summary.mean)


def test_disruption_slows_only_what_begins_in_it():
    trace = simulate_jobs([0, 100, 200], 10.0, 1, disruptions=[Disruption(100, 150, service_factor=3)], rng=generator())

    assert trace.time_to_picture_s.tolist() == [10, 30, 10]


def test_model_that_is_down_sends_jobs_to_the_dead_letter_queue():
    down = Disruption(0, 1e6, failure_rate=1, failure_s=2)

    trace = simulate_jobs(np.arange(20.0), 10.0, 5, retry=Retry(max_receives=3), disruptions=[down], rng=generator())

    assert not trace.succeeded.any()
    assert set(trace.receives) == {3}
    assert np.isinf(trace.time_to_picture_s).all()
    assert trace.attained(1e9) == 0
    assert np.allclose(trace.left_s - trace.last_start_s, 2)


def test_attempt_that_exceeds_the_timeout_fails_then():
    slow = Disruption(0, 100, service_factor=10)

    trace = simulate_jobs([0], 10.0, 1, retry=Retry(timeout_s=45), disruptions=[slow], rng=generator())

    assert trace.succeeded.all()
    assert trace.timeouts[0] == trace.receives[0] - 1 > 0


def test_quota_is_halved_in_its_disruption_only():
    arrivals = np.arange(0, 3600, 2.0)
    calm = simulate_jobs(arrivals, 1.0, 50, quota=Quota(40), rng=generator())
    halved = simulate_jobs(
        arrivals, 1.0, 50, quota=Quota(40), disruptions=[Disruption(0, 1800, quota_factor=0.5)], rng=generator()
    )

    assert calm.throttled == 0
    assert halved.throttled > 0


@pytest.mark.parametrize(
    ("disruption", "message"),
    [
        (Disruption(5, 5), "has no length"),
        (Disruption(0, 5, service_factor=-1), "0 or more"),
        (Disruption(0, 5, failure_rate=0.8, crash_rate=0.8), "at most 1"),
    ],
)
def test_wrong_disruption_is_named(disruption, message):
    with pytest.raises(CapacityError, match=message):
        simulate_jobs([0], 1.0, 1, disruptions=[disruption], rng=generator())


def test_disruptions_need_a_generator():
    with pytest.raises(CapacityError, match="give rng"):
        simulate_jobs([0], 1.0, 1, disruptions=[Disruption(0, 1)])


# What CloudWatch shows.


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300)), min_size=1, max_size=40), st.integers(1, 4))
def test_age_is_that_of_the_oldest_message_that_is_there(jobs, workers):
    jobs.sort()
    arrivals, service = (np.array(column, dtype=float) for column in zip(*jobs, strict=True))
    trace = simulate_jobs(arrivals, service, workers)
    times = np.arange(0, 3000, 7.0)

    there = [arrivals[(arrivals <= time) & (trace.left_s > time)] for time in times]
    assert oldest_ages(trace, times).tolist() == [
        time - oldest.min() if len(oldest) else 0 for time, oldest in zip(times, there, strict=True)
    ]


def test_age_ends_at_the_third_receive():
    """A worker that always fails looks healthy: after three receives nothing counts as old."""
    down = Disruption(0, 1e6, failure_rate=1, failure_s=1)
    trace = simulate_jobs([0.0], 10.0, 1, retry=Retry(), disruptions=[down], rng=generator())

    minutes = minute_metrics(trace)

    assert trace.left_s[0] > 600
    assert minutes[AGE].max() < trace.third_receive_s[0] < 60
    assert minutes["ApproximateNumberOfMessagesNotVisible"].iloc[3] == 1
    assert minutes["DeadLetters"].iloc[-1] == 1


def test_minutes_count_what_is_sent_waits_and_is_done():
    # Ten jobs at once, one worker, a minute each.
    trace = simulate_jobs(np.full(10, 1.0), 60.0, 1)

    minutes = minute_metrics(trace)

    assert minutes["NumberOfMessagesSent"].tolist()[:2] == [10, 0]
    assert minutes["ApproximateNumberOfMessagesVisible"].tolist()[:3] == [9, 8, 7]
    assert minutes["ApproximateNumberOfMessagesNotVisible"].tolist()[:3] == [1, 1, 1]
    assert minutes["NumberOfMessagesDeleted"].sum() == 10
    assert minutes[AGE].tolist()[:3] == [59, 119, 179]
    assert minutes[AGE].iloc[-1] == 0
    assert drain_time_s(trace, 1.0) == 9 * 60


def test_drain_time_is_zero_where_nothing_waits():
    assert drain_time_s(simulate_jobs([0, 100], 1.0, 1), 50) == 0


def test_cost_counts_pictures_timeouts_and_deliveries():
    slow = Disruption(0, 30, service_factor=10)
    trace = simulate_jobs([0], 10.0, 1, retry=Retry(timeout_s=45), disruptions=[slow], rng=generator())

    cost = queue_cost(trace, np.array([10.0]), MODEL)

    assert cost.pictures == pytest.approx(0.04 * (1 + trace.timeouts.sum()))
    assert cost.wasted == pytest.approx(0.04 * trace.timeouts.sum())
    assert 0 < cost.compute < 0.01
    assert cost.total == cost.pictures + cost.compute + cost.requests
