"""How a job stands, concluded from all that is known of it, and what whoever is on call can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from couch_explorers.oncall.story_moments import GIVEN_UP, POSTPONED, REFUSED, STORED
from couch_explorers.oncall.wording import command, day_and_time, duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from couch_explorers.oncall.story_bucket import Kept
    from couch_explorers.oncall.story_log import LogLine
    from couch_explorers.oncall.story_queues import Sighting
    from couch_explorers.workspace import Workspace


class State(StrEnum):
    """How a job stands."""

    PAINTED = "painted"
    WAITING = "waiting"  # in the queue, for a worker
    DELAYED = "delayed"  # in the queue, not yet to be received
    BEING_SERVED = "being served"
    PUT_OFF = "put off"  # in the queue, after a failure that passes
    GIVEN_UP = "given up"
    REFUSED = "refused"  # by the API, which keeps nothing
    GONE = "gone"  # it was painted or put off, and nothing is left of it
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Standing:
    """How a job stands: a sentence, why it failed last (empty where it did not), and what to do."""

    state: State
    sentence: str
    reason: str = ""
    detail: str = ""
    advice: tuple[str, ...] = ()


def conclude(
    workspace: Workspace,
    job_id: str,
    kept: Kept,
    sightings: Sequence[Sighting],
    lines: Sequence[LogLine],
    now: datetime,
) -> Standing:
    """Conclude how the job stands at `now`; what can be seen in bucket and queue goes before what a log says."""
    letter = next((sighting for sighting in reversed(sightings) if sighting.dead), None)
    message = next((sighting for sighting in reversed(sightings) if not sighting.dead), None)
    last = next((line for line in reversed(lines) if line.text in (STORED, POSTPONED, GIVEN_UP, REFUSED)), None)
    if kept.picture is not None:
        # One that asks for the same picture is dropped, one that asks for another is refused.
        look = command(workspace, f"redrive --dry-run {job_id}")
        advice = (f"A dead letter with its id is left. See what would become of it: {look}",) if letter else ()
        return Standing(State.PAINTED, f"{job_id} is painted.", advice=advice)
    if message is not None:
        return _in_queue(job_id, message, last, now)
    # On AWS the log alone knows of a job that was sent back after its note was written.
    postponed = last is not None and last.text == POSTPONED
    if letter is not None or (kept.note is not None and not postponed):
        return _given_up(workspace, job_id, kept, letter, last)
    return _by_log(workspace, job_id, last, now)


def _in_queue(job_id: str, message: Sighting, last: LogLine | None, now: datetime) -> Standing:
    receives = f"received {message.receives} time{'' if message.receives == 1 else 's'}"
    if message.back_at is None or message.back_at <= now:
        since = duration((now - message.sent).total_seconds())
        return Standing(State.WAITING, f"{job_id} waits in the queue for a worker, sent {since} ago, {receives}.")
    back = f"{day_and_time(message.back_at)} UTC, in {duration((message.back_at - now).total_seconds())}"
    if message.receives == 0:
        return Standing(State.DELAYED, f"{job_id} is delayed: it can be received from {back}.")
    said = (
        last is not None
        and last.get("message_id") == message.message_id
        and last.get("receives") == str(message.receives)
    )
    if said and last is not None and last.text == POSTPONED:
        sentence = f"{job_id} is put off after a failure, {receives}; its next try is at {back}."
        return Standing(State.PUT_OFF, sentence, last.get("reason"), last.get("detail"))
    sentence = f"{job_id} is being served, {receives}. If its worker is stopped, the job comes back at {back}."
    return Standing(State.BEING_SERVED, sentence)


def _given_up(workspace: Workspace, job_id: str, kept: Kept, letter: Sighting | None, last: LogLine | None) -> Standing:
    reason = (letter.reason if letter else "") or (kept.note.reason if kept.note else "")
    detail = (letter.detail if letter else "") or (kept.note.detail if kept.note else "")
    if not reason and last is not None and last.text == GIVEN_UP:
        reason, detail = last.get("reason"), last.get("detail")
    if letter is not None:
        words = f"redrive --dry-run {job_id}"
        advice = f"See whether it may succeed now, then send it back without --dry-run: {command(workspace, words)}"
        where = "it stands among the dead letters"
    else:
        advice = "Send the request again under another id, or under the same one: no dead letter is left to send back."
        where = "no dead letter of it was found"
    why = f": {reason}" if reason else " without a reason: its workers were stopped"
    return Standing(State.GIVEN_UP, f"{job_id} was given up{why}; {where}.", reason, detail, (advice,))


def _by_log(workspace: Workspace, job_id: str, last: LogLine | None, now: datetime) -> Standing:
    """Conclude from the last line alone: nothing of the job is in the bucket or was seen in a queue."""
    if last is None:
        sentence = f"What became of {job_id} is not known: its lines tell no end."
        return Standing(
            State.UNKNOWN, sentence, advice=("Look again in a minute: a job is logged when a try is over.",)
        )
    reason, detail = last.get("reason"), last.get("detail")
    if last.text == STORED:
        sentence = f"{job_id} was painted, and its picture is no longer in the bucket."
        return Standing(State.GONE, sentence, advice=("Somebody removed it: send the job again to have it made anew.",))
    if last.text == REFUSED:
        sentence = f"{job_id} was refused by the API with HTTP {last.get('status')}: {reason}."
        return Standing(
            State.REFUSED, sentence, reason, detail, ("The API keeps nothing: its caller has to ask again.",)
        )
    if last.text == GIVEN_UP:
        sentence = f"{job_id} was given up: {reason}; neither its note nor a dead letter is left."
        again = "It may have been sent back a moment ago: look again in a minute. If not, send the request again."
        return Standing(State.GIVEN_UP, sentence, reason, detail, (again,))
    seconds = last.fields.get("seconds")
    back = last.time + timedelta(seconds=seconds if isinstance(seconds, int) else 0)
    if workspace.target == "local":
        # Here the queue was looked into, and the job is not there.
        sentence = f"{job_id} was put off at {day_and_time(last.time)} UTC, and is in no queue any more."
        return Standing(State.GONE, sentence, reason, detail, ("Somebody took it out, or it expired: send it again.",))
    if back > now:
        when = f"its next try is at about {day_and_time(back)} UTC, in {duration((back - now).total_seconds())}"
    else:
        when = f"its next try was due at about {day_and_time(back)} UTC and has left no line yet"
    return Standing(State.PUT_OFF, f"{job_id} is put off after a failure; {when}.", reason, detail)
