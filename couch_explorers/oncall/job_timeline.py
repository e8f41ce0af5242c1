"""The timeline of one job: its status, every event in bucket, queues and logs, and what to do next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import shown
from couch_explorers.core.jobs import ID_PATTERN
from couch_explorers.exploration.bucket import NOTE_SUFFIX, PICTURE_SUFFIX
from couch_explorers.formatting import duration, iso_time, utc_time
from couch_explorers.oncall import evidence
from couch_explorers.oncall.dead_letters import OncallError, couch_command
from couch_explorers.text_layout import one_line, wrap_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from couch_explorers.oncall.evidence import LogLine, LogSearch, MessageSnapshot, QueueSearch, StoredObjects
    from couch_explorers.workspace import Workspace


QUEUE, DEAD_LETTERS, BUCKET = "queue", "DLQ", "bucket"
# Lambda's own lines that say nothing about the job.
IDLE_LINES = ("START ", "END ", "INIT_START ")

STORED, POSTPONED, GIVEN_UP, REFUSED = "Picture stored", "Job postponed", "Job given up", "No picture"


@dataclass(frozen=True)
class TimelineEvent:
    """One thing that happened; `place` is where, `time` is None for what is concluded from a gap."""

    time: datetime | None
    place: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """The moment as plain values."""
        return {"time": iso_time(self.time), "place": self.place, "text": self.text}


def timeline_events(
    kept: StoredObjects,
    sightings: Sequence[MessageSnapshot],
    lines: Sequence[LogLine],
) -> tuple[TimelineEvent, ...]:
    """Put together what is known from the bucket, the queues and the logs; `lines` are in the order of time."""
    moments: list[tuple[datetime, TimelineEvent]] = []
    for sighting in sightings:
        place = DEAD_LETTERS if sighting.dead and not sighting.moved_by_sqs else QUEUE
        moments.append((sighting.sent, TimelineEvent(sighting.sent, place, _describe_snapshot(sighting))))
    if kept.note is not None:
        text = f"Note of why there is no picture: {kept.note.reason}."
        moments.append((kept.note.written, TimelineEvent(kept.note.written, BUCKET, text)))
    if kept.picture is not None:
        text = f"The picture is there: {kept.picture.bytes:,} bytes."
        moments.append((kept.picture.stored, TimelineEvent(kept.picture.stored, BUCKET, text)))
    moments += _events_of_lines(lines)
    # Stable: what was concluded from a gap stays before the line that shows it.
    return tuple(moment for _, moment in sorted(moments, key=lambda item: item[0]))


def _describe_snapshot(sighting: MessageSnapshot) -> str:
    if not sighting.dead:
        return f"Sent as message {sighting.message_id}."
    if sighting.moved_by_sqs:
        return (
            f"Sent as message {sighting.message_id}; moved to the dead-letter queue by SQS after {sighting.receives} receives: "
            "each worker was stopped before it could say why."
        )
    return f"Dead-letter message {sighting.message_id}: {sighting.reason or 'without a reason'}."


def _events_of_lines(lines: Sequence[LogLine]) -> list[tuple[datetime, TimelineEvent]]:
    """Tell each line, and each receive that left none before it."""
    told: list[tuple[datetime, TimelineEvent]] = []
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
        told.append((line.time, TimelineEvent(line.time, line.function, again + _describe_line(line, known=known))))
    return told


def _gaps(expected: int, receives: int) -> list[TimelineEvent]:
    """Say that receives are missing in the log before this one."""
    if receives <= expected:
        return []
    which = f"Receive {expected}" if receives == expected + 1 else f"Receives {expected} to {receives - 1}"
    why = "no line. The worker was stopped before it wrote one (time-out, out of memory, killed)"
    return [TimelineEvent(None, "worker", f"{which}: {why}, or somebody else received the message.")]


def _describe_line(line: LogLine, *, known: bool) -> str:
    receives = line.get("receives")
    begin = f"Receive {receives}: " if receives else ""
    said = _put_off(line, known=known) if line.text == POSTPONED else _DESCRIPTIONS.get(line.text, _other)(line)
    return begin + said if begin else said[:1].upper() + said[1:]


def _stored(line: LogLine) -> str:
    if line.fields.get("already_there"):
        return "the picture was there already; nothing was paid."
    return f"picture made and stored in {_number(line, 'milliseconds') / 1000:.1f} s."


def _put_off(line: LogLine, *, known: bool) -> str:
    said = f"{line.get('reason')} again." if known else _reason(line)
    return f"postponed for {duration(_number(line, 'seconds'))}. {said}"


def _given_up(line: LogLine) -> str:
    return f"given up. {_reason(line)}"


def _refused(line: LogLine) -> str:
    return f"answered HTTP {line.get('status')}. {_reason(line)}"


def _other(line: LogLine) -> str:
    """Any other line: its message, and the last line of its trace where it has one."""
    trace = line.get("exception").strip().splitlines()
    return one_line(f"{line.text.rstrip('.')}. {trace[-1] if trace else _reason(line)}".strip())


def _reason(line: LogLine) -> str:
    reason, detail = line.get("reason"), line.get("detail")
    return one_line(f"{reason}: {detail}" if reason and detail else reason or detail)


def _number(line: LogLine, name: str) -> int:
    value = line.fields.get(name)
    return value if isinstance(value, int) else 0


_DESCRIPTIONS: dict[str, Callable[[LogLine], str]] = {
    STORED: _stored,
    GIVEN_UP: _given_up,
    REFUSED: _refused,
}


class JobState(StrEnum):
    """How a job stands."""

    PAINTED = "painted"
    WAITING = "waiting"  # in the queue, for a worker
    DELAYED = "delayed"  # in the queue, not yet to be received
    BEING_SERVED = "being served"
    POSTPONED = "postponed"  # in the queue, after a failure that passes
    GIVEN_UP = "given up"
    REFUSED = "refused"  # by the API, which keeps nothing
    GONE = "gone"  # it was painted or postponed, and nothing is left of it
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class JobStatus:
    """How a job stands: a sentence, why it failed last (empty where it did not), and what to do."""

    state: JobState
    sentence: str
    reason: str = ""
    detail: str = ""
    advice: tuple[str, ...] = ()


def job_status(
    workspace: Workspace,
    job_id: str,
    kept: StoredObjects,
    sightings: Sequence[MessageSnapshot],
    lines: Sequence[LogLine],
    now: datetime,
) -> JobStatus:
    """Conclude how the job stands at `now`; what can be seen in bucket and queue goes before what a log says."""
    letter = next((sighting for sighting in reversed(sightings) if sighting.dead), None)
    message = next((sighting for sighting in reversed(sightings) if not sighting.dead), None)
    last = next((line for line in reversed(lines) if line.text in (STORED, POSTPONED, GIVEN_UP, REFUSED)), None)
    if kept.picture is not None:
        # One that asks for the same picture is dropped, one that asks for another is refused.
        look = couch_command(workspace, f"redrive --dry-run {job_id}")
        advice = (f"A dead-letter message with its id is left. See what would become of it: {look}",) if letter else ()
        return JobStatus(JobState.PAINTED, f"{job_id} is painted.", advice=advice)
    if message is not None:
        return _status_in_queue(job_id, message, last, now)
    # On AWS the log alone knows of a job that was sent back after its note was written.
    postponed = last is not None and last.text == POSTPONED
    if letter is not None or (kept.note is not None and not postponed):
        return _status_given_up(workspace, job_id, kept, letter, last)
    return _status_from_log(workspace, job_id, last, now)


def _status_in_queue(job_id: str, message: MessageSnapshot, last: LogLine | None, now: datetime) -> JobStatus:
    receives = f"received {message.receives} time{'' if message.receives == 1 else 's'}"
    if message.back_at is None or message.back_at <= now:
        since = duration((now - message.sent).total_seconds())
        return JobStatus(JobState.WAITING, f"{job_id} waits in the queue for a worker, sent {since} ago, {receives}.")
    back = f"{utc_time(message.back_at)} UTC, in {duration((message.back_at - now).total_seconds())}"
    if message.receives == 0:
        return JobStatus(JobState.DELAYED, f"{job_id} is delayed: it can be received from {back}.")
    said = (
        last is not None
        and last.get("message_id") == message.message_id
        and last.get("receives") == str(message.receives)
    )
    if said and last is not None and last.text == POSTPONED:
        sentence = f"{job_id} is postponed after a failure, {receives}; its next try is at {back}."
        return JobStatus(JobState.POSTPONED, sentence, last.get("reason"), last.get("detail"))
    sentence = f"{job_id} is being served, {receives}. If its worker is stopped, the job comes back at {back}."
    return JobStatus(JobState.BEING_SERVED, sentence)


def _status_given_up(
    workspace: Workspace,
    job_id: str,
    kept: StoredObjects,
    letter: MessageSnapshot | None,
    last: LogLine | None,
) -> JobStatus:
    reason = (letter.reason if letter else "") or (kept.note.reason if kept.note else "")
    detail = (letter.detail if letter else "") or (kept.note.detail if kept.note else "")
    if not reason and last is not None and last.text == GIVEN_UP:
        reason, detail = last.get("reason"), last.get("detail")
    if letter is not None:
        words = f"redrive --dry-run {job_id}"
        advice = (
            f"See whether it may succeed now, then send it back without --dry-run: {couch_command(workspace, words)}"
        )
        where = "it is in the dead-letter queue"
    else:
        advice = "Send the request again under another id, or under the same one: no dead-letter message is left to send back."
        where = "no dead-letter message of it was found"
    why = f": {reason}" if reason else " without a reason: its workers were stopped"
    return JobStatus(JobState.GIVEN_UP, f"{job_id} was given up{why}; {where}.", reason, detail, (advice,))


def _status_from_log(workspace: Workspace, job_id: str, last: LogLine | None, now: datetime) -> JobStatus:
    """Conclude from the last line alone: nothing of the job is in the bucket or was seen in a queue."""
    if last is None:
        sentence = f"What became of {job_id} is not known: its log lines show no end."
        return JobStatus(
            JobState.UNKNOWN,
            sentence,
            advice=("Look again in a minute: a job is logged when a try is over.",),
        )
    reason, detail = last.get("reason"), last.get("detail")
    if last.text == STORED:
        sentence = f"{job_id} was painted, and its picture is no longer in the bucket."
        return JobStatus(
            JobState.GONE,
            sentence,
            advice=("Somebody removed it: send the job again to have it made again.",),
        )
    if last.text == REFUSED:
        sentence = f"{job_id} was refused by the API with HTTP {last.get('status')}: {reason}."
        return JobStatus(
            JobState.REFUSED,
            sentence,
            reason,
            detail,
            ("The API keeps nothing: its caller has to ask again.",),
        )
    if last.text == GIVEN_UP:
        sentence = f"{job_id} was given up: {reason}; neither its note nor a dead-letter message is left."
        again = "It may have been sent back a moment ago: look again in a minute. If not, send the request again."
        return JobStatus(JobState.GIVEN_UP, sentence, reason, detail, (again,))
    seconds = last.fields.get("seconds")
    back = last.time + timedelta(seconds=seconds if isinstance(seconds, int) else 0)
    if workspace.target == "local":
        # Here the queue was looked into, and the job is not there.
        sentence = f"{job_id} was postponed at {utc_time(last.time)} UTC, and is in no queue any more."
        return JobStatus(
            JobState.GONE,
            sentence,
            reason,
            detail,
            ("Somebody took it out, or it expired: send it again.",),
        )
    if back > now:
        when = f"its next try is at about {utc_time(back)} UTC, in {duration((back - now).total_seconds())}"
    else:
        when = f"its next try was due at about {utc_time(back)} UTC and has left no line yet"
    return JobStatus(JobState.POSTPONED, f"{job_id} is postponed after a failure; {when}.", reason, detail)


@dataclass(frozen=True)
class JobTimeline:
    """All that is known of one job.

    `asked` is the id that was asked for, which may be that of a message or a request. `request` is what the job asks for,
    as far as bucket or queue tell it. `notes` say what could not be looked into, `searched` what was.
    """

    job_id: str
    asked: str
    standing: JobStatus
    picture: evidence.StoredPicture | None
    request: dict[str, Any]
    moments: tuple[TimelineEvent, ...]
    notes: tuple[str, ...]
    searched: tuple[str, ...]

    def lines(self) -> list[str]:
        """Write the story for a terminal of 80 columns."""
        return timeline_lines(self)

    def to_json(self) -> dict[str, Any]:
        """Write the story for another program; times are UTC."""
        standing = self.standing
        return {
            "id": self.job_id,
            "asked": self.asked,
            "state": standing.state.value,
            "sentence": standing.sentence,
            "reason": standing.reason,
            "detail": standing.detail,
            "picture": None if self.picture is None else self.picture.to_json(),
            "request": self.request,
            "moments": [moment.to_json() for moment in self.moments],
            "advice": list(standing.advice),
            "notes": list(self.notes),
            "searched": list(self.searched),
        }


@dataclass
class Evidence:
    """What bucket, queues and logs hold under one id."""

    kept: StoredObjects
    queues: QueueSearch
    log: LogSearch

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found anywhere."""
        return not (self.kept.picture or self.kept.note or self.queues.sightings or self.log.lines)

    def job_id(self, wanted: str) -> str:
        """The id of the job that `wanted` belongs to: itself, unless all that was found names another."""
        named = [sighting.job_id for sighting in self.queues.sightings]
        named += [line.get("job_id") for line in self.log.lines if line.get("job_id")]
        if self.kept.picture or self.kept.note or wanted in named or not named:
            return wanted
        return named[-1]


