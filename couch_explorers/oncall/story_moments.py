"""The moments of a job's story, in their order: what each log line, message and object says, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.oncall.wording import duration, iso, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from couch_explorers.oncall.story_bucket import Kept
    from couch_explorers.oncall.story_log import LogLine
    from couch_explorers.oncall.story_queues import Sighting

QUEUE, DEAD_LETTERS, BUCKET = "queue", "dead letters", "bucket"
# Lambda's own lines that say nothing about the job.
IDLE_LINES = ("START ", "END ", "INIT_START ")

STORED, POSTPONED, GIVEN_UP, REFUSED = "Picture stored", "Job postponed", "Job given up", "No picture"


@dataclass(frozen=True)
class Moment:
    """One thing that happened; `place` is where, `time` is None for what is concluded from a gap."""

    time: datetime | None
    place: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """The moment as plain values."""
        return {"time": iso(self.time), "place": self.place, "text": self.text}


def tell(kept: Kept, sightings: Sequence[Sighting], lines: Sequence[LogLine]) -> tuple[Moment, ...]:
    """Put together what is known from the bucket, the queues and the logs; `lines` are in the order of time."""
    moments: list[tuple[datetime, Moment]] = []
    for sighting in sightings:
        place = DEAD_LETTERS if sighting.dead and not sighting.moved_by_sqs else QUEUE
        moments.append((sighting.sent, Moment(sighting.sent, place, _seen(sighting))))
    if kept.note is not None:
        text = f"Note of why there is no picture: {kept.note.reason}."
        moments.append((kept.note.written, Moment(kept.note.written, BUCKET, text)))
    if kept.picture is not None:
        text = f"The picture is there: {kept.picture.bytes:,} bytes."
        moments.append((kept.picture.stored, Moment(kept.picture.stored, BUCKET, text)))
    moments += _of_lines(lines)
    # Stable: what was concluded from a gap stays before the line that shows it.
    return tuple(moment for _, moment in sorted(moments, key=lambda item: item[0]))


def _seen(sighting: Sighting) -> str:
    if not sighting.dead:
        return f"Sent as message {sighting.message_id}."
    if sighting.moved_by_sqs:
        return (
            f"Sent as message {sighting.message_id}; moved to the dead letters by SQS after {sighting.receives} receives: "
            "each worker was stopped before it could say why."
        )
    return f"Dead letter {sighting.message_id}: {sighting.reason or 'without a reason'}."


def _of_lines(lines: Sequence[LogLine]) -> list[tuple[datetime, Moment]]:
    """Tell each line, and each receive that left none before it."""
    told: list[tuple[datetime, Moment]] = []
    last_receives: dict[str, int] = {}
    why = ""
    for line in lines:
        if not line.fields and line.text.startswith(IDLE_LINES):
            continue
        message, receives = line.get("message_id"), _number(line, "receives")
        again = ""
        if message:
            if last_receives and message not in last_receives:
                again = f"Sent again as message {message}. "
            told += [(line.time, gap) for gap in _gaps(last_receives.get(message, 0) + 1, receives)]
            last_receives[message] = receives
        # The same failure again needs no second telling.
        known = line.text == POSTPONED and _reason(line) == why
        why = _reason(line) if line.text == POSTPONED else ""
        told.append((line.time, Moment(line.time, line.function, again + _in_words(line, known=known))))
    return told


def _gaps(expected: int, receives: int) -> list[Moment]:
    """Say that receives are missing in the log before this one."""
    if receives <= expected:
        return []
    which = f"Receive {expected}" if receives == expected + 1 else f"Receives {expected} to {receives - 1}"
    why = "no line. The worker was stopped before it wrote one (time-out, out of memory, killed)"
    return [Moment(None, "worker", f"{which}: {why}, or somebody else received the message.")]


def _in_words(line: LogLine, *, known: bool) -> str:
    receives = line.get("receives")
    begin = f"Receive {receives}: " if receives else ""
    said = _put_off(line, known=known) if line.text == POSTPONED else _WORDS.get(line.text, _other)(line)
    return begin + said if begin else said[:1].upper() + said[1:]


def _stored(line: LogLine) -> str:
    if line.fields.get("already_there"):
        return "the picture was there already; nothing was paid."
    return f"picture made and stored in {_number(line, 'milliseconds') / 1000:.1f} s."


def _put_off(line: LogLine, *, known: bool) -> str:
    said = f"{line.get('reason')} again." if known else _reason(line)
    return f"put off for {duration(_number(line, 'seconds'))}. {said}"


def _given_up(line: LogLine) -> str:
    return f"given up. {_reason(line)}"


def _refused(line: LogLine) -> str:
    return f"answered HTTP {line.get('status')}. {_reason(line)}"


def _other(line: LogLine) -> str:
    """Any other line: its message, and the last line of its trace where it has one."""
    trace = line.get("exception").strip().splitlines()
    return plain(f"{line.text.rstrip('.')}. {trace[-1] if trace else _reason(line)}".strip())


def _reason(line: LogLine) -> str:
    reason, detail = line.get("reason"), line.get("detail")
    return plain(f"{reason}: {detail}" if reason and detail else reason or detail)


def _number(line: LogLine, name: str) -> int:
    value = line.fields.get(name)
    return value if isinstance(value, int) else 0


_WORDS: dict[str, Callable[[LogLine], str]] = {
    STORED: _stored,
    GIVEN_UP: _given_up,
    REFUSED: _refused,
}
