"""Runs a plan: calls a runner for the new cells in threads, and collects the outcome of every cell."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from couch_explorers.core import png as pictures
from couch_explorers.core.errors import GenerationError
from couch_explorers.exploration import bucket, progress
from couch_explorers.exploration.plan import Planned
from couch_explorers.exploration.results import WITH_PICTURE, Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from couch_explorers.exploration.cache import CachedPicture, ImageCache
    from couch_explorers.exploration.plan import PlanRow
    from couch_explorers.exploration.sweep_spec import Cell
    from couch_explorers.workspace import Workspace


# Threads that upload pictures that an earlier run could only save locally.
UPLOAD_THREADS = 8
# Seconds between two checks for an interrupt; on Windows, nothing else lets Ctrl-C through.
POLL_S = 0.2


class Runner(Protocol):
    """Makes the pictures of cells: `direct_runner.run` and `queue_runner.run`."""

    def __call__(
        self,
        cells: Sequence[Cell],
        *,
        workspace: Workspace,
        cache: ImageCache,
        concurrency: int,
        report: Callable[[Outcome], None],
        stop: threading.Event,
    ) -> None:
        """Report each cell once, from any thread; return when all are reported or soon after `stop` is set."""


class Executor:
    """Executes the rows of a plan and collects the outcome of each; runners work in other threads.

    `error` is what ended a runner prematurely, None if nothing did.
    """

    def __init__(self, rows: Sequence[PlanRow], workspace: Workspace, cache: ImageCache) -> None:
        self._rows, self._workspace, self._cache = rows, workspace, cache
        self.new = [row.cell for row in rows if row.status is Planned.NEW]
        self.error: Exception | None = None
        self._planned = {row.cell.number: row.reason for row in rows}
        self._outcomes: dict[int, Outcome] = {}
        self._local_only: list[Cell] = []
        self._lock = threading.Lock()
        for row in rows:
            if row.status is Planned.REFUSED:
                self._outcomes[row.cell.number] = Outcome(row.cell.number, Status.REFUSED, row.reason)
            elif row.status is Planned.CACHED:
                self._note_cached(row)

    def _note_cached(self, row: PlanRow) -> None:
        cell, picture = row.cell, row.picture
        if picture is None or cell.job is None:
            raise AssertionError("A cached row of a plan has a picture and a job.")
        key = cell.job.key(self._workspace.prefix)
        in_bucket = picture.is_at(self._workspace.bucket, key)
        if not in_bucket:
            self._local_only.append(cell)
        self._outcomes[cell.number] = Outcome(
            cell.number,
            Status.CACHED,
            path=picture.path,
            key=key if in_bucket else None,
            width=picture.width,
            height=picture.height,
        )

    def do(
        self,
        runner: Runner,
        concurrency: int,
        label: str,
        *,
        cancel: threading.Event | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make the new pictures, and upload those that exist only locally.

        Args:
            runner: makes the pictures.
            concurrency: the number of pictures at a time.
            label: the text before the progress.
            cancel: ends the wait once it is set; pictures already requested are still saved when they arrive.
            on_step: see `progress.track`.

        Raises:
            KeyboardInterrupt: immediately.

        """
        if not self.new and not self._local_only:
            return
        stop, done = threading.Event(), threading.Event()
        with progress.track(len(self.new) + len(self._local_only), label, on_step) as shown:

            def report(outcome: Outcome) -> None:
                if stop.is_set():
                    return
                with self._lock:
                    self._outcomes[outcome.number] = self._explained(outcome)
                shown.step()

            def work() -> None:
                try:
                    with self._uploading(stop, shown.step):
                        runner(
                            self.new,
                            workspace=self._workspace,
                            cache=self._cache,
                            concurrency=concurrency,
                            report=report,
                            stop=stop,
                        )
                except Exception as error:  # noqa: BLE001 - raised by the caller
                    self.error = error
                finally:
                    done.set()

            try:
                # In separate threads, so that an interrupt hits this loop and never a runner or an import.
                threading.Thread(target=work, name="sweep").start()
                if not done.wait(POLL_S):
                    threading.Thread(target=_preload_pandas, name="import").start()
                while not done.wait(POLL_S):
                    if cancel is not None and cancel.is_set():
                        stop.set()
                        return
            except BaseException:
                stop.set()
                raise

    def outcomes(self) -> dict[int, Outcome]:
        """Return the outcomes so far, by cell number, without cells that have not ended.

        After a stop, this includes pictures that were just being uploaded.
        """
        with self._lock:
            known = dict(self._outcomes)
        for cell in self.new:
            if cell.number not in known and (picture := self._cache.find(cell.id)) is not None:
                known[cell.number] = _kept_outcome(cell.number, picture)
        for row in self._rows:
            leader = known.get(row.cell.same_as) if row.cell.same_as is not None else None
            if row.status is Planned.SAME and leader is not None:
                known[row.cell.number] = _same_outcome(row.cell.number, leader)
        return known

    def _explained(self, outcome: Outcome) -> Outcome:
        """Add the reason why a picture was made again."""
        planned = self._planned[outcome.number]
        if outcome.status not in WITH_PICTURE or not planned:
            return outcome
        return replace(outcome, reason=f"{planned} {outcome.reason}".strip())

    @contextmanager
    def _uploading(self, stop: threading.Event, step: Callable[[], None]) -> Iterator[None]:
        """Upload pictures that exist only locally, concurrently with the `with` block."""
        if not self._local_only:
            yield
            return
        s3 = bucket.s3_client(self._workspace, UPLOAD_THREADS)
        with ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload") as pool:
            uploads = pool.map(partial(self._upload, s3, stop, step), self._local_only)
            yield
            list(uploads)

    def _upload(self, s3: Any, stop: threading.Event, step: Callable[[], None], cell: Cell) -> None:
        """Upload a picture that an earlier run could only save locally."""
        job, known = cell.job, self._outcomes[cell.number]
        if job is None or known.path is None or stop.is_set():
            return
        try:
            png = known.path.read_bytes()
            seed = pictures.read_parameters(png).get("seed")
            stored = replace(known, key=bucket.upload(s3, self._workspace, self._cache, job, png, seed=seed))
        except GenerationError as error:
            stored = replace(
                known,
                reason=f"Not in the bucket yet; the next run stores it. {error.reason}: {error.detail}",
            )
        except (OSError, ValueError) as error:
            stored = replace(known, reason=f"Not in the bucket: {error}")
        with self._lock:
            self._outcomes[cell.number] = stored
        step()


def _preload_pandas() -> None:
    """Import pandas while the first pictures are generated, where its half second costs nothing."""
    import pandas  # noqa: F401, ICN001, PLC0415


def _kept_outcome(number: int, picture: CachedPicture) -> Outcome:
    """Return the outcome of a picture that was paid for and saved, but not reported before the stop."""
    seconds, usd = picture.record.get("seconds"), picture.record.get("usd", 0.0)
    outcome = Outcome(number, Status.MADE, "Not in the bucket yet; the next run stores it.", seconds, usd)
    return replace(outcome, path=picture.path, width=picture.width, height=picture.height)


def _same_outcome(number: int, leader: Outcome) -> Outcome:
    """Return the outcome of a cell with the same request as an earlier one; it costs nothing."""
    if leader.status in WITH_PICTURE:
        reason, status = f"The same picture as cell {leader.number}.", Status.SAME
    else:
        reason, status = f"As cell {leader.number}: {leader.reason}", leader.status
    return replace(leader, number=number, status=status, reason=reason, seconds=None, usd=0.0)
