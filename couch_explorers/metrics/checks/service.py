"""The checks of the service as a whole: its alarms, what the window cost, and whether its numbers are all there."""

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
from couch_explorers.metrics.thresholds import COST, MIN_COST_USD, NEW_ALARM_S
from couch_explorers.smoke.alarms import ALARM_NAMES

if TYPE_CHECKING:
    from couch_explorers.metrics.cost import Cost
    from couch_explorers.metrics.model import Alarm, Context, SeriesKey
    from couch_explorers.metrics.review_data import ReviewData

ALARMS_CHECK = "alarms"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


def alarms(data: ReviewData) -> Finding:
    """Judge the alarms: BAD while one is in ALARM, WARN where one was, is missing, switched off or lacks data."""
    facts = data.context
    if not facts.alarms:
        return _none(data)
    activity = {alarm.short_name: found for alarm in facts.alarms if (found := data.alarm(alarm.short_name))}
    ring = [name for name, found in activity.items() if found.is_in_alarm]
    past = sorted(
        (alarm for alarm in facts.alarms if alarm.short_name not in ring and alarm.alarm_intervals),
        key=lambda alarm: alarm.alarm_intervals[0],
    )
    deaf = [alarm.short_name for alarm in facts.alarms if not alarm.actions_enabled]
    blind = [alarm.short_name for alarm in facts.alarms if _is_blind(alarm, facts)]
    missing = [name for name in ALARM_NAMES if facts.alarm(name) is None]
    now = "; ".join(f"{name}{activity[name].since}" for name in ring)
    was = "; ".join(f"{alarm.short_name} {activity[alarm.short_name].past_intervals}" for alarm in past)
    said = [f"in ALARM: {now}" if now else "", f"was in ALARM: {was}" if was else ""]
    said += [f"{said_of}: {formatting.join(names)}" for names, said_of in (
        (deaf, "actions disabled"), (blind, "without data to judge by"), (missing, "not deployed"),
    ) if names]  # fmt: skip
    where = f": {data.command('emails')}" if facts.target == "local" else ""
    follow = f"Follow the runbook in the alarm's e-mail{where}."
    fix = f"Deploy the alarms again: {data.deploy(QUEUE)}"
    if not any(said) and (why := facts.error_notes.get(context.DESCRIBE_ALARM_HISTORY)):
        reason = f"{DENIED}: none of {len(facts.alarms)} is in ALARM, but whether one was is not known."
        return Finding(ALARMS_CHECK, Verdict.NO_DATA, reason, 0.0, "alarms", 0.0, action=why)
    return Finding(
        ALARMS_CHECK,
        verdict(bad=bool(ring), warn=bool(past or deaf or blind or missing)),
        formatting.sentences(*said) if any(said) else formatting.sentences(f"none of {len(facts.alarms)} is in ALARM, and none was"),
        float(len(ring)), "alarms", 0.0,
        action=follow if ring else fix if deaf or missing else "",
    )  # fmt: skip


def _is_blind(alarm: Alarm, facts: Context) -> bool:
    """Whether an alarm has no data to judge by for longer than a new one takes."""
    is_old = alarm.since is None or facts.fetched - alarm.since > timedelta(seconds=NEW_ALARM_S)
    return alarm.state == INSUFFICIENT_DATA and is_old


def _none(data: ReviewData) -> Finding:
    """The row where no alarm is known: they could not be asked for, the queue is not there, or nobody would be notified."""
    if why := data.context.error_notes.get(context.DESCRIBE_ALARMS):
        return Finding(ALARMS_CHECK, Verdict.NO_DATA, f"{DENIED}: how the alarms stand is not known.", action=why)
    states = {state for (window, key), state in data.context.states.items() if window == "now" and key[0] == QUEUE}
    if states <= {SeriesState.MISSING}:
        return Finding(
            ALARMS_CHECK,
            Verdict.NO_DATA,
            f"{MISSING}: the queue and its alarms are not deployed.",
            action=data.deploy(QUEUE),
        )
    said = "There is no alarm, so nobody would be notified."
    return Finding(
        ALARMS_CHECK, Verdict.WARN, said, 0.0, "alarms", 0.0, action=f"Deploy the alarms: {data.deploy(QUEUE)}"
    )


