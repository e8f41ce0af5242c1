"""The bodies of S3 objects as files, each written once under a name of its own: memory holds none of them."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from localemu.services.s3.storage.ephemeral import (
    EphemeralS3ObjectStore,
    EphemeralS3StoredMultipart,
    EphemeralS3StoredObject,
    LockedFileMixin,
)

# Says that the object of a bucket with this key has another body now, or none.
Touch = Callable[[str, str], None]


class Bodies:
    """The files in a folder: those that a record names, and those that none names yet or any more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._unsynced: set[str] = set()
        self._unused: set[str] = set()

    def path(self, name: str) -> Path:
        """Where a body lies."""
        return self.folder / name

    def size(self, name: str) -> int | None:
        """How many bytes a body has; None where there is none."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def begin(self) -> str:
        """The name of a new body."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return uuid4().hex

    def written(self, name: str) -> None:
        """Take note of a new body, which is to be on disk before a record names it."""
        with self._lock:
            self._unsynced.add(name)

    def drop(self, name: str) -> None:
        """Take note of a body that no object has any more; its file goes when no record names it."""
        with self._lock:
            self._unused.add(name)

    def take_unused(self) -> set[str]:
        """The dropped bodies, to be handed to `remove` once the records of their objects are written."""
        with self._lock:
            unused, self._unused = self._unused, set()
            self._unsynced -= unused
            return unused

    def sync(self) -> None:
        """Wait until every new body is on disk."""
        with self._lock:
            unsynced, self._unsynced = self._unsynced, set()
        for name in unsynced:
            try:
                descriptor = os.open(self.path(name), os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove(self, names: set[str]) -> None:
        """Delete files."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def remove_all_but(self, names: set[str]) -> None:
        """Delete what a crash left behind: bodies that no record came to name, or that none names any more."""
        if self.folder.is_dir():
            self.remove({path.name for path in self.folder.iterdir()} - names)


class BodyFile(LockedFileMixin):  # type: ignore[misc]
    """One object's body, in the place of LocalEmu's temporary file; what is written replaces it only as a whole."""

    def __init__(self, bodies: Bodies, name: str | None = None) -> None:
        super().__init__()
        self.name = name
        self._bodies = bodies
        self._position = 0
        self._new: Any = None
        self._new_name = ""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position from which is read."""
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._size()
        self._position = offset
        return offset

    def tell(self) -> int:
        """The position."""
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
        """Bytes from the position on."""
        if (path := self._path()) is None:
            return b""
        with path.open("rb") as file:
            file.seek(self._position)
            data = file.read(-1 if size is None else size)
        self._position += len(data)
        return data

    def truncate(self, size: int | None = None) -> int:
        """Begin a new body; only the whole can be replaced."""
        if size or self._position:
            raise NotImplementedError("The body of an object is replaced as a whole.")
        self.discard()
        self._new_name = self._bodies.begin()
        self._new = self._bodies.path(self._new_name).open("xb")
        return 0

    def write(self, data: bytes) -> int:
        """Add to the new body."""
        if self._new is None:
            self._position = 0
            self.truncate()
        written: int = self._new.write(data)
        self._position += written
        return written

    def commit(self) -> None:
        """Let the new body, if one was begun, take the place of the one before."""
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
        """Forget a new body that was begun; False where there is none."""
        if self._new is None:
            return False
        with suppress(OSError):
            self._new.close()
        self._new = None
        self._bodies.path(self._new_name).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Give up the body."""
        self.discard()
        if self.name is not None:
            self._bodies.drop(self.name)
            self.name = None


class _StoredObject(EphemeralS3StoredObject):  # type: ignore[misc]
    """An object that is open; closing it after it was written puts its new body in place."""

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
    """The parts of an upload that is not complete yet."""

    def open(self, s3_part: Any, mode: str = "r") -> _StoredObject:
        file = self.parts.setdefault(s3_part.part_number, BodyFile(self._s3_store.bodies))
        return _StoredObject(s3_part, file, mode=mode)


class ObjectStore(EphemeralS3ObjectStore):  # type: ignore[misc]
    """What S3's provider reads and writes bodies with."""

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
        """Remove bodies; of one that is just being written only what is new."""
        keys = self._filesystem[bucket]["keys"]
        for item in s3_object if isinstance(s3_object, list) else [s3_object]:
            key = self._key_from_s3_object(item)
            self._touch(bucket, item.key)
            if (file := keys.get(key)) is not None and not file.discard():
                del keys[key]
                file.close()

    def get_multipart(self, bucket: str, s3_multipart: Any) -> _StoredMultipart:
        """The parts of an upload."""
        with self._lock_multipart_create:
            uploads = self._filesystem[bucket]["multiparts"]
            if s3_multipart.id not in uploads:
                uploads[s3_multipart.id] = _StoredMultipart(self, bucket, s3_multipart, "")
            upload: _StoredMultipart = uploads[s3_multipart.id]
            return upload

    def remove_multipart(self, bucket: str, s3_multipart: Any) -> None:
        """Give up an upload's parts."""
        if (upload := self._filesystem[bucket]["multiparts"].pop(s3_multipart.id, None)) is not None:
            upload.close()

    def create_bucket(self, bucket: str) -> None:
        """Nothing: bodies of all buckets lie side by side."""

    def delete_bucket(self, bucket: str) -> None:
        """Give up whatever the bucket still holds, such as parts of uploads."""
        content = self._filesystem.pop(bucket, {"keys": {}, "multiparts": {}})
        for item in [*content["keys"].values(), *content["multiparts"].values()]:
            item.close()

    def close(self) -> None:
        """Nothing: the bodies outlive the process."""

    def reset(self) -> None:
        """Forget every body."""
        for bucket in list(self._filesystem):
            self.delete_bucket(bucket)
