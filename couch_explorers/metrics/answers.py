"""GetMetricData, asked for one window: all series in one request, page by page, and how each of them answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.metrics import asking, pricing
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.metrics.frames import Points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from couch_explorers.metrics.facts import Series, Window

ACTION = "cloudwatch:GetMetricData"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES_A_CALL = 500

# StatusCode of a result. Forbidden comes for a metric of another account.
COMPLETE, PARTIAL, FORBIDDEN = "Complete", "PartialData", "Forbidden"


@dataclass
class Answer:
    """What came back for a window: points, the state of each series in the order asked, calls, metrics billed, notes."""

    points: list[Points] = field(default_factory=list)
    states: list[SeriesState] = field(default_factory=list)
    calls: int = 0
    metrics_requested: int = 0
    notes: list[str] = field(default_factory=list)


def ask(cloudwatch: Any, window: Window, series: Sequence[Series]) -> Answer:
    """Ask for every series of one window; a caller without the right gets every state DENIED and a note.

    Raises MetricsError when CloudWatch still throttles after the SDK's retries, refuses, or cannot be reached.
    """
    answer = Answer()
    for begin in range(0, len(series), QUERIES_A_CALL):
        some = series[begin : begin + QUERIES_A_CALL]
        try:
            _ask_some(cloudwatch, window, some, answer)
        except (ClientError, BotoCoreError) as error:
            if not asking.is_denied(error):
                raise asking.failure(error, ACTION) from error
            answer.notes.append(asking.no_right(ACTION, "read metrics"))
            answer.points += [Points(window.name, each) for each in some]
            answer.states += [SeriesState.DENIED] * len(some)
    return answer


def _ask_some(cloudwatch: Any, window: Window, series: Sequence[Series], answer: Answer) -> None:
    points = {f"s{number}": Points(window.name, each, [], []) for number, each in enumerate(series)}
    status = dict.fromkeys(points, PARTIAL)
    said: dict[str, str] = {}
    for page in _pages(cloudwatch, window, series):
        answer.calls += 1
        answer.metrics_requested += pricing.metrics_requested(series)
        answer.notes += [f"CloudWatch says: {_worded(message)}" for message in page.get("Messages", ())]
        for result in page["MetricDataResults"]:
            found = points[result["Id"]]
            found.times_s = [*found.times_s, *(moment.timestamp() for moment in result["Timestamps"])]
            found.values = [*found.values, *result["Values"]]
            # PartialData on a page means that a later page goes on; on the last page, that some is missing.
            status[result["Id"]] = result["StatusCode"]
            for message in result.get("Messages", ()):
                said[result["Id"]] = _worded(message)
    for name, found in points.items():
        state = _state(status[name], found)
        answer.points.append(found)
        answer.states.append(state)
        if state in (SeriesState.PARTIAL, SeriesState.DENIED) and name in said:
            answer.notes.append(f"CloudWatch says of {found.series.resource} {found.series.metric}: {said[name]}")


def _pages(cloudwatch: Any, window: Window, series: Sequence[Series]) -> Iterator[dict[str, Any]]:
    queries = [
        {
            "Id": f"s{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": each.namespace,
                    "MetricName": each.cloudwatch_metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in each.dimensions],
                },
                "Period": each.period_s,
                "Stat": each.statistic,
            },
        }
        for number, each in enumerate(series)
    ]
    pages: Iterator[dict[str, Any]] = iter(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=window.start, EndTime=window.end, ScanBy="TimestampAscending"
        )
    )
    return pages


def _worded(message: dict[str, str]) -> str:
    return f"{message.get('Value', '').rstrip('. ')} ({message.get('Code', 'no code')})."


def _state(status: str, points: Points) -> SeriesState:
    if status == FORBIDDEN:
        return SeriesState.DENIED
    if status != COMPLETE:
        return SeriesState.PARTIAL
    return SeriesState.COMPLETE if points.values else SeriesState.IDLE
