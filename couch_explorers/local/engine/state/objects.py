"""The state of S3: buckets and objects as records of the journal, and their bodies as files.

Each body is written once, to a file with a name of its own, and never held in memory. A bucket is one record, and so is each key.
"""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from localemu.services.s3.models import KeyStore, S3Bucket, S3DeleteMarker, S3Object, VersionedKeyStore, s3_stores
from localemu.services.s3.storage.ephemeral import (
    EphemeralS3ObjectStore,
    EphemeralS3StoredMultipart,
    EphemeralS3StoredObject,
    LockedFileMixin,
)
from localemu.services.s3.utils import get_owner_for_account_id

from couch_explorers.aws import PICTURE_BUCKET, REGION
from couch_explorers.local.engine.state.journal import Changes, Journal, Key, StateError
from couch_explorers.local.engine.state.stores import REDUCERS, dumps, loads
from couch_explorers.local.settings import ACCOUNT_ID

# Threads that flush bodies to disk.
FLUSHING_THREADS = 8

# --- bodies -----------------------------------------------------------------------------------------------------------


# Called with a bucket and a key when the object's body has been replaced or removed.
Touch = Callable[[str, str], None]


class Bodies:
    """The folder of body files, including those that no record names yet or any longer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._flushes: dict[str, Future[None]] = {}
        self._unused: set[str] = set()
        # Several at once: the file system then writes its own log once for all of them.
        self._flushing = ThreadPoolExecutor(FLUSHING_THREADS, thread_name_prefix="couch-bodies")

    def path(self, name: str) -> Path:
        """Return the path of a body."""
        return self.folder / name

    def size(self, name: str) -> int | None:
        """Return the size of a body in bytes, or None where there is no such body."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def begin(self) -> str:
        """Return the name for a new body."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return uuid4().hex

    def written(self, name: str) -> None:
        """Begin to flush a new body to disk; `sync` waits for the end of that before a record names it."""
        with self._lock:
            self._flushes[name] = self._flushing.submit(_flush, self.path(name))

    def drop(self, name: str) -> None:
        """Note a body that no object has any longer; its file is deleted once no record names it."""
        with self._lock:
            self._unused.add(name)

    def take_unused(self) -> set[str]:
        """Return the dropped bodies, for `remove` once the records of their objects are written."""
        with self._lock:
            unused, self._unused = self._unused, set()
            for name in unused:
                self._flushes.pop(name, None)
            return unused

    def sync(self) -> None:
        """Wait until every new body is on disk.

        Raises:
            OSError: The disk does not take one of them; it is tried again by the next call.

        """
        with self._lock:
            flushes = dict(self._flushes)
        for name, flush in flushes.items():
            try:
                flush.result()
            except OSError:
                self.written(name)
                raise
            with self._lock:
                self._flushes.pop(name, None)

    def remove(self, names: set[str]) -> None:
        """Delete files."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def remove_all_but(self, names: set[str]) -> None:
        """Delete the bodies that no record names, which a crash may leave behind."""
        if self.folder.is_dir():
            self.remove({path.name for path in self.folder.iterdir()} - names)


