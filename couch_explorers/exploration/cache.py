"""The picture cache on this machine, one file per request, so that no picture is paid for twice.

A picture is named by its job's id, which is derived from its request (`sweep_spec.picture_job`). `<id>.json` beside `<id>.png`
is the record of the request: it is written before the model is called, so that a picture that never came leaves a trace.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from couch_explorers.core import png as pictures
from couch_explorers.exploration.axes import MAX_CELLS, ExplorationError
from couch_explorers.files import read_json, write_json, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.core.jobs import Job


# Room for a picture of about one megapixel, with its record.
PROBE_BYTES = 2 << 20
# Seconds between two checks of a picture that another process is paying for.
CLAIM_POLL_S = 0.1


@dataclass(frozen=True)
class CachedPicture:
    """A complete picture in the cache: its path, its size in pixels, and the record of its request.

    `record` has "id", "model", "request", "asked" (UTC); once the picture is here, "kept" (UTC), "seconds" (that the model
    took) and "usd"; once it is in the bucket, "bucket" and "key". It is empty if only the picture was copied here.
    """

    path: Path
    width: int
    height: int
    record: dict[str, Any] = field(default_factory=dict)

    def is_at(self, bucket: str, key: str) -> bool:
        """Check whether the picture is known to be in the bucket under this key; makes no calls."""
        return (self.record.get("bucket"), self.record.get("key")) == (bucket, key)


class ImageCache:
    """The pictures of one target, in one folder. Safe for several threads and several processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damaged: dict[str, str] = {}

    def path(self, job_id: str) -> Path:
        """Return the path of a picture, whether it exists or not."""
        return self.folder / f"{job_id}.png"

    def find(self, job_id: str) -> CachedPicture | None:
        """Find a complete picture, or None; a truncated or damaged one counts as missing, and `damage` explains it."""
        path = self.path(job_id)
        self._damaged.pop(job_id, None)
        if (known := _size_when_checked(path)) is not None:
            return CachedPicture(path, *known, self.record(job_id))
        try:
            png = path.read_bytes()
            width, height = pictures.size(png)
            for _ in pictures.chunks(png):
                pass
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._damaged[job_id] = f"{path} cannot be read: {error.strerror}."
            return None
        except ValueError as error:
            self._damaged[job_id] = f"{path} was not whole. {error}"
            return None
        _note_checked(path, (width, height))
        return CachedPicture(path, width, height, self.record(job_id))

    def damage(self, job_id: str) -> str:
        """Explain in one sentence why the last `find` rejected an existing file; empty if there was none."""
        return self._damaged.get(job_id, "")

    def record(self, job_id: str) -> dict[str, Any]:
        """Read the record of a request; empty if there is none."""
        try:
            record = read_json(self._record_path(job_id))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def records(self, newest: int = 500) -> Iterator[dict[str, Any]]:
        """Read the records of the newest requests, newest first, including those whose picture never came."""
        try:
            with os.scandir(self.folder) as entries:
                dated = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if entry.name.endswith(".json")]
        except OSError:
            return
        for _, name in sorted(dated, reverse=True)[:newest]:
            if record := self.record(name.removesuffix(".json")):
                yield record

    def check_writable(self) -> None:
        """Check that pictures can be saved, so that nothing is paid for in vain; raises ExplorationError."""
        probe = self.folder / f".probe-{secrets.token_hex(4)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(bytes(PROBE_BYTES))
        except OSError as error:
            raise ExplorationError(self._write_error(error)) from error
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    def note_request(self, job: Job, **more: Any) -> Path:
        """Record that this picture is about to be requested; raises ExplorationError if that fails.

        `more` are further plain values for the record.
        """
        record = {"id": job.id, "model": job.model.id, "request": job.request, "asked": _now()}
        return self._write_record(job.id, record | more)

    def keep(
        self,
        job: Job,
        png: bytes,
        *,
        seconds: float | None = None,
        usd: float | None = None,
        **more: Any,
    ) -> CachedPicture:
        """Save a picture atomically, and complete its record; raises ExplorationError if that fails.

        `seconds` is the model's time, `usd` the amount paid; `more` are further plain values for the record,
        such as `bucket` and `key` of a picture that came from there.
        """
        width, height = pictures.size(png)
        try:
            path = write_whole(self.path(job.id), png)
        except OSError as error:
            raise ExplorationError(self._write_error(error)) from error
        known = {"id": job.id, "model": job.model.id, "request": job.request}
        given = {name: value for name, value in ({"seconds": seconds, "usd": usd} | more).items() if value is not None}
        record = known | self.record(job.id) | {"kept": _now()} | given
        # The picture is saved: an incomplete record costs a statistic, not the picture.
        with suppress(ExplorationError):
            self._write_record(job.id, record)
        return CachedPicture(path, width, height, record)

    def note_stored(self, job: Job, bucket: str, key: str) -> None:
        """Record that the picture is in the bucket, too; if that fails, the next run asks the bucket again."""
        with suppress(ExplorationError):
            self._write_record(job.id, self.record(job.id) | {"bucket": bucket, "key": key})

    def try_claim(self, job_id: str) -> Claim | None:
        """Claim the right to pay for a picture; None while another thread or process holds it.

        After getting the claim, call `find` again: the other holder may just have finished. A killed process loses its
        claims. Raises ExplorationError if the folder cannot be locked.
        """
        # Acquired and released by different threads.
        lock = FileLock(self.folder / f"{job_id}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        except OSError as error:
            raise ExplorationError(self._write_error(error)) from error
        return Claim(lock)

    @contextmanager
    def claim(self, job_id: str) -> Iterator[Claim]:
        """Claim the right to pay for a picture, waiting while another holds it; otherwise like `try_claim`."""
        while (claim := self.try_claim(job_id)) is None:
            time.sleep(CLAIM_POLL_S)
        with claim:
            yield claim

    def _record_path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def _write_record(self, job_id: str, record: dict[str, Any]) -> Path:
        try:
            return write_json(self._record_path(job_id), record)
        except OSError as error:
            raise ExplorationError(self._write_error(error)) from error

    def _write_error(self, error: OSError) -> str:
        if self.folder.is_file():
            return f"{self.folder} is a file where the picture cache should be: move it away, or set COUCH_HOME to another folder."
        return (
            f"The picture cache {self.folder} cannot be written ({error.strerror}): "
            "make room or give the right to write there, or set COUCH_HOME to another folder."
        )


# The sizes of pictures that this process has checked to the last chunk, with the file's stamp at that time: a form plans
# while the user types, and 10,000 pictures are gigabytes to read.
_checked: dict[Path, tuple[tuple[int, int, int, int], tuple[int, int]]] = {}
# A file changed this recently may change again within the resolution of its time stamp.
SETTLED_S = 2.0


def _stamp(path: Path) -> tuple[int, int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _size_when_checked(path: Path) -> tuple[int, int] | None:
    """Return a picture's size if it was checked before and has not changed since."""
    stamp, size = _checked.get(path, (None, None))
    with suppress(OSError):
        if stamp is not None and stamp == _stamp(path):
            return size
    return None


def _note_checked(path: Path, size: tuple[int, int]) -> None:
    with suppress(OSError):
        stamp = _stamp(path)
        if time.time() - stamp[2] / 1e9 > SETTLED_S:
            if len(_checked) >= MAX_CELLS:
                _checked.clear()
            _checked[path] = stamp, size


class Claim:
    """The right to pay for one picture, until `release` or the end of its `with` block."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Release the claim; a second call does nothing."""
        if not self._lock.is_locked:
            return
        # Removed while it is held: a waiter that then locks the removed file notices that it has no name and starts over
        # (filelock). Where an open file cannot be removed, it stays and does no harm.
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
