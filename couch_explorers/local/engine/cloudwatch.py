"""CloudWatch on LocalEmu: its protocols, dashboards and tags, with the local cloud's own metrics and alarms.

LocalEmu's metric store takes 81 s for two weeks of 42 series, sums over other series' dimensions, and supports no percentiles, metric
math or pagination. For its alarms, see `alarms`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from localemu.aws.api import CommonServiceException, handler
from localemu.aws.api.cloudwatch import InvalidParameterValueException, ResourceNotFound
from localemu.services.cloudwatch.models import LocalEmuCompositeAlarm, LocalEmuMetricAlarm, cloudwatch_stores
from localemu.services.cloudwatch.provider_v2 import CloudwatchProvider

from couch_explorers.local.cloudwatch import alarm_evaluation, alarm_history, api
from couch_explorers.local.cloudwatch.api import RefusedError, paginate, validation_error
from couch_explorers.local.engine.alarms import scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from couch_explorers.local.cloudwatch.store import MetricStore
    from couch_explorers.local.engine.alarms import Alarm, Alarms

# DescribeAlarms and DescribeAlarmHistory: MaxRecords.
MOST_RECORDS = 100
USUAL_RECORDS = 50
Method = TypeVar("Method")
STATE_FIELDS = ("StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp", "StateTransitionedTimestamp")


def _operation(name: str) -> Callable[[Method], Method]:
    """Serve one of CloudWatch's operations, with its request whole."""
    decorator: Callable[[Method], Method] = handler(name, expand=False)
    return decorator


def make_provider(store: MetricStore, alarms: Alarms, clock: Callable[[], float]) -> type[CloudwatchProvider]:
    """Return a provider class bound to store and alarms, since LocalEmu creates its provider without arguments."""

    class Bound(CloudWatch):
        def __init__(self) -> None:
            # LocalEmu's own would open another database and start another scheduler.
            self.metrics = store
            self.alarms = alarms
            self.clock = clock

    return Bound