def _flush(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BodyFile(LockedFileMixin):  # type: ignore[misc]
    """One object's body, used where LocalEmu has a temporary file. A write replaces the body only as a whole, on `commit`."""

    def __init__(self, bodies: Bodies, name: str | None = None) -> None:
        super().__init__()
        self.name = name
        self._bodies = bodies
        self._position = 0
        self._new: Any = None
        self._new_name = ""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the read position."""
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._size()
        self._position = offset
        return offset

    def tell(self) -> int:
        """Return the read position."""
        return self._position

    def _path(self) -> Path | None:
        if self._new is not None:
            self._new.flush()
            return self._bodies.path(self._new_name)
        return None if self.name is None else self._bodies.path(self.name)

    def _size(self) -> int:
        path = self._path()
        return 0 if path is None else path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes from the read position; all that follow where it is None or -1."""
        if (path := self._path()) is None:
            return b""
        with path.open("rb") as file:
            file.seek(self._position)
            data = file.read(-1 if size is None else size)
        self._position += len(data)
        return data

    def truncate(self, size: int | None = None) -> int:
        """Begin a new body.

        Raises:
            NotImplementedError: Only a part is to be replaced.

        """
        if size or self._position:
            raise NotImplementedError("The body of an object is replaced as a whole.")
        self.discard()
        self._new_name = self._bodies.begin()
        self._new = self._bodies.path(self._new_name).open("xb")
        return 0

    def write(self, data: bytes) -> int:
        """Append to the new body."""
        if self._new is None:
            self._position = 0
            self.truncate()
        written: int = self._new.write(data)
        self._position += written
        return written

    def commit(self) -> None:
        """Replace the body with the new one, if one was begun."""
        if self._new is None:
            return
        try:
            self._new.close()
        except OSError:
            self.discard()
            raise
        old, self.name, self._new = self.name, self._new_name, None
        self._bodies.written(self.name)
        if old is not None:
            self._bodies.drop(old)

    def discard(self) -> bool:
        """Discard the new body; return False where none was begun."""
        if self._new is None:
            return False
        with suppress(OSError):
            self._new.close()
        self._new = None
        self._bodies.path(self._new_name).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Drop the body."""
        self.discard()
        if self.name is not None:
            self._bodies.drop(self.name)
            self.name = None


class _StoredObject(EphemeralS3StoredObject):  # type: ignore[misc]
    """An open object; closing it commits what was written."""

    def write(self, stream: Any) -> int:
        try:
            return super().write(stream)  # type: ignore[no-any-return]
        except BaseException:
            self.file.discard()
            raise

    def close(self) -> None:
        try:
            self.file.commit()
        finally:
            super().close()


class _StoredMultipart(EphemeralS3StoredMultipart):  # type: ignore[misc]
    """The parts of a multipart upload that is not complete yet."""

    def open(self, s3_part: Any, mode: str = "r") -> _StoredObject:
        file = self.parts.setdefault(s3_part.part_number, BodyFile(self._s3_store.bodies))
        return _StoredObject(s3_part, file, mode=mode)


class ObjectStore(EphemeralS3ObjectStore):  # type: ignore[misc]
    """The storage backend of LocalEmu's S3 provider."""

    def __init__(self, bodies: Bodies, touch: Touch) -> None:
        super().__init__(root_directory=str(bodies.folder))
        self.bodies = bodies
        self._touch = touch

    def open(self, bucket: str, s3_object: Any, mode: str = "r") -> _StoredObject:
        """Open an object's body for reading or for writing."""
        keys = self._filesystem[bucket]["keys"]
        file = keys.setdefault(self._key_from_s3_object(s3_object), BodyFile(self.bodies))
        if mode == "w":
            self._touch(bucket, s3_object.key)
        return _StoredObject(s3_object, file, mode=mode)

    def remove(self, bucket: str, s3_object: Any) -> None:
        """Remove bodies; where one is being written, only the new body is discarded."""
        keys = self._filesystem[bucket]["keys"]
        for item in s3_object if isinstance(s3_object, list) else [s3_object]:
            key = self._key_from_s3_object(item)
            self._touch(bucket, item.key)
            if (file := keys.get(key)) is not None and not file.discard():
                del keys[key]
                file.close()

    def get_multipart(self, bucket: str, s3_multipart: Any) -> _StoredMultipart:
        """Return the parts of a multipart upload."""
        with self._lock_multipart_create:
            uploads = self._filesystem[bucket]["multiparts"]
            if s3_multipart.id not in uploads:
                uploads[s3_multipart.id] = _StoredMultipart(self, bucket, s3_multipart, "")
            upload: _StoredMultipart = uploads[s3_multipart.id]
            return upload

    def remove_multipart(self, bucket: str, s3_multipart: Any) -> None:
        """Drop the parts of a multipart upload."""
        if (upload := self._filesystem[bucket]["multiparts"].pop(s3_multipart.id, None)) is not None:
            upload.close()

    def create_bucket(self, bucket: str) -> None:
        """Do nothing: the bodies of all buckets are in one folder."""

    def delete_bucket(self, bucket: str) -> None:
        """Drop all bodies that the bucket still holds, such as parts of uploads."""
        content = self._filesystem.pop(bucket, {"keys": {}, "multiparts": {}})
        for item in [*content["keys"].values(), *content["multiparts"].values()]:
            item.close()

    def close(self) -> None:
        """Do nothing: the bodies outlive the process."""

    def reset(self) -> None:
        """Drop every body."""
        for bucket in list(self._filesystem):
            self.delete_bucket(bucket)


# --- buckets and objects ----------------------------------------------------------------------------------------------


BUCKET, OBJECT, TAGS = "bucket", "object", "bucket-tags"

# A bucket is written without its objects.
REDUCERS[KeyStore] = lambda _: (KeyStore, ())
REDUCERS[VersionedKeyStore] = lambda _: (VersionedKeyStore, ())

# Prefixes of the S3 operations that change nothing.
_READS = ("Get", "Head", "List", "Select")
# The attributes of a region's store besides its buckets.
_REGIONAL = ("attr_tags", "attr_aws_managed_kms_key_id")


class _BeingWrittenError(Exception):
    """The object's body is being written right now."""


class Objects:
    """The buckets and objects of S3 that have changed since they were last written."""

    def __init__(self, folder: Path) -> None:
        self.bodies = Bodies(folder)
        self.store = ObjectStore(self.bodies, self.touch)
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()
        self._buckets: set[str] = set()
        # LocalEmu stores a body first and its object slightly later, so each changed key is read twice.
        self._again: set[tuple[str, str]] = set()

    def touch(self, bucket: str, key: str) -> None:
        """Note that an object has changed."""
        with self._lock:
            self._keys.add((bucket, key))

    def touch_bucket(self, bucket: str) -> None:
        """Note that a bucket was created or has changed."""
        with self._lock:
            self._buckets.add(bucket)

    def called(self, operation: str, request: Mapping[str, Any]) -> None:
        """Note the bucket and keys that an operation with these parameters may have changed."""
        bucket = request.get("Bucket")
        if not bucket or operation.startswith(_READS):
            return
        keys = [request["Key"]] if "Key" in request else []
        keys += [item["Key"] for item in (request.get("Delete") or {}).get("Objects", [])]
        with self._lock:
            self._keys.update((bucket, key) for key in keys)
            if not keys or "Upload" in operation:
                self._buckets.add(bucket)

    def changes(self) -> Changes:
        """Return the new values of the records that are out of date."""
        with self._lock:
            keys, buckets = self._keys | self._again, self._buckets
            self._again, self._keys, self._buckets = self._keys, set(), set()
        if not keys and not buckets:
            return {}
        found: dict[Key, bytes | None] = {}
        for name in buckets:
            found[Key(BUCKET, name)] = self._bucket(name)
        for bucket, key in keys:
            try:
                found[Key(OBJECT, f"{bucket}/{key}")] = self._object(bucket, key)
            except _BeingWrittenError:
                self.touch(bucket, key)
        found[Key(TAGS, "")] = dumps(
            [
                (account, region, {name: store.__dict__[name] for name in _REGIONAL if name in store.__dict__})
                for account, region, store in list(s3_stores.iter_stores())
            ]
        )
        return found

    @staticmethod
    def _find(name: str) -> tuple[str, Any] | None:
        """Return the account and the bucket with this name."""
        account = s3_stores._universal.get("global_bucket_map", {}).get(name)
        bucket = account and s3_stores[account]._global.get("buckets", {}).get(name)
        return (account, bucket) if bucket else None

    def _bucket(self, name: str) -> bytes | None:
        if (found := self._find(name)) is None:
            return None
        account, bucket = found
        uploads = self.store._filesystem[name]["multiparts"] if name in self.store._filesystem else {}
        parts = {
            upload: {number: file.name for number, file in list(multipart.parts.items())}
            for upload, multipart in list(uploads.items())
        }
        return dumps((account, bucket, parts))

    def _object(self, name: str, key: str) -> bytes | None:
        """Return the record of a key: its versions and the names of their bodies; None where the key has none.

        Raises:
            _BeingWrittenError: A body is being replaced. Until that is done, the existing record is still correct.

        """
        if (found := self._find(name)) is None:
            return None
        files = self.store._filesystem[name]["keys"]
        with ExitStack() as locks:
            stored = found[1].objects._store.get(key)
            versions = list(stored.values()) if isinstance(stored, dict) else [stored] if stored else []
            bodies = []
            for version in versions:
                file = files.get(self.store._key_from_s3_object(version))
                if file is not None:
                    lock = file.readwrite_lock.gen_rlock()
                    if not lock.acquire(blocking=False):
                        raise _BeingWrittenError
                    locks.callback(lock.release)
                bodies.append(file and file.name)
            return dumps((versions, bodies)) if versions else None

    def restore(self, journal: Journal) -> None:
        """Restore every bucket and object.

        Raises:
            StateError: A body is missing, or its length is not its object's size.

        """
        used: set[str] = set()
        for account, region, values in loads(journal.records(TAGS).get("", dumps([]))):
            s3_stores[account][region].__dict__.update(values)
        for name, content in journal.records(BUCKET).items():
            account, bucket, parts = loads(content)
            store = s3_stores[account][bucket.bucket_region]
            store.buckets[name] = bucket
            store.global_bucket_map[name] = account
            for upload in [upload for upload in bucket.multiparts.values() if upload.id in parts]:
                multipart = self.store.get_multipart(name, upload)
                for number, part in list(upload.parts.items()):
                    # A part that was on its way when the process ended was never acknowledged.
                    body = parts[upload.id].get(int(number))
                    if body and self.bodies.size(body) == part.size:
                        multipart.parts[int(number)] = BodyFile(self.bodies, body)
                        used.add(body)
                    else:
                        del upload.parts[number]
        for path, content in journal.records(OBJECT).items():
            name, _, key = path.partition("/")
            if (found := self._find(name)) is None:
                continue
            for version, body in zip(*loads(content), strict=True):
                self._put_version(found[1].objects, key, version)
                if not isinstance(version, S3DeleteMarker):
                    file = self._body_file(version, body, used)
                    self.store._filesystem[name]["keys"][self.store._key_from_s3_object(version)] = file
        self.bodies.remove_all_but(used)

    @staticmethod
    def _put_version(objects: KeyStore | VersionedKeyStore, key: str, version: Any) -> None:
        if isinstance(objects, VersionedKeyStore):
            # An object stored before versioning was enabled has the version ID "null".
            version.version_id = version.version_id or "null"
            objects._store[key][version.version_id] = version
        else:
            objects._store[key] = version

    def _body_file(self, item: Any, body: str | None, used: set[str]) -> BodyFile:
        size = self.bodies.size(body) if body else None
        if body is None or size != item.size:
            raise StateError(
                f"The saved state in {self.bodies.folder.parent} is damaged: the body of {item.key!r} ({body}) is "
                f"{'missing' if size is None else f'{size} bytes long instead of {item.size}'}. Move the folder away and "
                "deploy again: couch up"
            )
        used.add(body)
        return BodyFile(self.bodies, body)


# --- objects of an earlier engine -------------------------------------------------------------------------------------


logger = logging.getLogger("couch.local")

# The kind of the record that says that the import was done.
CARRIED = "carried"

# The suffix of the JSON file that the earlier engine kept beside each object's body.
_METADATA = ".meta.json"


def import_earlier_objects(folder: Path, objects: Objects) -> int:
    """Import the image bucket's objects from the folder of the engine that the local cloud used before LocalEmu.

    The earlier files stay in place. Other buckets are left out: the resources that they belonged to no longer exist.

    Args:
        folder: Where the earlier engine kept its objects, by account and bucket.
        objects: The objects of this cloud.

    Returns:
        How many objects were imported; 0 where there are none, or the bucket exists already.

    """
    earlier = folder / ACCOUNT_ID / PICTURE_BUCKET
    store = s3_stores[ACCOUNT_ID][REGION]
    found = list(_earlier_objects(earlier)) if earlier.is_dir() else []
    if not found or PICTURE_BUCKET in store.buckets:
        return 0
    bucket = S3Bucket(
        PICTURE_BUCKET, ACCOUNT_ID, REGION, owner=get_owner_for_account_id(ACCOUNT_ID), location_constraint=REGION
    )
    store.buckets[PICTURE_BUCKET] = bucket
    store.global_bucket_map[PICTURE_BUCKET] = ACCOUNT_ID
    objects.touch_bucket(PICTURE_BUCKET)
    for path, metadata in found:
        key = metadata["key"]
        picture = S3Object(
            key,
            etag=str(metadata["etag"]).strip('"'),
            size=path.stat().st_size,
            user_metadata=metadata.get("metadata") or {},
            system_metadata={"ContentType": metadata.get("content_type") or "application/octet-stream"},
            owner=bucket.owner,
        )
        picture.last_modified = _time(metadata.get("last_modified")) or picture.last_modified
        body = objects.bodies.begin()
        _copy(path, objects.bodies.path(body))
        objects.bodies.written(body)
        files = objects.store._filesystem[PICTURE_BUCKET]["keys"]
        files[objects.store._key_from_s3_object(picture)] = BodyFile(objects.bodies, body)
        bucket.objects.set(key, picture)
        objects.touch(PICTURE_BUCKET, key)
    logger.info("%d pictures of the earlier engine are in the bucket %s", len(found), PICTURE_BUCKET)
    return len(found)


def _earlier_objects(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each object's file and metadata, but for deleted objects and those without readable metadata."""
    for beside in sorted(folder.rglob(f"*{_METADATA}")):
        path = beside.with_name(beside.name.removesuffix(_METADATA))
        try:
            metadata = json.loads(beside.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(metadata, dict) and metadata.get("key") and metadata.get("etag") and path.is_file():
            yield path, metadata


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _copy(source: Path, target: Path) -> None:
    """Hard-link the file where the file system can, else copy it; neither engine ever writes into an existing file."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
