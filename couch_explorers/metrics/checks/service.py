"""The check of the alarms themselves: which ring, which rang, and whether all are there and tell somebody."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import cloudwatch, context, cost, series
from couch_explorers.metrics.checks import api, queue
from couch_explorers.metrics.findings import RUN_AGAIN, USD, Finding, format_amount, verdict
from couch_explorers.metrics.model import PARTS, QUEUE, SeriesState
from couch_explorers.metrics.review_data import DENIED, MISSING, PARTIAL
from couch_explorers.metrics.thresholds import COST, MIN_COST_USD, NEW_ALARM_S, RECENT_S
from couch_explorers.smoke.alarms import ALARM_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from couch_explorers.metrics.cost import Cost
    from couch_explorers.metrics.model import Alarm, Context, SeriesKey
    from couch_explorers.metrics.review_data import ReviewData

ALARMS_CHECK = "alarms"
IN_ALARM, INSUFFICIENT_DATA = "ALARM", "INSUFFICIENT_DATA"
# More stretches than these are counted, not listed.
MOST_LISTED = 3


def alarms(reading: ReviewData) -> Finding:
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
    said += [f"{said_of}: {formatting.join(names)}" for names, said_of in (
        (deaf, "switched off, so that nobody is told"), (blind, "without data to judge by"), (missing, "not deployed"),
    ) if names]  # fmt: skip
    where = f": {reading.command('emails')}" if facts.target == "local" else ""
    follow = f"Follow the runbook in the alarm's e-mail{where}."
    mend = f"Deploy the alarms again: {reading.deploy(QUEUE)}"
    if not any(said) and (why := facts.unanswered.get(context.DESCRIBE_ALARM_HISTORY)):
        reason = f"{DENIED}: none of {len(facts.alarms)} rings, but whether one rang is not known."
        return Finding(ALARMS_CHECK, Verdict.NO_DATA, reason, 0.0, "alarms", 0.0, action=why)
    return Finding(
        ALARMS_CHECK,
        verdict(bad=bool(ring), warn=bool(rang or deaf or blind or missing)),
        formatting.sentences(*said) if any(said) else formatting.sentences(f"none of {len(facts.alarms)} rings, and none rang"),
        float(len(ring)), "alarms", 0.0,
        action=follow if ring else mend if deaf or missing else "",
    )  # fmt: skip


def rings(alarm: Alarm, facts: Context) -> bool:
    """Whether an alarm rings: now, or at the end of a window that lies further back."""
    end = facts.window().end
    if facts.fetched - end <= timedelta(seconds=RECENT_S):
        return alarm.state == IN_ALARM
    return any(until >= end for _, until in alarm.rang)


def _is_blind(alarm: Alarm, facts: Context) -> bool:
    """Whether an alarm has no data to judge by for longer than a new one takes."""
    is_old = alarm.since is None or facts.fetched - alarm.since > timedelta(seconds=NEW_ALARM_S)
    return alarm.state == INSUFFICIENT_DATA and is_old


def _since(alarm: Alarm, facts: Context) -> str:
    since = alarm.rang[-1][0] if alarm.rang else alarm.since
    return f" since {facts.format_time(since)}" if since else ""


def _stretches(rang: Sequence[tuple[datetime, datetime]], facts: Context) -> str:
    if len(rang) > MOST_LISTED:
        return f"{formatting.count(len(rang), 'time')}, last {facts.format_interval(*rang[-1])}"
    return formatting.join(facts.format_interval(*stretch) for stretch in rang)


def _none(reading: ReviewData) -> Finding:
    """The row where no alarm is known: they could not be asked for, the queue is not there, or nobody would be told."""
    if why := reading.facts.unanswered.get(context.DESCRIBE_ALARMS):
        return Finding(ALARMS_CHECK, Verdict.NO_DATA, f"{DENIED}: how the alarms stand is not known.", action=why)
    states = {state for (window, key), state in reading.facts.states.items() if window == "now" and key[0] == QUEUE}
    if states <= {SeriesState.MISSING}:
        return Finding(
            ALARMS_CHECK,
            Verdict.NO_DATA,
            f"{MISSING}: the queue and its alarms are not deployed.",
            action=reading.deploy(QUEUE),
        )
    said = "There is no alarm: nobody would be told."
    return Finding(
        ALARMS_CHECK, Verdict.WARN, said, 0.0, "alarms", 0.0, action=f"Deploy the alarms: {reading.deploy(QUEUE)}"
    )


COST_CHECK, DATA_CHECK = "cost of the window", "data"
# Whoever does not know one of these cannot say that the service is healthy; whoever knows none, nothing at all.
ESSENTIAL: dict[str, tuple[SeriesKey, ...]] = {
    queue.AGE_CHECK: (series.AGE,),
    queue.DEAD_LETTERS_CHECK: (series.DEAD_LETTERS_VISIBLE,),
    queue.BACKLOG_CHECK: (series.VISIBLE,),
    api.ERRORS_CHECK: (series.API_5XX, series.API_COUNT),
}


def window_cost(reading: ReviewData) -> Finding:
    """Judge what the window cost, by list prices: WARN where it is twice that of the window before."""
    spent = cost.cost_of_window(reading.frame)
    if all(state is SeriesState.MISSING for _, state in _now(reading)):
        return Finding(COST_CHECK, Verdict.NO_DATA, f"{MISSING}: nothing is deployed.")
    if math.isnan(spent.pictures):
        reason = f"{DENIED}: the pictures, which cost most, are not known."
        return Finding(COST_CHECK, Verdict.NO_DATA, reason, action=f"Allow {cloudwatch.GET_METRIC_DATA}.")
    is_whole = reading.is_whole_before(*cost.cost_series(reading.facts))
    before = cost.cost_of_window(reading.frame, str(reading.compared)).total if is_whole else math.nan
    whose = "on AWS it would be " if reading.facts.target == "local" else ""
    # After a day of rest any day costs many times as much: that is no news.
    line = COST.warn * before if before > MIN_COST_USD else math.nan
    row = Finding(
        COST_CHECK,
        verdict(bad=False, warn=spent.total > line),
        formatting.sentences(f"{whose}{format_amount(spent.total, USD)} at list prices of {cost.PRICES_AS_OF}: {_parts(spent)}", *_gaps(spent)),
        spent.total, USD, line, before,
        "See which model painted what: PicturesMade by model in CloudWatch, or metric_review.csv.",
    )  # fmt: skip
    return reading.believed(row, *cost.cost_series(reading.facts))


def _now(reading: ReviewData) -> list[tuple[tuple[str, str, str], SeriesState]]:
    return [(key, state) for (window, key), state in reading.facts.states.items() if window == "now"]


def _parts(spent: Cost) -> str:
    parts = {"pictures": spent.pictures, "Lambda": spent.functions, "queue": spent.queue, "API": spent.api}
    return ", ".join(f"{name} {format_amount(usd, USD)}" for name, usd in parts.items() if not math.isnan(usd))


def _gaps(spent: Cost) -> list[str]:
    gaps = []
    if spent.unknown:
        gaps.append(f"not known: {formatting.join(spent.unknown)}")
    if spent.unpriced:
        gaps.append(f"no price is known for {formatting.join(spent.unpriced)}")
    if spent.unnamed:
        gaps.append(
            f"{formatting.count(spent.unnamed, 'picture')} of a model not listed yet, priced as the default model's"
        )
    return gaps


def data(reading: ReviewData) -> Finding:
    """Judge the numbers themselves: NO DATA where some are denied or missing, WARN where some came back cut short.

    BAD where nothing came back by which the service could be judged: a review that may not look must not pass in CI.
    """
    states = _now(reading)
    denied, missing, partial = (
        [key for key, state in states if state is which]
        for which in (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL)
    )
    facts = reading.facts
    refused = sorted(facts.unanswered)
    said = [
        f"{DENIED}: {formatting.count(len(denied), 'series', 'series')}" if denied else "",
        f"{MISSING}: {formatting.join(sorted({PARTS[key[0]] for key in missing}))}" if missing else "",
        f"{PARTIAL}: {formatting.count(len(partial), 'series', 'series')}" if partial else "",
        f"not answered: {formatting.join(refused)}" if refused else "",
    ]
    lacking = len(denied) + len(missing) + len(partial)
    is_blind = all(reading.unanswered(check, *keys) for check, keys in ESSENTIAL.items())
    if is_blind:
        said.append("nothing is left by which to tell whether the service works")
    whole = f"all {len(states)} series were answered" + _quiet(reading)
    return Finding(
        DATA_CHECK,
        Verdict.BAD if is_blind else Verdict.WARN if partial else Verdict.NO_DATA if lacking or refused else Verdict.OK,
        formatting.sentences(*said) if any(said) else formatting.sentences(whole, *facts.notes),
        float(lacking), "series", 0.0,
        action=" ".join(dict.fromkeys(facts.notes)) or (RUN_AGAIN if partial else ""),
    )  # fmt: skip


def _quiet(reading: ReviewData) -> str:
    """Say where nothing at all was measured: an idle system, or one that did not run."""
    if len(reading.frame[reading.frame["window"] == "now"]):
        return ""
    away = ", or the local cloud did not run" if reading.facts.target == "local" else ""
    return f"; nothing was measured: all was idle{away}"