def trace(workspace: Workspace, job_id: str, *, now: datetime | None = None) -> JobTimeline:
    """Tell the story of a job.

    `job_id` is its id, the id of its SQS message, of its request to the API or of its Lambda invocation, or the key or
    address of its picture. Raises OncallError for what cannot be any of them, and JobNotFoundError when no trace is left.
    """
    wanted = _parse_id(job_id)
    now = now or datetime.now(UTC)
    found = _collect(workspace, wanted, now)
    if found.is_empty:
        raise JobNotFoundError(wanted, _not_found(workspace, wanted, found))
    name = found.job_id(wanted)
    if name != wanted:
        first, found = found, _collect(workspace, name, now)
        known = set(found.log.lines)
        # What Lambda itself wrote names the invocation alone.
        found.log.lines += [line for line in first.log.lines if line not in known]
        found.log.lines.sort(key=lambda line: line.time)
    kept, sightings, lines = found.kept, found.queues.sightings, found.log.lines
    sightings.sort(key=lambda sighting: sighting.sent)
    return JobTimeline(
        job_id=name,
        asked=wanted,
        standing=job_status(workspace, name, kept, sightings, lines, now),
        picture=kept.picture,
        request=_request(found),
        moments=timeline_events(kept, sightings, lines),
        notes=tuple(_notes(found)),
        searched=tuple(_searched(workspace, name, found)),
    )


