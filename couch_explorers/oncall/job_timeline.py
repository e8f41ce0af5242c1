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
# Lambda's own lines without information about the job.
IDLE_LINES = ("START ", "END ", "INIT_START ")

STORED, POSTPONED, GIVEN_UP, REFUSED = "Picture stored", "Job postponed", "Job given up", "No picture"


@dataclass(frozen=True)
class TimelineEvent:
    """An event; `place` is where it happened, `time` is None if it was inferred from a gap."""

    time: datetime | None
    place: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {"time": iso_time(self.time), "place": self.place, "text": self.text}


def timeline_events(
    stored: StoredObjects,
    snapshots: Sequence[MessageSnapshot],
    lines: Sequence[LogLine],
) -> tuple[TimelineEvent, ...]:
    """Combine the events from the bucket, the queues and the logs; `lines` are in order of time."""
    events: list[tuple[datetime, TimelineEvent]] = []
    for snapshot in snapshots:
        place = DEAD_LETTERS if snapshot.dead and not snapshot.moved_by_sqs else QUEUE
        events.append((snapshot.sent, TimelineEvent(snapshot.sent, place, _describe_snapshot(snapshot))))
    if stored.note is not None:
        text = f"Note of why there is no picture: {stored.note.reason}."
        events.append((stored.note.written, TimelineEvent(stored.note.written, BUCKET, text)))
    if stored.picture is not None:
        text = f"The picture is there: {stored.picture.bytes:,} bytes."
        events.append((stored.picture.stored, TimelineEvent(stored.picture.stored, BUCKET, text)))
    events += _events_of_lines(lines)
    # A stable sort: an event inferred from a gap stays before the line that reveals it.
    return tuple(event for _, event in sorted(events, key=lambda item: item[0]))


def _describe_snapshot(snapshot: MessageSnapshot) -> str:
    if not snapshot.dead:
        return f"Sent as message {snapshot.message_id}."
    if snapshot.moved_by_sqs:
        return (
            f"Sent as message {snapshot.message_id}; moved to the dead-letter queue by SQS after {snapshot.receives} receives: "
            "each worker was stopped before it could say why."
        )
    return f"Dead-letter message {snapshot.message_id}: {snapshot.reason or 'without a reason'}."


def _events_of_lines(lines: Sequence[LogLine]) -> list[tuple[datetime, TimelineEvent]]:
    """Return an event for each line, and for each earlier receive without a line."""
    events: list[tuple[datetime, TimelineEvent]] = []
    last_receives: dict[str, int] = {}
    last_reason = ""
    for line in lines:
        if not line.fields and line.text.startswith(IDLE_LINES):
            continue
        message, receives = line.get("message_id"), _number(line, "receives")
        prefix = ""
        if message:
            if last_receives and message not in last_receives:
                prefix = f"Sent again as message {message}. "
            events += [(line.time, gap) for gap in _gaps(last_receives.get(message, 0) + 1, receives)]
            last_receives[message] = receives
        # The same failure again is not described again.
        is_repeated = line.text == POSTPONED and _reason(line) == last_reason
        last_reason = _reason(line) if line.text == POSTPONED else ""
        events.append(
            (line.time, TimelineEvent(line.time, line.function, prefix + _describe_line(line, is_repeated=is_repeated)))
        )
    return events


def _gaps(expected: int, receives: int) -> list[TimelineEvent]:
    """Return an event for receives that are missing in the log before this one."""
    if receives <= expected:
        return []
    which = f"Receive {expected}" if receives == expected + 1 else f"Receives {expected} to {receives - 1}"
    explanation = "no line. The worker was stopped before it wrote one (time-out, out of memory, killed)"
    return [TimelineEvent(None, "worker", f"{which}: {explanation}, or somebody else received the message.")]


def _describe_line(line: LogLine, *, is_repeated: bool) -> str:
    receives = line.get("receives")
    prefix = f"Receive {receives}: " if receives else ""
    description = (
        _postponed(line, is_repeated=is_repeated)
        if line.text == POSTPONED
        else _DESCRIPTIONS.get(line.text, _other)(line)
    )
    return prefix + description if prefix else description[:1].upper() + description[1:]


def _stored(line: LogLine) -> str:
    if line.fields.get("already_there"):
        return "the picture was there already; nothing was paid."
    return f"picture made and stored in {_number(line, 'milliseconds') / 1000:.1f} s."


