"""The review in one sentence, for the standup."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from couch_explorers import formatting
from couch_explorers.checks import Sentence, Verdict
from couch_explorers.metrics import model, series, statistics
from couch_explorers.metrics.checks import service
from couch_explorers.metrics.checks.service import ESSENTIAL
from couch_explorers.metrics.findings import USD, Finding, format_amount
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.review import CHECKS, findings_of
from couch_explorers.metrics.review_data import IDLE, ReviewData
from couch_explorers.metrics.thresholds import RECENT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from couch_explorers.metrics.model import Alarm, Context, Deploy, SeriesKey

# Warnings that an incident explains: they are not listed beside it, unless they also occurred outside of it.
EXPLAINED_BY_INCIDENT = frozenset({
    "alarms", "late or missing pictures", "API late or missing", "oldest job waiting", "dead-letter queue", "failed jobs", "postponed jobs", "worker errors", "worker duration",
    "worker throttles", "API errors (5xx)", "API function errors", "API function duration", "API function throttles",
    "API latency",
})  # fmt: skip
MAX_NAMED = 3
# From this share of a window on, the rest is negligible.
NEARLY_ALL = 0.98


class SummaryInput(NamedTuple):
    """The data of the sentence."""

    context: Context
    data: ReviewData
    rows: list[Finding]
    today: date

    def with_verdict(self, verdict: Verdict) -> list[Finding]:
        """Return the findings with a verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    def unknown(self) -> list[Finding]:
        """Return the essential findings that are unknown; idle ones are known."""
        return [row for row in self.with_verdict(Verdict.NO_DATA) if row.check in ESSENTIAL and _is_gap(row)]


def conclude(frame: pd.DataFrame, verdicts: pd.DataFrame, today: date | None = None) -> Sentence:
    """Summarize the verdicts of `metrics.review` in one sentence (Markdown).

    `today` is the day that "yesterday" refers to; by default the day of the fetch in the review's time zone.
    """
    data = ReviewData.of(frame)
    context = data.context
    found = findings_of(data)
    rows = [found[check] for check in verdicts["check"]]
    day = today.date() if isinstance(today, datetime) else today or context.fetched.astimezone(context.zone).date()
    review = SummaryInput(context, data, rows, day)
    unknown = review.unknown()
    if len(unknown) == len(ESSENTIAL):
        return Sentence(f"**Not known{_as_of(review)}:** {_why_unknown(unknown)}")
    unexplained = _unexplained_warnings(review)
    summary = (
        f"**{_head(review, unexplained)}{_as_of(review)}:** {'; '.join(filter(None, _clauses(review, unexplained)))}."
    )
    return Sentence(" ".join(filter(None, (summary, _why_unknown(unknown)))))


def _head(review: SummaryInput, unexplained: Sequence[Finding]) -> str:
    if review.with_verdict(Verdict.BAD):
        return "Needs attention now"
    if review.unknown():
        return "Only partly known"
    return "Healthy, but worth a look" if unexplained else "Healthy"


def _unexplained_warnings(review: SummaryInput) -> list[Finding]:
    """Return the warnings that no past incident explains, judged again without the incidents' data."""
    warnings = review.with_verdict(Verdict.WARN)
    if not warnings or not past_incidents(review.context):
        return warnings
    rest = ReviewData(without_incidents(review.data.frame))
    outside = (CHECKS[row.check](rest) if row.check in EXPLAINED_BY_INCIDENT else row for row in warnings)
    return [row for row in outside if row.verdict in (Verdict.WARN, Verdict.BAD)]


def _clauses(review: SummaryInput, unexplained: Sequence[Finding]) -> Iterator[str]:
    bad = review.with_verdict(Verdict.BAD)
    unknown_checks = [row.check for row in review.with_verdict(Verdict.NO_DATA) if _is_gap(row)]
    # The main point first: problems, or what is unknown.
    is_about_gaps = not bad and bool(review.unknown())
    if bad:
        yield _named(bad)
    if is_about_gaps:
        yield f"{formatting.join(unknown_checks)} {'is' if len(unknown_checks) == 1 else 'are'} not known"
    yield _volume(review)
    if not bad and not past_incidents(review.context):
        yield _oldest(review)
    yield from _incidents(review)
    if not bad and unexplained:
        yield f"look at {_named(unexplained)}"
    if deploys := [deploy for deploy in review.context.deploys if _is_inside(deploy, review.context)]:
        yield _deploys(deploys, review.context)
    if unknown_checks and not is_about_gaps:
        yield f"not known: {formatting.join(unknown_checks)}"
    if synthetic := _synthetic(review.context):
        yield synthetic


