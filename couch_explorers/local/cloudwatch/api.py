"""PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics on the metric store.

Requests and responses have botocore's shapes, except that times are Unix time in seconds. Limits and rules are from the pages of
these operations in https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from couch_explorers.aws import REGION
from couch_explorers.local.cloudwatch import metric_math, statistics
from couch_explorers.local.cloudwatch.metric_math import ExpressionError, Series
from couch_explorers.local.cloudwatch.store import DAY_S, MINUTE_S, SHORT_PERIODS_S, MetricId, Sample, retention_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore


class RefusedError(Exception):
    """A refused request: `code` is AWS's error code, the message AWS's wording where it is known."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid_value(message: str) -> RefusedError:
    """A parameter has a value that is not taken."""
    return RefusedError("InvalidParameterValue", message)


def invalid_combination(message: str) -> RefusedError:
    """Parameters do not go together."""
    return RefusedError("InvalidParameterCombination", message)


def validation_error(message: str) -> RefusedError:
    """The request as a whole does not hold; the code of GetMetricData and of alarms."""
    return RefusedError("ValidationError", message)


Item = TypeVar("Item")


def paginate(
    items: Sequence[Item], key: Callable[[Item], str], request: Mapping[str, Any], usual: int, most: int
) -> tuple[list[Item], str]:
    """The page of `items` that a request asks for by MaxRecords and NextToken, and the token of the next one, if any.

    Raises:
        RefusedError: MaxRecords is out of its range, or the token is none of these.

    """
    requested = request.get("MaxRecords")
    size = usual if requested is None else requested
    if not 1 <= size <= most:
        raise validation_error(f"MaxRecords must be 1 to {most}, not {size}.")
    left = list(items)
    if token := request.get("NextToken"):
        try:
            after = base64.urlsafe_b64decode(token).decode()
        except ValueError:
            raise RefusedError("InvalidNextToken", f"Invalid NextToken : {token}") from None
        left = [item for item in left if key(item) > after]
    shown = left[:size]
    return shown, base64.urlsafe_b64encode(key(shown[-1]).encode()).decode() if len(shown) < len(left) else ""


LONGEST_AGO_S = 14 * 86_400
FURTHEST_AHEAD_S = 2 * 3600
MOST_METRICS = 1000
MOST_VALUES = 150
MOST_DIMENSIONS = 30
LARGEST_VALUE = 2.0**360
RESOLUTIONS_S = (1, MINUTE_S)

# AWS takes Values beside StatisticValues, and keeps both.
EXCLUSIVE = (("Value", "Values"), ("Value", "StatisticValues"))


def parse_put_metric_data(request: Mapping[str, Any], now_s: float) -> list[Sample]:
    """Read what a request publishes.

    One rule of AWS's is not kept: a namespace that begins with AWS/ is AWS's own there. Here anybody may publish in it,
    because that is how an alarm is tried out without waiting for a queue to grow old.

    Raises:
        RefusedError: AWS would not take it.

    """
    found = [("MetricData", datum) for datum in request.get("MetricData") or ()]
    for number, group in enumerate(request.get("EntityMetricData") or (), 1):
        found += [(f"EntityMetricData.member.{number}.MetricData", datum) for datum in group.get("MetricData") or ()]
    if not found:
        raise RefusedError("MissingParameter", "The parameter MetricData is required.")
    if len(found) > MOST_METRICS:
        raise invalid_value(f"The collection MetricData must not have a size greater than {MOST_METRICS}.")
    return [
        sample
        for number, (place, datum) in enumerate(found, 1)
        for sample in _samples_of(request["Namespace"], datum, f"{place}.member.{number}", now_s)
    ]


