"""What the bucket holds of one job: its picture, or the note that says why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core import png
from couch_explorers.core.generation import MODEL_METADATA, SEED_METADATA
from couch_explorers.exploration.running.bucket import NOTE_END, PICTURE_END
from couch_explorers.oncall.errors import said
from couch_explorers.oncall.wording import iso

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace

# A picture's parameters stand before its pixels: no need to fetch the whole.
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class StoredPicture:
    """A picture in S3; `width` and `height` are 0 and `request` is empty where they cannot be read out of it."""

    uri: str
    stored: datetime
    bytes: int
    model: str
    seed: str
    width: int = 0
    height: int = 0
    request: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return vars(self) | {"stored": iso(self.stored)}


@dataclass(frozen=True)
class Note:
    """Why there is no picture, as the worker left it in the bucket."""

    uri: str
    written: datetime
    reason: str
    detail: str
    request: dict[str, Any] = field(default_factory=dict)


@dataclass
class Kept:
    """What the bucket holds of a job, and what could not be looked into."""

    picture: StoredPicture | None = None
    note: Note | None = None
    notes: list[str] = field(default_factory=list)


def look(s3: Any, workspace: Workspace, job_id: str) -> Kept:
    """Look for a job's picture and note with a client of S3; what cannot be read becomes a note of the story."""
    kept = Kept()
    try:
        listing = s3.list_objects_v2(Bucket=workspace.bucket, Prefix=f"{workspace.prefix}/{job_id}.")
    except (BotoCoreError, ClientError) as error:
        kept.notes.append(f"The bucket {workspace.bucket} could not be looked into: {said(error, 's3:ListBucket')}.")
        return kept
    there = {str(entry["Key"]).rpartition("/")[2]: entry for entry in listing.get("Contents", [])}
    try:
        if (entry := there.get(f"{job_id}{PICTURE_END}")) is not None:
            kept.picture = _picture(s3, workspace, entry)
        if (entry := there.get(f"{job_id}{NOTE_END}")) is not None:
            kept.note = _note(s3, workspace, entry)
    except (BotoCoreError, ClientError) as error:
        kept.notes.append(f"What s3://{workspace.bucket} holds could not be read: {said(error, 's3:GetObject')}.")
    return kept


def _picture(s3: Any, workspace: Workspace, entry: dict[str, Any]) -> StoredPicture:
    answer = s3.get_object(Bucket=workspace.bucket, Key=entry["Key"], Range=f"bytes=0-{HEAD_BYTES - 1}")
    head, metadata = answer["Body"].read(), answer.get("Metadata", {})
    try:
        width, height = png.size(head)
        request = png.read_parameters(head).get("request") or {}
    except ValueError:
        # Another program has saved it, or its head is longer than usual: what S3 says of it is enough.
        width, height, request = 0, 0, {}
    return StoredPicture(
        uri=f"s3://{workspace.bucket}/{entry['Key']}",
        stored=entry["LastModified"].astimezone(UTC),
        bytes=int(entry["Size"]),
        model=metadata.get(MODEL_METADATA, ""),
        seed=metadata.get(SEED_METADATA, ""),
        width=width,
        height=height,
        request=request,
    )


def _note(s3: Any, workspace: Workspace, entry: dict[str, Any]) -> Note:
    content = s3.get_object(Bucket=workspace.bucket, Key=entry["Key"])["Body"].read()
    try:
        said_there = json.loads(content)
        reason, detail = str(said_there["reason"]), str(said_there["detail"])
    except (ValueError, KeyError, TypeError):
        said_there, reason, detail = {}, "unreadable", "The note cannot be read: look at it."
    return Note(
        uri=f"s3://{workspace.bucket}/{entry['Key']}",
        written=entry["LastModified"].astimezone(UTC),
        reason=reason,
        detail=detail,
        request=said_there.get("request") or {},
    )
