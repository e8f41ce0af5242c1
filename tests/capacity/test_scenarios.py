import numpy as np
import pytest

from couch_explorers.capacity import scenarios
from couch_explorers.capacity.alarm_advice import Load, System


def generator():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def beta():
    return scenarios.run_beta(1000, 5.0, System(), quota=30.0, rng=generator())


def test_both_paths_serve_the_same_people(beta):
    assert len(beta.arrivals_s) == 1000
    assert beta.arrivals_s.max() <= 300
    assert beta.queue.arrival_s.tolist() == beta.api.arrival_s.tolist() == beta.arrivals_s.tolist()


def test_queue_loses_nobody_and_the_api_most(beta):
    assert beta.queue.succeeded.all()
    assert beta.api.succeeded.mean() < 0.3


def test_cost_follows_the_pictures(beta):
    assert beta.queue_cost.pictures == pytest.approx(0.04 * 1000)
    assert beta.api_cost.pictures == pytest.approx(0.04 * beta.api.paid.sum())
    assert beta.queue_cost.total > beta.api_cost.total


def test_measured_durations_take_the_place_of_the_systems():
    beta = scenarios.run_beta(50, 5.0, System(), service_s=np.array([3.0, 4.0]), rng=generator())

    assert set(beta.service_s) == {3.0, 4.0}


def test_queue_costs_as_many_times_more_as_there_are_users():
    table = scenarios.cost_by_users((100, 1000), 5.0, System(), quota=30.0, rng=generator())

    assert table["queue_pictures"].tolist() == [100, 1000]
    assert table["queue_usd"][1] == pytest.approx(10 * table["queue_usd"][0], rel=0.01)
    assert table["api_pictures"][1] < 300


def test_busiest_hour_share_is_that_of_the_days_drawn():
    load = Load(crowds_a_week=0)
    days = [np.histogram(load.day(generator()), bins=24, range=(0, 86400))[0] for _ in range(5)]

    share = np.mean([day.max() / day.sum() for day in days])
    assert scenarios.busiest_hour_share() == pytest.approx(share, rel=0.1)


def test_bounds_break_in_their_order():
    points = scenarios.breaking_points(System(), 30.0)

    assert points["users_a_day"].is_monotonic_increasing
    assert points["bound"][0] == "maximum_concurrency 5"
    assert points.set_index("bound").loc["model quota 30 a minute", "pictures_a_minute"] == pytest.approx(30)
    assert points["source"].str.startswith(("https://docs.aws.amazon.com/", "infra/", "sam_lambda/")).all()
    assert (points["change"] != "").all()


def test_more_pictures_a_user_break_the_bounds_sooner():
    once, often = (scenarios.breaking_points(System(), 30.0, pictures_a_user=count) for count in (1.0, 4.0))

    assert np.allclose(once["users_a_day"], 4 * often["users_a_day"])


def test_steps_say_what_is_broken_by_then():
    steps = scenarios.steps(System(), 30.0)

    assert steps["users_a_day"].tolist() == [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
    assert steps["broken"][0] == "nothing"
    assert "model quota" in steps["broken"][2]
    assert steps["usd_a_day"][4] == pytest.approx(400_000)
    assert steps["workers"].is_monotonic_increasing
