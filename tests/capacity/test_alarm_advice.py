import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from couch_explorers.capacity import CapacityError
from couch_explorers.capacity.alarm_advice import (
    INCIDENTS,
    LEAD_S,
    AlarmRule,
    Load,
    System,
    advise_alarm,
    advise_concurrency,
    incident_trace,
)
from couch_explorers.objective import Objective

VARIABLES = (Path(__file__).parents[2] / "infra" / "variables.tf").read_text(encoding="utf-8")


def generator(seed=7):
    return np.random.default_rng(seed)


def default_of(variable):
    found = re.search(rf'variable "{variable}" {{.*?^  default     = (\S+)$', VARIABLES, re.DOTALL | re.MULTILINE)
    return float(found[1])


@pytest.fixture(scope="module")
def advice():
    return advise_alarm(rng=generator())


# Rules.


def test_rule_needs_its_datapoints_within_its_periods():
    ages = np.array([0, 400, 0, 400, 400, 0, 0, 0.0])

    assert AlarmRule(300).in_alarm(ages).tolist() == [False, True, False, True, True, False, False, False]
    assert AlarmRule(300, 2, 2).in_alarm(ages).tolist() == [False] * 4 + [True] + [False] * 3
    assert AlarmRule(300, 3, 2).in_alarm(ages).tolist() == [False] * 3 + [True, True, True, False, False]


def test_age_that_equals_the_threshold_does_not_breach():
    assert not AlarmRule(300).in_alarm(np.array([300.0])).any()


# Load.


def test_day_has_its_busiest_hour_in_the_evening():
    load = Load(busiest_hour=1000, crowds_a_week=0)
    days = [np.histogram(load.day(generator(seed)), bins=24, range=(0, 86400))[0] for seed in range(20)]

    hours = np.mean(days, axis=0)
    assert hours.argmax() in (19, 20)
    assert hours.max() == pytest.approx(1000, rel=0.05)
    assert hours[3] < 100


def test_arrivals_ascend_and_hold_their_rate():
    arrivals = Load(busiest_hour=1000).busy(36000, generator())

    assert (np.diff(arrivals) >= 0).all()
    assert len(arrivals) == pytest.approx(10_000, rel=0.05)


def test_load_of_nothing_is_named():
    with pytest.raises(CapacityError, match="busiest_hour above 0"):
        Load(busiest_hour=0).day(generator())


# Advice.


def test_defaults_of_infra_come_from_the_advice(advice):
    chosen = advice.chosen

    assert chosen.threshold_s == default_of("oldest_message_age_threshold_s")
    assert chosen.periods == default_of("oldest_message_age_periods")
    assert chosen.datapoints == default_of("oldest_message_age_datapoints")
    assert f"oldest_message_age_threshold_s = {chosen.threshold_s:.0f}\n" in advice.terraform
    assert System().function_timeout_s == default_of("function_timeout_s")


def test_default_concurrency_of_infra_comes_from_the_advice():
    chosen = advise_concurrency(rng=generator()).chosen

    assert chosen == System().concurrency == default_of("maximum_concurrency")


def test_advice_does_not_hang_on_the_seed(advice):
    assert advise_alarm(rng=generator(11)).chosen == advice.chosen


def test_higher_thresholds_have_fewer_false_alarms_and_detect_later(advice):
    single = [place for place, rule in enumerate(advice.rules) if rule.periods == 1]
    table = advice.table.iloc[single]

    assert (np.diff(table["false_alarms"]) <= 0).all()
    assert (np.diff(table["mean_minutes"]) >= 0).all()
    assert advice.row["false_alarms"] <= advice.most_false_alarms


def test_halved_quota_hides_behind_the_rule_of_three_receives(advice):
    """A third of the people wait too long, and no age says so: hence an alarm on the time to the picture."""
    assert advice.missed["quota halved"] > 0.2
    assert np.isinf(advice.table["quota halved"]).all()
    assert "quota halved" in advice.undetected


def test_dead_letters_show_a_model_that_is_down_before_the_age_does(advice):
    assert advice.dead_letter_minutes["model down"] < advice.table["model down"].min()
    assert "model down" not in advice.judged


def test_ordinary_days_keep_the_objective(advice):
    assert advice.normal_attained > Objective().share


def test_system_that_is_always_too_small_keeps_no_limit():
    advice = advise_alarm(System(concurrency=2), days=1, crowds=5, runs=1, rng=generator())

    assert not advice.kept
    assert advice.normal_attained < 0.95


def test_thresholds_that_all_lie_within_the_time_out_are_refused():
    with pytest.raises(CapacityError, match="time-out of 900 s"):
        advise_alarm(System(function_timeout_s=900), rng=generator())


def test_thresholds_within_the_time_out_are_not_considered():
    rules = (AlarmRule(90), AlarmRule(300))
    advice = advise_alarm(
        System(function_timeout_s=100), rules=rules, days=1, crowds=5, runs=1, most_false_alarms=99, rng=generator()
    )

    assert advice.rules == (AlarmRule(300),)


@pytest.mark.parametrize("name", INCIDENTS)
def test_incidents_miss_the_objective(name):
    trace = incident_trace(System(), Load(), name, generator())

    late = trace.time_to_picture_s > 60
    assert late[trace.arrival_s < LEAD_S - 60].mean() < 0.05
    assert late[(trace.arrival_s > LEAD_S) & (trace.arrival_s < LEAD_S + 1800)].mean() > 0.05


def test_unknown_incident_is_named():
    with pytest.raises(CapacityError, match="choose among model slow"):
        incident_trace(System(), Load(), "flood", generator())


def test_concurrency_is_bounded_by_the_quota():
    advice = advise_concurrency(System(quota=20.0), rng=generator(), runs=2)

    assert advice.quota_bound == pytest.approx(20 / 60 * 10)
    assert advice.chosen is None or advice.chosen >= advice.quota_bound


def test_more_load_needs_more_workers():
    small = advise_concurrency(load=Load(busiest_hour=500), rng=generator(), runs=3).chosen
    large = advise_concurrency(load=replace(Load(), busiest_hour=4000), rng=generator(), runs=3).chosen

    assert small < 5 < large
