"""The smoke test's last part: the alarms exist, are enabled, and have subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.aws import alarms
from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.smoke.parts import Part
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.workspace import Workspace

ALARM_NAMES = ("oldest-message-age", "time-to-picture", "dead-letters", "worker-errors", "failed-jobs")


def check(workspace: Workspace, clients: Callable[..., Any]) -> Part:
    """Check that every alarm exists and has an action, and that its topic has a confirmed subscription."""
    if workspace.queue_url is None:
        return Part((Check("alarms", Verdict.SKIPPED, 0.0, f"{not_deployed('queue', workspace.target)}."),))
    return Part(
        (
            ask("alarms exist and act", lambda: _exist(workspace, clients)),
            ask("alarms reach a subscriber", lambda: _reach(workspace, clients)),
        )
    )


def _exist(workspace: Workspace, clients: Callable[..., Any]) -> tuple[Verdict, str]:
    stem = f"couch-explorers-{workspace.candidate}-"
    expected = sorted({*workspace.alarms, *(stem + name for name in ALARM_NAMES)})
    response = clients("cloudwatch").describe_alarms(AlarmNames=expected)
    alarms = {alarm["AlarmName"]: alarm for alarm in response["MetricAlarms"]}
    if missing := [name for name in expected if name not in alarms]:
        return Verdict.BAD, f"Missing: {', '.join(missing)}. {not_deployed('queue', workspace.target)}."
    without_action = [
        name
        for name, alarm in alarms.items()
        if not alarm.get("ActionsEnabled", True) or workspace.topic_arn not in alarm.get("AlarmActions", ())
    ]
    if without_action:
        return Verdict.BAD, f"Wired to no topic, or switched off: {', '.join(without_action)}. Apply infra/ again."
    in_alarm = [name for name, alarm in alarms.items() if alarm.get("StateValue") == "ALARM"]
    if in_alarm:
        reasons = "; ".join(f"{name}: {alarms[name].get('StateReason') or 'no reason given'}" for name in in_alarm)
        return Verdict.WARN, f"In ALARM now: {reasons}"
    names = ", ".join(name.removeprefix(stem) for name in expected)
    return Verdict.OK, f"{len(expected)} alarms notify {str(workspace.topic_arn).rsplit(':', 1)[-1]}: {names}."


def _reach(workspace: Workspace, clients: Callable[..., Any]) -> tuple[Verdict, str]:
    if workspace.topic_arn is None:
        return Verdict.BAD, f"There is no topic for the alarms. {not_deployed('queue', workspace.target)}."
    found = alarms.subscriptions(clients("sns"), workspace.topic_arn)
    if not found.confirmed and not found.pending:
        return Verdict.BAD, "Nobody has subscribed to the alarms: set alarm_email in infra/ and apply."
    if found.pending:
        advice = (
            "Run: couch emails --confirm" if workspace.target == "local" else "Click the link in the e-mail from AWS."
        )
        return Verdict.WARN, f"Not confirmed yet: {', '.join(map(_masked, found.pending))}. {advice}"
    return Verdict.OK, f"{len(found.confirmed)} confirmed subscription{'s' if len(found.confirmed) > 1 else ''}."


def _masked(address: str) -> str:
    """Mask an e-mail address, but leave it recognizable: reports are shared."""
    name, at, domain = address.partition("@")
    return f"{name[:2]}…{at}{domain}" if at else address
