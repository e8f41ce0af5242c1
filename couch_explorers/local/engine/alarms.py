"""CloudWatch alarms on LocalEmu: evaluated on the local cloud's metric store, with their actions and history.

LocalEmu's own scheduler supports neither percentiles nor metric math, counts periods from the time of its evaluation, and parses
only composite rules that combine ALARM by OR. Source: "Using Amazon CloudWatch alarms",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localemu.aws.connect import connect_to
from localemu.services.cloudwatch.models import cloudwatch_stores
from localemu.utils.aws.arns import parse_arn

from couch_explorers.aws import REGION
from couch_explorers.local.cloudwatch import alarm_evaluation, alarm_history, alarm_notifications
from couch_explorers.local.cloudwatch.alarm_evaluation import ACTIONS, Rule, UnsupportedAlarmError
from couch_explorers.local.cloudwatch.api import RefusedError
from couch_explorers.local.settings import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from couch_explorers.local.cloudwatch.store import MetricStore

logger = logging.getLogger("couch.local")

# An alarm as DescribeAlarms returns it, with times as datetimes in UTC.
Alarm = dict[str, Any]
TIMES = ("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateTransitionedTimestamp")
# Seconds by which a high-resolution alarm may be evaluated early: the telemetry's ticks are not exact.
TOLERANCE_S = 1.0
# How often a change is passed on from one composite alarm to the next: rules may refer to each other in a circle.
COMPOSITE_DEPTH = 10


def scope(account: str, region: str) -> str:
    """Return the metric store's name for an account's region: just the region for the cloud's own account."""
    return region if account == ACCOUNT_ID else f"{account}/{region}"


