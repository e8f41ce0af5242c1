"""The objective's rule, with the figures of the Site Reliability Workbook, and its defaults in both stacks."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from samcli.yamlhelper import yaml_parse

from couch_explorers.objective import (
    API_OBJECTIVE,
    BURN_ALERTS,
    QUEUE_OBJECTIVE,
    Attainment,
    Objective,
    judge,
    time_to_picture,
)

ROOT = Path(__file__).resolve().parents[1]


def test_requests_without_a_picture_are_misses_however_soon_they_failed():
    times = time_to_picture(np.array([0.0, 10.0, 20.0]), np.array([60.0, 71.0, 20.1]), np.array([True, True, False]))

    assert times.tolist() == [60.0, 61.0, math.inf]
    assert judge(times, 60.0) == Attainment(good=1, late=1, failed=1)
    assert judge(times, 60.0).share == pytest.approx(1 / 3)


def test_what_still_waits_counts_and_what_is_excluded_does_not():
    found = Attainment(good=90, late=4, failed=3, overdue=3, excluded=50)

    assert (found.valid, found.missed, found.share) == (100, 10, 0.9)


def test_nothing_asked_is_neither_met_nor_missed():
    assert math.isnan(Attainment().share)
    assert math.isnan(judge(np.array([]), 60.0).share)
    assert math.isnan(Objective().burn_rate(math.nan))


def test_the_burn_rate_is_one_where_the_budget_lasts_exactly():
    objective = Objective(60.0, 0.95)

    assert objective.burn_rate(0.95) == pytest.approx(1.0)
    assert objective.burn_rate(0.0) == pytest.approx(20.0)
    assert objective.budget_left(0.98) == pytest.approx(0.6)
    assert objective.budget_left(0.9) == pytest.approx(-1.0)


def test_alerts_are_the_workbooks_for_four_weeks():
    # Its 30 days give 14.4, 6 and 1: https://sre.google/workbook/alerting-on-slos/, table 5-8.
    assert [alert.rate * 30 / 28 for alert in BURN_ALERTS] == pytest.approx([14.4, 6.0, 1.0])
    assert all(alert.short_s * 12 == alert.long_s for alert in BURN_ALERTS)


def test_the_defaults_are_those_of_both_stacks():
    variables = (ROOT / "infra" / "variables.tf").read_text(encoding="utf-8")
    defaults = dict(re.findall(r'variable "(objective_\w+)" \{.*?default +=\ *([\d.]+)\n', variables, re.DOTALL))
    parameters = yaml_parse((ROOT / "sam_lambda" / "template.yaml").read_text(encoding="utf-8"))["Parameters"]

    assert Objective(float(defaults["objective_s"]), float(defaults["objective_percent"]) / 100) == QUEUE_OBJECTIVE
    assert (
        Objective(parameters["ObjectiveSeconds"]["Default"], parameters["ObjectivePercent"]["Default"] / 100)
        == API_OBJECTIVE
    )