def _samples_of(namespace: str, datum: Mapping[str, Any], place: str, now_s: float) -> Iterator[Sample]:
    time_s = datum.get("Timestamp", now_s)
    if not now_s - LONGEST_AGO_S <= time_s <= now_s + FURTHEST_AHEAD_S:
        raise invalid_value(
            f"The parameter {place}.Timestamp must specify a time within the past two weeks or the next two hours."
        )
    resolution_s = datum.get("StorageResolution", MINUTE_S)
    if resolution_s not in RESOLUTIONS_S:
        raise invalid_value(f"The parameter {place}.StorageResolution must be 1 or {MINUTE_S}, not {resolution_s}.")
    dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions") or ()}
    if len(dimensions) > MOST_DIMENSIONS:
        raise invalid_value(f"The collection {place}.Dimensions must not have a size greater than {MOST_DIMENSIONS}.")
    for count, total, lowest, highest in _figures(datum, place):
        for figure in (count, total, lowest, highest):
            if not math.isfinite(figure) or abs(figure) > LARGEST_VALUE:
                raise invalid_value(f"The value {figure} for parameter {place}.Value is invalid.")
        if count <= 0:
            raise invalid_value(f"The value {count:g} for a count of {place} is invalid: it must be more than 0.")
        yield Sample(
            namespace,
            datum["MetricName"],
            time_s,
            datum.get("Unit") or "None",
            count,
            total,
            lowest,
            highest,
            dimensions,
            resolution_s,
        )


def _figures(datum: Mapping[str, Any], place: str) -> Iterator[tuple[float, float, float, float]]:
    """(count, total, lowest, highest) of each of a datum's values, and of its statistic set."""
    for one, other in EXCLUSIVE:
        if datum.get(one) is not None and datum.get(other):
            raise invalid_combination(
                f"The parameters {place}.{one} and {place}.{other} are mutually exclusive and you have specified both."
            )
    if datum.get("Value") is None and not datum.get("Values") and not datum.get("StatisticValues"):
        raise RefusedError(
            "MissingParameter",
            f"At least one of {place}.Value, {place}.Values and {place}.StatisticValues is required.",
        )
    if (value := datum.get("Value")) is not None:
        yield 1.0, value, value, value
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(values)
        if len(counts) != len(values):
            raise invalid_value(f"The parameters {place}.Values and {place}.Counts must be of the same size.")
        if len(values) > MOST_VALUES:
            raise invalid_value(f"The collection {place}.Values must not have a size greater than {MOST_VALUES}.")
        yield from ((count, value * count, value, value) for value, count in zip(values, counts, strict=True))
    if one_set := datum.get("StatisticValues"):
        if one_set["Minimum"] > one_set["Maximum"]:
            raise invalid_value(f"The parameter {place}.StatisticValues.Minimum must not be greater than Maximum.")
        yield one_set["SampleCount"], one_set["Sum"], one_set["Minimum"], one_set["Maximum"]


MOST_QUERIES = 500
MOST_POINTS = 100_800
MOST_STATISTICS_POINTS = 1_440
METRICS_A_PAGE = 500
QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")

# A start is rounded down to what is still kept at its age (StartTime of either operation).
START_STEPS_S = ((15 * DAY_S, MINUTE_S), (63 * DAY_S, 300))
OLDEST_START_STEP_S = 3600

# What tells queries apart is added to the labels that CloudWatch writes, where the queries differ in it.
LABELLED_BY = ("Stat", "Period")

Request = dict[str, Any]


