"""The pictures of a folder that an earlier engine has served: its objects lie as files, each with a note of JSON beside it."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localemu.services.s3.models import S3Bucket, S3Object, s3_stores
from localemu.services.s3.utils import get_owner_for_account_id

from couch_explorers.local.engine.state.bodies import BodyFile
from couch_explorers.local.engine.state.objects import Objects
from couch_explorers.local.settings import ACCOUNT_ID, PICTURE_BUCKET, REGION

logger = logging.getLogger("couch.local")

# The record that says that it was done.
CARRIED = "carried"

_NOTE = ".meta.json"


def carry_pictures(folder: Path, objects: Objects) -> int:
    """Put the picture bucket's objects of the earlier engine's folder into the new one; returns how many.

    The earlier files stay where they are. What its other buckets held is about resources that are not there any more.
    """
    earlier = folder / ACCOUNT_ID / PICTURE_BUCKET
    store = s3_stores[ACCOUNT_ID][REGION]
    found = list(_pictures(earlier)) if earlier.is_dir() else []
    if not found or PICTURE_BUCKET in store.buckets:
        return 0
    bucket = S3Bucket(
        PICTURE_BUCKET, ACCOUNT_ID, REGION, owner=get_owner_for_account_id(ACCOUNT_ID), location_constraint=REGION
    )
    store.buckets[PICTURE_BUCKET] = bucket
    store.global_bucket_map[PICTURE_BUCKET] = ACCOUNT_ID
    objects.touch_bucket(PICTURE_BUCKET)
    for path, note in found:
        key = note["key"]
        picture = S3Object(
            key,
            etag=str(note["etag"]).strip('"'),
            size=path.stat().st_size,
            user_metadata=note.get("metadata") or {},
            system_metadata={"ContentType": note.get("content_type") or "application/octet-stream"},
            owner=bucket.owner,
        )
        picture.last_modified = _time(note.get("last_modified")) or picture.last_modified
        body = objects.bodies.begin()
        _copy(path, objects.bodies.path(body))
        objects.bodies.written(body)
        files = objects.store._filesystem[PICTURE_BUCKET]["keys"]  # noqa: SLF001
        files[objects.store._key_from_s3_object(picture)] = BodyFile(objects.bodies, body)  # noqa: SLF001
        bucket.objects.set(key, picture)
        objects.touch(PICTURE_BUCKET, key)
    logger.info("%d pictures of the earlier engine are in the bucket %s", len(found), PICTURE_BUCKET)
    return len(found)


def _pictures(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each object's file and note; what was deleted, or has no readable note, is left out."""
    for beside in sorted(folder.rglob(f"*{_NOTE}")):
        path = beside.with_name(beside.name.removesuffix(_NOTE))
        try:
            note = json.loads(beside.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(note, dict) and note.get("key") and note.get("etag") and path.is_file():
            yield path, note


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _copy(source: Path, target: Path) -> None:
    """Give the file a second name where the disk can; neither engine ever writes into a file that is there."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
