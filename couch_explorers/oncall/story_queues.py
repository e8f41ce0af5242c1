"""Where a job stands in the queue or among the dead letters, as far as the target lets anybody look."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.loopback import open_url
from couch_explorers.oncall import dead_letters
from couch_explorers.oncall.errors import OncallError, said
from couch_explorers.smoke.queue import DEPTHS
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.workspace import Workspace

# Followed by the path of a queue's address.
PEEK_PATH = "/_couch/messages"
PEEK_TIMEOUT_S = 10


@dataclass(frozen=True)
class Sighting:
    """One message of the job.

    `dead` tells that it is a dead letter. `back_at` is when it can be received (again), None when it can be now or that is
    not known.
    """

    dead: bool
    message_id: str
    job_id: str
    sent: datetime
    receives: int
    body: str
    reason: str = ""
    detail: str = ""
    moved_by_sqs: bool = False
    back_at: datetime | None = None


@dataclass
class Queues:
    """The job's messages, and what could not be looked into."""

    sightings: list[Sighting] = field(default_factory=list)
    looked_into: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look(workspace: Workspace, wanted: str, *, painted: bool = False) -> Queues:
    """Look for a job by its id or its message's id.

    The local cloud shows its messages. AWS does not without handing them out: there the queue is left alone, because a
    look would take a job from the workers, and the dead letters are read and put back. Of a `painted` job neither is asked.
    """
    found = Queues()
    if workspace.queue_url is None or workspace.dead_letter_url is None:
        found.notes.append(f"{not_deployed('queue', workspace.target)}.")
        return found
    if workspace.target == "local":
        for url, dead in ((workspace.queue_url, False), (workspace.dead_letter_url, True)):
            _peek(workspace, url, wanted, found, dead=dead)
    elif not painted:
        _depths(workspace, found)
        _read_dead_letters(workspace, wanted, found)
    return found


def _peek(workspace: Workspace, url: str, wanted: str, found: Queues, *, dead: bool) -> None:
    address = f"{workspace.endpoint}{PEEK_PATH}{urlsplit(url).path}"
    name = dead_letters.name_of(url)
    try:
        with open_url(address, timeout_s=PEEK_TIMEOUT_S) as answer:
            messages = json.load(answer)["messages"]
    except (OSError, ValueError, KeyError) as error:
        found.notes.append(f"The queue {name} could not be looked into: {error}")
        return
    found.looked_into.append(name)
    seen = (_peeked(message, dead=dead) for message in messages)
    found.sightings += [sighting for sighting in seen if wanted in (sighting.job_id, sighting.message_id)]


def _peeked(message: Mapping[str, Any], *, dead: bool) -> Sighting:
    """Read a message as the local cloud shows it: all its attributes, and when it can be received again."""
    back_at = message["VisibleAt"]
    at = None if back_at is None else datetime.fromtimestamp(back_at, UTC)
    return _sighting(dead_letters.letter_of(message), dead=dead, back_at=at)


def _read_dead_letters(workspace: Workspace, wanted: str, found: Queues) -> None:
    try:
        letters = dead_letters.read(workspace)
    except OncallError as error:
        found.notes.append(str(error))
        return
    found.looked_into.append(dead_letters.name_of(str(workspace.dead_letter_url)))
    found.sightings += [
        _sighting(letter, dead=True) for letter in letters if wanted in (letter.job_id, letter.message_id)
    ]


def _depths(workspace: Workspace, found: Queues) -> None:
    name = dead_letters.name_of(str(workspace.queue_url))
    alone = (
        f"AWS does not show what is in {name} without taking it from the workers: the log tells where a job was last"
    )
    try:
        answer = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=list(DEPTHS))
    except (BotoCoreError, ClientError) as error:
        found.notes.append(f"{alone}. How many wait there could not be asked: {said(error, 'sqs:GetQueueAttributes')}.")
        return
    waiting, in_flight, delayed = (int(answer["Attributes"].get(depth, 0)) for depth in DEPTHS)
    found.notes.append(
        f"{alone}. In the queue are about {waiting} waiting, {in_flight} in flight or put off, {delayed} delayed."
    )


def _sighting(letter: dead_letters.DeadLetter, *, dead: bool, back_at: datetime | None = None) -> Sighting:
    return Sighting(
        dead=dead,
        message_id=letter.message_id,
        job_id=letter.job_id,
        sent=letter.since,
        receives=letter.receives,
        body=letter.body,
        reason=letter.reason,
        detail=letter.detail,
        moved_by_sqs=letter.moved_by_sqs,
        back_at=back_at,
    )


def request_in(body: str) -> dict[str, Any]:
    """What a message's body asks for, as far as it can be read: for showing, not for serving."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return {name: value for name, value in fields.items() if name != "id"}
    return {"prompt": body}
