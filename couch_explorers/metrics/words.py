"""Numbers and times in the words of a sentence: "1,204 jobs", "03:42", "Tue 24 Nov 03:42", "the day before"."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from couch_explorers.metrics.model import Context

DAY = timedelta(days=1)
DASH = "\u2013"
WEEK_DAYS = 7
# From here on a number needs no digit behind the point.
WHOLE, TENTHS = 100, 10
THOUSAND = 1000


def number(value: float) -> str:
    """Write a number with as many digits as a reader needs: 1,204; 21.3; 0.42."""
    size = abs(value)
    if size >= WHOLE or value == round(value):
        return f"{value:,.0f}"
    if size >= TENTHS:
        return f"{value:.1f}".removesuffix(".0")
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if float(text) else f"{value:.1g}"


def count(value: float, one: str, many: str = "") -> str:
    """Write a number of things: "no job", "1 job", "1,204 jobs"."""
    if value == 0:
        return f"no {one}"
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def seconds(value: float) -> str:
    """Write a duration in seconds."""
    return f"{number(value)} s"


def percent(share: float) -> str:
    """Write a share, without a digit behind the point from one per cent on: 3 %, 0.4 %."""
    return f"{number(100 * share if 100 * share < 1 else round(100 * share))} %"


def join(parts: Iterable[str]) -> str:
    """Put parts into a row: "a, b and c"."""
    listed = [part for part in parts if part]
    if len(listed) <= 1:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def sentence(*clauses: str) -> str:
    """Make one sentence of clauses: semicolons between them, a capital first, a full stop last."""
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def when(time: datetime, facts: Context) -> str:
    """Say a time of the review in its time zone, with the day where the window is longer than one."""
    local = time.astimezone(facts.zone)
    length = facts.window().length
    if length <= DAY:
        return clock(local)
    return f"{local:%a} {clock(local)}" if length < WEEK_DAYS * DAY else f"{day(local)} {clock(local)}"


def span(start: datetime, end: datetime, facts: Context) -> str:
    """Say from when to when, parted by a dash: "03:12-04:05"; the day of the end only where it is another one."""
    first, last = start.astimezone(facts.zone), end.astimezone(facts.zone)
    return f"{when(start, facts)}{DASH}{clock(last) if first.date() == last.date() else when(end, facts)}"


def clock(local: datetime) -> str:
    """Say the time of day; in the hour that a clock change repeats with the zone's abbreviation."""
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%H:%M %Z}" if twice else f"{local:%H:%M}"


def day(local: datetime) -> str:
    """Say the date: "Tue 24 Nov"."""
    return f"{local:%a} {local.day} {local:%b}"


def before_name(facts: Context) -> str:
    """Name the compared window: "the day before", "the week before", "3 days before"; empty where there is none."""
    if facts.compare is None or facts.compare not in {window.name for window in facts.windows}:
        return ""
    days = round((facts.window().start - facts.window(facts.compare).start) / DAY)
    return {1: "the day before", WEEK_DAYS: "the week before"}.get(days, f"{days} days before")


def rate(seconds_: float) -> str:
    """Name a period behind a number of things: "a minute", "an hour", "in 10 minutes"."""
    text = period(seconds_).removeprefix("each ")
    return f"in {text}" if text[0].isdigit() else f"{'an' if text == 'hour' else 'a'} {text}"


def period(seconds_: float) -> str:
    """Name a period: "each minute", "each 10 minutes", "each hour", "each 3 hours"."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds_ >= size and seconds_ % size == 0:
            many = round(seconds_ / size)
            return f"each {unit}" if many == 1 else f"each {many} {unit}s"
    return f"each {number(seconds_)} seconds"