COST_CHECK, DATA_CHECK = "cost of the window", "data"
# Without one of these, the service cannot be called healthy; without all of them, nothing can be said.
ESSENTIAL: dict[str, tuple[SeriesKey, ...]] = {
    queue.AGE_CHECK: (series.AGE,),
    queue.DEAD_LETTERS_CHECK: (series.DEAD_LETTERS_VISIBLE,),
    queue.BACKLOG_CHECK: (series.VISIBLE,),
    api.ERRORS_CHECK: (series.API_5XX, series.API_COUNT),
}


def window_cost(data: ReviewData) -> Finding:
    """Judge what the window cost, by list prices: WARN where it is twice that of the window before."""
    spent = data.cost()
    if all(state is SeriesState.MISSING for _, state in _now(data)):
        return Finding(COST_CHECK, Verdict.NO_DATA, f"{MISSING}: nothing is deployed.")
    if math.isnan(spent.pictures):
        reason = f"{DENIED}: the pictures, which cost most, are not known."
        return Finding(COST_CHECK, Verdict.NO_DATA, reason, action=f"Allow {cloudwatch.GET_METRIC_DATA}.")
    is_whole = data.is_whole_before(*cost.cost_series(data.context))
    before = cost.cost_of_window(data.frame, str(data.compared)).total if is_whole else math.nan
    whose = "on AWS it would be " if data.context.target == "local" else ""
    # After a day of rest any day costs many times as much: that is no news.
    line = COST.warn * before if before > MIN_COST_USD else math.nan
    row = Finding(
        COST_CHECK,
        verdict(bad=False, warn=spent.total > line),
        formatting.sentences(f"{whose}{format_amount(spent.total, USD)} at list prices of {cost.PRICES_AS_OF}: {_parts(spent)}", *_gaps(spent)),
        spent.total, USD, line, before,
        "See which model painted what: PicturesMade by model in CloudWatch, or metric_review.csv.",
    )  # fmt: skip
    return data.with_partial_data(row, *cost.cost_series(data.context))


def _now(data: ReviewData) -> list[tuple[tuple[str, str, str], SeriesState]]:
    return [(key, state) for (window, key), state in data.context.states.items() if window == "now"]


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


def data_quality(data: ReviewData) -> Finding:
    """Judge the numbers themselves: NO DATA where some are denied or missing, WARN where some came back cut short.

    BAD where nothing came back by which the service could be judged: a review that may not look must not pass in CI.
    """
    states = _now(data)
    denied, missing, partial = (
        [key for key, state in states if state is which]
        for which in (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL)
    )
    facts = data.context
    refused = sorted(facts.error_notes)
    said = [
        f"{DENIED}: {formatting.count(len(denied), 'series', 'series')}" if denied else "",
        f"{MISSING}: {formatting.join(sorted({PARTS[key[0]] for key in missing}))}" if missing else "",
        f"{PARTIAL}: {formatting.count(len(partial), 'series', 'series')}" if partial else "",
        f"not answered: {formatting.join(refused)}" if refused else "",
    ]
    lacking = len(denied) + len(missing) + len(partial)
    is_blind = all(data.no_data_row(check, *keys) for check, keys in ESSENTIAL.items())
    if is_blind:
        said.append("nothing is left that shows whether the service works")
    whole = f"all {len(states)} series were answered" + _quiet(data)
    return Finding(
        DATA_CHECK,
        Verdict.BAD if is_blind else Verdict.WARN if partial else Verdict.NO_DATA if lacking or refused else Verdict.OK,
        formatting.sentences(*said) if any(said) else formatting.sentences(whole, *facts.notes),
        float(lacking), "series", 0.0,
        action=" ".join(dict.fromkeys(facts.notes)) or (RUN_AGAIN if partial else ""),
    )  # fmt: skip


def _quiet(data: ReviewData) -> str:
    """Say where nothing at all was measured: an idle system, or one that did not run."""
    if len(data.frame[data.frame["window"] == "now"]):
        return ""
    away = ", or the local cloud did not run" if data.context.target == "local" else ""
    return f"; nothing was measured: all was idle{away}"
