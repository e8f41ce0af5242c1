"""What happened around the measured, as entries on a time line: alarms that rang, deploys, clock changes, synthetic stretches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from couch_explorers.metrics import words
from couch_explorers.metrics.plots import style, time_axis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from couch_explorers.metrics.facts import Alarm, Deploy, Facts

COMMIT_LETTERS = 7
HOUR = timedelta(hours=1)
# Between the words of two deploys, in points.
APART_PT = 14.0
# An alarm that rang more often is counted.
MOST_TOLD = 3


@dataclass(frozen=True)
class Entry:
    """Something that lasted from `start_s` to `end_s` (seconds from the window's start), in words; the longest text first.

    `moments` are those at which something happened, where it did not last.
    """

    start_s: float
    end_s: float
    texts: tuple[str, ...]
    moments: tuple[float, ...] = ()


def alarm(facts: Facts, short_name: str, *, named: bool = False) -> list[Entry]:
    """List when an alarm rang: each time in words, or where they are many the last with their number."""
    found = facts.alarm(short_name)
    if found is None or not found.rang:
        return []
    head = f"{short_name} " if named else ""
    times = len(found.rang)
    entries = []
    for place, (start, end) in enumerate(found.rang, start=1):
        said = f"since {words.when(start, facts)}" if still_rings(facts, found, end) else words.span(start, end, facts)
        many = f"{times} times"
        texts = (f"{head}{said}",) if times <= MOST_TOLD else (f"{head}{many}, last {said}", f"{head}{many}", many)
        entries.append(_entry(facts, start, end, *(texts if times <= MOST_TOLD or place == times else ())))
    return entries


def still_rings(facts: Facts, alarm: Alarm, end: datetime) -> bool:
    """Whether a stretch in which an alarm rang has not ended yet."""
    return alarm.state == "ALARM" and end >= facts.window().end


def deploys(facts: Facts, width_pt: float = style.PLOT_PT) -> list[Entry]:
    """List the deploys; those whose words would run into each other on a time line of that width become one entry."""
    window = facts.window()
    inside = (deploy for deploy in facts.deploys if window.start <= deploy.time < window.end)
    groups = [[deploy] for deploy in sorted(inside, key=lambda deploy: deploy.time)]
    scale = width_pt / window.length.total_seconds()
    while True:
        entries = [_moments(facts, [deploy.time for deploy in group], *_deploys_told(group, facts)) for group in groups]
        near = (
            place
            for place, (left, right) in enumerate(pairwise(entries))
            if (right.start_s - left.end_s) * scale < style.text_width(left.texts[0], style.SMALL_SIZE) + APART_PT
        )
        place = next(near, None)
        if place is None:
            return entries
        groups[place : place + 2] = [groups[place] + groups[place + 1]]


def clock_changes(facts: Facts) -> list[Entry]:
    """List the changes of the clock."""
    return [
        _moments(
            facts, [time], f"put {'forward' if by > timedelta() else 'back'} {words.count(abs(by) / HOUR, 'hour')}"
        )
        for time, by in time_axis.clock_changes(facts)
    ]


def synthetic(facts: Facts) -> list[Entry]:
    """List the stretches whose figures the local history wrote."""
    window = facts.window()
    inside = ((start, end) for start, end in facts.synthetic if end > window.start and start < window.end)
    return [
        _entry(facts, start, end, "written by the local history, not measured", "not measured") for start, end in inside
    ]


def _deploys_told(group: Sequence[Deploy], facts: Facts) -> tuple[str, ...]:
    last = group[-1]
    time = words.when(last.time, facts)
    # A plus at the end says that the commit was not all that was deployed.
    commit = last.commit.rstrip("+")[:COMMIT_LETTERS] + "+" * last.commit.endswith("+")
    if len(group) == 1:
        return (f"{time} {commit}".strip(), time)
    many = f"{len(group)} deploys"
    return (f"{many}, last {time} {commit}".strip(), f"{many}, last {time}", many)


def _entry(facts: Facts, start: datetime, end: datetime, *texts: str) -> Entry:
    window = facts.window()
    length = window.length.total_seconds()
    first, last = (min(max((time - window.start).total_seconds(), 0.0), length) for time in (start, end))
    return Entry(first, last, texts)


def _moments(facts: Facts, times: Sequence[datetime], *texts: str) -> Entry:
    start = facts.window().start
    entry = _entry(facts, times[0], times[-1], *texts)
    return replace(entry, moments=tuple((time - start).total_seconds() for time in times))
