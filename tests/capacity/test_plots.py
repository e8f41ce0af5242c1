"""Each figure is drawn, and its sentence says what the models found."""

import numpy as np
import pytest

from couch_explorers.capacity import plots, scenarios
from couch_explorers.capacity.alarm_advice import (
    AlarmRule,
    Load,
    System,
    advise_alarm,
    advise_concurrency,
)
from couch_explorers.objective import QUEUE_OBJECTIVE

pytestmark = pytest.mark.drawing

OBJECTIVE = QUEUE_OBJECTIVE


def generator():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def beta():
    return scenarios.run_beta(1000, 5.0, System(), quota=30.0, rng=generator())


@pytest.fixture(scope="module")
def advice():
    return advise_alarm(days=2, crowds=200, runs=3, most_false_alarms=5.0, rng=generator())


def test_beta_says_whom_each_path_leaves_without_a_picture(beta):
    panel = plots.beta(beta, OBJECTIVE)

    refused = 1000 - beta.api.succeeded.sum()
    assert f"the API leaves {refused} without a picture" in panel.sentence
    assert "the queue gives everybody a picture" in panel.sentence
    assert panel.svg().startswith("<svg")


def test_beta_of_few_is_drawn_too():
    beta = scenarios.run_beta(1, 0.5, System(), rng=generator())

    assert "Of 1 person asking" in plots.beta(beta, OBJECTIVE).sentence


def test_age_says_when_the_alarm_goes_off(beta):
    panel = plots.age(beta.queue, AlarmRule(300), arrivals_end_s=300)

    assert "the alarm goes off in minute 6" in panel.sentence


def test_age_says_that_an_alarm_stays_silent(beta):
    panel = plots.age(beta.queue, AlarmRule(3600), arrivals_end_s=300)

    assert "the alarm stays silent" in panel.sentence


def test_concurrency_marks_the_fewest_workers_that_do():
    choice = advise_concurrency(rng=generator(), runs=3)

    panel = plots.concurrency(choice, OBJECTIVE)

    assert f"With {choice.chosen} workers" in panel.sentence
    assert len(panel.figure.axes[0].lines) >= 4


def test_concurrency_says_where_none_is_enough():
    choice = advise_concurrency(System(quota=5.0), rng=generator(), runs=2)

    assert "No concurrency" in plots.concurrency(choice, OBJECTIVE).sentence


def test_alarm_choice_names_what_the_age_does_not_show(advice):
    panel = plots.alarm_choice(advice)

    assert str(advice.chosen) in panel.sentence
    assert "quota halved misses the objective too" in panel.sentence


def test_alarm_choice_of_a_system_that_is_too_small_says_so():
    panel = plots.alarm_choice(advise_alarm(System(concurrency=2), days=1, crowds=5, runs=1, rng=generator()))

    assert "the system needs more workers" in panel.sentence


def test_alarm_table_marks_one_rule(advice):
    table = plots.alarm_table(advice)

    assert (table[""] == "chosen").sum() == 1
    assert "never" in table["quota halved"].tolist()


def test_cost_is_that_of_the_largest_beta():
    table = scenarios.cost_by_users((100, 1000), 5.0, System(), quota=30.0, rng=generator())

    assert "With 1,000 users the queue costs $40" in plots.cost(table, 5.0).sentence


def test_growth_names_the_bound_that_breaks_first():
    points, steps = scenarios.breaking_points(System(), 30.0), scenarios.steps(System(), 30.0)

    assert "First breaks maximum_concurrency 5" in plots.breaking_points(points, steps).sentence
    assert plots.growth_table(points)["from users a day"][0] == "14,000"


def test_outcomes_are_a_table_for_people(beta):
    table = plots.outcomes(beta)

    assert table["HTTP"].tolist() == ["200", "429", "429"]
    assert "was paid for pictures that nobody got" in plots.api_outcome_sentence(beta)


def test_replay_that_was_not_made_says_how_to_make_it():
    assert "set replay_hours" in plots.what_if(None)


def test_figures_are_the_same_for_the_same_seed():
    one, other = (
        plots.beta(scenarios.run_beta(50, 1.0, System(), rng=generator()), OBJECTIVE).sentence for _ in range(2)
    )

    assert one == other
    assert Load().busiest_hour == 1000
