"""When an alarm rings: its rule, and CloudWatch's way of judging it where data is missing.

Sources: "Configuring how CloudWatch alarms treat missing data"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html) and "Alarm evaluation"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.comparisons import COMPARISONS
from couch_explorers.local.cloudwatch import statistics
from couch_explorers.local.cloudwatch.metric import MINUTE_S
from couch_explorers.local.cloudwatch.metric_data import Evaluation, Stretch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

# CloudWatch asks for more points than the alarm needs, in case the newest are missing. How many is not told; the
# documentation's own example asks for 5 where 3 are needed. An alarm on seconds looks back over a whole minute.
EXTRA_PERIODS = 2

# "there is not enough data": 10/(1-percentile) points are needed above the median, 10/percentile below it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
SIGNIFICANT_SAMPLES = 10

METRIC, SAMPLES = "metric", "samples"
"""The Ids of the two queries that are made of an alarm on one metric"""


class UnsupportedAlarmError(Exception):
    """An alarm that the local cloud cannot judge; the text says why."""


@dataclass(frozen=True)
class Rule:
    """What an alarm watches, and when it rings: `to_alarm` breaching points out of the last `periods`.

    An alarm on metric math has `queries`, and no metric, statistic and unit of its own.
    """

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    unit: str | None
    period_s: int
    periods: int
    to_alarm: int
    m_of_n: bool  # whether the alarm names DatapointsToAlarm itself: its reasons are worded otherwise
    comparison: str
    threshold: float
    missing: str
    ignores_low_samples: bool = False
    queries: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> Rule:
        """Read the rule of an alarm as PutMetricAlarm stored it. UnsupportedAlarmError for one on an anomaly band."""
        comparison = alarm.get("ComparisonOperator") or ""
        if alarm.get("ThresholdMetricId") or comparison not in COMPARISONS:
            raise UnsupportedAlarmError(
                f"The local cloud does not judge {comparison or 'an alarm without ComparisonOperator'}: "
                f"it knows {', '.join(COMPARISONS)}, and no anomaly detection."
            )
        queries = tuple(alarm.get("Metrics") or ())
        if not queries and not (alarm.get("Namespace") and alarm.get("MetricName")):
            raise UnsupportedAlarmError("The alarm names neither a metric nor Metrics.")
        periods = int(alarm.get("EvaluationPeriods") or 1)
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return cls(
            namespace=alarm.get("Namespace") or "",
            metric=alarm.get("MetricName") or "",
            dimensions={each["Name"]: each["Value"] for each in alarm.get("Dimensions") or ()},
            statistic="" if queries else statistic,
            unit=alarm.get("Unit") or None,
            period_s=math_period_s(queries) if queries else int(alarm.get("Period") or MINUTE_S),
            periods=periods,
            to_alarm=int(alarm.get("DatapointsToAlarm") or periods),
            m_of_n=alarm.get("DatapointsToAlarm") is not None,
            comparison=comparison,
            threshold=float(alarm.get("Threshold") or 0.0),
            missing=alarm.get("TreatMissingData") or "missing",
            ignores_low_samples=alarm.get("EvaluateLowSampleCountPercentile") == "ignore",
            queries=queries,
        )

    @property
    def evaluation_range(self) -> int:
        """How many periods are looked at."""
        return self.periods + max(EXTRA_PERIODS, MINUTE_S // self.period_s)

    @property
    def is_high_resolution(self) -> bool:
        """Whether the alarm looks at seconds."""
        return self.period_s < MINUTE_S

    @property
    def interval_s(self) -> int:
        """How often the alarm is judged: each minute, or as often as its period where that is shorter."""
        return min(self.period_s, MINUTE_S)

    def breaches(self, value: float) -> bool:
        """Whether a value is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison].is_beyond(value, self.threshold)

    def data_queries(self) -> tuple[str, tuple[Mapping[str, Any], ...]]:
        """The Id of what is judged, and the queries that it takes."""
        if self.queries:
            judged = [query["Id"] for query in self.queries if query.get("ReturnData", True)]
            return judged[-1] if judged else self.queries[-1]["Id"], self.queries
        metric = {
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
        }
        stat = {"Metric": metric, "Period": self.period_s} | ({"Unit": self.unit} if self.unit else {})
        return METRIC, (
            {"Id": METRIC, "MetricStat": stat | {"Stat": self.statistic}},
            {"Id": SAMPLES, "MetricStat": stat | {"Stat": "SampleCount"}},
        )

    @property
    def significant_samples(self) -> float:
        """How many values a period must have for its percentile to count; 0 where the alarm does not ask for it."""
        extended = statistics.parse(self.statistic) if self.statistic and self.ignores_low_samples else None
        if extended is None or extended.kind != "p":
            return 0.0
        rank = (extended.high or 0.0) / 100
        rarer = 1 - rank if rank >= 0.5 else rank  # noqa: PLR2004 - the median
        return round(SIGNIFICANT_SAMPLES / rarer, 6) if rarer else float("inf")


