"""S3: buckets and objects as records, one a bucket and one a key; their bodies are in `bodies`."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localemu.services.s3.models import KeyStore, S3DeleteMarker, VersionedKeyStore, s3_stores

from couch_explorers.local.engine.state import pickling
from couch_explorers.local.engine.state.bodies import Bodies, BodyFile, ObjectStore
from couch_explorers.local.engine.state.journal import Changes, Journal, Key, StateError

BUCKET, OBJECT, TAGS = "bucket", "object", "bucket-tags"

# A bucket is written without its objects.
pickling.REDUCERS[KeyStore] = lambda _: (KeyStore, ())
pickling.REDUCERS[VersionedKeyStore] = lambda _: (VersionedKeyStore, ())

# Of S3's operations, those whose names begin so change nothing.
_READS = ("Get", "Head", "List", "Select")
# The attributes of a region's store that are no buckets.
_REGIONAL = ("attr_tags", "attr_aws_managed_kms_key_id")


class _BeingWrittenError(Exception):
    """Somebody writes the object's body at this moment."""


class Objects:
    """What of S3 has changed since it was last written."""

    def __init__(self, folder: Path) -> None:
        self.bodies = Bodies(folder)
        self.store = ObjectStore(self.bodies, self.touch)
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()
        self._buckets: set[str] = set()
        # LocalEmu stores a body first and its object some moments later: what was touched is looked at twice.
        self._again: set[tuple[str, str]] = set()

    def touch(self, bucket: str, key: str) -> None:
        """Take note that an object has changed."""
        with self._lock:
            self._keys.add((bucket, key))

    def touch_bucket(self, bucket: str) -> None:
        """Take note that a bucket was made or has changed."""
        with self._lock:
            self._buckets.add(bucket)

    def called(self, operation: str, request: Mapping[str, Any]) -> None:
        """Take note of what an operation with these arguments has changed."""
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
        """The new values of the records that are not up to date."""
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
        found[Key(TAGS, "")] = pickling.dumps(
            [
                (account, region, {name: store.__dict__[name] for name in _REGIONAL if name in store.__dict__})
                for account, region, store in list(s3_stores.iter_stores())
            ]
        )
        return found

    @staticmethod
    def _find(name: str) -> tuple[str, Any] | None:
        """The account and the bucket of a name."""
        account = s3_stores._universal.get("global_bucket_map", {}).get(name)  # noqa: SLF001
        bucket = account and s3_stores[account]._global.get("buckets", {}).get(name)  # noqa: SLF001
        return (account, bucket) if bucket else None

    def _bucket(self, name: str) -> bytes | None:
        if (found := self._find(name)) is None:
            return None
        account, bucket = found
        uploads = self.store._filesystem[name]["multiparts"] if name in self.store._filesystem else {}  # noqa: SLF001
        parts = {
            upload: {number: file.name for number, file in list(multipart.parts.items())}
            for upload, multipart in list(uploads.items())
        }
        return pickling.dumps((account, bucket, parts))

    def _object(self, name: str, key: str) -> bytes | None:
        """The record of a key: its versions and the names of their bodies.

        Raises _BeingWrittenError where a body is about to be replaced; until then the record that there is stays right.
        """
        if (found := self._find(name)) is None:
            return None
        files = self.store._filesystem[name]["keys"]  # noqa: SLF001
        with ExitStack() as locks:
            stored = found[1].objects._store.get(key)  # noqa: SLF001
            versions = list(stored.values()) if isinstance(stored, dict) else [stored] if stored else []
            bodies = []
            for version in versions:
                file = files.get(self.store._key_from_s3_object(version))  # noqa: SLF001
                if file is not None:
                    lock = file.readwrite_lock.gen_rlock()
                    if not lock.acquire(blocking=False):
                        raise _BeingWrittenError
                    locks.callback(lock.release)
                bodies.append(file and file.name)
            return pickling.dumps((versions, bodies)) if versions else None

    def restore(self, journal: Journal) -> None:
        """Put every bucket and object back; raises StateError where a body is missing or has another length than its object."""
        used: set[str] = set()
        for account, region, values in pickling.loads(journal.records(TAGS).get("", pickling.dumps([]))):
            s3_stores[account][region].__dict__.update(values)
        for name, content in journal.records(BUCKET).items():
            account, bucket, parts = pickling.loads(content)
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
            for version, body in zip(*pickling.loads(content), strict=True):
                self._put_version(found[1].objects, key, version)
                if not isinstance(version, S3DeleteMarker):
                    file = self._body_file(version, body, used)
                    self.store._filesystem[name]["keys"][self.store._key_from_s3_object(version)] = file  # noqa: SLF001
        self.bodies.remove_all_but(used)

    @staticmethod
    def _put_version(objects: KeyStore | VersionedKeyStore, key: str, version: Any) -> None:
        if isinstance(objects, VersionedKeyStore):
            # An object from before the bucket kept versions has the version "null" since then.
            version.version_id = version.version_id or "null"
            objects._store[key][version.version_id] = version  # noqa: SLF001
        else:
            objects._store[key] = version  # noqa: SLF001

    def _body_file(self, item: Any, body: str | None, used: set[str]) -> BodyFile:
        size = self.bodies.size(body) if body else None
        if body is None or size != item.size:
            raise StateError(
                f"The saved state in {self.bodies.folder.parent} is damaged: the body of {item.key!r} ({body}) is "
                f"{'missing' if size is None else f'{size} bytes long instead of {item.size}'}. Move the folder away and "
                "deploy anew: couch up"
            )
        used.add(body)
        return BodyFile(self.bodies, body)
