"""The review in one sentence, to say in the standup."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from couch_explorers.checks import Sentence, Verdict
from couch_explorers.metrics import derived, incidents, money, review_alarms, review_whole, series, words
from couch_explorers.metrics import facts as known
from couch_explorers.metrics.facts import API_FUNCTION, WORKER
from couch_explorers.metrics.reading import IDLE, Reading
from couch_explorers.metrics.review_rows import USD, amount
from couch_explorers.metrics.review_whole import ESSENTIAL
from couch_explorers.metrics.reviewing import CHECKS
from couch_explorers.metrics.thresholds import RECENT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from couch_explorers.metrics.facts import Deploy, Facts

# What an incident brings with it need not be named again beside it, as far as nothing of it was outside of the incident.
OF_AN_INCIDENT = frozenset({
    "alarms", "oldest job waiting", "dead letters", "failed jobs", "jobs put off", "worker errors", "worker duration",
    "worker throttles", "API errors (5xx)", "API function errors", "API function duration", "API function throttles",
    "API latency",
})  # fmt: skip
MOST_NAMED = 3
# From this share of a window on the rest is not worth its hours.
NEARLY_ALL = 0.98


class Said(NamedTuple):
    """What the sentence is made of."""

    facts: Facts
    frame: pd.DataFrame
    rows: list[dict[str, object]]
    today: date

    def having(self, verdict: Verdict) -> list[dict[str, object]]:
        """The rows with a verdict."""
        return [row for row in self.rows if row["verdict"] == verdict]

    def unknown(self) -> list[dict[str, object]]:
        """The rows that nobody knows and that no verdict on the service can do without; rest is known."""
        return [row for row in self.having(Verdict.NO_DATA) if row["check"] in ESSENTIAL and _is_gap(row)]


def conclude(frame: pd.DataFrame, verdicts: pd.DataFrame, today: date | None = None) -> Sentence:
    """Say the verdicts of `metrics.review` in one sentence (Markdown).

    `today` is by whose day "yesterday" is told; the day of the fetch in the review's time zone unless given.
    """
    facts = known.of(frame)
    day = today.date() if isinstance(today, datetime) else today or facts.fetched.astimezone(facts.zone).date()
    said = Said(facts, frame, verdicts.to_dict("records"), day)
    unknown = said.unknown()
    if len(unknown) == len(ESSENTIAL):
        return Sentence(f"**Not known{_as_of(said)}:** {_why_unknown(unknown)}")
    apart = _apart(said)
    told = f"**{_head(said, apart)}{_as_of(said)}:** {'; '.join(filter(None, _clauses(said, apart)))}."
    return Sentence(" ".join(filter(None, (told, _why_unknown(unknown)))))


def _head(said: Said, apart: Sequence[dict[str, object]]) -> str:
    if said.having(Verdict.BAD):
        return "Needs somebody now"
    if said.unknown():
        return "Only partly known"
    return "Healthy, but worth a look" if apart else "Healthy"


def _apart(said: Said) -> list[dict[str, object]]:
    """The warnings that no past incident explains; of those that it may, what would stand without it."""
    warnings = said.having(Verdict.WARN)
    if not warnings or not incidents.past(said.facts):
        return warnings
    rest = Reading(incidents.without(said.frame))
    outside = (CHECKS[str(row["check"])](rest).record() if row["check"] in OF_AN_INCIDENT else row for row in warnings)
    return [row for row in outside if row["verdict"] in (Verdict.WARN, Verdict.BAD)]


def _clauses(said: Said, apart: Sequence[dict[str, object]]) -> Iterator[str]:
    bad = said.having(Verdict.BAD)
    lacking = [str(row["check"]) for row in said.having(Verdict.NO_DATA) if _is_gap(row)]
    # First what the sentence is about: trouble, or what nobody knows.
    is_about_gaps = not bad and bool(said.unknown())
    if bad:
        yield _named(bad)
    if is_about_gaps:
        yield f"{words.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not known"
    yield _volume(said)
    if not bad and not incidents.past(said.facts):
        yield _oldest(said)
    yield from _incidents(said)
    if not bad and apart:
        yield f"look at {_named(apart)}"
    if deploys := [deploy for deploy in said.facts.deploys if _is_inside(deploy, said.facts)]:
        yield _deploys(deploys, said.facts)
    if lacking and not is_about_gaps:
        yield f"not known: {words.join(lacking)}"
    if synthetic := _synthetic(said.facts):
        yield synthetic


def _is_gap(row: dict[str, object]) -> bool:
    """Whether a row without data is worth a word: rest is no gap, too few samples are none, and `data` repeats others."""
    reason = str(row["reason"])
    return row["check"] != review_whole.DATA and not reason.startswith(IDLE) and not reason.startswith("No p95")


def _named(rows: Sequence[dict[str, object]]) -> str:
    # That alarms ring need not be said beside what they ring for; that they are off, or not there, must be.
    told = [row for row in rows if row["check"] != review_alarms.CHECK or not row["value"]] or rows
    shown = [_measured(row) for row in told[:MOST_NAMED]]
    more = len(told) - MOST_NAMED
    return words.join([*shown, *([f"{more} more"] if more > 0 else [])])


def _measured(row: dict[str, object]) -> str:
    """Name a check with its value: "oldest job waiting 640 s (line 300 s)"; alarms that do not ring with what is wrong."""
    if row["check"] == review_alarms.CHECK and not row["value"]:
        reason = str(row["reason"]).rstrip(".").replace(". ", "; ")
        return f"{row['check']} ({reason[:1].lower()}{reason[1:]})"
    unit = str(row["unit"])
    value, line = (_plain(amount(float(str(row[name])), unit)) for name in ("value", "threshold"))
    return f"{row['check']} {value}{f' (line {line})' if value and line and row['threshold'] else ''}".strip()


def _volume(said: Said) -> str:
    """Say what was done: pictures, jobs, API calls, cost; what is not known is left out."""
    made = [derived.total(said.frame, series.pictures(resource)) for resource in (WORKER, API_FUNCTION)]
    asked = {"job": derived.total(said.frame, series.SENT), "API call": derived.total(said.frame, series.API_COUNT)}
    counted = {one: number for one, number in asked.items() if not math.isnan(number)}
    pictures = sum(number for number in made if not math.isnan(number))
    hours = said.facts.window().length / timedelta(hours=1)
    within = f"in {words.count(round(hours, 1), 'hour')}"
    if not pictures and not any(counted.values()):
        return f"nobody used it {within}" if len(counted) == len(asked) else ""
    usd = _plain(amount(money.of(said.frame).total, USD))
    paid = f", {'which on AWS costs' if said.facts.target == 'local' else 'for'} {usd}" if usd else ""
    origin = words.join(words.count(number, one) for one, number in counted.items())
    return f"{words.count(pictures, 'picture')} {within}{f', from {origin}' if origin else ''}{paid}"


def _oldest(said: Said) -> str:
    """Say how long the oldest job waited."""
    worst = derived.highest(said.frame, series.AGE)
    return f"no job waited longer than {words.seconds(worst)}" if worst > 0 else ""


def _incidents(said: Said) -> Iterator[str]:
    found = incidents.past(said.facts)
    if not found:
        return
    last = found[-1]
    day = last.start.astimezone(said.facts.zone).date()
    whose = {0: "today's", 1: "yesterday's"}.get((said.today - day).days, "the")
    told = f"{whose} incident {words.span(last.start, last.end, said.facts)} ({last.told(said.frame)})"
    yield (
        f"{told} is over"
        if len(found) == 1
        else f"{len(found)} incidents are over, the last {told.removeprefix('the ')}"
    )


def _is_inside(deploy: Deploy, facts: Facts) -> bool:
    window = facts.window()
    return window.start <= deploy.time < window.end


def _deploys(deploys: Sequence[Deploy], facts: Facts) -> str:
    last = deploys[-1]
    name = " ".join(filter(None, ("synthetic" if last.synthetic else "", "deploy", last.commit)))
    more = f", and {words.count(len(deploys) - 1, 'more', 'more')} before" if len(deploys) > 1 else ""
    return f"{name} at {words.when(last.time, facts)}{more}"


def _synthetic(facts: Facts) -> str:
    """Name the stretches whose numbers were written, not measured."""
    window = facts.window()
    inside = [(max(begin, window.start), min(end, window.end)) for begin, end in facts.synthetic]
    inside = [(begin, end) for begin, end in inside if begin < end]
    if not inside:
        return "the hours compared with are synthetic" if _is_compared(facts) else ""
    written = sum((end - begin for begin, end in inside), timedelta()) / window.length
    if written >= NEARLY_ALL:
        return f"{'all' if written == 1 else 'nearly all'} of it is synthetic, written by `couch history`"
    return f"synthetic, written by `couch history`: {words.join(words.span(*stretch, facts) for stretch in inside)}"


def _is_compared(facts: Facts) -> bool:
    compared = next((window for window in facts.windows if window.name == facts.compare), None)
    return compared is not None and any(begin < compared.end and end > compared.start for begin, end in facts.synthetic)


def _why_unknown(rows: Sequence[dict[str, object]]) -> str:
    """Say why nothing is known, and what to do, each once."""
    return " ".join(dict.fromkeys(f"{row[name]}" for name in ("reason", "action") for row in rows if row[name]))


def _as_of(said: Said) -> str:
    """Say when, where the window does not end now."""
    end = said.facts.window().end
    if said.facts.fetched - end <= timedelta(seconds=RECENT_S):
        return ""
    local = end.astimezone(said.facts.zone)
    return f" as of {words.day(local)} {words.clock(local)}"


def _plain(text: str) -> str:
    """Keep a dollar sign from beginning a formula in Markdown."""
    return text.replace("$", "\\$")