def _collect(workspace: Workspace, wanted: str, now: datetime) -> Evidence:
    # One after the other: boto3 may use a client in several threads, but not make one.
    s3, logs = workspace.client("s3"), workspace.client("logs")
    kept = evidence.find_objects(s3, workspace, wanted)
    with ThreadPoolExecutor(1, "story") as pool:
        log = pool.submit(evidence.search_logs, logs, workspace.functions, wanted, now)
        queues = evidence.search_queues(workspace, wanted, painted=kept.picture is not None)
        return Evidence(kept, queues, log.result())


def _parse_id(text: str) -> str:
    """Read an id out of what a person pastes: the id, or the key or address of a picture or note."""
    name = text.strip().rpartition("/")[2].removesuffix(PICTURE_SUFFIX).removesuffix(NOTE_SUFFIX)
    if not ID_PATTERN.fullmatch(name):
        raise OncallError(
            f"{shown(text)} is no id of a job, message or request: they have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.",
        )
    return name


def _request(found: Evidence) -> dict[str, Any]:
    """What the job asks for: from its picture, its note, or its message."""
    if found.kept.picture is not None and found.kept.picture.request:
        return found.kept.picture.request
    if found.kept.note is not None and found.kept.note.request:
        return found.kept.note.request
    return evidence.request_in(found.queues.sightings[-1].body) if found.queues.sightings else {}


