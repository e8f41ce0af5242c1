"""Alarms: what PutMetricAlarm accepts, and the state that CloudWatch derives from metrics or from other alarms.

- Settings: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
- Evaluation: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
- Missing data: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
- Composite alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.aws.alarms import COMPARISONS
from couch_explorers.local.cloudwatch import statistics
from couch_explorers.local.cloudwatch.api import (
    Evaluation,
    RefusedError,
    TimeRange,
    check_queries,
    invalid_combination,
    invalid_value,
    validation_error,
)
from couch_explorers.local.cloudwatch.store import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore

    States = Mapping[str, str]
    Condition = Callable[[States], bool]

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


def check_alarm(request: Mapping[str, Any]) -> None:
    """Check a metric alarm. Raises RefusedError for what AWS would refuse."""
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


State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

# CloudWatch retrieves more points than the alarm needs, in case the newest are missing. How many is not documented; the
# documentation's own example asks for 5 where 3 are needed. An alarm on seconds looks back over a whole minute.
EXTRA_PERIODS = 2

# "there is not enough data": 10/(1-percentile) points are needed above the median, 10/percentile below it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
SIGNIFICANT_SAMPLES = 10

METRIC, SAMPLES = "metric", "samples"
"""The Ids of the two queries that are made of an alarm on one metric"""


class UnsupportedAlarmError(Exception):
    """The local cloud cannot evaluate an alarm; the message says why."""


@dataclass(frozen=True)
class Rule:
    """The query of an alarm, and when it goes into ALARM: at `to_alarm` breaching points out of the last `periods`.

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
    m_of_n: bool  # whether DatapointsToAlarm is set, which changes the wording of reasons
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
        """The number of periods that are evaluated."""
        return self.periods + max(EXTRA_PERIODS, MINUTE_S // self.period_s)

    @property
    def is_high_resolution(self) -> bool:
        """Whether the period is shorter than a minute."""
        return self.period_s < MINUTE_S

    @property
    def interval_s(self) -> int:
        """The interval between evaluations: each minute, or each period where that is shorter."""
        return min(self.period_s, MINUTE_S)

    def breaches(self, value: float) -> bool:
        """Whether a value breaches the threshold."""
        return COMPARISONS[self.comparison].is_beyond(value, self.threshold)

    def data_queries(self) -> tuple[str, tuple[Mapping[str, Any], ...]]:
        """The Id of the evaluated query, and all queries that it needs."""
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
        """The samples a period needs for its percentile to be evaluated; 0 without EvaluateLowSampleCountPercentile."""
        extended = statistics.parse(self.statistic) if self.statistic and self.ignores_low_samples else None
        if extended is None or extended.kind != "p":
            return 0.0
        rank = (extended.high or 0.0) / 100
        rarer = 1 - rank if rank >= 0.5 else rank  # noqa: PLR2004 - the median
        return round(SIGNIFICANT_SAMPLES / rarer, 6) if rarer else float("inf")


@dataclass(frozen=True)
class Point:
    """One period: its start, and its value; None without data."""

    start_s: int
    value: float | None


@dataclass(frozen=True)
class Judgement:
    """The outcome of an evaluation; `state` None keeps the present state."""

    state: State | None
    evaluated: tuple[Point, ...]  # the real points that counted, oldest first
    filled: int  # points that were missing and had to be filled in


@dataclass(frozen=True)
class Evaluated:
    """One evaluation: the rule, its outcome, and the data."""

    rule: Rule
    judgement: Judgement
    points: tuple[Point, ...]
    sample_counts: Mapping[int, float]


def evaluate(store: MetricStore, rule: Rule, now_s: float, region: str) -> Evaluated:
    """Evaluate an alarm on the periods that have ended.

    Raises:
        RefusedError: Its expression cannot be computed.

    """
    end_s = int(now_s // rule.interval_s) * rule.interval_s
    start_s = end_s - rule.evaluation_range * rule.period_s
    judged, queries = rule.data_queries()
    evaluation = Evaluation(store, queries, TimeRange(start_s, end_s, now_s), region)
    series = evaluation.series(judged)
    values = series[0].values if series else {}
    counts = {} if rule.queries else evaluation.series(SAMPLES)[0].values
    points = tuple(Point(each, values.get(each)) for each in range(start_s, end_s, rule.period_s))
    return Evaluated(rule, judge(rule, points, counts), points, counts)


def judge(rule: Rule, points: Sequence[Point], sample_counts: Mapping[int, float] | None = None) -> Judgement:
    """Evaluate the periods of the evaluation range, oldest first.

    Real points count first, from as far back as the range goes; only what is then still missing is filled in.
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
        state = _avoid_premature_alarm(rule, points)
    return Judgement(state, evaluated, filled)


def _avoid_premature_alarm(rule: Rule, points: Sequence[Point]) -> State | None:
    """The state of an alarm whose only points breach, but are too few: ALARM once the oldest of them is old enough.

    Until then nothing speaks for OK either, so that the alarm stays as it is; AWS says no more than that it does not
    go into ALARM. "Avoiding premature transitions to alarm state" on the page about missing data.
    """
    if rule.missing == "ignore":
        return None
    oldest = next(position for position, point in enumerate(points) if point.value is not None)
    return "ALARM" if len(points) - oldest >= rule.to_alarm else None


def math_period_s(queries: Sequence[Mapping[str, Any]]) -> int:
    """The period of metric math: all of an alarm's metrics have the same."""
    periods = (query.get("Period") or query.get("MetricStat", {}).get("Period") for query in queries)
    return min((int(period) for period in periods if period), default=MINUTE_S)


RULE_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
# "The maximum number of alarms in a rule": AlarmRule on the page above.
MOST_ALARMS = 100
LONGEST_RULE = 10_240

_RULE_TOKEN = re.compile(r'\s*(?:(?P<sign>[(),])|"(?P<quoted>[^"]*)"|(?P<word>[^\s(),"]+))')


class CompositeRuleError(ValueError):
    """A rule expression that cannot be read; the message says why."""


@dataclass(frozen=True)
class CompositeRule:
    """A rule that has been read: the alarms that it names (name or ARN), and whether it holds by their states."""

    alarms: tuple[str, ...]
    holds: Condition
    """Takes the state of each of `alarms`; KeyError for one that is missing."""


def parse_composite_rule(expression: str) -> CompositeRule:
    """Read a rule expression.

    Raises:
        CompositeRuleError: it is too long, names too many alarms, or is not understood.

    """
    if len(expression) > LONGEST_RULE:
        raise CompositeRuleError(f"The rule has {len(expression)} characters: at most {LONGEST_RULE} are taken.")
    reader = _RuleParser(expression)
    condition = reader.disjunction()
    reader.end()
    alarms = tuple(dict.fromkeys(reader.alarms))
    if len(alarms) > MOST_ALARMS:
        raise CompositeRuleError(f"The rule names {len(alarms)} alarms: at most {MOST_ALARMS} are taken.")
    return CompositeRule(alarms, condition)


class _RuleParser:
    """Reads OR, AND, NOT and what they join, the loosest first."""

    def __init__(self, expression: str) -> None:
        self.alarms: list[str] = []
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position, text = 0, expression.rstrip()
        while position < len(text):
            match = _RULE_TOKEN.match(text, position)
            if not match or not match.lastgroup:
                raise CompositeRuleError(f"{text[position:].strip()[:1]} at position {position + 1} is not understood.")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def disjunction(self) -> Condition:
        parts = [self._conjunction()]
        while self._taken("OR"):
            parts.append(self._conjunction())
        return lambda states: any(part(states) for part in parts)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise CompositeRuleError(f"{self._tokens[self._at][1]!r} is not expected there.")

    def _conjunction(self) -> Condition:
        parts = [self._negation()]
        while self._taken("AND"):
            parts.append(self._negation())
        return lambda states: all(part(states) for part in parts)

    def _negation(self) -> Condition:
        if self._taken("NOT"):
            negated = self._negation()
            return lambda states: not negated(states)
        return self._term()

    def _term(self) -> Condition:
        if self._taken("("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        for constant in ("TRUE", "FALSE"):
            if self._taken(constant):
                value = constant == "TRUE"
                return lambda _states: value
        for state in RULE_STATES:
            if self._taken(state):
                return self._in_state(state)
        raise CompositeRuleError(
            f"{self._next()!r} is not expected there: a rule joins {', '.join(RULE_STATES)}, TRUE and FALSE."
        )

    def _in_state(self, state: str) -> Condition:
        self._expect("(")
        kind, alarm = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind not in ("quoted", "word"):
            raise CompositeRuleError(f"{state} takes the name or ARN of an alarm in parentheses.")
        self._at += 1
        self._expect(")")
        self.alarms.append(alarm)
        return lambda states: states[alarm] == state

    def _taken(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][0] != "quoted" and self._next() == word:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._taken(sign):
            raise CompositeRuleError(f"{sign!r} is expected, not {self._next()!r}.")

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
