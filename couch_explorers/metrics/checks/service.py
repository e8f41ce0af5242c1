"""The checks of the service as a whole: its alarms, the window's cost, and whether its data is complete."""

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
    """Judge the alarms: BAD while one is in ALARM, WARN if one was, is missing, disabled or lacks data."""
    review_context = data.context
    if not review_context.alarms:
        return _no_alarms(data)
    activity = {alarm.short_name: found for alarm in review_context.alarms if (found := data.alarm(alarm.short_name))}
    in_alarm = [name for name, found in activity.items() if found.is_in_alarm]
    past = sorted(
        (alarm for alarm in review_context.alarms if alarm.short_name not in in_alarm and alarm.alarm_intervals),
        key=lambda alarm: alarm.alarm_intervals[0],
    )
    disabled = [alarm.short_name for alarm in review_context.alarms if not alarm.actions_enabled]
    without_data = [alarm.short_name for alarm in review_context.alarms if _lacks_data(alarm, review_context)]
    missing = [name for name in ALARM_NAMES if review_context.alarm(name) is None]
    now = "; ".join(f"{name}{activity[name].since}" for name in in_alarm)
    was = "; ".join(f"{alarm.short_name} {activity[alarm.short_name].past_intervals}" for alarm in past)
    clauses = [f"in ALARM: {now}" if now else "", f"was in ALARM: {was}" if was else ""]
    clauses += [f"{problem}: {formatting.join(names)}" for names, problem in (
        (disabled, "actions disabled"), (without_data, "without data to judge by"), (missing, "not deployed"),
    ) if names]  # fmt: skip
    where = f": {data.command('emails')}" if review_context.target == "local" else ""
    follow = f"Follow the runbook in the alarm's e-mail{where}."
    fix = f"Deploy the alarms again: {data.deploy(QUEUE)}"
    if not any(clauses) and (error_note := review_context.error_notes.get(context.DESCRIBE_ALARM_HISTORY)):
        reason = f"{DENIED}: none of {len(review_context.alarms)} is in ALARM, but whether one was is not known."
        return Finding(ALARMS_CHECK, Verdict.NO_DATA, reason, 0.0, "alarms", 0.0, action=error_note)
    return Finding(
        ALARMS_CHECK,
        verdict(bad=bool(in_alarm), warn=bool(past or disabled or without_data or missing)),
        formatting.sentences(*clauses) if any(clauses) else formatting.sentences(f"none of {len(review_context.alarms)} is in ALARM, and none was"),
        float(len(in_alarm)), "alarms", 0.0,
        action=follow if in_alarm else fix if disabled or missing else "",
    )  # fmt: skip


def _lacks_data(alarm: Alarm, review_context: Context) -> bool:
    """Check whether an alarm has insufficient data for longer than a new one needs."""
    is_old = alarm.since is None or review_context.fetched - alarm.since > timedelta(seconds=NEW_ALARM_S)
    return alarm.state == INSUFFICIENT_DATA and is_old


def _no_alarms(data: ReviewData) -> Finding:
    """Return the finding without alarms: they are denied, the queue is missing, or nobody would be notified."""
    if error_note := data.context.error_notes.get(context.DESCRIBE_ALARMS):
        return Finding(
            ALARMS_CHECK, Verdict.NO_DATA, f"{DENIED}: how the alarms stand is not known.", action=error_note
        )
    states = {state for (window, key), state in data.context.states.items() if window == "now" and key[0] == QUEUE}
    if states <= {SeriesState.MISSING}:
        return Finding(
            ALARMS_CHECK,
            Verdict.NO_DATA,
            f"{MISSING}: the queue and its alarms are not deployed.",
            action=data.deploy(QUEUE),
        )
    reason = "There is no alarm, so nobody would be notified."
    return Finding(
        ALARMS_CHECK, Verdict.WARN, reason, 0.0, "alarms", 0.0, action=f"Deploy the alarms: {data.deploy(QUEUE)}"
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
    """Judge the cost of the window at list prices: WARN if it is more than twice that of the previous window."""
    spent = data.cost()
    if all(state is SeriesState.MISSING for _, state in _now(data)):
        return Finding(COST_CHECK, Verdict.NO_DATA, f"{MISSING}: nothing is deployed.")
    if math.isnan(spent.pictures):
        reason = f"{DENIED}: the pictures, which cost most, are not known."
        return Finding(COST_CHECK, Verdict.NO_DATA, reason, action=f"Allow {cloudwatch.GET_METRIC_DATA}.")
    is_whole = data.is_whole_before(*cost.cost_series(data.context))
    before = cost.cost_of_window(data.frame, str(data.compared)).total if is_whole else math.nan
    on_aws = "on AWS it would be " if data.context.target == "local" else ""
    # After an idle day, any day costs many times as much.
    line = COST.warn * before if before > MIN_COST_USD else math.nan
    row = Finding(
        COST_CHECK,
        verdict(bad=False, warn=spent.total > line),
        formatting.sentences(f"{on_aws}{format_amount(spent.total, USD)} at list prices of {cost.PRICES_AS_OF}: {_parts(spent)}", *_gaps(spent)),
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
    """Judge the data itself: NO DATA if some series are denied or missing, WARN if some are partial.

    BAD if the service cannot be judged at all: a review without permissions must not pass in CI.
    """
    states = _now(data)
    denied, missing, partial = (
        [key for key, state in states if state is which]
        for which in (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL)
    )
    review_context = data.context
    denied_actions = sorted(review_context.error_notes)
    clauses = [
        f"{DENIED}: {formatting.count(len(denied), 'series', 'series')}" if denied else "",
        f"{MISSING}: {formatting.join(sorted({PARTS[key[0]] for key in missing}))}" if missing else "",
        f"{PARTIAL}: {formatting.count(len(partial), 'series', 'series')}" if partial else "",
        f"not answered: {formatting.join(denied_actions)}" if denied_actions else "",
    ]
    incomplete = len(denied) + len(missing) + len(partial)
    is_blind = all(data.no_data_row(check, *keys) for check, keys in ESSENTIAL.items())
    if is_blind:
        clauses.append("nothing is left that shows whether the service works")
    complete = f"all {len(states)} series were answered" + _quiet(data)
    return Finding(
        DATA_CHECK,
        Verdict.BAD if is_blind else Verdict.WARN if partial else Verdict.NO_DATA if incomplete or denied_actions else Verdict.OK,
        formatting.sentences(*clauses) if any(clauses) else formatting.sentences(complete, *review_context.notes),
        float(incomplete), "series", 0.0,
        action=" ".join(dict.fromkeys(review_context.notes)) or (RUN_AGAIN if partial else ""),
    )  # fmt: skip


def _quiet(data: ReviewData) -> str:
    """Return a note if nothing at all was measured: an idle system, or one that was not running."""
    if len(data.frame[data.frame["window"] == "now"]):
        return ""
    not_running = ", or the local cloud did not run" if data.context.target == "local" else ""
    return f"; nothing was measured: all was idle{not_running}"