def _is_gap(row: Finding) -> bool:
    """Check whether missing data is worth mentioning: not if idle or with too few samples; `data` repeats other checks."""
    reason = row.reason
    return row.check != service.DATA_CHECK and not reason.startswith(IDLE) and not reason.startswith("No p95")


def _named(rows: Sequence[Finding]) -> str:
    # Alarms in ALARM repeat the other findings; alarms that are disabled or missing must be mentioned.
    named = [row for row in rows if row.check != service.ALARMS_CHECK or not row.value] or rows
    shown = [_measured(row) for row in named[:MAX_NAMED]]
    more = len(named) - MAX_NAMED
    return formatting.join([*shown, *([f"{more} more"] if more > 0 else [])])


def _measured(row: Finding) -> str:
    """Return a check with its value: "oldest job waiting 640 s (threshold 300 s)"; alarms not in ALARM with what is wrong."""
    if row.check == service.ALARMS_CHECK and not row.value:
        reason = row.reason.rstrip(".").replace(". ", "; ")
        return f"{row.check} ({reason[:1].lower()}{reason[1:]})"
    return _plain(row.headline)


def _volume(review: SummaryInput) -> str:
    """Summarize the work done: pictures, jobs, API calls, cost; unknown numbers are left out."""
    made = [review.data.total(series.pictures(resource)) for resource in (WORKER, API_FUNCTION)]
    asked = {
        "job": review.data.total(series.SENT),
        "API call": review.data.total(series.API_COUNT),
    }
    counted = {one: number for one, number in asked.items() if not math.isnan(number)}
    pictures = sum(number for number in made if not math.isnan(number))
    hours = review.context.window().length / timedelta(hours=1)
    within = f"in {formatting.count(round(hours, 1), 'hour')}"
    if not pictures and not any(counted.values()):
        return f"not used {within}" if len(counted) == len(asked) else ""
    usd = _plain(format_amount(review.data.cost().total, USD))
    paid = f", {'which on AWS costs' if review.context.target == 'local' else 'for'} {usd}" if usd else ""
    origin = formatting.join(formatting.count(number, one) for one, number in counted.items())
    return f"{formatting.count(pictures, 'picture')} {within}{f', from {origin}' if origin else ''}{paid}"


def _oldest(review: SummaryInput) -> str:
    """Describe how long the oldest job waited."""
    peak = review.data.level(series.AGE).peak
    return f"no job waited longer than {formatting.seconds(peak.value)}" if peak and peak.value > 0 else ""


def _incidents(review: SummaryInput) -> Iterator[str]:
    found = past_incidents(review.context)
    if not found:
        return
    last = found[-1]
    day = last.start.astimezone(review.context.zone).date()
    whose = {0: "today's", 1: "yesterday's"}.get((review.today - day).days, "the")
    description = (
        f"{whose} incident {review.context.format_interval(last.start, last.end)} ({last.describe(review.data.frame)})"
    )
    yield (
        f"{description} is over"
        if len(found) == 1
        else f"{len(found)} incidents are over, the last {description.removeprefix('the ')}"
    )


def _is_inside(deploy: Deploy, context: Context) -> bool:
    window = context.window()
    return window.start <= deploy.time < window.end


def _deploys(deploys: Sequence[Deploy], context: Context) -> str:
    last = deploys[-1]
    name = " ".join(filter(None, ("synthetic" if last.synthetic else "", "deploy", last.commit)))
    more = f", and {formatting.count(len(deploys) - 1, 'more', 'more')} before" if len(deploys) > 1 else ""
    return f"{name} at {context.format_time(last.time)}{more}"


def _synthetic(context: Context) -> str:
    """List the intervals with synthetic numbers."""
    window = context.window()
    inside = [(max(begin, window.start), min(end, window.end)) for begin, end in context.synthetic]
    inside = [(begin, end) for begin, end in inside if begin < end]
    if not inside:
        return "the hours compared with are synthetic" if _is_compared(context) else ""
    written = sum((end - begin for begin, end in inside), timedelta()) / window.length
    if written >= NEARLY_ALL:
        return f"{'all' if written == 1 else 'nearly all'} of it is synthetic, written by `couch seed-metrics`"
    return f"synthetic, written by `couch seed-metrics`: {formatting.join(context.format_interval(*stretch) for stretch in inside)}"


def _is_compared(context: Context) -> bool:
    compared = next((window for window in context.windows if window.name == context.compare), None)
    return compared is not None and any(
        begin < compared.end and end > compared.start for begin, end in context.synthetic
    )


def _why_unknown(rows: Sequence[Finding]) -> str:
    """Return why data is unknown, and what to do, each sentence once."""
    return " ".join(
        dict.fromkeys(
            text for texts in ([row.reason for row in rows], [row.action for row in rows]) for text in texts if text
        )
    )


