"""The queue's checks beside age: what lies in the dead letters, and whether a backlog drains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers.checks import Verdict
from couch_explorers.metrics import derived, review_age, series, words
from couch_explorers.metrics.derived import Flow
from couch_explorers.metrics.facts import WORKER, SeriesState
from couch_explorers.metrics.reading import DENIED, MISSING
from couch_explorers.metrics.review_rows import AGAIN, Row, against, text, verdict
from couch_explorers.metrics.thresholds import DEAD_LETTER_DEPTH, PASSING_S

if TYPE_CHECKING:
    from couch_explorers.metrics.derived import Drain
    from couch_explorers.metrics.facts import Line, SeriesKey
    from couch_explorers.metrics.reading import Reading

LETTERS, BACKLOG = "dead letters", "backlog"
LETTERS_ALARM = "dead-letters"


def dead_letters(reading: Reading) -> Row:
    """Judge what lies in the dead-letter queue: BAD while more lie there than its alarm allows, WARN where any lay."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := reading.unanswered(LETTERS, key):
        return row
    line = reading.line(LETTERS_ALARM, DEAD_LETTER_DEPTH)
    now, highest = reading.latest(key), _highest(reading, key)
    see = f"See each one's reason: {reading.command('redrive --dry-run')}; without --dry-run it sends back what may succeed."
    row = Row(
        LETTERS,
        verdict(bad=line.is_crossed(now), warn=highest > 0),
        text(f"{_at_most(reading, key)}, {reading.latest_said(key)}") if highest else "None.",
        highest, "jobs", line.value, _highest_before(reading, key),
        see if now else "None lies there any more: see that they were sent back, not thrown away.",
    )  # fmt: skip
    return reading.believed(row, key)


def backlog(reading: Reading) -> Row:
    """Judge whether jobs that wait at the end get fewer, by the drain time; BAD where they do not.

    The line is the age alarm's: what takes longer to drain makes it ring. It is one of seconds, not of jobs: the reason tells it.
    What the queue hands on within a minute is no backlog: SQS counts once a minute what is just passing through.
    """
    key = series.VISIBLE
    if row := reading.unanswered(BACKLOG, key):
        return row
    drain = derived.drain(reading.frame)
    # SQS counts a queue that holds messages each minute: where jobs waited long ago, nobody has counted since.
    is_stale = drain.visible > 0 and reading.is_stale(key)
    if is_stale:
        found, how = Verdict.NO_DATA, "; whether they still wait is not known"
    else:
        found, how = _flow(reading, drain, reading.facts.line(review_age.ALARM))
    highest = _highest(reading, key)
    end = f"{reading.latest_said(key)}{how}" if highest else ""
    at_hand = f" and {reading.command('faults')}" if reading.facts.target == "local" else ""
    row = Row(
        BACKLOG, found, text(f"{_at_most(reading, key)}; {end}") if highest else "No job waited.",
        highest, "jobs", before=_highest_before(reading, key),
        action=AGAIN if is_stale else f"See whether the worker runs and what it says: {reading.log(WORKER)}{at_hand}.",
    )  # fmt: skip
    return reading.believed(row, key, series.SENT, series.DELETED)


def _flow(reading: Reading, drain: Drain, patience: Line | None) -> tuple[Verdict, str]:
    """Judge a backlog by how long a job may wait before the age alarm rings."""
    if drain.flow is Flow.EMPTY:
        return Verdict.OK, ""
    if drain.flow is Flow.UNKNOWN:
        is_denied = reading.state(series.SENT, series.DELETED) is SeriesState.DENIED
        return (
            Verdict.NO_DATA,
            f"; {DENIED if is_denied else MISSING}: whether it drains, since sent and deleted are not known",
        )
    if not drain.stands or drain.wait_s <= PASSING_S:
        return Verdict.OK, ", passing through"
    if drain.seconds is None:
        why = "no more are deleted than sent" if drain.wait_s < math.inf else "none is deleted"
        return Verdict.BAD, f", not draining: {why}"
    told = f", draining in {words.seconds(round(drain.seconds))}"
    if patience is None:
        return Verdict.OK, told
    line = against(drain.seconds, patience.value, f"the {words.seconds(patience.value)} that a job may wait")
    return verdict(bad=False, warn=patience.is_crossed(drain.seconds)), f"{told}, {line}"


def _highest(reading: Reading, key: SeriesKey) -> float:
    """The highest depth now: 0 where none was measured, for SQS measures a queue that holds messages each minute."""
    return float(reading.points(key).max()) if len(reading.points(key)) else 0.0


def _highest_before(reading: Reading, key: SeriesKey) -> float:
    """The same of the window compared with; NaN where it is not known."""
    highest = reading.highest_before(key)
    return reading.total_before(key) if math.isnan(highest) else highest


def _at_most(reading: Reading, key: SeriesKey) -> str:
    highest, moment = reading.peak(key)
    return f"at most {words.number(highest)} ({reading.at(moment)})"