def _postponed(line: LogLine, *, is_repeated: bool) -> str:
    reason = f"{line.get('reason')} again." if is_repeated else _reason(line)
    return f"postponed for {duration(_number(line, 'seconds'))}. {reason}"


def _given_up(line: LogLine) -> str:
    return f"given up. {_reason(line)}"


def _refused(line: LogLine) -> str:
    return f"answered HTTP {line.get('status')}. {_reason(line)}"


def _other(line: LogLine) -> str:
    """Describe any other line: its message, and the last line of its traceback, if any."""
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
    """The state of a job."""

    PAINTED = "painted"
    WAITING = "waiting"  # in the queue, for a worker
    DELAYED = "delayed"  # in the queue, not yet to be received
    BEING_SERVED = "being served"
    POSTPONED = "postponed"  # in the queue, after a transient failure
    GIVEN_UP = "given up"
    REFUSED = "refused"  # by the API, which stores nothing
    GONE = "gone"  # it had a picture or was postponed, and nothing is left of it
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class JobStatus:
    """The status of a job: a sentence, why it failed last (empty if it did not), and what to do."""

    state: JobState
    sentence: str
    reason: str = ""
    detail: str = ""
    advice: tuple[str, ...] = ()


def job_status(
    workspace: Workspace,
    job_id: str,
    stored: StoredObjects,
    snapshots: Sequence[MessageSnapshot],
    lines: Sequence[LogLine],
    now: datetime,
) -> JobStatus:
    """Derive the job's status at `now`; bucket and queue take precedence over the log."""
    dead_letter = next((snapshot for snapshot in reversed(snapshots) if snapshot.dead), None)
    message = next((snapshot for snapshot in reversed(snapshots) if not snapshot.dead), None)
    last = next((line for line in reversed(lines) if line.text in (STORED, POSTPONED, GIVEN_UP, REFUSED)), None)
    if stored.picture is not None:
        # A message with the same request is dropped, one with another request is refused.
        command = couch_command(workspace, f"redrive --dry-run {job_id}")
        advice = (
            (f"A dead-letter message with its id is left. See what would become of it: {command}",)
            if dead_letter
            else ()
        )
        return JobStatus(JobState.PAINTED, f"{job_id} is painted.", advice=advice)
    if message is not None:
        return _status_in_queue(job_id, message, last, now)
    # On AWS, only the log shows that a job was sent back after its note was written.
    postponed = last is not None and last.text == POSTPONED
    if dead_letter is not None or (stored.note is not None and not postponed):
        return _status_given_up(workspace, job_id, stored, dead_letter, last)
    return _status_from_log(workspace, job_id, last, now)


def _status_in_queue(job_id: str, message: MessageSnapshot, last: LogLine | None, now: datetime) -> JobStatus:
    receives = f"received {message.receives} time{'' if message.receives == 1 else 's'}"
    if message.back_at is None or message.back_at <= now:
        since = duration((now - message.sent).total_seconds())
        return JobStatus(JobState.WAITING, f"{job_id} waits in the queue for a worker, sent {since} ago, {receives}.")
    back_at = f"{utc_time(message.back_at)} UTC, in {duration((message.back_at - now).total_seconds())}"
    if message.receives == 0:
        return JobStatus(JobState.DELAYED, f"{job_id} is delayed: it can be received from {back_at}.")
    is_last_receive = (
        last is not None
        and last.get("message_id") == message.message_id
        and last.get("receives") == str(message.receives)
    )
    if is_last_receive and last is not None and last.text == POSTPONED:
        sentence = f"{job_id} is postponed after a failure, {receives}; its next try is at {back_at}."
        return JobStatus(JobState.POSTPONED, sentence, last.get("reason"), last.get("detail"))
    sentence = f"{job_id} is being served, {receives}. If its worker is stopped, the job comes back at {back_at}."
    return JobStatus(JobState.BEING_SERVED, sentence)


