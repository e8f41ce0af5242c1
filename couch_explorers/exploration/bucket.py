"""The pictures and error notes of a sweep's jobs in the bucket: listed, fetched, uploaded, removed."""

from __future__ import annotations

import bisect
import json
import os.path
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.core import generation
from couch_explorers.core import png as pictures
from couch_explorers.core.aws_errors import describe, storage_error
from couch_explorers.core.errors import ConflictError, StorageError
from couch_explorers.core.generation import HASH_METADATA
from couch_explorers.workspace import CLIENT_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.cache import ImageCache
    from couch_explorers.workspace import Workspace


# What S3 lists in one answer, or removes at one request, at most (S3 API reference, ListObjectsV2 and DeleteObjects).
MAX_KEYS = 1000
# What one job can have there.
KEYS_PER_JOB = 2

PICTURE_SUFFIX = ".png"
NOTE_SUFFIX = ".error.json"


@dataclass
class BucketListing:
    """One look into the bucket.

    `pictures` are the ids that have one; `notes` maps an id to a mark of its note, which changes when the note is written
    again; `requests` counts what was asked of S3 ($0.005 per 1,000 on AWS).
    """

    pictures: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    requests: int = 0


def find_results(s3: Any, bucket: str, prefix: str, ids: Iterable[str]) -> BucketListing:
    """Find the pictures and notes of these jobs; raises StorageError.

    It takes as few requests as there are jobs, or pages of a thousand keys, whichever are fewer: each request starts at
    the next job that is still looked for, and settles every job up to the last key of its answer.
    """
    wanted = sorted(ids)
    known = set(wanted)
    last_keys = [f"{prefix}/{job_id}{PICTURE_SUFFIX}" for job_id in wanted]
    seen = BucketListing()
    place, page_keys, after = 0, MAX_KEYS, ""
    while place < len(wanted):
        # The bare id comes before both of its keys.
        first, last = f"{prefix}/{wanted[place]}", f"{prefix}/{wanted[-1]}"
        shared = os.path.commonprefix([first, last])  # noqa: RUF071 - keys are texts, not paths
        answer = _list_page(s3, bucket, Prefix=shared, StartAfter=max(first, after), MaxKeys=page_keys)
        seen.requests += 1
        listed = answer.get("Contents", [])
        for entry in listed:
            name = str(entry["Key"]).removeprefix(f"{prefix}/")
            if (job_id := name.removesuffix(PICTURE_SUFFIX)) in known:
                seen.pictures.add(job_id)
            elif (job_id := name.removesuffix(NOTE_SUFFIX)) in known:
                seen.notes[job_id] = f"{entry['ETag']} {entry['LastModified'].isoformat()}"
        if not answer.get("IsTruncated") or not listed:
            break
        after = str(listed[-1]["Key"])
        settled = bisect.bisect_right(last_keys, after)
        # Where a whole page settled but one, the next ones lie as far apart: each one's own keys are enough.
        page_keys = MAX_KEYS if settled - place > 1 else KEYS_PER_JOB
        place = settled
    return seen


def fetch_picture(s3: Any, bucket: str, prefix: str, job: Job) -> bytes | None:
    """Fetch the job's picture and make sure that it is whole and came from the job's request; None where there is none.

    Look first: for a key that is not there, S3 answers a caller who may list the prefix alone as one who may not read.
    Raises ConflictError for the picture of another request, and StorageError.
    """
    key = job.key(prefix)
    content = _get_object(s3, bucket, key)
    if content is None:
        return None
    picture, metadata = content
    try:
        inside = pictures.read_parameters(picture).get("request")
        for _ in pictures.chunks(picture):
            pass
    except ValueError as error:
        raise StorageError(f"s3://{bucket}/{key} cannot be used. {error}", passing=False) from error
    if metadata.get(HASH_METADATA) != job.request_hash or inside != job.request:
        raise ConflictError(f"s3://{bucket}/{key} holds the picture of another request: look at it, then remove it.")
    return picture


def fetch_note(s3: Any, bucket: str, prefix: str, job: Job) -> tuple[str, str] | None:
    """Fetch why there is no picture as (reason, detail); None where there is no note. Raises StorageError."""
    key = job.error_key(prefix)
    content = _get_object(s3, bucket, key)
    if content is None:
        return None
    try:
        note = json.loads(content[0])
        return str(note["reason"]), str(note["detail"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"The note s3://{bucket}/{key} cannot be read: look at it.", passing=False) from error


def remove_notes(s3: Any, bucket: str, prefix: str, jobs: Iterable[Job]) -> set[str]:
    """Remove the notes of earlier tries and return the ids whose note is gone; without the right to, none is."""
    ids = {job.error_key(prefix): job.id for job in jobs}
    keys = list(ids)
    gone: set[str] = set()
    for start in range(0, len(keys), MAX_KEYS):
        doomed = [{"Key": key} for key in keys[start : start + MAX_KEYS]]
        try:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})
        except (BotoCoreError, ClientError):
            continue
        gone |= {ids[entry["Key"]] for entry in answer.get("Deleted", [])}
    return gone


def _list_page(s3: Any, bucket: str, **arguments: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = s3.list_objects_v2(Bucket=bucket, **arguments)
    except (BotoCoreError, ClientError) as error:
        raise storage_error("list", bucket, error) from error
    return answer


def _get_object(s3: Any, bucket: str, key: str) -> tuple[bytes, dict[str, str]] | None:
    """Read an object as (content, metadata), None where there is none."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        return answer["Body"].read(), answer.get("Metadata", {})
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and describe(error)[0] in ("NoSuchKey", "404"):
            return None
        raise storage_error("read", bucket, error) from error


def s3_client(workspace: Workspace, threads: int) -> Any:
    """Make an S3 client that so many threads share, each with a connection that stays open."""
    return workspace.client("s3", config=CLIENT_CONFIG.merge(Config(max_pool_connections=threads)))


def upload(s3: Any, workspace: Workspace, cache: ImageCache, job: Job, png: bytes, *, seed: int | None = None) -> str:
    """Store the job's picture unless it is there, note it in the cache's record, and return its key.

    `seed` is the one that the model used, where it is not the job's. Raises StorageError, or ConflictError where the key
    holds another request's picture.
    """
    key = job.key(workspace.prefix)
    generation.store(s3, workspace.bucket, key, png, job, seed=seed)
    cache.note_stored(job, workspace.bucket, key)
    return key