@dataclass(frozen=True)
class TimeRange:
    """The requested time range, and the time of the request; Unix time."""

    start_s: int
    end_s: float
    now_s: float

    def times(self, period_s: int) -> range:
        """The start of each period; periods shorter than a minute begin at their own multiples."""
        step = min(period_s, MINUTE_S)
        return range(self.start_s // step * step, math.ceil(self.end_s), period_s)


@dataclass
class Evaluation:
    """The queries of one GetMetricData request, or of one alarm, computed once each; a `metric_math.Context`."""

    store: MetricStore
    queries: Sequence[Mapping[str, Any]]
    time_range: TimeRange
    region: str = REGION
    _values: dict[str, metric_math.Value] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    units: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Mapping[str, Any]]:
        """The queries by their Id."""
        return {query["Id"]: query for query in self.queries}

    @cached_property
    def labels(self) -> dict[str, str]:
        """The label of each query: its own, or the one that CloudWatch writes."""
        stats = [query["MetricStat"] for query in self.queries if "MetricStat" in query]
        differing = [name for name in LABELLED_BY if len({stat[name] for stat in stats}) > 1]
        labels = {}
        for query in self.queries:
            label = query["Id"]
            if stat := query.get("MetricStat"):
                label = " ".join([stat["Metric"].get("MetricName") or label, *(str(stat[name]) for name in differing)])
            labels[query["Id"]] = query.get("Label") or label
        return labels

    def value_of(self, query_id: str) -> metric_math.Value:
        """The result of the query with this Id. ExpressionError if there is none, or if it refers to itself."""
        if query_id not in self.by_id:
            raise ExpressionError(f"{query_id} is the Id of no query.")
        if query_id in self._open:
            raise ExpressionError(f"{query_id} refers to itself.")
        if query_id not in self._values:
            self._open.add(query_id)
            try:
                self._values[query_id] = self._computed(self.by_id[query_id])
            finally:
                self._open.discard(query_id)
        return self._values[query_id]

    def metrics(self) -> list[tuple[str, Series]]:
        """The series of every query for a metric, with its Id."""
        found = []
        for query_id, query in self.by_id.items():
            if "MetricStat" in query:
                series = self.value_of(query_id)
                if isinstance(series, Series):
                    found.append((query_id, series))
        return found

    def times(self, period_s: int) -> range:
        """The starts of all periods of this length in the time range."""
        return self.time_range.times(period_s)

    def period_s(self) -> int:
        """The shortest period of any query: what a number is spread over."""
        periods = [query.get("Period") or query.get("MetricStat", {}).get("Period") for query in self.queries]
        return min((period for period in periods if period), default=MINUTE_S)

    def series(self, query_id: str) -> list[Series]:
        """The series that a query answers with: one, or those of an array.

        Raises:
            RefusedError: its expression cannot be computed, or gives a number only.

        """
        try:
            value = self.value_of(query_id)
        except ExpressionError as error:
            raise validation_error(f"Error in expression '{query_id}' [{error}]") from error
        label = self.labels[query_id]
        if isinstance(value, list):
            return [replace(series, label=f"{label} {series.label}".strip()) for series in value]
        if isinstance(value, float):
            raise validation_error(
                f"Error in expression '{query_id}' [The expression gives a number, and a time series is needed: "
                "TIME_SERIES makes one of it.]"
            )
        return [replace(value, label=label)]

    def _computed(self, query: Mapping[str, Any]) -> metric_math.Value:
        if "Expression" in query:
            return metric_math.evaluate(query["Expression"], self)
        stat = query["MetricStat"]
        metric = metric_id(stat["Metric"])
        unit = stat.get("Unit")
        units = (unit,) if unit else self._units(metric)
        self.units[query["Id"]] = units
        points = self.store.points(
            metric.namespace, metric.metric, dict(metric.dimensions), start_s=self.time_range.start_s, end_s=self.time_range.end_s,
            period_s=stat["Period"], statistic=stat["Stat"], now_s=self.time_range.now_s, unit=units[0] if units else None,
            region=self.region,
        )  # fmt: skip
        return Series(dict(points), stat["Period"], self.labels[query["Id"]])

    def _units(self, metric: MetricId) -> tuple[str, ...]:
        return self.store.units(
            metric.namespace, metric.metric, dict(metric.dimensions), region=self.region,
            start_s=self.time_range.start_s, end_s=self.time_range.end_s,
        )  # fmt: skip


def get_metric_data(store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str = REGION) -> Request:
    """Answer GetMetricData, a page at a time. RefusedError for what AWS would not serve."""
    queries = request["MetricDataQueries"]
    check_queries(queries)
    time_range = _time_range(request, now_s, "ValidationError")
    descending = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    most = min(request.get("MaxDatapoints") or MOST_POINTS, MOST_POINTS)
    if most < 1:
        raise validation_error(f"MaxDatapoints must be 1 to {MOST_POINTS}, not {most}.")
    fingerprint = _fingerprint([queries, time_range.start_s, time_range.end_s, descending])
    evaluation = Evaluation(store, queries, time_range, region)
    page = _Page(fingerprint, descending, most, *_resumed(request.get("NextToken"), fingerprint))
    for query in queries:
        if not query.get("ReturnData", True):
            continue
        if page.token:
            page.results.append(_result(query, evaluation.labels[query["Id"]]))
        elif "MetricStat" in query and page.number + 1 < page.first:
            # An earlier page had all of it: nothing needs to be read again.
            page.number += 1
        else:
            for series in evaluation.series(query["Id"]):
                page.add(query, series, evaluation.units.get(query["Id"], ()))
    answer: Request = {"MetricDataResults": page.results, "Messages": []}
    return answer | ({"NextToken": page.token} if page.token else {})


