"""Calls the image models from this machine, a fixed number at a time.

A cell goes through three thread pools. One looks for the picture in the bucket before the cell's turn; a slot calls the model
and saves the picture in the cache; another uploads it to the bucket while the slot continues with the next cell.
"""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from couch_explorers.core import generation
from couch_explorers.core import png as pictures
from couch_explorers.core.errors import BlockedError, GenerationError, ModelTimeoutError, ThrottledError
from couch_explorers.exploration import bucket
from couch_explorers.exploration.prompt_templates import template_parameters, with_template
from couch_explorers.exploration.results import Outcome, Status
from couch_explorers.exploration.sweep_spec import ExplorationError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from couch_explorers.core.jobs import Job
    from couch_explorers.exploration.cache import CachedPicture, Claim, ImageCache
    from couch_explorers.exploration.sweep_spec import Cell
    from couch_explorers.workspace import Workspace


# The status of a cell that the model rejected; every other error is FAILED.
STATUS_BY_ERROR: dict[type[Exception], Status] = {BlockedError: Status.FILTERED, ThrottledError: Status.THROTTLED}


@dataclass
class CellTask:
    """A cell in progress: its claim, and its results so far."""

    cell: Cell
    job: Job
    claim: Claim | None = None
    png: bytes = field(default=b"", repr=False)
    # The seed that the model used.
    seed: int = 0
    outcome: Outcome | None = None

    def release_claim(self) -> None:
        """Let another process have the picture, or pay for it."""
        if self.claim is not None:
            self.claim.release()


def with_file(outcome: Outcome, picture: CachedPicture) -> Outcome:
    """Return the outcome with the local picture's path and size."""
    return replace(outcome, path=picture.path, width=picture.width, height=picture.height)


def failed_outcome(task: CellTask, error: Exception) -> Outcome:
    """Return the outcome of a task that failed, including what was already paid."""
    status = STATUS_BY_ERROR.get(type(error), Status.FAILED)
    return replace(task.outcome or Outcome(task.cell.number, status), status=status, reason=describe_error(error))


def describe_error(error: Exception) -> str:
    """Describe an error for the user; a call that timed out may have been billed."""
    if isinstance(error, ModelTimeoutError):
        return f"{error.reason}: {error.detail} It may have been billed."
    if isinstance(error, GenerationError):
        return f"{error.reason}: {error.detail}"
    return str(error) if isinstance(error, ExplorationError) else f"{type(error).__name__}: {error}"


# AWS's advice for image models: botocore's standard retries, and a long read timeout (seconds).
ATTEMPTS = 5
READ_TIMEOUT_S = 120.0
# Threads that list the bucket and fetch from it.
LOOKUP_THREADS = 8
# Slots per upload thread. A picture takes seconds to generate and a fraction of one to store: a few uploads keep up with many
# slots, and more would only compete with them for the CPU.
SLOTS_PER_UPLOAD_THREAD, MIN_UPLOAD_THREADS = 4, 2
# Cells in progress, as a multiple of the slots: some are being generated, and as many wait for a slot, are looked up or are
# being stored. More would only block another process that sweeps the same grid.
IN_FLIGHT_FACTOR = 4
# Seconds between two checks of `stop`, and of a picture that another process is paying for.
POLL_S = 0.1


def run(
    cells: Sequence[Cell],
    *,
    workspace: Workspace,
    cache: ImageCache,
    concurrency: int,
    report: Callable[[Outcome], None],
    stop: threading.Event,
) -> None:
    """Make or fetch the cells' pictures, `concurrency` calls at a time, and report each cell once.

    Every cell has a job, and no two have the same. Returns when all are reported, or soon after `stop` is set: no further
    call is started, and the pictures that are being generated are still saved, by their threads.
    """
    tasks = [CellTask(cell, cell.job) for cell in cells if cell.job is not None]
    DirectRun({task.job.model.region for task in tasks}, workspace, cache, concurrency, report, stop).go(tasks)


