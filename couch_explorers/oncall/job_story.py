"""One job's whole story: where it is, what each worker said of it, and its picture or the reason why there is none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import shown
from couch_explorers.core.jobs import ID_PATTERN
from couch_explorers.exploration.running.bucket import NOTE_END, PICTURE_END
from couch_explorers.oncall import story_bucket, story_log, story_moments, story_queues, story_state, story_text
from couch_explorers.oncall.errors import JobNotFoundError, OncallError
from couch_explorers.oncall.wording import day_and_time

if TYPE_CHECKING:
    from couch_explorers.oncall.story_bucket import Kept
    from couch_explorers.oncall.story_log import LogSearch
    from couch_explorers.oncall.story_moments import Moment
    from couch_explorers.oncall.story_queues import Queues
    from couch_explorers.oncall.story_state import Standing
    from couch_explorers.workspace import Workspace


@dataclass(frozen=True)
class Story:
    """All that is known of one job.

    `asked` is the id that was asked for, which may be that of a message or a request. `request` is what the job asks for,
    as far as bucket or queue tell it. `notes` say what could not be looked into, `searched` what was.
    """

    job_id: str
    asked: str
    standing: Standing
    picture: story_bucket.StoredPicture | None
    request: dict[str, Any]
    moments: tuple[Moment, ...]
    notes: tuple[str, ...]
    searched: tuple[str, ...]

    def lines(self) -> list[str]:
        """Write the story for a terminal of 80 columns."""
        return story_text.lines(self)

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
class Findings:
    """What bucket, queues and logs hold under one id."""

    kept: Kept
    queues: Queues
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


def tell(workspace: Workspace, job_id: str, *, now: datetime | None = None) -> Story:
    """Tell the story of a job.

    `job_id` is its id, the id of its SQS message, of its request to the API or of its Lambda invocation, or the key or
    address of its picture. Raises OncallError for what cannot be any of them, and JobNotFoundError when no trace is left.
    """
    wanted = _id_in(job_id)
    now = now or datetime.now(UTC)
    found = _find(workspace, wanted, now)
    if found.is_empty:
        raise JobNotFoundError(wanted, _not_found(workspace, wanted, found))
    name = found.job_id(wanted)
    if name != wanted:
        first, found = found, _find(workspace, name, now)
        known = set(found.log.lines)
        # What Lambda itself wrote names the invocation alone.
        found.log.lines += [line for line in first.log.lines if line not in known]
        found.log.lines.sort(key=lambda line: line.time)
    kept, sightings, lines = found.kept, found.queues.sightings, found.log.lines
    sightings.sort(key=lambda sighting: sighting.sent)
    return Story(
        job_id=name,
        asked=wanted,
        standing=story_state.conclude(workspace, name, kept, sightings, lines, now),
        picture=kept.picture,
        request=_request(found),
        moments=story_moments.tell(kept, sightings, lines),
        notes=tuple(_notes(found)),
        searched=tuple(_searched(workspace, name, found)),
    )


def _find(workspace: Workspace, wanted: str, now: datetime) -> Findings:
    # One after the other: boto3 may use a client in several threads, but not make one.
    s3, logs = workspace.client("s3"), workspace.client("logs")
    kept = story_bucket.look(s3, workspace, wanted)
    with ThreadPoolExecutor(1, "story") as pool:
        log = pool.submit(story_log.search, logs, workspace.functions, wanted, now)
        queues = story_queues.look(workspace, wanted, painted=kept.picture is not None)
        return Findings(kept, queues, log.result())


def _id_in(text: str) -> str:
    """Read an id out of what a person pastes: the id, or the key or address of a picture or note."""
    name = text.strip().rpartition("/")[2].removesuffix(PICTURE_END).removesuffix(NOTE_END)
    if not ID_PATTERN.fullmatch(name):
        raise OncallError(
            f"{shown(text)} is no id of a job, message or request: they have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -."
        )
    return name


def _request(found: Findings) -> dict[str, Any]:
    """What the job asks for: from its picture, its note, or its message."""
    if found.kept.picture is not None and found.kept.picture.request:
        return found.kept.picture.request
    if found.kept.note is not None and found.kept.note.request:
        return found.kept.note.request
    return story_queues.request_in(found.queues.sightings[-1].body) if found.queues.sightings else {}


def _notes(found: Findings) -> list[str]:
    return [*found.kept.notes, *found.queues.notes, *found.log.notes]


def _searched(workspace: Workspace, wanted: str, found: Findings) -> list[str]:
    searched = [] if found.kept.notes else [f"s3://{workspace.bucket}/{workspace.prefix}/{wanted}.*"]
    searched += found.queues.looked_into
    if found.log.since is not None:
        functions = " and ".join(found.log.functions)
        searched.append(
            f"the log{'s' if ' and ' in functions else ''} of {functions} back to {day_and_time(found.log.since)} UTC"
        )
    return searched


def _not_found(workspace: Workspace, wanted: str, found: Findings) -> str:
    looked = _searched(workspace, wanted, found)
    where = f"Looked into {', '.join(looked)}." if looked else "Nothing could be looked into."
    trouble = " ".join(_notes(found))
    advice = "Check the id; a job that was sent seconds ago may not be logged yet."
    return " ".join(filter(None, [f"No trace of {wanted} was found.", where, trouble, advice]))
