"""Incidents: stretches in which alarms rang and ring no more, and what happened in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import review_alarms, series, words
from couch_explorers.metrics.facts import WORKER

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.metrics.facts import Alarm, Facts, SeriesKey

# Alarms of one trouble begin and end some minutes apart; what rings this much later is another one.
SAME_INCIDENT = timedelta(minutes=30)
# What an alarm rings for was measured before: worker-errors looks back furthest, over the time-out and two minutes.
BEFORE_THE_RING = timedelta(minutes=15)

# By alarm: what it watches, and the words for the highest or the sum of it.
TOLD: dict[str, tuple[SeriesKey, str, Callable[[float], str]]] = {
    "oldest-message-age": (series.AGE, "max", lambda worst: f"a job waited {words.seconds(worst)}"),
    "failed-jobs": (series.FAILED_JOBS, "sum", lambda count: f"{words.count(count, 'job')} failed"),
    "dead-letters": (series.DEAD_LETTERS_VISIBLE, "max", lambda most: words.count(most, "dead letter")),
    "worker-errors": (series.errors(WORKER), "sum", lambda count: words.count(count, "worker error")),
}


@dataclass(frozen=True)
class Incident:
    """A stretch in which alarms rang, and their short names."""

    start: datetime
    end: datetime
    alarms: tuple[str, ...]

    def told(self, frame: pd.DataFrame) -> str:
        """Say what its alarms rang for: "a job waited 2,220 s, 9 jobs failed and 9 dead letters"."""
        return words.join(self._told(frame, name) for name in sorted(self.alarms, key=_rank))

    def _told(self, frame: pd.DataFrame, name: str) -> str:
        if name not in TOLD:
            return name
        key, how, said = TOLD[name]
        values = known.points(frame, key)
        inside = values[(values.index >= self.start - BEFORE_THE_RING) & (values.index < self.end)]
        worst = float(inside.agg(how)) if len(inside) else 0.0
        # Nothing to tell where its numbers are not known: then its name has to do.
        return said(worst) if worst else name


def past(facts: Facts) -> tuple[Incident, ...]:
    """Join the stretches in which alarms rang and ring no more into incidents, oldest first."""
    rang = sorted(
        (start, end, alarm.short_name)
        for alarm in facts.alarms
        for start, end in alarm.rang
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


def without(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame as if no past incident had been: without the points of their stretches, and without their rings.

    A point goes where its period touches such a stretch: an hour's percentile that an incident is part of proves nothing.
    """
    facts = known.of(frame)
    gone = np.zeros(len(frame), dtype=bool)
    is_percentile = frame["statistic"].map(lambda statistic: statistic.startswith("p")).to_numpy(dtype=bool)
    lasts = pd.to_timedelta(np.where(is_percentile, facts.percentile_period_s, facts.period_s), unit="s")
    for incident in past(facts):
        began = incident.start - BEFORE_THE_RING
        gone |= (frame.index < incident.end) & (frame.index + lasts > began)
    rest = frame[~(gone & (frame["window"] == "now").to_numpy())]
    quiet = tuple(replace(alarm, rang=_still(alarm, facts)) for alarm in facts.alarms)
    rest.attrs = {"facts": replace(facts, alarms=quiet)}
    return rest


def _still(alarm: Alarm, facts: Facts) -> tuple[tuple[datetime, datetime], ...]:
    """The stretch of an alarm that still rings; none where it is quiet."""
    return alarm.rang[-1:] if review_alarms.rings(alarm, facts) else ()


def _rank(name: str) -> int:
    return list(TOLD).index(name) if name in TOLD else len(TOLD)