class CloudWatch(CloudwatchProvider):  # type: ignore[misc]
    """LocalEmu's provider, of which only the listing and storing of dashboards and tags are still used."""

    metrics: MetricStore
    alarms: Alarms
    clock: Callable[[], float]

    def accept_state_visitor(self, visitor: Any) -> None:
        """Visit alarms, their history, dashboards and tags; metrics are in a file of their own."""
        visitor.visit(cloudwatch_stores)

    def on_after_init(self) -> None:
        """Do nothing: LocalEmu would register a page of the raw metrics in its own database."""

    def on_before_start(self) -> None:
        """Do nothing: the telemetry evaluates the alarms."""

    def on_before_state_reset(self) -> None:
        """Delete every metric."""
        self.metrics.clear()

    def on_after_state_reset(self) -> None:
        """Do nothing."""

    def on_before_state_load(self) -> None:
        """Do nothing."""

    def on_after_state_load(self) -> None:
        """Do nothing."""

    def on_before_stop(self) -> None:
        """Do nothing: the server stops the telemetry."""

    # --- Metrics -----------------------------------------------------------------------------------------------------

    @_operation("PutMetricData")
    def put_metric_data(self, context: Any, request: Any) -> None:
        """Store samples."""
        samples = _served(api.parse_put_metric_data, _with_unix_times(request), self.clock())
        self.metrics.add(*samples, region=scope(context.account_id, context.region))

    @_operation("GetMetricData")
    def get_metric_data(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a page of the results of queries for metrics and metric math."""
        return self._read(api.get_metric_data, context, request)

    @_operation("GetMetricStatistics")
    def get_metric_statistics(self, context: Any, request: Any) -> dict[str, Any]:
        """Return data points with several statistics."""
        answer = self._read(api.get_metric_statistics, context, request)
        for datapoint in answer["Datapoints"]:
            datapoint["Timestamp"] = _time(datapoint["Timestamp"])
        return answer

    @_operation("ListMetrics")
    def list_metrics(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a page of metrics."""
        return self._read(api.list_metrics, context, request)

    def _read(self, answer: Callable[..., dict[str, Any]], context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
        region = scope(context.account_id, context.region)
        served: dict[str, Any] = _served(
            answer, self.metrics, _with_unix_times(request), now_s=self.clock(), region=region
        )
        return served

    # --- Alarms ------------------------------------------------------------------------------------------------------

    @_operation("PutMetricAlarm")
    def put_metric_alarm(self, context: Any, request: Any) -> None:
        """Create a metric alarm, or change its settings and keep its state."""
        _served(alarm_evaluation.check_alarm, request)
        self._put(context, LocalEmuMetricAlarm(context.account_id, context.region, {**request}), request.get("Tags"))

    @_operation("PutCompositeAlarm")
    def put_composite_alarm(self, context: Any, request: Any) -> None:
        """Create a composite alarm, or change its settings, and evaluate it."""
        try:
            rule = alarm_evaluation.parse_composite_rule(request["AlarmRule"])
        except alarm_evaluation.CompositeRuleError as error:
            raise _refused(validation_error(f"Error in AlarmRule: {error}")) from error
        stored = self.alarms.stored(context.account_id, context.region)
        known = {*stored, *(alarm["AlarmArn"] for alarm in stored.values())}
        if unknown := [name for name in rule.alarms if name not in known]:
            raise _refused(validation_error(f"AlarmRule contains alarms that do not exist: {', '.join(unknown)}"))
        alarm = LocalEmuCompositeAlarm(context.account_id, context.region, {**request})
        self._put(context, alarm, request.get("Tags"))
        self.alarms.evaluate_composite(context.account_id, context.region, alarm.alarm)

    def _put(self, context: Any, made: Any, tags: Any) -> None:
        kept = self.get_store(context.account_id, context.region).alarms
        alarm: Alarm = made.alarm
        with self.alarms.lock:
            arn = alarm["AlarmArn"]
            before = kept.get(arn)
            if before is not None:
                if type(before) is not type(made):
                    raise _refused(validation_error(f"An alarm of another type has the name {alarm['AlarmName']}."))
                alarm |= {name: before.alarm[name] for name in STATE_FIELDS if name in before.alarm}
            kept[arn] = made
            self.alarms.hold(alarm)
            if before is None and tags:
                self._set_resource_tags(arn, context.account_id, context.region, tags)
            self._note(context, alarm, "updated" if before is not None else "created")

    def delete_alarms(self, context: Any, alarm_names: Iterable[str], **_: Any) -> None:
        """Delete alarms and their tags; their history stays."""
        kept = self.get_store(context.account_id, context.region).alarms
        with self.alarms.lock:
            for name in alarm_names:
                alarm = self.alarms.stored(context.account_id, context.region).get(name)
                if alarm is not None:
                    del kept[alarm["AlarmArn"]]
                    self._remove_all_resource_tags(alarm["AlarmArn"], context.account_id, context.region)
                    self._note(context, alarm, "deleted")

    def set_alarm_state(
        self,
        context: Any,
        alarm_name: str,
        state_value: str,
        state_reason: str,
        state_reason_data: str | None = None,
        **_: Any,
    ) -> None:
        """Set an alarm's state until its next evaluation; its actions are taken."""
        _served(alarm_evaluation.check_state, state_value)
        alarm = self.alarms.stored(context.account_id, context.region).get(alarm_name)
        if alarm is None:
            raise ResourceNotFound
        try:
            data = json.loads(state_reason_data) if state_reason_data else None
        except ValueError as error:
            raise InvalidParameterValueException("StateReasonData is not valid JSON.") from error
        self.alarms.hold(alarm)
        self.alarms.change(context.account_id, context.region, alarm, state_value, state_reason, data)

    @_operation("DescribeAlarms")
    def describe_alarms(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a page of metric alarms, and of composite alarms if the request includes them."""
        stored = self.alarms.stored(context.account_id, context.region)
        found = _served(_described, stored, request)
        shown, token = _served(paginate, found, lambda alarm: alarm["AlarmName"], request, USUAL_RECORDS, MOST_RECORDS)
        composite = [alarm for alarm in shown if alarm_history.alarm_type(alarm) == "CompositeAlarm"]
        metric = [alarm for alarm in shown if alarm_history.alarm_type(alarm) == "MetricAlarm"]
        return {"CompositeAlarms": composite, "MetricAlarms": metric} | ({"NextToken": token} if token else {})

    @_operation("DescribeAlarmsForMetric")
    def describe_alarms_for_metric(self, context: Any, request: Any) -> dict[str, Any]:
        """Return the alarms on one metric."""
        filters = {
            name: value
            for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit")
            if (value := request.get(name)) is not None
        }
        dimensions = _as_set(request.get("Dimensions"))
        found = [
            alarm
            for alarm in self.alarms.stored(context.account_id, context.region).values()
            if all(alarm.get(name) == value for name, value in filters.items())
            and _as_set(alarm.get("Dimensions")) == dimensions
        ]
        return {"MetricAlarms": found}

    @_operation("DescribeAlarmHistory")
    def describe_alarm_history(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a page of the history of alarms, the newest item first."""
        kinds = request.get("AlarmTypes") or ["MetricAlarm"]
        name, item_type = request.get("AlarmName"), request.get("HistoryItemType")
        start, end = request.get("StartDate"), request.get("EndDate")
        with self.alarms.lock:
            items = list(self.get_store(context.account_id, context.region).histories)
        found = [
            item
            for item in items
            if (name is None or item["AlarmName"] == name)
            and (name is not None or item["AlarmType"] in kinds)
            and (item_type is None or item["HistoryItemType"] == item_type)
            and (start is None or item["Timestamp"] >= _aware(start))
            and (end is None or item["Timestamp"] <= _aware(end))
        ]
        if request.get("ScanBy") != "TimestampAscending":
            found.reverse()
        numbered = list(enumerate(found))
        shown, token = _served(
            paginate,
            numbered,
            lambda item: f"{item[0]:08d}",
            request,
            MOST_RECORDS,
            MOST_RECORDS,
        )
        return {"AlarmHistoryItems": [item for _, item in shown]} | ({"NextToken": token} if token else {})

    # --- Dashboards --------------------------------------------------------------------------------------------------

    @_operation("GetDashboard")
    def get_dashboard(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a dashboard. LocalEmu has another error for one that is not there; Terraform makes it again only for AWS's."""
        name = request["DashboardName"]
        self._check_dashboards(context, [name])
        stored = self.get_store(context.account_id, context.region).dashboards[name]
        return {"DashboardName": name, "DashboardBody": stored.dashboard_body, "DashboardArn": stored.dashboard_arn}

    @_operation("DeleteDashboards")
    def delete_dashboards(self, context: Any, request: Any) -> dict[str, Any]:
        """Delete dashboards; none where one of them is not there."""
        names = request["DashboardNames"]
        self._check_dashboards(context, names)
        for name in dict.fromkeys(names):
            self.get_store(context.account_id, context.region).dashboards.pop(name)
        return {}

    def _check_dashboards(self, context: Any, names: Iterable[str]) -> None:
        """Raise AWS's error where a dashboard is not there: ResourceNotFound, 404.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html
        """
        stored = self.get_store(context.account_id, context.region).dashboards
        if missing := [name for name in names if name not in stored]:
            message = f"Dashboard {', '.join(missing)} does not exist"
            raise CommonServiceException("ResourceNotFound", message, 404, sender_fault=True)

    # --- Anomaly detectors -------------------------------------------------------------------------------------------

    @_operation("PutAnomalyDetector")
    def put_anomaly_detector(self, context: Any, request: Any) -> dict[str, Any]:
        """Keep a detector. It is never trained: it stays PENDING_TRAINING, and there are no bands."""
        metric = request.get("SingleMetricAnomalyDetector") or request
        detector = {name: metric[name] for name in ("Namespace", "MetricName", "Dimensions", "Stat") if name in metric}
        if not all(detector.get(name) for name in ("Namespace", "MetricName", "Stat")):
            raise _refused(
                validation_error(
                    "A detector needs Namespace, MetricName and Stat: detectors on metric math are not kept."
                )
            )
        detector.setdefault("Dimensions", [])
        self._detectors(context)[_detector_key(detector)] = {
            **detector,
            "SingleMetricAnomalyDetector": {"AccountId": context.account_id, **detector},
            "Configuration": {"ExcludedTimeRanges": [], **(request.get("Configuration") or {})},
            "StateValue": "PENDING_TRAINING",
        }
        return {}

    @_operation("DescribeAnomalyDetectors")
    def describe_anomaly_detectors(self, context: Any, request: Any) -> dict[str, Any]:
        """Return a page of the detectors, of one metric or of all."""
        dimensions = request.get("Dimensions")
        found = {
            key: detector
            for key, detector in sorted(self._detectors(context).items())
            if request.get("Namespace") in (None, detector["Namespace"])
            and request.get("MetricName") in (None, detector["MetricName"])
            and (not dimensions or _as_set(dimensions) == _as_set(detector["Dimensions"]))
        }
        paging = {"MaxRecords": request.get("MaxResults"), "NextToken": request.get("NextToken")}
        shown, token = _served(paginate, list(found), str, paging, MOST_RECORDS, MOST_RECORDS)
        return {"AnomalyDetectors": [found[key] for key in shown]} | ({"NextToken": token} if token else {})

    @_operation("DeleteAnomalyDetector")
    def delete_anomaly_detector(self, context: Any, request: Any) -> dict[str, Any]:
        """Delete a detector."""
        key = _detector_key(request.get("SingleMetricAnomalyDetector") or request)
        if self._detectors(context).pop(key, None) is None:
            raise _refused(RefusedError("ResourceNotFoundException", "There is no such anomaly detector."))
        return {}

    def _detectors(self, context: Any) -> dict[str, dict[str, Any]]:
        """Return the region's detectors, which are kept with its alarms so that they are saved with them."""
        kept: dict[str, dict[str, Any]] = vars(self.get_store(context.account_id, context.region)).setdefault(
            "couch_anomaly_detectors", {}
        )
        return kept

    def _note(self, context: Any, alarm: Alarm, change: Any) -> None:
        kind = alarm_history.alarm_type(alarm)
        item = alarm_history.configuration_update(alarm["AlarmName"], kind, change, time_s=self.clock())
        self.alarms.note(context.account_id, context.region, item)


def _described(stored: Mapping[str, Alarm], request: Mapping[str, Any]) -> list[Alarm]:
    """Return the alarms that a DescribeAlarms request selects, ordered by name.

    Raises:
        RefusedError: The filters exclude each other.

    """
    names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix")
    if names and prefix:
        raise validation_error("AlarmNames and AlarmNamePrefix are mutually exclusive.")
    parent, child = request.get("ChildrenOfAlarmName"), request.get("ParentsOfAlarmName")
    if parent or child:
        return _relatives(stored, parent, child)
    kinds = request.get("AlarmTypes") or ["MetricAlarm"]
    state, actions = request.get("StateValue"), request.get("ActionPrefix")
    return [
        alarm
        for name, alarm in sorted(stored.items())
        if alarm_history.alarm_type(alarm) in kinds
        and (not names or name in names)
        and name.startswith(prefix or "")
        and state in (None, alarm["StateValue"])
        and (
            not actions
            or any(
                action.startswith(actions)
                for each in alarm_evaluation.ACTIONS.values()
                for action in alarm.get(each, ())
            )
        )
    ]


def _relatives(stored: Mapping[str, Alarm], parent: str | None, child: str | None) -> list[Alarm]:
    """Return the alarms in a composite alarm's rule, or the composite alarms with an alarm in their rules."""

    def named(alarm: Alarm) -> set[str]:
        rule = alarm.get("AlarmRule")
        return set(alarm_evaluation.parse_composite_rule(rule).alarms) if rule else set()

    if parent:
        names = named(stored[parent]) if parent in stored else set()
        return [alarm for name, alarm in sorted(stored.items()) if names & {name, alarm["AlarmArn"]}]
    wanted = {child, stored[child]["AlarmArn"]} if child and child in stored else set()
    return [alarm for _, alarm in sorted(stored.items()) if named(alarm) & wanted]


def _detector_key(detector: Mapping[str, Any]) -> str:
    """Return the identity of a detector."""
    dimensions = sorted(_as_set(detector.get("Dimensions")))
    return json.dumps([*(detector.get(name) for name in ("Namespace", "MetricName", "Stat")), dimensions])


def _served(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function, and turn its refusal into LocalEmu's exception."""
    try:
        return function(*arguments, **named)
    except RefusedError as error:
        raise _refused(error) from error


class ValidationException(CommonServiceException):  # type: ignore[misc]
    """AWS's name of the error in the protocols that send the exception's class."""


def _refused(error: RefusedError) -> CommonServiceException:
    kind = ValidationException if error.code == "ValidationError" else CommonServiceException
    return kind(error.code, str(error), 400, sender_fault=True)


def _with_unix_times(value: Any) -> Any:
    """Return a request with every time as Unix time, and without the fields that are None."""
    if isinstance(value, dict):
        return {name: _with_unix_times(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_with_unix_times(item) for item in value]
    return _aware(value).timestamp() if isinstance(value, datetime) else value


def _aware(time: datetime) -> datetime:
    """Return a time with its time zone, which is UTC where there is none."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _time(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def _as_set(dimensions: Any) -> set[tuple[str, str]]:
    return {(each["Name"], each["Value"]) for each in dimensions or ()}
