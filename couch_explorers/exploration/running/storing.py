"""What was paid for goes into the bucket too, where the queue's workers and other machines find it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config

from couch_explorers.core import generation
from couch_explorers.workspace import CLIENT_CONFIG

if TYPE_CHECKING:
    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.running.cache import ImageCache
    from couch_explorers.workspace import Workspace


def client(workspace: Workspace, threads: int) -> Any:
    """Make an S3 client that so many threads share, each with a connection that stays open."""
    return workspace.client("s3", config=CLIENT_CONFIG.merge(Config(max_pool_connections=threads)))


def store(s3: Any, workspace: Workspace, cache: ImageCache, job: Job, png: bytes, *, seed: int | None = None) -> str:
    """Store the job's picture unless it is there, note it in the cache's record, and return its key.

    `seed` is the one that the model used, where it is not the job's. Raises StorageError, or ConflictError where the key
    holds another request's picture.
    """
    key = job.key(workspace.prefix)
    generation.store(s3, workspace.bucket, key, png, job, seed=seed)
    cache.note_stored(job, workspace.bucket, key)
    return key