def _notes(found: Evidence) -> list[str]:
    return [*found.kept.notes, *found.queues.notes, *found.log.notes]


def _searched(workspace: Workspace, wanted: str, found: Evidence) -> list[str]:
    searched = [] if found.kept.notes else [f"s3://{workspace.bucket}/{workspace.prefix}/{wanted}.*"]
    searched += found.queues.looked_into
    if found.log.since is not None:
        functions = " and ".join(found.log.functions)
        searched.append(
            f"the log{'s' if ' and ' in functions else ''} of {functions} back to {utc_time(found.log.since)} UTC",
        )
    return searched


def _not_found(workspace: Workspace, wanted: str, found: Evidence) -> str:
    looked = _searched(workspace, wanted, found)
    where = f"Looked into {', '.join(looked)}." if looked else "Nothing could be looked into."
    trouble = " ".join(_notes(found))
    advice = "Check the id; a job that was sent seconds ago may not be logged yet."
    return " ".join(filter(None, [f"No trace of {wanted} was found.", where, trouble, advice]))


LABEL_COLUMNS = 10


def timeline_lines(story: JobTimeline) -> list[str]:
    """Write how the job stands, what it asked for, each moment under its day, and what to do."""
    written = wrap_terminal(one_line(story.standing.sentence))
    if story.standing.detail:
        written += wrap_terminal(one_line(story.standing.detail), "  ")
    if story.asked != story.job_id:
        written += wrap_terminal(f"{story.asked} is the id of a message, request or invocation of this job.", "  ")
    facts = list(_fact_lines(story))
    written += ["", *facts] if facts else []
    written += _event_lines(story)
    for label, sentences in (("next", story.standing.advice), ("note", story.notes)):
        for sentence in sentences:
            written += ["", *wrap_terminal(one_line(sentence, limit=1000), f"{label:<{LABEL_COLUMNS}}")]
    return [*written, "", *wrap_terminal("; ".join(story.searched), f"{'searched':<{LABEL_COLUMNS}}")]


