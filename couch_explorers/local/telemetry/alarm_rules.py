"""When an alarm rings: its rule, and CloudWatch's way of judging it where data is missing.

Sources: "Configuring how CloudWatch alarms treat missing data"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html) and "Alarm evaluation"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.comparisons import COMPARISONS
from couch_explorers.local.telemetry.retention import MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

# CloudWatch asks for more points than the alarm needs, in case the newest are missing. How many is not told; the
# documentation's own example asks for 5 where 3 are needed.
EXTRA_PERIODS = 2


class UnsupportedAlarmError(Exception):
    """An alarm that the local cloud cannot judge; the text says why."""


@dataclass(frozen=True)
class Rule:
    """What an alarm watches, and when it rings: `to_alarm` breaching points out of the last `periods`."""

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

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> Rule:
        """Read the rule of an alarm as PutMetricAlarm stored it. UnsupportedAlarmError for one on metric math."""
        if not alarm.get("Namespace") or not alarm.get("MetricName"):
            raise UnsupportedAlarmError("The local cloud has no metric math: it judges alarms on one metric only.")
        comparison = alarm.get("ComparisonOperator") or ""
        if comparison not in COMPARISONS:
            raise UnsupportedAlarmError(
                f"The local cloud does not judge {comparison or 'an alarm without ComparisonOperator'}: "
                f"it knows {', '.join(COMPARISONS)}."
            )
        periods = int(alarm.get("EvaluationPeriods") or 1)
        return cls(
            namespace=alarm["Namespace"],
            metric=alarm["MetricName"],
            dimensions={each["Name"]: each["Value"] for each in alarm.get("Dimensions") or ()},
            statistic=alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average",
            unit=alarm.get("Unit") or None,
            # Metrics are kept by the minute here, so that a shorter period sees its whole minute.
            period_s=math.ceil(int(alarm.get("Period") or MINUTE_S) / MINUTE_S) * MINUTE_S,
            periods=periods,
            to_alarm=int(alarm.get("DatapointsToAlarm") or periods),
            m_of_n=alarm.get("DatapointsToAlarm") is not None,
            comparison=comparison,
            threshold=float(alarm.get("Threshold") or 0.0),
            missing=alarm.get("TreatMissingData") or "missing",
        )

    @property
    def evaluation_range(self) -> int:
        """How many periods are looked at."""
        return self.periods + EXTRA_PERIODS

    def breaches(self, value: float) -> bool:
        """Whether a value is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison].is_beyond(value, self.threshold)


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


def judge(rule: Rule, points: Sequence[Point]) -> Judgement:
    """Judge the periods of the evaluation range, oldest first.

    Real points come first, from as far back as the range goes; only what is then still missing is filled in.
    """
    real = [point for point in points if point.value is not None]
    evaluated = tuple(real[-rule.periods :])
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
