"""Retention in the local cloud, and what `couch down --prune` deletes.

Of itself it deletes what AWS would: metrics after 15 months (`cloudwatch.store`), log streams after the retention of their group (here, at
each `couch up`). All else stays until it is pruned: e-mails, copies of `couch paint`, and the images and runs of the local target. Images
and runs of AWS were paid for, and ratings are people's work: both are never deleted.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers import formatting
from couch_explorers.aws import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from couch_explorers.paths import Home

# Days after which pruning deletes something, unless another number is given.
KEEP_DAYS = 30
# Most keys of a DeleteObjects call: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
MOST_KEYS = 1000
LOCAL = "local"
MB = 1_000_000


@dataclass(frozen=True)
class Pruned:
    """The deletions of one kind: its name in the singular, their number, and their bytes.

    `left` counts those that should have been deleted and are still there, `why` says for one of them why.
    """

    kind: str
    count: int
    size: int
    left: int = 0
    why: str = ""

    def __str__(self) -> str:
        return f"{self._counted(self.count)} ({self.size / MB:,.1f} MB)"

    @property
    def problem(self) -> str:
        """Return what could not be deleted, and what to do; empty if nothing is left."""
        if not self.left:
            return ""
        return f"{self._counted(self.left)} could not be deleted ({self.why}): couch up, then couch down --prune again."

    def _counted(self, count: int) -> str:
        thing, of, whole = self.kind.partition(" ")
        return f"{formatting.count(count, thing)}{of}{whole}"


def prune_files(home: Home, keep_days: float = KEEP_DAYS, now: float | None = None) -> list[Pruned]:
    """Delete what is older in the folder of a local cloud; call it only while holding the folder's lock.

    Args:
        home: The folder.
        keep_days: What has changed within so many days stays.
        now: Unix seconds, by default the present.

    Returns:
        What was deleted, one entry a kind.
    """
    before = (time.time() if now is None else now) - keep_days * formatting.DAY_S
    kinds = {
        "e-mail": home.inbox.glob("*.eml"),
        "picture of couch paint": home.pictures.glob("*"),
        "image of an exploration": (path for path in home.images(LOCAL).glob("*") if path != home.thumbnails(LOCAL)),
        "thumbnail of an image": home.thumbnails(LOCAL).glob("*"),
        "run of an exploration": home.runs(LOCAL).glob("*"),
    }
    return [_delete(kind, (path for path in found if _changed(path) < before)) for kind, found in kinds.items()]


def prune_objects(s3: Any, bucket: str, prefix: str, keep_days: float = KEEP_DAYS, now: float | None = None) -> Pruned:
    """Delete the objects below a prefix of the local cloud's bucket that are older.

    Args:
        s3: A client of the local cloud.
        bucket: The bucket.
        prefix: Such as "42/".
        keep_days: What was stored within so many days stays.
        now: Unix seconds, by default the present.

    Returns:
        What was deleted, and how many objects S3 has kept: it answers 200 and lists them, each with its reason.
    """
    before = (time.time() if now is None else now) - keep_days * formatting.DAY_S
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    old = [each for page in pages for each in page.get("Contents", []) if each["LastModified"].timestamp() < before]
    kept: dict[str, str] = {}
    for first in range(0, len(old), MOST_KEYS):
        keys = [{"Key": each["Key"]} for each in old[first : first + MOST_KEYS]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        kept |= errors.entry_failures(answer, "s3:DeleteObject")
    gone = [each["Size"] for each in old if each["Key"] not in kept]
    return Pruned("object in the bucket", len(gone), sum(gone), len(kept), next(iter(kept.values()), ""))


def expire_log_streams(logs: Any, now: float | None = None) -> int:
    """Delete the log streams of the local cloud whose last event is older than their group's retention.

    On AWS events expire by themselves: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html

    Args:
        logs: A client of the local cloud.
        now: Unix seconds, by default the present.

    Returns:
        How many were deleted.
    """
    now_s = time.time() if now is None else now
    deleted = 0
    for group in _pages(logs, "describe_log_groups", "logGroups"):
        if "retentionInDays" not in group:
            continue
        name, before = group["logGroupName"], (now_s - group["retentionInDays"] * formatting.DAY_S) * 1000
        for stream in list(_pages(logs, "describe_log_streams", "logStreams", logGroupName=name)):
            if stream.get("lastEventTimestamp", stream["creationTime"]) < before:
                logs.delete_log_stream(logGroupName=name, logStreamName=stream["logStreamName"])
                deleted += 1
    return deleted


def sentence(pruned: list[Pruned], keep_days: float) -> str:
    """Summarize what was deleted, for the terminal."""
    summary = formatting.join(str(each) for each in pruned if each.count)
    older = f"older than {formatting.count(keep_days, 'day')}"
    if not summary:
        return f"Nothing is {older}." if keep_days else "There was nothing to delete."
    return f"Deleted, {older}: {summary}." if keep_days else f"Deleted: {summary}."


def _pages(client: Any, operation: str, field: str, **arguments: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[field]


def _changed(path: Path) -> float:
    """When a file, or anything in a folder, has last changed; Unix seconds."""
    parts = path.rglob("*") if path.is_dir() else ()
    return max(float(part.stat().st_mtime) for part in (path, *parts))


def _delete(kind: str, paths: Iterator[Path]) -> Pruned:
    count = size = 0
    for path in list(paths):
        files = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
        size += sum(file.stat().st_size for file in files)
        count += 1
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Pruned(kind, count, size)