def _as_of(review: SummaryInput) -> str:
    """Return the time of the window's end, unless it is now."""
    end = review.context.window().end
    if review.context.fetched - end <= timedelta(seconds=RECENT_S):
        return ""
    local = end.astimezone(review.context.zone)
    return f" as of {formatting.date(local)} {formatting.clock(local)}"


def _plain(text: str) -> str:
    """Escape dollar signs, which begin a formula in Markdown."""
    return text.replace("$", "\\$")


# Alarms of one incident start and end some minutes apart; one that starts this much later is another incident.
SAME_INCIDENT = timedelta(minutes=30)
# The cause of an alarm was measured before it: worker-errors looks back furthest, over the timeout and two minutes.
BEFORE_ALARM = timedelta(minutes=15)

# By alarm: its series, its aggregation, and the description of the result.
DESCRIPTIONS: dict[str, tuple[SeriesKey, str, Callable[[float], str]]] = {
    "oldest-message-age": (series.AGE, "max", lambda worst: f"a job waited {formatting.seconds(worst)}"),
    "time-to-picture": (
        series.time_to_picture(WORKER, "p95"),
        "max",
        lambda worst: f"p95 of the time to picture {formatting.seconds(worst / 1000)}",
    ),
    "failed-jobs": (series.FAILED_JOBS, "sum", lambda count: f"{formatting.count(count, 'job')} failed"),
    "dead-letters": (series.DEAD_LETTERS_VISIBLE, "max", lambda most: formatting.count(most, "dead-letter message")),
    "worker-errors": (series.errors(WORKER), "sum", lambda count: formatting.count(count, "worker error")),
}


@dataclass(frozen=True)
class Incident:
    """An interval in which alarms were in ALARM, and their short names."""

    start: datetime
    end: datetime
    alarms: tuple[str, ...]

    def describe(self, frame: pd.DataFrame) -> str:
        """Describe the causes of its alarms: "a job waited 2,220 s, 9 jobs failed and 9 dead-letter messages"."""
        return formatting.join(self._describe_alarm(frame, name) for name in sorted(self.alarms, key=_rank))

    def _describe_alarm(self, frame: pd.DataFrame, name: str) -> str:
        if name not in DESCRIPTIONS:
            return name
        key, how, describe = DESCRIPTIONS[name]
        values = model.points(frame, key)
        inside = values[(values.index >= self.start - BEFORE_ALARM) & (values.index < self.end)]
        worst = float(inside.agg(how)) if len(inside) else 0.0
        # Without numbers, the alarm's name has to do.
        return describe(worst) if worst else name


def past_incidents(context: Context) -> tuple[Incident, ...]:
    """Combine the past intervals in ALARM into incidents, oldest first."""
    intervals = sorted(
        (start, end, alarm.short_name)
        for alarm in context.alarms
        for start, end in alarm.alarm_intervals
        if (start, end) not in _open_intervals(alarm, context)
    )
    incidents: list[Incident] = []
    for start, end, name in intervals:
        last = incidents[-1] if incidents else None
        if last is not None and start - last.end <= SAME_INCIDENT:
            incidents[-1] = Incident(last.start, max(last.end, end), tuple(dict.fromkeys((*last.alarms, name))))
        else:
            incidents.append(Incident(start, end, (name,)))
    return tuple(incidents)


def without_incidents(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the past incidents: without their points and their intervals in ALARM.

    A point is removed if its period overlaps an incident: an hourly percentile that includes an incident proves nothing.
    """
    context = model.context_of(frame)
    removed = np.zeros(len(frame), dtype=bool)
    is_percentile = frame["statistic"].map(lambda statistic: statistic.startswith("p")).to_numpy(dtype=bool)
    periods = pd.to_timedelta(np.where(is_percentile, context.percentile_period_s, context.period_s), unit="s")
    for incident in past_incidents(context):
        start = incident.start - BEFORE_ALARM
        removed |= (frame.index < incident.end) & (frame.index + periods > start)
    rest = frame[~(removed & (frame["window"] == "now").to_numpy())]
    alarms = tuple(replace(alarm, alarm_intervals=_open_intervals(alarm, context)) for alarm in context.alarms)
    rest.context = replace(context, alarms=alarms)
    return rest


def _open_intervals(alarm: Alarm, context: Context) -> tuple[tuple[datetime, datetime], ...]:
    """Return the open interval of an alarm; empty if it is not in ALARM."""
    interval = statistics.open_interval(context, alarm)
    return (interval,) if interval else ()


def _rank(name: str) -> int:
    return list(DESCRIPTIONS).index(name) if name in DESCRIPTIONS else len(DESCRIPTIONS)