def _status_given_up(
    workspace: Workspace,
    job_id: str,
    stored: StoredObjects,
    dead_letter: MessageSnapshot | None,
    last: LogLine | None,
) -> JobStatus:
    reason = (dead_letter.reason if dead_letter else "") or (stored.note.reason if stored.note else "")
    detail = (dead_letter.detail if dead_letter else "") or (stored.note.detail if stored.note else "")
    if not reason and last is not None and last.text == GIVEN_UP:
        reason, detail = last.get("reason"), last.get("detail")
    if dead_letter is not None:
        words = f"redrive --dry-run {job_id}"
        advice = (
            f"See whether it may succeed now, then send it back without --dry-run: {couch_command(workspace, words)}"
        )
        where = "it is in the dead-letter queue"
    else:
        advice = "Send the request again under another id, or under the same one: no dead-letter message is left to send back."
        where = "no dead-letter message of it was found"
    reason_text = f": {reason}" if reason else " without a reason: its workers were stopped"
    return JobStatus(JobState.GIVEN_UP, f"{job_id} was given up{reason_text}; {where}.", reason, detail, (advice,))


def _status_from_log(workspace: Workspace, job_id: str, last: LogLine | None, now: datetime) -> JobStatus:
    """Derive the status from the last line: nothing of the job is in the bucket, nor was it found in a queue."""
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
        advice = "It may have been sent back a moment ago: look again in a minute. If not, send the request again."
        return JobStatus(JobState.GIVEN_UP, sentence, reason, detail, (advice,))
    seconds = last.fields.get("seconds")
    back = last.time + timedelta(seconds=seconds if isinstance(seconds, int) else 0)
    if workspace.target == "local":
        # The local queue was searched, and the job is not there.
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
    """Everything known about one job.

    `requested_id` may be that of a message or a request. `request` is the job's request, as far as bucket or queue have it.
    `notes` say what could not be searched, `searched` what was.
    """

    job_id: str
    requested_id: str
    status: JobStatus
    picture: evidence.StoredPicture | None
    request: dict[str, Any]
    events: tuple[TimelineEvent, ...]
    notes: tuple[str, ...]
    searched: tuple[str, ...]

    def lines(self) -> list[str]:
        """Format the timeline for a terminal of 80 columns."""
        return timeline_lines(self)

    def to_json(self) -> dict[str, Any]:
        """Return the timeline as JSON values; times are UTC."""
        status = self.status
        return {
            "id": self.job_id,
            "asked": self.requested_id,
            "state": status.state.value,
            "sentence": status.sentence,
            "reason": status.reason,
            "detail": status.detail,
            "picture": None if self.picture is None else self.picture.to_json(),
            "request": self.request,
            "moments": [event.to_json() for event in self.events],
            "advice": list(status.advice),
            "notes": list(self.notes),
            "searched": list(self.searched),
        }


@dataclass
class Evidence:
    """The evidence in bucket, queues and logs under one id."""

    stored: StoredObjects
    queues: QueueSearch
    log: LogSearch

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found anywhere."""
        return not (self.stored.picture or self.stored.note or self.queues.snapshots or self.log.lines)

    def job_id(self, wanted: str) -> str:
        """Return the id of the job that `wanted` belongs to: `wanted` itself, unless all evidence names another."""
        named = [snapshot.job_id for snapshot in self.queues.snapshots]
        named += [line.get("job_id") for line in self.log.lines if line.get("job_id")]
        if self.stored.picture or self.stored.note or wanted in named or not named:
            return wanted
        return named[-1]


def trace(workspace: Workspace, job_id: str, *, now: datetime | None = None) -> JobTimeline:
    """Return the timeline of a job.

    `job_id` is its id, the id of its SQS message, API request or Lambda invocation, or the key or URL of its picture. Raises
    OncallError for an invalid id, and JobNotFoundError if there is no trace.
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
        # Lambda's own lines name only the invocation.
        found.log.lines += [line for line in first.log.lines if line not in known]
        found.log.lines.sort(key=lambda line: line.time)
    stored, snapshots, lines = found.stored, found.queues.snapshots, found.log.lines
    snapshots.sort(key=lambda snapshot: snapshot.sent)
    return JobTimeline(
        job_id=name,
        requested_id=wanted,
        status=job_status(workspace, name, stored, snapshots, lines, now),
        picture=stored.picture,
        request=_request(found),
        events=timeline_events(stored, snapshots, lines),
        notes=tuple(_notes(found)),
        searched=tuple(_searched(workspace, name, found)),
    )


