"""GetMetricData, GetMetricStatistics and ListMetrics, read from the metric store.

Limits and rules: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html,
API_GetMetricStatistics.html and API_ListMetrics.html beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry import percentiles
from couch_explorers.local.telemetry.aggregates import STATISTICS
from couch_explorers.local.telemetry.metric_id import MetricId
from couch_explorers.local.telemetry.retention import DAY_S, MINUTE_S, retention_s
from couch_explorers.local.telemetry.wire_protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from couch_explorers.local.telemetry.store import MetricStore

MOST_QUERIES = 500
MOST_POINTS = 100_800
MOST_STATISTICS_POINTS = 1_440
METRICS_A_PAGE = 500
QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")

# A start is rounded down to what is still kept at its age (StartTime of either operation).
START_STEPS_S = ((15 * DAY_S, MINUTE_S), (63 * DAY_S, 300))
OLDEST_START_STEP_S = 3600

NO_MATH = {
    "Code": "Unsupported",
    "Value": "The local cloud computes no metric math and no Metrics Insights: ask for the metrics themselves.",
}


def metric_data(store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str) -> dict[str, Any]:
    """Answer GetMetricData, a page at a time."""
    queries = request["MetricDataQueries"]
    _check_queries(queries)
    start_s, end_s = _stretch(request, now_s, "ValidationError")
    descending = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    left = min(request.get("MaxDatapoints") or MOST_POINTS, MOST_POINTS)
    if left < 1:
        raise RefusedError("ValidationError", f"MaxDatapoints must be 1 to {MOST_POINTS}, not {left}.")
    fingerprint = _fingerprint([queries, start_s, end_s, descending])
    first, beyond = _resumed(request.get("NextToken"), fingerprint, len(queries))

    results: list[dict[str, Any]] = []
    token: str | None = None
    for number in range(first, len(queries)):
        query = queries[number]
        if not query.get("ReturnData", True):
            continue
        result: dict[str, Any] = {"Id": query["Id"], "Label": query.get("Label") or _label(query)}
        results.append(result | {"Timestamps": [], "Values": [], "StatusCode": "PartialData"})
        if "Expression" in query:
            results[-1] |= {"StatusCode": "InternalError", "Messages": [NO_MATH]}
            continue
        if token:
            continue
        points = _points(store, query["MetricStat"], start_s, end_s, now_s, region)
        if descending:
            points.reverse()
        if number == first and beyond is not None:
            points = [point for point in points if (point[0] < beyond if descending else point[0] > beyond)]
        page = points[:left]
        left -= len(page)
        results[-1] |= {"Timestamps": [time_s for time_s, _ in page], "Values": [value for _, value in page]}
        if len(page) < len(points):
            # A page that ends before this series' first point goes on with all of it.
            token = _token([fingerprint, number, page[-1][0] if page else beyond if number == first else None])
        else:
            results[-1]["StatusCode"] = "Complete"
    return {"MetricDataResults": results, "Messages": []} | ({"NextToken": token} if token else {})


def metric_statistics(store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str) -> dict[str, Any]:
    """Answer GetMetricStatistics: one data point for each period and unit."""
    statistics, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
    if not statistics and not extended:
        raise RefusedError(
            "InvalidParameterCombination",
            "At least one of the parameters Statistics and ExtendedStatistics is required.",
        )
    for statistic in extended:
        if percentiles.rank_of(statistic) is None:
            raise RefusedError(
                "InvalidParameterValue", f"The value {statistic} for ExtendedStatistics is no percentile."
            )
    period_s = request["Period"]
    _check_period(period_s, "InvalidParameterValue")
    start_s, end_s = _stretch(request, now_s, "InvalidParameterCombination")
    if (asked := int((end_s - start_s) // period_s)) > MOST_STATISTICS_POINTS:
        raise RefusedError(
            "InvalidParameterCombination",
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MOST_STATISTICS_POINTS:,}. You may"
            " reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    metric = _metric_id(request)
    dimensions = dict(metric.dimensions)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for unit in store.units(metric.namespace, metric.metric, dimensions, region=region):
        if request.get("Unit", unit) != unit:
            continue
        for statistic in (*statistics, *extended):
            points = store.points(
                metric.namespace, metric.metric, dimensions, start_s=start_s, end_s=end_s, period_s=period_s,
                statistic=statistic, now_s=now_s, unit=unit, region=region,
            )  # fmt: skip
            for time_s, value in points:
                datapoint = found.setdefault((unit, time_s), {"Timestamp": time_s, "Unit": unit})
                (datapoint if statistic in STATISTICS else datapoint.setdefault("ExtendedStatistics", {}))[
                    statistic
                ] = value
    return {"Label": metric.metric, "Datapoints": list(found.values())}


def list_metrics(store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str) -> dict[str, Any]:
    """Answer ListMetrics, a page at a time."""
    asked = [(each["Name"], each.get("Value")) for each in request.get("Dimensions", ())]
    found = store.series(
        request.get("Namespace"), request.get("MetricName"), asked,
        recently_active="RecentlyActive" in request, now_s=now_s, region=region,
    )  # fmt: skip
    fingerprint = _fingerprint([asked, request.get("Namespace"), request.get("MetricName")])
    if token := request.get("NextToken"):
        last = _untoken(token, fingerprint, 3)
        beyond = MetricId(last[0], last[1], tuple((name, value) for name, value in last[2]))
        found = [metric for metric in found if metric > beyond]
    page = found[:METRICS_A_PAGE]
    metrics = [
        {
            "Namespace": metric.namespace,
            "MetricName": metric.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        }
        for metric in page
    ]
    more = {"NextToken": _token([fingerprint, *page[-1]])} if len(page) < len(found) else {}
    return {"Metrics": metrics} | more


def _check_queries(queries: list[Mapping[str, Any]]) -> None:
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise RefusedError(
            "ValidationError",
            f"The collection MetricDataQueries has {len(queries)} members: 1 to {MOST_QUERIES} are taken.",
        )
    seen: set[str] = set()
    for query in queries:
        name = query["Id"]
        if not QUERY_ID.fullmatch(name):
            raise RefusedError(
                "ValidationError", f"The Id {name!r} must begin with a lower-case letter; then letters, digits and _."
            )
        if name in seen:
            raise RefusedError("ValidationError", f"The Id {name!r} stands at more than one query.")
        seen.add(name)
        if ("Expression" in query) == ("MetricStat" in query):
            raise RefusedError("ValidationError", f"The query {name!r} needs either MetricStat or Expression.")
        if "MetricStat" in query:
            _check_period(query["MetricStat"]["Period"], "ValidationError")
            statistic = query["MetricStat"]["Stat"]
            if statistic not in STATISTICS and percentiles.rank_of(statistic) is None:
                known = f"{', '.join(STATISTICS)} and p0 to p100"
                raise RefusedError(
                    "ValidationError", f"The Stat {statistic!r} of the query {name!r} is not known here: {known} are."
                )


def _check_period(period_s: int, code: str) -> None:
    try:
        retention_s(period_s)
    except ValueError as error:
        raise RefusedError(code, f"{error} (High-resolution metrics are kept by the minute here.)") from None


def _stretch(request: Mapping[str, Any], now_s: float, code: str) -> tuple[int, float]:
    """The start, rounded down as AWS does by its age, and the end."""
    start_s, end_s = request["StartTime"], request["EndTime"]
    if start_s >= end_s:
        raise RefusedError(code, "The parameter StartTime must be less than the parameter EndTime.")
    age_s = now_s - start_s
    step_s = next((step for limit, step in START_STEPS_S if age_s < limit), OLDEST_START_STEP_S)
    return int(start_s // step_s) * step_s, end_s


def _metric_id(metric: Mapping[str, Any]) -> MetricId:
    dimensions = sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions", ()))
    return MetricId(metric.get("Namespace", ""), metric.get("MetricName", ""), tuple(dimensions))


def _label(query: Mapping[str, Any]) -> str:
    metric = query.get("MetricStat", {}).get("Metric", {})
    return str(metric.get("MetricName") or query["Id"])


def _points(
    store: MetricStore, stat: Mapping[str, Any], start_s: int, end_s: float, now_s: float, region: str
) -> list[tuple[int, float]]:
    metric = _metric_id(stat["Metric"])
    return store.points(
        metric.namespace, metric.metric, dict(metric.dimensions), start_s=start_s, end_s=end_s, period_s=stat["Period"],
        statistic=stat["Stat"], now_s=now_s, unit=stat.get("Unit"), region=region,
    )  # fmt: skip


def _resumed(token: str | None, fingerprint: str, queries: int) -> tuple[int, int | None]:
    """Where a page begins: the query's number, and the time beyond which its points go on."""
    if not token:
        return 0, None
    number, beyond = _untoken(token, fingerprint, 2)
    if not 0 <= number < queries:
        raise RefusedError("InvalidNextToken", f"Invalid NextToken : {token}")
    return number, beyond


def _fingerprint(request: Iterable[Any]) -> str:
    text = json.dumps(list(request), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _token(content: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _untoken(token: str, fingerprint: str, length: int) -> list[Any]:
    """What a token holds beyond its fingerprint; a token of another request is refused."""
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        content = None
    if not isinstance(content, list) or len(content) != length + 1 or content[0] != fingerprint:
        raise RefusedError("InvalidNextToken", f"Invalid NextToken : {token}")
    return content[1:]