class Alarms:
    """The alarms of every account and region: their evaluation, state changes and history.

    `changed` is called after each change that no request has made, so that it is saved.
    """

    def __init__(
        self, store: MetricStore, clock: Callable[[], float], changed: Callable[[], object] = lambda: None
    ) -> None:
        self._changed = changed
        self.lock = threading.RLock()
        self._store = store
        self._clock = clock
        self._evaluated_s: dict[str, float] = {}

    def stored(self, account: str, region: str) -> dict[str, Alarm]:
        """Return the alarms of a region by their names."""
        kept = list(cloudwatch_stores[account][region].alarms.values())
        return {each.alarm["AlarmName"]: each.alarm for each in kept}

    def now(self) -> datetime:
        """Return the current time as alarms keep it."""
        return datetime.fromtimestamp(round(self._clock(), 3), UTC)

    def evaluate(self, now_s: float) -> list[str]:
        """Evaluate the alarms that are due; return the names of those whose state has changed."""
        changed: list[str] = []
        for account, region, alarm in list(self._everywhere()):
            try:
                if alarm_history.alarm_type(alarm) == "CompositeAlarm":
                    with self.lock:
                        changes = self._evaluate_composite(account, region, alarm, ())
                else:
                    changes = self._evaluate(account, region, alarm, now_s)
                changed += [alarm["AlarmName"]] if changes else []
            except Exception:
                # One alarm that cannot be evaluated must not keep the others from it.
                logger.exception("The alarm %s could not be evaluated", alarm["AlarmName"])
        return changed

    def hold(self, alarm: Alarm) -> None:
        """Do not evaluate an alarm for one interval: it was just created, or its state was set."""
        self._evaluated_s[alarm["AlarmArn"]] = self._clock()

    def change(
        self,
        account: str,
        region: str,
        alarm: Alarm,
        state: str,
        reason: str,
        reason_data: Mapping[str, Any] | None = None,
        depth: int = 0,
    ) -> None:
        """Change an alarm's state: note it in the history, take its actions, and evaluate the composite alarms that refer to it."""
        with self.lock:
            old = {name: alarm.get(name) for name in ("StateValue", "StateReason", "StateReasonData", *TIMES)}
            now = self.now()
            alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": now}
            alarm.pop("StateReasonData", None)
            if reason_data is not None:
                alarm["StateReasonData"] = alarm_history.as_json(reason_data)
            if state != old["StateValue"]:
                alarm["StateTransitionedTimestamp"] = now
            self._note_change(account, region, alarm, old, reason_data)
        if state == old["StateValue"]:
            return
        logger.info("Alarm %s: %s -> %s. %s", alarm["AlarmName"], old["StateValue"], state, reason)
        triggering = (reason_data or {}).get("triggeringAlarms", ())
        self._act(account, region, alarm, old, triggering)
        self._follow(account, region, alarm, depth + 1)

    def note(self, account: str, region: str, item: Mapping[str, Any]) -> None:
        """Add an item to a region's history, and drop those that are older than CloudWatch keeps."""
        with self.lock:
            items = cloudwatch_stores[account][region].histories
            items.append({**item, "Timestamp": datetime.fromtimestamp(item["Timestamp"], UTC)})
            oldest = datetime.fromtimestamp(item["Timestamp"] - alarm_history.KEPT_S, UTC)
            while items and items[0]["Timestamp"] < oldest:
                del items[0]
        self._changed()

    def record_past(self, alarm_name: str, transitions: Sequence[alarm_history.Transition]) -> None:
        """Replace an alarm's synthetic transitions in the history; an empty sequence removes them."""
        with self.lock:
            items = cloudwatch_stores[ACCOUNT_ID][REGION].histories
            kept = [item for item in items if item["AlarmName"] != alarm_name or not alarm_history.is_synthetic(item)]
            for transition in transitions:
                item = alarm_history.synthetic_update(alarm_name, transition)
                kept.append(item | {"Timestamp": datetime.fromtimestamp(item["Timestamp"], UTC)})
            kept.sort(key=lambda item: item["Timestamp"])
            items.clear()
            items.extend(kept)

    def thresholds(self, stem: str) -> dict[str, float]:
        """Return the thresholds of the deployed alarms named `stem-…`, by the rest of their names."""
        return {
            name.removeprefix(f"{stem}-"): alarm["Threshold"]
            for name, alarm in self.stored(ACCOUNT_ID, REGION).items()
            if name.startswith(f"{stem}-") and "Threshold" in alarm
        }

    def evaluate_composite(self, account: str, region: str, alarm: Alarm) -> None:
        """Evaluate a composite alarm that was just created: all of the alarms in its rule are its reason."""
        with self.lock:
            self._evaluate_composite(account, region, alarm, ())

    def _everywhere(self) -> Iterator[tuple[str, str, Alarm]]:
        for account, region, kept in list(cloudwatch_stores.iter_stores()):
            for each in list(kept.alarms.values()):
                yield account, region, each.alarm

    def _evaluate(self, account: str, region: str, alarm: Alarm, now_s: float) -> bool:
        """Evaluate a metric alarm if it is due; return whether its state has changed."""
        try:
            rule = Rule.of(alarm)
        except UnsupportedAlarmError as why:
            alarm["StateReason"] = str(why) if alarm["StateValue"] == "INSUFFICIENT_DATA" else alarm["StateReason"]
            return False
        # Alarms on minutes are evaluated at each full minute, the others one interval after their last evaluation.
        evaluated_s = self._evaluated_s.get(alarm["AlarmArn"], 0.0)
        if rule.is_high_resolution and now_s - evaluated_s < rule.interval_s - TOLERANCE_S:
            return False
        if not rule.is_high_resolution and now_s // rule.interval_s == evaluated_s // rule.interval_s:
            return False
        self._evaluated_s[alarm["AlarmArn"]] = now_s
        try:
            outcome = alarm_evaluation.evaluate(self._store, rule, now_s, scope(account, region))
        except RefusedError as error:
            alarm["StateReason"] = str(error) if alarm["StateValue"] == "INSUFFICIENT_DATA" else alarm["StateReason"]
            return False
        judgement = outcome.judgement
        with self.lock:
            current = self.stored(account, region).get(alarm["AlarmName"])
            if current is not alarm or judgement.state in (None, alarm["StateValue"]):
                # It was changed or deleted during the evaluation: the next one uses the new settings.
                return False
        data = alarm_history.state_reason_data(rule, judgement, outcome.points, outcome.sample_counts, now_s)
        self.change(account, region, alarm, str(judgement.state), alarm_history.state_reason(rule, judgement), data)
        return True

    def _follow(self, account: str, region: str, child: Alarm, depth: int) -> None:
        """Evaluate the composite alarms that refer to a changed alarm."""
        if depth > COMPOSITE_DEPTH:
            logger.warning("Composite alarms name each other in a circle, seen at %s", child["AlarmName"])
            return
        for alarm in list(self.stored(account, region).values()):
            if alarm_history.alarm_type(alarm) == "CompositeAlarm":
                self._evaluate_composite(account, region, alarm, (child,), depth)

    def _evaluate_composite(
        self, account: str, region: str, alarm: Alarm, changed: Sequence[Alarm], depth: int = 0
    ) -> bool:
        """Evaluate a composite alarm after a change of some of its alarms; an empty sequence stands for all of them."""
        rule = alarm_evaluation.parse_composite_rule(alarm["AlarmRule"])
        children = self._named(account, region, rule.alarms)
        missing = [name for name in rule.alarms if name not in children]
        if missing:
            logger.warning("The rule of %s names %s, which is not there", alarm["AlarmName"], missing[0])
            return False
        involved = [child for child in changed if child in children.values()] if changed else list(children.values())
        if changed and not involved:
            return False
        state = "ALARM" if rule.holds({name: child["StateValue"] for name, child in children.items()}) else "OK"
        if state == alarm["StateValue"]:
            return False
        plain = [with_plain_times(child) for child in involved]
        reason = "; ".join(
            f"{child['AlarmArn']} transitioned to {child['StateValue']} at "
            f"{datetime.fromtimestamp(child['StateTransitionedTimestamp'], UTC):%A %d %B, %Y %H:%M:%S UTC}"
            for child in plain
        )
        triggering = [alarm_notifications.triggering_alarm(child) for child in plain]
        self.change(account, region, alarm, state, reason, {"triggeringAlarms": triggering}, depth)
        return True

    def _named(self, account: str, region: str, names: Iterable[str]) -> dict[str, Alarm]:
        """Return the alarms that a rule refers to, by the name or ARN in the rule."""
        stored = self.stored(account, region)
        by_arn = {alarm["AlarmArn"]: alarm for alarm in stored.values()}
        return {name: alarm for name in names if (alarm := stored.get(name) or by_arn.get(name))}

    def _note_change(
        self,
        account: str,
        region: str,
        alarm: Alarm,
        old: Mapping[str, Any],
        reason_data: Mapping[str, Any] | None,
    ) -> None:
        before = {"stateValue": old["StateValue"], "stateReason": old["StateReason"]}
        if old["StateReasonData"]:
            before["stateReasonData"] = json.loads(old["StateReasonData"])
        after = {"stateValue": alarm["StateValue"], "stateReason": alarm["StateReason"]}
        if reason_data is not None:
            after["stateReasonData"] = reason_data
        kind = alarm_history.alarm_type(alarm)
        time_s = alarm["StateUpdatedTimestamp"].timestamp()
        self.note(
            account, region, alarm_history.state_update(alarm["AlarmName"], kind, time_s=time_s, old=before, new=after)
        )

    def _act(
        self, account: str, region: str, alarm: Alarm, old: Mapping[str, Any], triggering: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take the actions of an alarm's new state; one that fails does not keep the others from being taken."""
        if not alarm.get("ActionsEnabled", True):
            return
        for resource in alarm.get(ACTIONS[alarm["StateValue"]]) or ():
            try:
                refused = self._take(resource, account, region, alarm, old, triggering)
            except Exception as error:  # noqa: BLE001 - whatever a topic or function answers is written down
                refused = f"Received error: {error}"
            if refused:
                logger.warning("The alarm %s could not take its action %s: %s", alarm["AlarmName"], resource, refused)
            item = alarm_history.action(
                alarm["AlarmName"], alarm_history.alarm_type(alarm), time_s=self._clock(), resource=resource, refused=refused
            )  # fmt: skip
            self.note(account, region, item)

    @staticmethod
    def _take(
        resource: str,
        account: str,
        region: str,
        alarm: Alarm,
        old: Mapping[str, Any],
        triggering: Sequence[Mapping[str, Any]],
    ) -> str:
        """Publish to a topic or invoke a function; return why not for any other kind of action, else ""."""
        target = parse_arn(resource)
        client = connect_to(region_name=target["region"], aws_access_key_id=target["account"])
        plain, before = with_plain_times(alarm), with_plain_times(old)
        new = alarm["StateValue"]
        if target["service"] == "sns":
            message = alarm_notifications.notification(
                plain, old["StateValue"], new, alarm["StateReason"], account=account, region=region, triggering=triggering
            )  # fmt: skip
            client.sns.request_metadata(source_arn=alarm["AlarmArn"], service_principal="cloudwatch").publish(
                TopicArn=resource,
                Subject=alarm_notifications.subject(plain, new, region),
                Message=message,
                MessageStructure="json",
            )
            return ""
        if target["service"] == "lambda":
            event = alarm_notifications.lambda_event(
                plain, before, account=account, region=region, configuration_id=str(uuid.uuid4())
            )
            client.lambda_.request_metadata(
                source_arn=alarm["AlarmArn"], service_principal="lambda.alarms.cloudwatch.amazonaws.com"
            ).invoke(FunctionName=resource, InvocationType="Event", Payload=json.dumps(event))
            return ""
        return f"The local cloud takes no actions of {target['service']}: topics and functions only."


def with_plain_times(alarm: Mapping[str, Any]) -> Alarm:
    """Return an alarm, or its former state, with Unix times, as `local.cloudwatch` takes it."""
    return {**alarm} | {name: alarm[name].timestamp() for name in TIMES if alarm.get(name)}
