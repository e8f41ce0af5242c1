"""The review in one sentence, to say in the standup."""

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

# What an incident brings with it need not be named again beside it, as far as nothing of it was outside of the incident.
OF_AN_INCIDENT = frozenset({
    "alarms", "late or missing pictures", "API late or missing", "oldest job waiting", "dead-letter queue", "failed jobs", "postponed jobs", "worker errors", "worker duration",
    "worker throttles", "API errors (5xx)", "API function errors", "API function duration", "API function throttles",
    "API latency",
})  # fmt: skip
MOST_NAMED = 3
# From this share of a window on the rest is not worth its hours.
NEARLY_ALL = 0.98


class SummaryInput(NamedTuple):
    """What the sentence is made of."""

    facts: Context
    data: ReviewData
    rows: list[Finding]
    today: date

    def having(self, verdict: Verdict) -> list[Finding]:
        """The rows with a verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    def unknown(self) -> list[Finding]:
        """The rows that nobody knows and that no verdict on the service can do without; rest is known."""
        return [row for row in self.having(Verdict.NO_DATA) if row.check in ESSENTIAL and _is_gap(row)]


def conclude(frame: pd.DataFrame, verdicts: pd.DataFrame, today: date | None = None) -> Sentence:
    """Say the verdicts of `metrics.review` in one sentence (Markdown).

    `today` is by whose day "yesterday" is told; the day of the fetch in the review's time zone unless given.
    """
    data = ReviewData.of(frame)
    facts = data.context
    found = findings_of(data)
    rows = [found[check] for check in verdicts["check"]]
    day = today.date() if isinstance(today, datetime) else today or facts.fetched.astimezone(facts.zone).date()
    said = SummaryInput(facts, data, rows, day)
    unknown = said.unknown()
    if len(unknown) == len(ESSENTIAL):
        return Sentence(f"**Not known{_as_of(said)}:** {_why_unknown(unknown)}")
    apart = _apart(said)
    told = f"**{_head(said, apart)}{_as_of(said)}:** {'; '.join(filter(None, _clauses(said, apart)))}."
    return Sentence(" ".join(filter(None, (told, _why_unknown(unknown)))))


def _head(said: SummaryInput, apart: Sequence[Finding]) -> str:
    if said.having(Verdict.BAD):
        return "Needs attention now"
    if said.unknown():
        return "Only partly known"
    return "Healthy, but worth a look" if apart else "Healthy"


def _apart(said: SummaryInput) -> list[Finding]:
    """The warnings that no past incident explains; of those that it may, what would stand without it."""
    warnings = said.having(Verdict.WARN)
    if not warnings or not past_incidents(said.facts):
        return warnings
    rest = ReviewData(without_incidents(said.data.frame))
    outside = (CHECKS[row.check](rest) if row.check in OF_AN_INCIDENT else row for row in warnings)
    return [row for row in outside if row.verdict in (Verdict.WARN, Verdict.BAD)]


def _clauses(said: SummaryInput, apart: Sequence[Finding]) -> Iterator[str]:
    bad = said.having(Verdict.BAD)
    lacking = [row.check for row in said.having(Verdict.NO_DATA) if _is_gap(row)]
    # First what the sentence is about: trouble, or what nobody knows.
    is_about_gaps = not bad and bool(said.unknown())
    if bad:
        yield _named(bad)
    if is_about_gaps:
        yield f"{formatting.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not known"
    yield _volume(said)
    if not bad and not past_incidents(said.facts):
        yield _oldest(said)
    yield from _incidents(said)
    if not bad and apart:
        yield f"look at {_named(apart)}"
    if deploys := [deploy for deploy in said.facts.deploys if _is_inside(deploy, said.facts)]:
        yield _deploys(deploys, said.facts)
    if lacking and not is_about_gaps:
        yield f"not known: {formatting.join(lacking)}"
    if synthetic := _synthetic(said.facts):
        yield synthetic


def _is_gap(row: Finding) -> bool:
    """Whether a row without data is worth a word: rest is no gap, too few samples are none, and `data` repeats others."""
    reason = row.reason
    return row.check != service.DATA_CHECK and not reason.startswith(IDLE) and not reason.startswith("No p95")


def _named(rows: Sequence[Finding]) -> str:
    # That alarms ring need not be said beside what they ring for; that they are off, or not there, must be.
    told = [row for row in rows if row.check != service.ALARMS_CHECK or not row.value] or rows
    shown = [_measured(row) for row in told[:MOST_NAMED]]
    more = len(told) - MOST_NAMED
    return formatting.join([*shown, *([f"{more} more"] if more > 0 else [])])


def _measured(row: Finding) -> str:
    """Name a check with its value: "oldest job waiting 640 s (threshold 300 s)"; alarms that are not in ALARM with what is wrong."""
    if row.check == service.ALARMS_CHECK and not row.value:
        reason = row.reason.rstrip(".").replace(". ", "; ")
        return f"{row.check} ({reason[:1].lower()}{reason[1:]})"
    return _plain(row.headline)


def _volume(said: SummaryInput) -> str:
    """Say what was done: pictures, jobs, API calls, cost; what is not known is left out."""
    made = [said.data.total(series.pictures(resource)) for resource in (WORKER, API_FUNCTION)]
    asked = {
        "job": said.data.total(series.SENT),
        "API call": said.data.total(series.API_COUNT),
    }
    counted = {one: number for one, number in asked.items() if not math.isnan(number)}
    pictures = sum(number for number in made if not math.isnan(number))
    hours = said.facts.window().length / timedelta(hours=1)
    within = f"in {formatting.count(round(hours, 1), 'hour')}"
    if not pictures and not any(counted.values()):
        return f"not used {within}" if len(counted) == len(asked) else ""
    usd = _plain(format_amount(said.data.cost().total, USD))
    paid = f", {'which on AWS costs' if said.facts.target == 'local' else 'for'} {usd}" if usd else ""
    origin = formatting.join(formatting.count(number, one) for one, number in counted.items())
    return f"{formatting.count(pictures, 'picture')} {within}{f', from {origin}' if origin else ''}{paid}"


def _oldest(said: SummaryInput) -> str:
    """Say how long the oldest job waited."""
    peak = said.data.level(series.AGE).peak
    return f"no job waited longer than {formatting.seconds(peak.value)}" if peak and peak.value > 0 else ""


def _incidents(said: SummaryInput) -> Iterator[str]:
    found = past_incidents(said.facts)
    if not found:
        return
    last = found[-1]
    day = last.start.astimezone(said.facts.zone).date()
    whose = {0: "today's", 1: "yesterday's"}.get((said.today - day).days, "the")
    told = f"{whose} incident {said.facts.format_interval(last.start, last.end)} ({last.told(said.data.frame)})"
    yield (
        f"{told} is over"
        if len(found) == 1
        else f"{len(found)} incidents are over, the last {told.removeprefix('the ')}"
    )


def _is_inside(deploy: Deploy, facts: Context) -> bool:
    window = facts.window()
    return window.start <= deploy.time < window.end


def _deploys(deploys: Sequence[Deploy], facts: Context) -> str:
    last = deploys[-1]
    name = " ".join(filter(None, ("synthetic" if last.synthetic else "", "deploy", last.commit)))
    more = f", and {formatting.count(len(deploys) - 1, 'more', 'more')} before" if len(deploys) > 1 else ""
    return f"{name} at {facts.format_time(last.time)}{more}"


def _synthetic(facts: Context) -> str:
    """Name the stretches whose numbers were written, not measured."""
    window = facts.window()
    inside = [(max(begin, window.start), min(end, window.end)) for begin, end in facts.synthetic]
    inside = [(begin, end) for begin, end in inside if begin < end]
    if not inside:
        return "the hours compared with are synthetic" if _is_compared(facts) else ""
    written = sum((end - begin for begin, end in inside), timedelta()) / window.length
    if written >= NEARLY_ALL:
        return f"{'all' if written == 1 else 'nearly all'} of it is synthetic, written by `couch seed-metrics`"
    return f"synthetic, written by `couch seed-metrics`: {formatting.join(facts.format_interval(*stretch) for stretch in inside)}"


def _is_compared(facts: Context) -> bool:
    compared = next((window for window in facts.windows if window.name == facts.compare), None)
    return compared is not None and any(begin < compared.end and end > compared.start for begin, end in facts.synthetic)


def _why_unknown(rows: Sequence[Finding]) -> str:
    """Say why nothing is known, and what to do, each once."""
    return " ".join(
        dict.fromkeys(
            text for texts in ([row.reason for row in rows], [row.action for row in rows]) for text in texts if text
        )
    )


def _as_of(said: SummaryInput) -> str:
    """Say when, where the window does not end now."""
    end = said.facts.window().end
    if said.facts.fetched - end <= timedelta(seconds=RECENT_S):
        return ""
    local = end.astimezone(said.facts.zone)
    return f" as of {formatting.date(local)} {formatting.clock(local)}"


def _plain(text: str) -> str:
    """Keep a dollar sign from beginning a formula in Markdown."""
    return text.replace("$", "\\$")


# Alarms of one trouble begin and end some minutes apart; what rings this much later is another one.
SAME_INCIDENT = timedelta(minutes=30)
# What an alarm rings for was measured before: worker-errors looks back furthest, over the time-out and two minutes.
BEFORE_THE_RING = timedelta(minutes=15)

# By alarm: what it watches, and the words for the highest or the sum of it.
TOLD: dict[str, tuple[SeriesKey, str, Callable[[float], str]]] = {
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
    """A stretch in which alarms rang, and their short names."""

    start: datetime
    end: datetime
    alarms: tuple[str, ...]

    def told(self, frame: pd.DataFrame) -> str:
        """Say what its alarms rang for: "a job waited 2,220 s, 9 jobs failed and 9 dead-letter messages"."""
        return formatting.join(self._told(frame, name) for name in sorted(self.alarms, key=_rank))

    def _told(self, frame: pd.DataFrame, name: str) -> str:
        if name not in TOLD:
            return name
        key, how, said = TOLD[name]
        values = model.points(frame, key)
        inside = values[(values.index >= self.start - BEFORE_THE_RING) & (values.index < self.end)]
        worst = float(inside.agg(how)) if len(inside) else 0.0
        # Nothing to tell where its numbers are not known: then its name has to do.
        return said(worst) if worst else name


def past_incidents(facts: Context) -> tuple[Incident, ...]:
    """Join the stretches in which alarms rang and ring no more into incidents, oldest first."""
    rang = sorted(
        (start, end, alarm.short_name)
        for alarm in facts.alarms
        for start, end in alarm.alarm_intervals
        if (start, end) not in _still(alarm, facts)
    )
    joined: list[Incident] = []
    for start, end, name in rang:
        last = joined[-1] if joined else None
        if last is not None and start - last.end <= SAME_INCIDENT:
            joined[-1] = Incident(last.start, max(last.end, end), tuple(dict.fromkeys((*last.alarms, name))))
        else:
            joined.append(Incident(start, end, (name,)))
    return tuple(joined)


def without_incidents(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame as if no past incident had been: without the points of their stretches, and without their rings.

    A point goes where its period touches such a stretch: an hour's percentile that an incident is part of proves nothing.
    """
    facts = model.context_of(frame)
    gone = np.zeros(len(frame), dtype=bool)
    is_percentile = frame["statistic"].map(lambda statistic: statistic.startswith("p")).to_numpy(dtype=bool)
    lasts = pd.to_timedelta(np.where(is_percentile, facts.percentile_period_s, facts.period_s), unit="s")
    for incident in past_incidents(facts):
        began = incident.start - BEFORE_THE_RING
        gone |= (frame.index < incident.end) & (frame.index + lasts > began)
    rest = frame[~(gone & (frame["window"] == "now").to_numpy())]
    quiet = tuple(replace(alarm, alarm_intervals=_still(alarm, facts)) for alarm in facts.alarms)
    rest.context = replace(facts, alarms=quiet)
    return rest


def _still(alarm: Alarm, facts: Context) -> tuple[tuple[datetime, datetime], ...]:
    """The stretch of an alarm that still rings; none where it is quiet."""
    still = statistics.open_interval(facts, alarm)
    return (still,) if still else ()


def _rank(name: str) -> int:
    return list(TOLD).index(name) if name in TOLD else len(TOLD)
