"""How many invocations ran at the same time.

ConcurrentExecutions in https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html ("Concurrency metrics")
"""

import pytest

from couch_explorers.local.telemetry.lambda_ import Concurrency


@pytest.fixture
def concurrency(clock):
    return Concurrency(clock)


def test_the_most_that_ran_at_once_is_what_a_minute_says(concurrency, clock):
    began_s = clock.now_s
    concurrency.began("worker")
    concurrency.began("worker")
    concurrency.ended("worker")
    concurrency.began("worker")
    concurrency.ended("worker")
    concurrency.ended("worker")
    clock.passes(60)

    assert concurrency.take() == [(began_s, "worker", 2)]


def test_what_runs_on_counts_in_every_minute_it_runs_in(concurrency, clock):
    began_s = clock.now_s
    concurrency.began("worker")
    clock.passes(60)
    first = concurrency.take()
    clock.passes(60)
    second = concurrency.take()
    concurrency.ended("worker")
    clock.passes(60)
    third = concurrency.take()

    assert first + second == [(began_s, "worker", 1), (began_s + 60, "worker", 1)]
    assert third == [(began_s + 120, "worker", 1)]


def test_a_minute_in_which_nothing_ran_has_no_value(concurrency, clock):
    concurrency.began("worker")
    concurrency.ended("worker")
    clock.passes(60)
    concurrency.take()
    clock.passes(60)

    assert concurrency.take() == []


def test_what_began_after_the_minute_is_not_the_minutes(concurrency, clock):
    began_s = clock.now_s
    concurrency.began("worker")
    clock.passes(60.1)
    concurrency.began("worker")

    assert concurrency.take() == [(began_s, "worker", 1)]


def test_a_minute_that_has_not_ended_is_not_given(concurrency, clock):
    concurrency.began("worker")

    assert concurrency.take() == []
    clock.passes(60)
    assert len(concurrency.take()) == 1


def test_minutes_that_nobody_saw_are_not_made_up(concurrency, clock):
    began_s = clock.now_s
    concurrency.began("worker")
    clock.passes(3600)

    assert concurrency.take() == [(began_s, "worker", 1)]


def test_functions_are_counted_apart(concurrency, clock):
    concurrency.began("worker")
    concurrency.began("api")
    clock.passes(60)

    assert {(key, most) for _, key, most in concurrency.take()} == {("worker", 1), ("api", 1)}
