"""Statistics follow https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
and "Percentiles" in https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

import random

import numpy as np
import pytest

from couch_explorers.local.cloudwatch import statistics
from couch_explorers.local.cloudwatch.statistics import Extended, UnknownStatisticError

ONE_TO_TEN = [(float(value), float(value), 1.0) for value in range(1, 11)]


def of(name, parts=ONE_TO_TEN):
    return statistics.parse(name).of(parts)


@pytest.mark.parametrize(
    ("name", "rank"),
    [("p0", 0.0), ("p50", 50.0), ("p95.45", 95.45), ("P99.9999999999", 99.9999999999), ("p100", 100.0)],
)
def test_percentile_has_up_to_ten_decimals(name, rank):
    assert statistics.parse(name) == Extended("p", None, rank, per_cent=True)


@pytest.mark.parametrize(
    "name",
    ["p101", "p", "95", "p-1", "p99.99999999999", "average", "", "tm101", "TM(:)", "TM(10%:90)", "TM(90%:10%)", "PR(10%:90%)", "PR90",
     "TM(%:90%)", "TM(10%:101%)"],
)  # fmt: skip
def test_unknown_statistic_is_refused_by_name(name):
    with pytest.raises(UnknownStatisticError, match="is not known"):
        statistics.parse(name)


@pytest.mark.parametrize("rank", [0, 12.5, 50, 90, 95, 99, 99.9, 100])
def test_percentile_counts_a_value_as_often_as_it_was_seen(rank):
    draw = random.Random(5)
    values = [float(draw.randint(1, 40)) for _ in range(300)]

    counted = [(value, value, float(values.count(value))) for value in set(values)]

    assert of(f"p{rank}", counted) == pytest.approx(np.percentile(values, rank))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tm90", 5.0),  # 1 to 9
        ("TM(10%:90%)", 5.5),  # 2 to 9
        ("TM(2:5)", 4.0),  # 3, 4, 5: above the lower bound, up to the upper
        ("TM(:5)", 3.0),
        ("TM(20:)", None),  # nothing is left of which to take a mean
        ("IQM", 5.5),
        ("wm90", 5.4),  # 10 counts as 9
        ("WM(10%:90%)", 5.5),  # 1 counts as 2, 10 as 9
        ("WM(3:8)", 5.5),
        ("tc90", 9.0),
        ("TC(2:5)", 3.0),
        ("TC(20:)", 0.0),
        ("ts90", 45.0),
        ("TS(80%:)", 19.0),
        ("TS(20:)", 0.0),
        ("PR(:4)", 40.0),
        ("PR(2:4)", 20.0),
        ("PR(4:)", 60.0),
    ],
)
def test_range_statistic_of_one_to_ten(name, value):
    assert of(name) == (value if value is None else pytest.approx(value))


def test_trimmed_count_takes_part_of_a_value_at_the_edge():
    assert of("tc50", [(1.0, 1.0, 3.0), (9.0, 9.0, 2.0)]) == 2.5


@pytest.mark.parametrize("name", ["p50", "tm90", "PR(:3)"])
def test_statistic_set_of_unlike_values_has_no_extended_statistics(name):
    assert of(name, [(1.0, 2.0, 5.0)]) is None
    assert of(name, [(3.0, 3.0, 1.0), (1.0, 2.0, 5.0)]) is None


def test_statistic_set_whose_minimum_is_its_maximum_has_percentiles():
    assert of("p95", [(4.0, 4.0, 7.0)]) == 4.0


def test_negative_values_have_no_percentiles():
    assert of("p50", [(-1.0, -1.0, 1.0), (2.0, 2.0, 1.0)]) is None


def test_no_values_have_no_percentile():
    assert of("p50", []) is None
