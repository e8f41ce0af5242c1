"""The pictures and error notes of a sweep's jobs in the bucket: list, fetch, upload and remove them."""

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


# The most keys that S3 lists or deletes per request (S3 API reference, ListObjectsV2 and DeleteObjects).
MAX_KEYS = 1000
# The objects that one job can have.
KEYS_PER_JOB = 2

PICTURE_SUFFIX = ".png"
NOTE_SUFFIX = ".error.json"


@dataclass
class BucketListing:
    """The result of listing the bucket once.

    `pictures` are the ids that have one; `notes` maps an id to a version of its note, which changes when the note is written
    again; `requests` counts the calls of S3 ($0.005 per 1,000 on AWS).
    """

    pictures: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    requests: int = 0


def find_results(s3: Any, bucket: str, prefix: str, ids: Iterable[str]) -> BucketListing:
    """Find the pictures and notes of these jobs; raises StorageError.

    It takes one request per job or per page of a thousand keys, whichever is fewer: each request starts at the next job
    without a result, and settles every job up to the last key of its response.
    """
    wanted = sorted(ids)
    known = set(wanted)
    last_keys = [f"{prefix}/{job_id}{PICTURE_SUFFIX}" for job_id in wanted]
    listing = BucketListing()
    position, page_keys, after = 0, MAX_KEYS, ""
    while position < len(wanted):
        # The bare id sorts before both of its keys.
        first, last = f"{prefix}/{wanted[position]}", f"{prefix}/{wanted[-1]}"
        shared = os.path.commonprefix([first, last])  # noqa: RUF071 - keys are texts, not paths
        response = _list_page(s3, bucket, Prefix=shared, StartAfter=max(first, after), MaxKeys=page_keys)
        listing.requests += 1
        listed = response.get("Contents", [])
        for entry in listed:
            name = str(entry["Key"]).removeprefix(f"{prefix}/")
            if (job_id := name.removesuffix(PICTURE_SUFFIX)) in known:
                listing.pictures.add(job_id)
            elif (job_id := name.removesuffix(NOTE_SUFFIX)) in known:
                listing.notes[job_id] = f"{entry['ETag']} {entry['LastModified'].isoformat()}"
        if not response.get("IsTruncated") or not listed:
            break
        after = str(listed[-1]["Key"])
        settled = bisect.bisect_right(last_keys, after)
        # If a whole page settled only one job, the next ones are as far apart: their own keys are enough.
        page_keys = MAX_KEYS if settled - position > 1 else KEYS_PER_JOB
        position = settled
    return listing


def fetch_picture(s3: Any, bucket: str, prefix: str, job: Job) -> bytes | None:
    """Fetch the job's picture and check that it is complete and comes from the job's request; None if there is none.

    List first: for a missing key, S3 returns AccessDenied to a caller that may list nothing but the prefix.
    Raises ConflictError for the picture of another request, and StorageError.
    """
    key = job.key(prefix)
    content = _get_object(s3, bucket, key)
    if content is None:
        return None
    picture, metadata = content
    try:
        embedded_request = pictures.read_parameters(picture).get("request")
        for _ in pictures.chunks(picture):
            pass
    except ValueError as error:
        raise StorageError(f"s3://{bucket}/{key} cannot be used. {error}", passing=False) from error
    if metadata.get(HASH_METADATA) != job.request_hash or embedded_request != job.request:
        raise ConflictError(f"s3://{bucket}/{key} holds the picture of another request: look at it, then remove it.")
    return picture


def fetch_note(s3: Any, bucket: str, prefix: str, job: Job) -> tuple[str, str] | None:
    """Fetch the error note as (reason, detail); None if there is none. Raises StorageError."""
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
    """Remove the notes of earlier attempts and return the ids whose note is gone: none without the permission."""
    ids = {job.error_key(prefix): job.id for job in jobs}
    keys = list(ids)
    removed: set[str] = set()
    for start in range(0, len(keys), MAX_KEYS):
        objects = [{"Key": key} for key in keys[start : start + MAX_KEYS]]
        try:
            response = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        except (BotoCoreError, ClientError):
            continue
        removed |= {ids[entry["Key"]] for entry in response.get("Deleted", [])}
    return removed


def _list_page(s3: Any, bucket: str, **arguments: Any) -> dict[str, Any]:
    try:
        response: dict[str, Any] = s3.list_objects_v2(Bucket=bucket, **arguments)
    except (BotoCoreError, ClientError) as error:
        raise storage_error("list", bucket, error) from error
    return response


def _get_object(s3: Any, bucket: str, key: str) -> tuple[bytes, dict[str, str]] | None:
    """Read an object as (content, metadata); None if there is none."""
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
        return response["Body"].read(), response.get("Metadata", {})
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and describe(error)[0] in ("NoSuchKey", "404"):
            return None
        raise storage_error("read", bucket, error) from error


def s3_client(workspace: Workspace, threads: int) -> Any:
    """Create an S3 client for this many threads, each with a connection that stays open."""
    return workspace.client("s3", config=CLIENT_CONFIG.merge(Config(max_pool_connections=threads)))


def upload(s3: Any, workspace: Workspace, cache: ImageCache, job: Job, png: bytes, *, seed: int | None = None) -> str:
    """Store the job's picture unless it exists, note it in the cache's record, and return its key.

    `seed` is the one that the model used, if it is not the job's. Raises StorageError, or ConflictError if the key
    holds another request's picture.
    """
    key = job.key(workspace.prefix)
    generation.store(s3, workspace.bucket, key, png, job, seed=seed)
    cache.note_stored(job, workspace.bucket, key)
    return key
