"""Expressions follow https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""

import math
from typing import ClassVar

import pytest

from couch_explorers.local.cloudwatch import metric_math
from couch_explorers.local.cloudwatch.metric_math import ExpressionError, Series

# Wednesday, 25 November 2026, 12:00 UTC
NOON = 1_795_608_000


class Context:
    """Four minutes from noon; m1 has all of them, m2 lacks the second and the last."""

    series: ClassVar = {
        "m1": Series({NOON: 1.0, NOON + 60: 2.0, NOON + 120: 4.0, NOON + 180: 8.0}, 60, "m1"),
        "m2": Series({NOON: 10.0, NOON + 120: 40.0}, 60, "m2"),
        "errors": Series({}, 60, "errors"),
    }

    def value_of(self, query_id):
        if query_id not in self.series:
            raise ExpressionError(f"{query_id} is the Id of no query.")
        return self.series[query_id]

    def metrics(self):
        return list(self.series.items())

    def times(self, period_s):
        return range(NOON, NOON + 240, period_s)

    def period_s(self):
        return 60


def computed(expression):
    return metric_math.evaluate(expression, Context())


def values(expression):
    """A series as its values by the minute."""
    return {(time_s - NOON) // 60: value for time_s, value in computed(expression).values.items()}


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("7 - 2 - 1", 4.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("8 / 4 / 2", 1.0),
        ("1 < 2 AND 2 >= 3", 0.0),
        ("1 == 1 || 0", 1.0),
        ("1e3 + .5", 1000.5),
        ("SUM(m1)", 15.0),
        ("AVG(m1)", 3.75),
        ("MAX(m1) - MIN(m1)", 7.0),
        ("STDDEV(m2)", 15.0),
        ("DATAPOINT_COUNT(m2)", 2.0),
        ("DATAPOINT_COUNT(errors)", 0.0),
        ("METRIC_COUNT([m1, m2])", 2.0),
        ("METRIC_COUNT(METRICS())", 3.0),
        ("PERIOD(m1)", 60.0),
        ("ABS(0 - 3)", 3.0),
    ],
)
def test_expression_gives_a_number(expression, number):
    assert computed(expression) == pytest.approx(number)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 * 100", {0: 100, 1: 200, 2: 400, 3: 800}),
        ("m2 / m1", {0: 10, 2: 10}),  # only where both have a value
        ("1 / (m1 - 1)", {1: 1, 2: 1 / 3, 3: 1 / 7}),  # a division by zero has no value
        ("m1 > 3", {0: 0, 1: 0, 2: 1, 3: 1}),
        ("SUM([m1, m2])", {0: 11, 1: 2, 2: 44, 3: 8}),
        ("MAX(METRICS('m'))", {0: 10, 1: 2, 2: 40, 3: 8}),
        ("DATAPOINT_COUNT([m1, m2])", {0: 2, 1: 1, 2: 2, 3: 1}),
        ("FILL(m2, 0)", {0: 10, 1: 0, 2: 40, 3: 0}),
        ("FILL(m2, m1)", {0: 10, 1: 2, 2: 40, 3: 8}),
        ("FILL(m2, REPEAT)", {0: 10, 1: 10, 2: 40, 3: 40}),
        ("FILL(m2, LINEAR)", {0: 10, 1: 25, 2: 40, 3: 40}),
        ("FILL(errors, 0)", {0: 0, 1: 0, 2: 0, 3: 0}),
        ("IF(m1 > 3, m1, 0)", {0: 0, 1: 0, 2: 4, 3: 8}),
        ("IF(m1 > 3, m2, m1)", {0: 1, 1: 2, 2: 40}),
        ("RATE(m2)", {2: 0.25}),
        ("DIFF(m1)", {1: 1, 2: 2, 3: 4}),
        ("DIFF_TIME(m2)", {2: 120}),
        ("RUNNING_SUM(m1)", {0: 1, 1: 3, 2: 7, 3: 15}),
        ("LOG10(m2)", {0: 1, 2: math.log10(40)}),
        ("CEIL(m1 / 3)", {0: 1, 1: 1, 2: 2, 3: 3}),
        ("HOUR(m2)", {0: 12, 2: 12}),
        ("MINUTE(m1)", {0: 0, 1: 1, 2: 2, 3: 3}),
        ("DAY(m2) * 100 + MONTH(m2)", {0: 311, 2: 311}),
        ("TIME_SERIES(5)", {0: 5, 1: 5, 2: 5, 3: 5}),
        ("FIRST([m2, m1])", {0: 10, 2: 40}),
        ("LAST(METRICS('m'))", {0: 10, 2: 40}),
        ("SLICE([m1, m2], 1)", {0: 10, 2: 40}),
        ("m1 - AVG(m1)", {0: -2.75, 1: -1.75, 2: 0.25, 3: 4.25}),
    ],
)
def test_expression_gives_a_series(expression, expected):
    assert values(expression) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("SORT([m1, m2], MAX, DESC)", ["m2", "m1"]),
        ("SORT([m1, m2], SUM, ASC, 1)", ["m1"]),
        ("REMOVE_EMPTY(METRICS())", ["m1", "m2"]),
        ("SLICE([m1, m2, errors], 0, 2)", ["m1", "m2"]),
        ("METRICS('err')", ["errors"]),
        ("[m1, m2] * 2", ["m1", "m2"]),
    ],
)
def test_expression_gives_an_array(expression, labels):
    assert [series.label for series in computed(expression)] == labels


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("1 +", "ends where a value is expected"),
        ("(1", "ends where '\\)' is expected"),
        ("1 2", "'2' at position 3 is not expected there"),
        ("m1 ; m2", "';' at position 4 is not understood"),
        ("m3 * 2", "m3 is the Id of no query"),
        ("MEDIAN(m1)", "The function MEDIAN is not known"),
        ("SEARCH('{AWS/SQS}', 'Sum')", "SEARCH is not supported by the local cloud"),
        ("SUM(1)", "SUM takes a time series or an array, not a number"),
        ("SUM(m1, m2)", "SUM takes 1 argument, 2 given"),
        ("IF(m1)", "IF takes 2 to 3 arguments, 1 given"),
        ("[m1] + [m2]", r"\+ does not take two arrays"),
        ("SORT(m1, MEDIAN, ASC)", "SORT takes an array, AVG"),
        ("SLICE([m1], 4)", "The array has 1 time series"),
        ("1 / 0", "/ has no result"),
        ("'m1'", "is no value"),
    ],
)
def test_expression_that_does_not_hold_is_refused_with_the_reason(expression, words):
    with pytest.raises(ExpressionError, match=words):
        computed(expression)
