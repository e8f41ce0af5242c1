"""The check of the alarms themselves: which ring, which rang, and whether all are there and tell somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from couch_explorers.checks import Verdict
from couch_explorers.metrics import surroundings_alarms, words
from couch_explorers.metrics.facts import QUEUE, SeriesState
from couch_explorers.metrics.reading import DENIED, MISSING
from couch_explorers.metrics.review_rows import Row, text, verdict
from couch_explorers.metrics.thresholds import NEW_ALARM_S, RECENT_S
from couch_explorers.smoke.alarms import ALARM_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from couch_explorers.metrics.facts import Alarm, Facts
    from couch_explorers.metrics.reading import Reading

CHECK = "alarms"
RINGING, BLIND = "ALARM", "INSUFFICIENT_DATA"
# More stretches than these are counted, not listed.
MOST_LISTED = 3


def alarms(reading: Reading) -> Row:
    """Judge the alarms: BAD while one rings, WARN where one rang, is missing, switched off or cannot judge."""
    facts = reading.facts
    if not facts.alarms:
        return _none(reading)
    ring = [alarm for alarm in facts.alarms if rings(alarm, facts)]
    rang = sorted((each for each in facts.alarms if each not in ring and each.rang), key=lambda alarm: alarm.rang[0])
    deaf = [alarm.short_name for alarm in facts.alarms if not alarm.actions_enabled]
    blind = [alarm.short_name for alarm in facts.alarms if _is_blind(alarm, facts)]
    missing = [name for name in ALARM_NAMES if facts.alarm(name) is None]
    said = [f"ringing: {'; '.join(f'{alarm.short_name}{_since(alarm, facts)}' for alarm in ring)}" if ring else ""]
    said += [
        f"rang: {'; '.join(f'{alarm.short_name} {_stretches(alarm.rang, facts)}' for alarm in rang)}" if rang else ""
    ]
    said += [f"{said_of}: {words.join(names)}" for names, said_of in (
        (deaf, "switched off, so that nobody is told"), (blind, "without data to judge by"), (missing, "not deployed"),
    ) if names]  # fmt: skip
    where = f": {reading.command('inbox')}" if facts.target == "local" else ""
    follow = f"Follow the runbook in the alarm's e-mail{where}."
    mend = f"Deploy the alarms again: {reading.deploy(QUEUE)}"
    if not any(said) and (why := facts.unanswered.get(surroundings_alarms.HISTORY_ACTION)):
        reason = f"{DENIED}: none of {len(facts.alarms)} rings, but whether one rang is not known."
        return Row(CHECK, Verdict.NO_DATA, reason, 0.0, "alarms", 0.0, action=why)
    return Row(
        CHECK,
        verdict(bad=bool(ring), warn=bool(rang or deaf or blind or missing)),
        text(*said) if any(said) else text(f"none of {len(facts.alarms)} rings, and none rang"),
        float(len(ring)), "alarms", 0.0,
        action=follow if ring else mend if deaf or missing else "",
    )  # fmt: skip


def rings(alarm: Alarm, facts: Facts) -> bool:
    """Whether an alarm rings: now, or at the end of a window that lies further back."""
    end = facts.window().end
    if facts.fetched - end <= timedelta(seconds=RECENT_S):
        return alarm.state == RINGING
    return any(until >= end for _, until in alarm.rang)


def _is_blind(alarm: Alarm, facts: Facts) -> bool:
    """Whether an alarm has no data to judge by for longer than a new one takes."""
    is_old = alarm.since is None or facts.fetched - alarm.since > timedelta(seconds=NEW_ALARM_S)
    return alarm.state == BLIND and is_old


def _since(alarm: Alarm, facts: Facts) -> str:
    since = alarm.rang[-1][0] if alarm.rang else alarm.since
    return f" since {words.when(since, facts)}" if since else ""


def _stretches(rang: Sequence[tuple[datetime, datetime]], facts: Facts) -> str:
    if len(rang) > MOST_LISTED:
        return f"{words.count(len(rang), 'time')}, last {words.span(*rang[-1], facts)}"
    return words.join(words.span(*stretch, facts) for stretch in rang)


def _none(reading: Reading) -> Row:
    """The row where no alarm is known: they could not be asked for, the queue is not there, or nobody would be told."""
    if why := reading.facts.unanswered.get(surroundings_alarms.ACTION):
        return Row(CHECK, Verdict.NO_DATA, f"{DENIED}: how the alarms stand is not known.", action=why)
    states = {state for (window, key), state in reading.facts.states.items() if window == "now" and key[0] == QUEUE}
    if states <= {SeriesState.MISSING}:
        return Row(
            CHECK,
            Verdict.NO_DATA,
            f"{MISSING}: the queue and its alarms are not deployed.",
            action=reading.deploy(QUEUE),
        )
    said = "There is no alarm: nobody would be told."
    return Row(CHECK, Verdict.WARN, said, 0.0, "alarms", 0.0, action=f"Deploy the alarms: {reading.deploy(QUEUE)}")