class DirectRun:
    """The state shared by the threads of a run."""

    def __init__(
        self,
        regions: set[str],
        workspace: Workspace,
        cache: ImageCache,
        concurrency: int,
        report: Callable[[Outcome], None],
        stop: threading.Event,
    ) -> None:
        self._workspace, self._cache, self._report, self._stop = workspace, cache, report, stop
        # Clients are created by one thread: they are thread-safe, sessions are not.
        upload_threads = max(MIN_UPLOAD_THREADS, concurrency // SLOTS_PER_UPLOAD_THREAD)
        self._s3 = bucket.s3_client(workspace, threads=LOOKUP_THREADS + upload_threads + concurrency)
        self._models = {region: self._model_client(region, workspace.session, concurrency) for region in regions}
        # One batch at a time, so that the cells stay in order.
        self._look_ahead_pool = ThreadPoolExecutor(1, thread_name_prefix="look-ahead")
        self._lookup_pool = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")
        self._model_pool = ThreadPoolExecutor(concurrency, thread_name_prefix="slot")
        self._upload_pool = ThreadPoolExecutor(upload_threads, thread_name_prefix="upload")
        self._batch, self._max_in_flight = concurrency, IN_FLIGHT_FACTOR * concurrency
        # Tasks that have ended or, if they have no outcome, are claimed by another process.
        self._finished: SimpleQueue[CellTask] = SimpleQueue()
        # Why no more pictures are paid for; empty while they can be saved.
        self._cannot_save = ""

    def _model_client(self, region: str, session: Any, concurrency: int) -> Any:
        return generation.bedrock_client(
            region,
            attempts=ATTEMPTS,
            read_timeout_s=READ_TIMEOUT_S,
            # Once stopped, there is no time for another attempt either.
            time_left_s=lambda: 0.0 if self._stop.is_set() else math.inf,
            session=session,
            max_pool_connections=concurrency,
        )

    def go(self, tasks: Sequence[CellTask]) -> None:
        """Process the tasks until all have ended or the run is stopped."""
        waiting, claimed_elsewhere = deque(tasks), deque[tuple[float, CellTask]]()
        remaining, in_flight = len(waiting), 0
        try:
            while remaining and not self._stop.is_set():
                while claimed_elsewhere and claimed_elsewhere[0][0] <= time.monotonic():
                    waiting.append(claimed_elsewhere.popleft()[1])
                while waiting and self._max_in_flight - in_flight >= (size := min(self._batch, len(waiting))):
                    self._look_ahead_pool.submit(self._look_ahead, [waiting.popleft() for _ in range(size)])
                    in_flight += size
                try:
                    task = self._finished.get(timeout=POLL_S)
                except Empty:
                    continue
                in_flight -= 1
                if task.outcome is not None:
                    remaining -= 1
                else:
                    claimed_elsewhere.append((time.monotonic() + POLL_S, task))
        finally:
            # Tasks in progress check `stop` themselves.
            for pool in (self._look_ahead_pool, self._lookup_pool, self._model_pool, self._upload_pool):
                pool.shutdown(wait=False)

    def _guarded(self, step: Callable[[CellTask], None], task: CellTask) -> None:
        """Run one step of a task; any error ends this task only."""
        try:
            step(task)
        except Exception as error:  # noqa: BLE001 - any error is this task's outcome
            self._end(task, failed_outcome(task, error))

    def _end(self, task: CellTask, outcome: Outcome) -> None:
        task.outcome, task.png = outcome, b""
        task.release_claim()
        self._report(outcome)
        self._finished.put(task)

    def _submit(
        self,
        pool: ThreadPoolExecutor,
        step: Callable[[CellTask], None],
        task: CellTask,
    ) -> Future[None] | None:
        try:
            return pool.submit(self._guarded, step, task)
        except RuntimeError:
            # The run was stopped and its pools are shut down: finish in this thread what was begun.
            self._guarded(step, task)
            return None

    def _look_ahead(self, tasks: Sequence[CellTask]) -> None:
        """Look up the pictures of some cells before their turn."""
        if self._stop.is_set():
            return
        for task in tasks:
            self._guarded(self._claim, task)
        claimed = [task for task in tasks if task.claim is not None and task.outcome is None]
        wait([future for task in claimed if (future := self._submit(self._lookup_pool, self._look, task)) is not None])

    def _claim(self, task: CellTask) -> None:
        """Claim the right to pay for the picture; one that another run has made meanwhile costs nothing."""
        task.claim = self._cache.try_claim(task.job.id)
        if task.claim is None:
            self._finished.put(task)
        elif (picture := self._cache.find(task.job.id)) is not None:
            self._end(task, self._cached(task, picture, "Made by another run meanwhile."))

    def _look(self, task: CellTask) -> None:
        """Fetch the picture from the bucket, or have a slot generate it; if the lookup fails, nothing is paid."""
        s3, workspace, job = self._s3, self._workspace, task.job
        key = job.key(workspace.prefix)
        png = None
        # One key per call: a page of a thousand other keys would take longer to read.
        if generation.find(s3, workspace.bucket, key):
            png = bucket.fetch_picture(s3, workspace.bucket, workspace.prefix, job)
        if png is not None:
            png = with_template(png, task.cell.template, task.cell.variables)
            picture = self._cache.keep(job, png, bucket=workspace.bucket, key=key)
            self._end(task, self._cached(task, picture, "Fetched from the bucket."))
        elif self._stop.is_set():
            task.release_claim()
        else:
            self._cache.note_request(job)
            self._submit(self._model_pool, self._ask, task)

    def _cached(self, task: CellTask, picture: CachedPicture, reason: str) -> Outcome:
        key = task.job.key(self._workspace.prefix)
        outcome = Outcome(
            task.cell.number,
            Status.CACHED,
            reason,
            key=key if picture.is_at(self._workspace.bucket, key) else None,
        )
        return with_file(outcome, picture)

    def _ask(self, task: CellTask) -> None:
        """Call the model and save the picture locally; holds a slot meanwhile."""
        if self._stop.is_set():
            task.release_claim()
            return
        if self._cannot_save:
            raise ExplorationError(f"Not generated, because the last picture could not be saved. {self._cannot_save}")
        job = task.job
        begin = time.monotonic()
        png, task.seed = generation.ask(self._models[job.model.region], job)
        seconds, usd = round(time.monotonic() - begin, 3), job.model.price_usd(job.size)
        task.outcome = paid = Outcome(task.cell.number, Status.MADE, seconds=seconds, usd=usd)
        parameters = generation.parameters_of(job, seed=task.seed, created=datetime.now(UTC))
        parameters |= template_parameters(task.cell.template, task.cell.variables)
        task.png = pictures.add_parameters(png, parameters)
        try:
            # Before the slot continues: a killed process loses at most one picture per slot.
            task.outcome = with_file(paid, self._cache.keep(job, task.png, seconds=seconds, usd=usd))
        except ExplorationError as error:
            width, height = pictures.size(task.png)
            task.outcome = replace(paid, reason=str(error), width=width, height=height)
        self._submit(self._upload_pool, self._upload, task)

    def _upload(self, task: CellTask) -> None:
        """Upload the picture to the bucket; one that can be saved nowhere is lost, and is the last to be paid for."""
        made = task.outcome
        if made is None:
            return
        try:
            key = bucket.upload(self._s3, self._workspace, self._cache, task.job, task.png, seed=task.seed)
        except Exception as error:  # noqa: BLE001 - any error is this task's outcome
            if made.path is not None:
                self._end(
                    task,
                    replace(made, reason=f"Not in the bucket yet; the next run stores it. {describe_error(error)}"),
                )
                return
            self._cannot_save = f"{made.reason} {describe_error(error)}"
            lost = f"The picture was paid for and is lost. {self._cannot_save}"
            self._end(task, replace(made, status=Status.FAILED, reason=lost, width=None, height=None))
        else:
            reason = f"{made.reason} The picture is in the bucket." if made.reason else ""
            self._end(task, replace(made, key=key, reason=reason))