def _fact_lines(story: JobTimeline) -> Iterator[str]:
    """What was asked for and what came of it, one label a line."""
    picture, request = story.picture, story.request
    model = picture.model if picture else str(request.get("model") or "")
    seed = picture.seed if picture else str(request.get("seed") or "")
    facts = {
        "prompt": one_line(str(request.get("prompt") or "")),
        "without": one_line(str(request.get("negative_prompt") or "")),
        "model": ", ".join(filter(None, [model, f"seed {seed}" if seed else "", str(request.get("size") or "")])),
    }
    if picture is not None:
        facts["picture"] = picture.uri
        size = f"{picture.width} x {picture.height} pixels, " if picture.width else ""
        facts[""] = f"{size}{picture.bytes:,} bytes"
    for label, text in facts.items():
        if text:
            yield from wrap_terminal(text, f"{label:<{LABEL_COLUMNS}}")


def _event_lines(story: JobTimeline) -> list[str]:
    written: list[str] = []
    day = ""
    for moment in story.moments:
        if moment.time is not None and f"{moment.time:%A} {moment.time.day} {moment.time:%B %Y}" != day:
            day = f"{moment.time:%A} {moment.time.day} {moment.time:%B %Y}"
            written += ["", f"{day}, UTC"]
        time = "" if moment.time is None else f"{moment.time:%H:%M:%S}"
        written += wrap_terminal(moment.text, f"{time:<{LABEL_COLUMNS}}{moment.place:<14}")
    return written


class JobNotFoundError(OncallError):
    """No trace of a job was found; `job_id` is what was asked for, the message says where it was looked for."""

    def __init__(self, job_id: str, message: str) -> None:
        super().__init__(message)
        self.job_id = job_id
