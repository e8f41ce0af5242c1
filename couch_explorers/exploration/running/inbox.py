"""Reading what came of the jobs of a sweep: pictures into the cache, notes into rows."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import BlockedError, GenerationError, ThrottledError
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.running import bucket
from couch_explorers.exploration.running.errands import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.exploration.running.cache import ImageCache
    from couch_explorers.exploration.running.errands import Errand, Errands
    from couch_explorers.workspace import Workspace

# How a cell ends whose note gives this reason; with any other it is FAILED.
STATUSES = {BlockedError.reason: Status.FILTERED, ThrottledError.reason: Status.THROTTLED}
# Seconds for what is being read when the run is stopped.
GRACE_S = 2.0


class Inbox:
    """Reads answers in threads of its own.

    `heard` is the time (time.monotonic) when the last one was read; `trouble` says why the last attempt failed that a later
    look repeats.
    """

    def __init__(self, s3: Any, workspace: Workspace, errands: Errands, cache: ImageCache, threads: int) -> None:
        self._place = (s3, workspace.bucket, workspace.prefix)
        self._errands, self._cache = errands, cache
        self._threads = ThreadPoolExecutor(threads, "couch-read")
        self._under_way: list[Future[None]] = []
        self.heard = -math.inf
        self.trouble = ""

    def read_picture(self, errand: Errand) -> None:
        """Fetch the picture that has been seen in the bucket, and report the errand."""
        self._read(errand, self._picture)

    def read_note(self, errand: Errand) -> None:
        """Fetch the note that has been seen in the bucket, and report the errand."""
        self._read(errand, self._note)

    def close(self) -> None:
        """Read nothing more; a picture that is under way is still kept."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self._under_way if not future.cancelled()], timeout=GRACE_S)

    def _read(self, errand: Errand, reader: Callable[[Errand, float | None], bool]) -> None:
        errand.fetching = True
        # The errand ends for whoever waits when its answer is seen; reading it is this machine's matter.
        seconds = None if errand.sent is None else round(time.monotonic() - errand.sent, 3)
        self._under_way.append(self._threads.submit(self._guarded, errand, reader, seconds))

    def _guarded(self, errand: Errand, reader: Callable[[Errand, float | None], bool], seconds: float | None) -> None:
        """Let one answer be read; what goes wrong ends this errand alone, or leaves it to a later look."""
        try:
            if reader(errand, seconds):
                self.heard = time.monotonic()
            else:
                errand.fetching = False
        except GenerationError as error:
            if error.passing:
                self.trouble = error.detail
                errand.fetching = False
            else:
                self._errands.finish(errand, Status.FAILED, f"{error.reason}: {error.detail}")
        except ExplorationError as error:
            self._errands.finish(errand, Status.FAILED, f"The picture is in the bucket. {error}")
        except Exception as error:  # noqa: BLE001 - a row tells it; the other cells go on
            self._errands.finish(errand, Status.FAILED, f"{type(error).__name__}: {error}")

    def _picture(self, errand: Errand, seconds: float | None) -> bool:
        """Fetch a picture into the cache; False where it is gone."""
        s3, name, prefix = self._place
        png = bucket.fetch(s3, name, prefix, errand.job)
        if png is None:
            return False
        key = errand.job.key(prefix)
        if errand.sender not in (Sender.THIS_RUN, Sender.EARLIER_RUN):
            picture = self._cache.keep(errand.job, png, bucket=name, key=key)
            self._errands.finish_with(errand, picture, Status.CACHED, errand.sender, key=key)
            return True
        usd = errand.job.model.price_usd(errand.job.size)
        # Not as the record's "seconds": those tell how long a model takes, these how long the queue was too.
        picture = self._cache.keep(errand.job, png, usd=usd, bucket=name, key=key, queue_seconds=seconds)
        self._errands.finish_with(errand, picture, Status.MADE, errand.sender, seconds=seconds, usd=usd, key=key)
        return True

    def _note(self, errand: Errand, seconds: float | None) -> bool:
        """Fetch why there is no picture; False where the note is gone."""
        s3, name, prefix = self._place
        note = bucket.fetch_note(s3, name, prefix, errand.job)
        if note is None:
            return False
        reason, detail = note
        errand.forget(self._cache)
        self._errands.finish(errand, STATUSES.get(reason, Status.FAILED), f"{reason}: {detail}", seconds=seconds)
        return True
