"""Percentiles follow "Percentiles" in https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
and "Statistics definitions" in https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import random

import numpy as np
import pytest

from couch_explorers.local.telemetry import percentiles


@pytest.mark.parametrize(
    ("statistic", "rank"),
    [("p0", 0.0), ("p50", 50.0), ("p95.45", 95.45), ("P99.9999999999", 99.9999999999), ("p100", 100.0)],
)
def test_a_percentile_has_up_to_ten_decimals(statistic, rank):
    assert percentiles.rank_of(statistic) == rank


@pytest.mark.parametrize("statistic", ["p101", "p", "95", "p-1", "p99.99999999999", "tm90", "Average", ""])
def test_what_is_no_percentile_has_no_rank(statistic):
    assert percentiles.rank_of(statistic) is None


@pytest.mark.parametrize("rank", [0, 12.5, 50, 90, 95, 99, 99.9, 100])
def test_a_value_counts_as_often_as_it_was_seen(rank):
    draw = random.Random(5)
    values = [float(draw.randint(1, 40)) for _ in range(300)]

    counted = [(value, value, float(values.count(value))) for value in set(values)]

    assert percentiles.percentile(counted, rank) == pytest.approx(np.percentile(values, rank))


def test_a_statistic_set_of_unlike_values_has_no_percentiles():
    assert percentiles.percentile([(1.0, 2.0, 5.0)], 50) is None
    assert percentiles.percentile([(3.0, 3.0, 1.0), (1.0, 2.0, 5.0)], 50) is None


def test_a_statistic_set_whose_minimum_is_its_maximum_has_percentiles():
    assert percentiles.percentile([(4.0, 4.0, 7.0)], 95) == 4.0


def test_negative_values_have_no_percentiles():
    assert percentiles.percentile([(-1.0, -1.0, 1.0), (2.0, 2.0, 1.0)], 50) is None


def test_nothing_has_no_percentiles():
    assert percentiles.percentile([], 50) is None
