"""What PutMetricAlarm takes: an alarm's settings are checked as a whole before anything is stored.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.comparisons import COMPARISONS
from couch_explorers.local.cloudwatch import statistics
from couch_explorers.local.cloudwatch.errors import RefusedError, invalid_combination, invalid_value, validation_error
from couch_explorers.local.cloudwatch.metric import MINUTE_S
from couch_explorers.local.cloudwatch.metric_data import check_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATES = ("INSUFFICIENT_DATA", "ALARM", "OK")
BAND_COMPARISONS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
TREAT_MISSING_DATA = ("breaching", "notBreaching", "ignore", "missing")
LOW_SAMPLES = ("evaluate", "ignore")
SHORT_PERIODS_S = (10, 20, 30)
# "EvaluationPeriods multiplied by Period": a day for periods under an hour, else a week.
DAY_S, WEEK_S, HOUR_S = 86_400, 604_800, 3600
MOST_ACTIONS = 5
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")


def check(request: Mapping[str, Any]) -> None:
    """Check an alarm on metrics. RefusedError says what AWS would not take."""
    _one_of("comparisonOperator", request.get("ComparisonOperator"), (*COMPARISONS, *BAND_COMPARISONS))
    if (missing := request.get("TreatMissingData")) and missing not in TREAT_MISSING_DATA:
        raise validation_error(
            f"The value {missing} is not supported for TreatMissingData parameter. "
            f"Supported values are [{', '.join(TREAT_MISSING_DATA)}]."
        )
    if (low := request.get("EvaluateLowSampleCountPercentile")) and low not in LOW_SAMPLES:
        raise validation_error(
            f"Option {low} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
            f"{' and '.join(LOW_SAMPLES)}."
        )
    for name in ACTIONS.values():
        if len(request.get(name) or ()) > MOST_ACTIONS:
            raise validation_error(f"The collection {name} must not have a size greater than {MOST_ACTIONS}.")
    periods = request.get("EvaluationPeriods") or 0
    if periods < 1:
        raise validation_error(f"EvaluationPeriods must be at least 1, not {periods}.")
    if (needed := request.get("DatapointsToAlarm")) and needed > periods:
        raise validation_error(f"DatapointsToAlarm ({needed}) must not be greater than EvaluationPeriods ({periods}).")
    if request.get("Metrics"):
        _check_math(request)
    else:
        _check_one_metric(request)


def check_state(state: str) -> None:
    """Check the state that SetAlarmState names."""
    _one_of("stateValue", state, STATES)


def _check_math(request: Mapping[str, Any]) -> None:
    given = [name for name in OF_ONE_METRIC if request.get(name)]
    if given:
        raise validation_error(f"Metrics and {given[0]} are mutually exclusive: an alarm has one or the other.")
    queries = request["Metrics"]
    check_queries(queries)
    band = request.get("ThresholdMetricId")
    returned = [query["Id"] for query in queries if query.get("ReturnData", True) and query["Id"] != band]
    if len(returned) != 1:
        raise validation_error(
            f"Exactly one element of the metrics list should return data, not {len(returned)}: set ReturnData of the others "
            "to false."
        )
    if request.get("Threshold") is None and not band:
        raise RefusedError("MissingParameter", "The parameter Threshold is required.")


def _check_one_metric(request: Mapping[str, Any]) -> None:
    for name in ("MetricName", "Namespace", "Period", "Threshold"):
        if request.get(name) is None:
            raise RefusedError("MissingParameter", f"The parameter {name} is required.")
    period_s = request["Period"]
    if period_s not in SHORT_PERIODS_S and (period_s <= 0 or period_s % MINUTE_S):
        raise validation_error("Period must be 10, 20, 30 or a multiple of 60")
    longest_s = DAY_S if period_s < HOUR_S else WEEK_S
    if period_s * request["EvaluationPeriods"] > longest_s:
        raise validation_error(
            f"Metrics cannot be checked across more than {'a day' if longest_s == DAY_S else 'a week'} (EvaluationPeriods * "
            f"Period must be <= {longest_s})."
        )
    statistic, extended = request.get("Statistic"), request.get("ExtendedStatistic")
    if statistic and extended:
        raise invalid_combination("The parameters Statistic and ExtendedStatistic are mutually exclusive.")
    if not statistic and not extended:
        raise RefusedError("MissingParameter", "One of the parameters Statistic and ExtendedStatistic is required.")
    if statistic:
        _one_of("statistic", statistic, ("Maximum", "SampleCount", "Sum", "Minimum", "Average"))
    elif extended in statistics.BASIC or not statistics.is_known(extended or ""):
        raise invalid_value(f"The value {extended} for parameter ExtendedStatistic is not supported.")


def _one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    choices = tuple(allowed)
    if value not in choices:
        raise validation_error(
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(choices)}]"
        )