def _collect(workspace: Workspace, wanted: str, now: datetime) -> Evidence:
    # Created here: boto3's clients are thread-safe, creating them is not.
    s3, logs = workspace.client("s3"), workspace.client("logs")
    stored = evidence.find_objects(s3, workspace, wanted)
    with ThreadPoolExecutor(1, "timeline") as pool:
        log = pool.submit(evidence.search_logs, logs, workspace.functions, wanted, now)
        queues = evidence.search_queues(workspace, wanted, has_picture=stored.picture is not None)
        return Evidence(stored, queues, log.result())


def _parse_id(text: str) -> str:
    """Parse an id from user input: the id, or the key or URL of a picture or note."""
    name = text.strip().rpartition("/")[2].removesuffix(PICTURE_SUFFIX).removesuffix(NOTE_SUFFIX)
    if not ID_PATTERN.fullmatch(name):
        raise OncallError(
            f"{shown(text)} is no id of a job, message or request: they have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.",
        )
    return name


def _request(found: Evidence) -> dict[str, Any]:
    """Return the job's request: from its picture, its note, or its message."""
    if found.stored.picture is not None and found.stored.picture.request:
        return found.stored.picture.request
    if found.stored.note is not None and found.stored.note.request:
        return found.stored.note.request
    return evidence.request_in(found.queues.snapshots[-1].body) if found.queues.snapshots else {}


def _notes(found: Evidence) -> list[str]:
    return [*found.stored.notes, *found.queues.notes, *found.log.notes]


def _searched(workspace: Workspace, wanted: str, found: Evidence) -> list[str]:
    searched = [] if found.stored.notes else [f"s3://{workspace.bucket}/{workspace.prefix}/{wanted}.*"]
    searched += found.queues.searched
    if found.log.since is not None:
        functions = " and ".join(found.log.functions)
        searched.append(
            f"the log{'s' if ' and ' in functions else ''} of {functions} back to {utc_time(found.log.since)} UTC",
        )
    return searched


def _not_found(workspace: Workspace, wanted: str, found: Evidence) -> str:
    searched = _searched(workspace, wanted, found)
    where = f"Looked into {', '.join(searched)}." if searched else "Nothing could be looked into."
    notes = " ".join(_notes(found))
    advice = "Check the id; a job that was sent seconds ago may not be logged yet."
    return " ".join(filter(None, [f"No trace of {wanted} was found.", where, notes, advice]))


LABEL_COLUMNS = 10


def timeline_lines(timeline: JobTimeline) -> list[str]:
    """Format the job's status, its request, its events by day, and what to do."""
    lines = wrap_terminal(one_line(timeline.status.sentence))
    if timeline.status.detail:
        lines += wrap_terminal(one_line(timeline.status.detail), "  ")
    if timeline.requested_id != timeline.job_id:
        lines += wrap_terminal(
            f"{timeline.requested_id} is the id of a message, request or invocation of this job.", "  "
        )
    fact_lines = list(_fact_lines(timeline))
    lines += ["", *fact_lines] if fact_lines else []
    lines += _event_lines(timeline)
    for label, sentences in (("next", timeline.status.advice), ("note", timeline.notes)):
        for sentence in sentences:
            lines += ["", *wrap_terminal(one_line(sentence, limit=1000), f"{label:<{LABEL_COLUMNS}}")]
    return [*lines, "", *wrap_terminal("; ".join(timeline.searched), f"{'searched':<{LABEL_COLUMNS}}")]


def _fact_lines(timeline: JobTimeline) -> Iterator[str]:
    """Yield the request and the result, one label per line."""
    picture, request = timeline.picture, timeline.request
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


def _event_lines(timeline: JobTimeline) -> list[str]:
    lines: list[str] = []
    day = ""
    for event in timeline.events:
        if event.time is not None and f"{event.time:%A} {event.time.day} {event.time:%B %Y}" != day:
            day = f"{event.time:%A} {event.time.day} {event.time:%B %Y}"
            lines += ["", f"{day}, UTC"]
        time = "" if event.time is None else f"{event.time:%H:%M:%S}"
        lines += wrap_terminal(event.text, f"{time:<{LABEL_COLUMNS}}{event.place:<14}")
    return lines


class JobNotFoundError(OncallError):
    """No trace of a job was found; `job_id` is the requested id, the message says where was searched."""

    def __init__(self, job_id: str, message: str) -> None:
        super().__init__(message)
        self.job_id = job_id