@dataclass
class _Page:
    """One page of points: series by series from number `first` on, there from the point after `beyond` on."""

    fingerprint: str
    descending: bool
    left: int
    first: int
    beyond: int | None
    number: int = -1
    token: str = ""
    results: list[Request] = field(default_factory=list)

    def add(self, query: Mapping[str, Any], series: Series, units: Sequence[str]) -> None:
        """Answer with the next series, as far as there is room for its points."""
        self.number += 1
        if self.number < self.first:
            return
        result = _result(query, series.label, units)
        self.results.append(result)
        if self.token:
            return
        points = sorted(series.values.items(), reverse=self.descending)
        beyond = self.beyond if self.number == self.first else None
        if beyond is not None:
            points = [point for point in points if (point[0] < beyond if self.descending else point[0] > beyond)]
        page = points[: self.left]
        self.left -= len(page)
        result |= {"Timestamps": [time_s for time_s, _ in page], "Values": [value for _, value in page]}
        if len(page) == len(points):
            result["StatusCode"] = "Complete"
        else:
            # A page that ends before this series' first point goes on with all of it.
            self.token = _token([self.fingerprint, self.number, page[-1][0] if page else beyond])


def get_metric_statistics(
    store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str = REGION
) -> Request:
    """Answer GetMetricStatistics: one data point for each period and unit. RefusedError for what AWS would not serve."""
    basic, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
    if not basic and not extended:
        raise invalid_combination("At least one of the parameters Statistics and ExtendedStatistics is required.")
    for statistic in extended:
        if statistic in statistics.BASIC or not statistics.is_known(statistic):
            raise invalid_value(f"The value {statistic} for parameter ExtendedStatistics.member.1 is not supported.")
    period_s = request["Period"]
    check_period(period_s, "InvalidParameterValue")
    time_range = _time_range(request, now_s, "InvalidParameterValue")
    if (datapoints := int((request["EndTime"] - request["StartTime"]) // period_s)) > MOST_STATISTICS_POINTS:
        raise invalid_combination(
            f"You have requested up to {datapoints} datapoints, which exceeds the limit of {MOST_STATISTICS_POINTS}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    metric = metric_id(request)
    dimensions = dict(metric.dimensions)
    found: dict[tuple[str, int], Request] = {}
    for unit in store.units(metric.namespace, metric.metric, dimensions, region=region):
        if request.get("Unit", unit) != unit:
            continue
        for statistic in (*basic, *extended):
            points = store.points(
                metric.namespace, metric.metric, dimensions, start_s=time_range.start_s, end_s=time_range.end_s, period_s=period_s,
                statistic=statistic, now_s=now_s, unit=unit, region=region,
            )  # fmt: skip
            for time_s, value in points:
                datapoint = found.setdefault((unit, time_s), {"Timestamp": time_s, "Unit": unit})
                into = datapoint if statistic in statistics.BASIC else datapoint.setdefault("ExtendedStatistics", {})
                into[statistic] = value
    return {"Label": metric.metric, "Datapoints": list(found.values())}


def list_metrics(store: MetricStore, request: Mapping[str, Any], *, now_s: float, region: str = REGION) -> Request:
    """Answer ListMetrics, a page at a time. RefusedError for a token of another request."""
    dimensions = [(each["Name"], each.get("Value")) for each in request.get("Dimensions") or ()]
    found = store.series(
        request.get("Namespace"), request.get("MetricName"), dimensions,
        recently_active=bool(request.get("RecentlyActive")), now_s=now_s, region=region,
    )  # fmt: skip
    fingerprint = _fingerprint([dimensions, request.get("Namespace"), request.get("MetricName")])
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


def check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    """Check the queries of GetMetricData or of an alarm. RefusedError names the one that is wrong."""
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise validation_error(
            f"The collection MetricDataQueries must have a size between 1 and {MOST_QUERIES}, not {len(queries)}."
        )
    seen: set[str] = set()
    for query in queries:
        name = query["Id"]
        if not QUERY_ID.fullmatch(name):
            raise validation_error(
                f"The value for Id {name!r} must begin with a lower-case letter; then letters, digits and _ are taken."
            )
        if name in seen:
            raise validation_error(f"The Id {name!r} is given to more than one query.")
        seen.add(name)
        if ("Expression" in query) == ("MetricStat" in query):
            raise validation_error(f"The query {name!r} needs either MetricStat or Expression.")
        if "MetricStat" in query:
            check_period(query["MetricStat"]["Period"], "ValidationError")
            try:
                statistics.parse(query["MetricStat"]["Stat"])
            except statistics.UnknownStatisticError as error:
                raise validation_error(f"{error} (The query {name!r}.)") from None
        else:
            try:
                metric_math.parse(query["Expression"])
            except ExpressionError as error:
                raise validation_error(f"Error in expression '{name}' [{error}]") from None


def check_period(period_s: int, code: str) -> None:
    """RefusedError for a period that CloudWatch does not have."""
    if period_s <= 0 or (period_s % MINUTE_S and period_s not in SHORT_PERIODS_S):
        raise RefusedError(code, "Period must be 1, 5, 10, 20, 30, or a multiple of 60.")


def metric_id(metric: Mapping[str, Any]) -> MetricId:
    """Read a metric as requests name it: Namespace, MetricName, Dimensions."""
    dimensions = sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions") or ())
    return MetricId(metric.get("Namespace", ""), metric.get("MetricName", ""), tuple(dimensions))


def _time_range(request: Mapping[str, Any], now_s: float, code: str) -> TimeRange:
    """The time range, its start rounded down by its age, as AWS does, or to a shorter requested period."""
    start_s, end_s = request["StartTime"], request["EndTime"]
    if start_s >= end_s:
        raise RefusedError(code, "The parameter StartTime must be less than the parameter EndTime.")
    age_s = now_s - start_s
    step_s = next((step for limit, step in START_STEPS_S if age_s < limit), OLDEST_START_STEP_S)
    periods = [request["Period"]] if "Period" in request else [
        query["MetricStat"]["Period"] for query in request.get("MetricDataQueries", ()) if "MetricStat" in query
    ]  # fmt: skip
    if age_s < retention_s(SHORT_PERIODS_S[0]) and periods:
        step_s = min(step_s, *periods)
    return TimeRange(int(start_s // step_s) * step_s, end_s, now_s)


def _result(query: Mapping[str, Any], label: str, units: Sequence[str] = ()) -> Request:
    """The answer to a query before its points: not all of them are there yet."""
    result: Request = {"Id": query["Id"], "Label": label, "Timestamps": [], "Values": [], "StatusCode": "PartialData"}
    if len(units) > 1:
        result["Messages"] = [{"Code": "MultipleUnits", "Value": f"Multiple units returned: '[{', '.join(units)}]'"}]
    return result


def _resumed(token: str | None, fingerprint: str) -> tuple[int, int | None]:
    """The start of a page: the number of the series, and the time after which its points continue."""
    if not token:
        return 0, None
    number, beyond = _untoken(token, fingerprint, 2)
    return number, beyond


def _fingerprint(request: Iterable[Any]) -> str:
    text = json.dumps(list(request), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _token(content: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _untoken(token: str, fingerprint: str, length: int) -> list[Any]:
    """The contents of a token without its fingerprint; a token of another request is refused."""
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        content = None
    if not isinstance(content, list) or len(content) != length + 1 or content[0] != fingerprint:
        raise RefusedError("InvalidNextToken", f"Invalid NextToken : {token}")
    return content[1:]
