"""What the local history wrote: its stretches and its deploy, read from the marks that it leaves beside its numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from couch_explorers.metrics.facts import API_FUNCTION, WORKER, Deploy
from couch_explorers.metrics.series import SYNTHETIC_DEPLOY, SYNTHETIC_HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from couch_explorers.metrics.frames import Points


def stretches(marks: Iterable[Points]) -> tuple[tuple[datetime, datetime], ...]:
    """Tell from when to when numbers were written by the local history, each stretch as long as no period is missing."""
    return tuple(_joined(sorted(_spans(marks))))


def deploys(marks: Iterable[Points]) -> tuple[Deploy, ...]:
    """Tell the deploys that the local history plays, oldest first."""
    times = {
        datetime.fromtimestamp(time_s, UTC)
        for mark in marks
        if mark.series.metric == SYNTHETIC_DEPLOY
        for time_s in mark.times_s
    }
    return tuple(Deploy(time, (WORKER, API_FUNCTION), synthetic=True) for time in sorted(times))


def _spans(marks: Iterable[Points]) -> Iterator[tuple[datetime, datetime]]:
    for mark in marks:
        if mark.series.metric == SYNTHETIC_HISTORY:
            for time_s in mark.times_s:
                begin = datetime.fromtimestamp(time_s, UTC)
                yield begin, begin + timedelta(seconds=mark.series.period_s)


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for begin, end in spans:
        if current is not None and begin <= current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = begin, end
    if current is not None:
        yield current
