"""The check of how long jobs wait, by the age alarm's own threshold and never without the dead letters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series, surroundings_alarms, words
from couch_explorers.metrics.facts import QUEUE, WORKER
from couch_explorers.metrics.review_rows import AGAIN, Row, against, text, verdict

if TYPE_CHECKING:
    from couch_explorers.metrics.facts import Line
    from couch_explorers.metrics.reading import Reading

CHECK, ALARM = "oldest job waiting", "oldest-message-age"
SEE_LETTERS_FIRST = "Let the dead letters be seen first: without them an age proves nothing."


def age(reading: Reading) -> Row:
    """Judge how long the oldest job waited: BAD while it waits too long, WARN where one did, or where dead letters lie.

    A job that was received three times does not count as old any more, so that a low age proves nothing while jobs fail
    (SQS developer guide, "Available CloudWatch metrics for Amazon SQS", ApproximateAgeOfOldestMessage). No age at all is
    good news, unlike no duration: SQS measures a queue that holds messages each minute, so silence means an empty queue.
    """
    if row := reading.unanswered(CHECK, series.AGE):
        return row
    line = reading.facts.line(ALARM)
    letters, lie = _letters(reading)
    row = Row(CHECK, Verdict.OK, "", 0.0, "s", line.value if line else math.nan, reading.highest_before(series.AGE))
    row = _judged(reading, row, line, letters, lie=bool(lie))
    if row.verdict is Verdict.OK and lie is None:
        row = replace(row, verdict=Verdict.NO_DATA, action=SEE_LETTERS_FIRST)
    return reading.believed(row, series.AGE)


def _judged(reading: Reading, row: Row, line: Line | None, letters: str, *, lie: bool) -> Row:
    if reading.points(series.AGE).empty:
        counted = reading.points(series.VISIBLE)
        if len(counted) and counted.max() > 0:
            said = text("SQS counted jobs in the queue but gave no age", letters)
            return replace(row, verdict=Verdict.NO_DATA, value=math.nan, reason=said, action=AGAIN)
        said = text("no job waited: SQS gives no age for a queue that is empty and at rest", letters)
        return replace(row, verdict=verdict(bad=False, warn=lie), reason=said, action=_action(reading, lie=lie))
    highest, moment = reading.peak(series.AGE)
    end = reading.latest_said(series.AGE, " s")
    said = text(f"at most {words.seconds(highest)} ({reading.at(moment)}){_against(line, highest)}; {end}", letters)
    row = replace(row, value=highest, reason=said)
    if line is None:
        why = reading.facts.unanswered.get(surroundings_alarms.ACTION)
        action = why or f"Deploy the alarm that says from when on that is too long: {reading.deploy(QUEUE)}"
        return replace(row, verdict=Verdict.WARN if lie else Verdict.NO_DATA, action=action)
    late = line.is_crossed(highest)
    found = verdict(bad=line.is_crossed(reading.latest(series.AGE)), warn=late or lie)
    return replace(row, verdict=found, action=_action(reading, lie=lie and not late))


def _letters(reading: Reading) -> tuple[str, float | None]:
    """Say the depth of the dead letters, and give it; None where it is not known."""
    key = series.DEAD_LETTERS_VISIBLE
    if row := reading.unanswered("dead letters", key):
        return f"dead letters not known ({row.reason.partition(':')[0].lower()})", None
    now = reading.latest(key)
    letters = words.count(now, "dead letter")
    return f"{letters}{', which do not count as waiting' if now else ''}", now


def _against(line: Line | None, highest: float) -> str:
    if line is None:
        return ", and no alarm says from when on that is too long"
    said = against(highest, line.value, f"the alarm's {words.seconds(line.value)}")
    return f", {said}" if said else ""


def _action(reading: Reading, *, lie: bool) -> str:
    if lie:
        return f"Look at the dead letters: {reading.command('redrive --dry-run')}."
    function = reading.facts.function(WORKER)
    bound = f" ({function.maximum_concurrency})" if function and function.maximum_concurrency else ""
    return f"Look for throttling in {reading.log(WORKER)}; within the model's quota raise maximum_concurrency{bound}."