@dataclass(frozen=True)
class Point:
    """One period: when it began, and its value; None where nothing was measured."""

    start_s: int
    value: float | None


@dataclass(frozen=True)
class Judgement:
    """How an alarm should stand; `state` None means as it stood."""

    state: State | None
    evaluated: tuple[Point, ...]  # the real points that counted, oldest first
    filled: int  # points that were missing and had to be filled in


@dataclass(frozen=True)
class Evaluated:
    """The outcome of one evaluation: what was judged, and what was seen."""

    rule: Rule
    judgement: Judgement
    points: tuple[Point, ...]
    sample_counts: Mapping[int, float]


def evaluate(store: MetricStore, rule: Rule, now_s: float, region: str) -> Evaluated:
    """Judge an alarm by what the store holds. Only periods that have ended count.

    Raises:
        RefusedError: its expression cannot be computed.

    """
    end_s = int(now_s // rule.interval_s) * rule.interval_s
    start_s = end_s - rule.evaluation_range * rule.period_s
    judged, queries = rule.data_queries()
    evaluation = Evaluation(store, queries, Stretch(start_s, end_s, now_s), region)
    series = evaluation.series(judged)
    values = series[0].values if series else {}
    counts = {} if rule.queries else evaluation.series(SAMPLES)[0].values
    points = tuple(Point(each, values.get(each)) for each in range(start_s, end_s, rule.period_s))
    return Evaluated(rule, judge(rule, points, counts), points, counts)


def judge(rule: Rule, points: Sequence[Point], sample_counts: Mapping[int, float] | None = None) -> Judgement:
    """Judge the periods of the evaluation range, oldest first.

    Real points come first, from as far back as the range goes; only what is then still missing is filled in.
    """
    real = [point for point in points if point.value is not None]
    evaluated = tuple(real[-rule.periods :])
    if (needed := rule.significant_samples) and any(
        (sample_counts or {}).get(point.start_s, 0.0) < needed for point in evaluated
    ):
        return Judgement(None, evaluated, rule.periods - len(evaluated))
    filled = rule.periods - len(evaluated)
    breaching = sum(rule.breaches(point.value) for point in evaluated if point.value is not None)
    if not filled or rule.missing == "notBreaching":
        state: State | None = "ALARM" if breaching >= rule.to_alarm else "OK"
    elif rule.missing == "breaching":
        state = "ALARM" if breaching + filled >= rule.to_alarm else "OK"
    elif not evaluated:
        state = None if rule.missing == "ignore" else "INSUFFICIENT_DATA"
    elif breaching >= rule.to_alarm:
        state = "ALARM"
    elif breaching < len(evaluated):
        state = "OK"
    else:
        state = _prematurely(rule, points)
    return Judgement(state, evaluated, filled)


def _prematurely(rule: Rule, points: Sequence[Point]) -> State | None:
    """How an alarm stands whose only points breach, but are too few: it rings once the oldest of them is old enough.

    Until then nothing speaks for OK either, so that the alarm stays as it is; AWS says no more than that it does not
    ring. "Avoiding premature transitions to alarm state" on the page about missing data.
    """
    if rule.missing == "ignore":
        return None
    oldest = next(position for position, point in enumerate(points) if point.value is not None)
    return "ALARM" if len(points) - oldest >= rule.to_alarm else None


def math_period_s(queries: Sequence[Mapping[str, Any]]) -> int:
    """The period of metric math: all of an alarm's metrics have the same."""
    periods = (query.get("Period") or query.get("MetricStat", {}).get("Period") for query in queries)
    return min((int(period) for period in periods if period), default=MINUTE_S)
