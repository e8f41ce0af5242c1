"""Asks the image models from this machine, a fixed number of calls at a time.

A cell goes through three pools. One looks whether the picture is in the bucket, ahead of the cell's turn; a slot calls the
model and keeps the picture in the cache; another uploads it to the bucket while the slot goes on with the next cell.
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


# How a cell ends that the model has turned away; every other error is FAILED.
STATUS_BY_ERROR: dict[type[Exception], Status] = {BlockedError: Status.FILTERED, ThrottledError: Status.THROTTLED}


@dataclass
class CellTask:
    """A cell on its way: who holds it, and what has been made of it so far."""

    cell: Cell
    job: Job
    claim: Claim | None = None
    png: bytes = field(default=b"", repr=False)
    # The seed that the model used.
    seed: int = 0
    outcome: Outcome | None = None

    def give_back_claim(self) -> None:
        """Let another process have the picture, or the right to pay for it."""
        if self.claim is not None:
            self.claim.release()


def with_file(outcome: Outcome, picture: CachedPicture) -> Outcome:
    """Say where the picture is here, and its size."""
    return replace(outcome, path=picture.path, width=picture.width, height=picture.height)


def failed_outcome(turn: CellTask, error: Exception) -> Outcome:
    """Say what ended a turn; what was paid by then stays said."""
    status = STATUS_BY_ERROR.get(type(error), Status.FAILED)
    return replace(turn.outcome or Outcome(turn.cell.number, status), status=status, reason=describe_error(error))


def describe_error(error: Exception) -> str:
    """Say what went wrong, for a person; a call that timed out may have cost something."""
    if isinstance(error, ModelTimeoutError):
        return f"{error.reason}: {error.detail} It may have been billed."
    if isinstance(error, GenerationError):
        return f"{error.reason}: {error.detail}"
    return str(error) if isinstance(error, ExplorationError) else f"{type(error).__name__}: {error}"


# AWS's advice for image models: botocore's standard retries, and a long wait for the answer (seconds).
ATTEMPTS = 5
READ_TIMEOUT_S = 120.0
# Threads that look into the bucket and fetch from it.
LOOKUP_THREADS = 8
# Slots for each thread that stores in the bucket. A picture takes seconds to paint and a fraction of one to store: a few
# keep up with many, and more would only fight with the slots for the processor.
SLOTS_PER_UPLOAD_THREAD, MIN_UPLOAD_THREADS = 4, 2
# Cells under way, as a multiple of the slots: some are asked for, as many wait for a slot, are looked up, are being stored.
# More would only keep cells from another process that sweeps the same grid.
IN_FLIGHT_FACTOR = 4
# Seconds between two looks: at `stop`, and at a picture that another process is paying for.
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

    Every cell has a job, and no two have the same. Returns when all are reported, or soon after `stop` is set: then no
    call begins any more, and the pictures that are being painted just then are still kept, by their threads.
    """
    turns = [CellTask(cell, cell.job) for cell in cells if cell.job is not None]
    DirectRun({turn.job.model.region for turn in turns}, workspace, cache, concurrency, report, stop).go(turns)


class DirectRun:
    """What the threads of one run share."""

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
        # Clients are made by one thread, because sessions may not be shared; clients may.
        storers = max(MIN_UPLOAD_THREADS, concurrency // SLOTS_PER_UPLOAD_THREAD)
        self._s3 = bucket.s3_client(workspace, threads=LOOKUP_THREADS + storers + concurrency)
        self._models = {region: self._model_client(region, workspace.session, concurrency) for region in regions}
        # One batch at a time, so that the cells' turns come in their order.
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._lookers = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="looker")
        self._slots = ThreadPoolExecutor(concurrency, thread_name_prefix="slot")
        self._storers = ThreadPoolExecutor(storers, thread_name_prefix="storer")
        self._batch, self._most_under_way = concurrency, IN_FLIGHT_FACTOR * concurrency
        # Turns that have come to an end, or, without an outcome, to somebody else's claim.
        self._back: SimpleQueue[CellTask] = SimpleQueue()
        # Why nothing more is paid for; empty as long as there is a place for the pictures.
        self._no_place = ""

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

    def go(self, turns: Sequence[CellTask]) -> None:
        """Hand the turns out until all have ended or the run is stopped."""
        waiting, claimed_elsewhere = deque(turns), deque[tuple[float, CellTask]]()
        left, under_way = len(waiting), 0
        try:
            while left and not self._stop.is_set():
                while claimed_elsewhere and claimed_elsewhere[0][0] <= time.monotonic():
                    waiting.append(claimed_elsewhere.popleft()[1])
                while waiting and self._most_under_way - under_way >= (size := min(self._batch, len(waiting))):
                    self._ahead.submit(self._look_ahead, [waiting.popleft() for _ in range(size)])
                    under_way += size
                try:
                    turn = self._back.get(timeout=POLL_S)
                except Empty:
                    continue
                under_way -= 1
                if turn.outcome is not None:
                    left -= 1
                else:
                    claimed_elsewhere.append((time.monotonic() + POLL_S, turn))
        finally:
            # What is under way looks at `stop` itself.
            for pool in (self._ahead, self._lookers, self._slots, self._storers):
                pool.shutdown(wait=False)

    def _guarded(self, hand: Callable[[CellTask], None], turn: CellTask) -> None:
        """Let one hand do its part; whatever goes wrong ends this turn alone."""
        try:
            hand(turn)
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            self._end(turn, failed_outcome(turn, error))

    def _end(self, turn: CellTask, outcome: Outcome) -> None:
        turn.outcome, turn.png = outcome, b""
        turn.give_back_claim()
        self._report(outcome)
        self._back.put(turn)

    def _hand_to(
        self,
        pool: ThreadPoolExecutor,
        hand: Callable[[CellTask], None],
        turn: CellTask,
    ) -> Future[None] | None:
        try:
            return pool.submit(self._guarded, hand, turn)
        except RuntimeError:
            # The run was stopped meanwhile and its pools take nothing more: what is begun is finished here.
            self._guarded(hand, turn)
            return None

    def _look_ahead(self, turns: Sequence[CellTask]) -> None:
        """Look for the pictures of some cells before it is their turn."""
        if self._stop.is_set():
            return
        for turn in turns:
            self._guarded(self._claim, turn)
        mine = [turn for turn in turns if turn.claim is not None and turn.outcome is None]
        wait([look for turn in mine if (look := self._hand_to(self._lookers, self._look, turn)) is not None])

    def _claim(self, turn: CellTask) -> None:
        """Make the picture this run's own to pay for; what another run has made meanwhile needs no paying."""
        turn.claim = self._cache.try_claim(turn.job.id)
        if turn.claim is None:
            self._back.put(turn)
        elif (found := self._cache.find(turn.job.id)) is not None:
            self._end(turn, self._cached(turn, found, "Made by another run meanwhile."))

    def _look(self, turn: CellTask) -> None:
        """Fetch the picture from the bucket, or let a slot ask for it; what cannot be looked for is not paid for."""
        s3, workspace, job = self._s3, self._workspace, turn.job
        key = job.key(workspace.prefix)
        png = None
        # One key is asked for at a time: a page of a thousand others takes longer to read than it takes to ask.
        if generation.find(s3, workspace.bucket, key):
            png = bucket.fetch_picture(s3, workspace.bucket, workspace.prefix, job)
        if png is not None:
            png = with_template(png, turn.cell.template, turn.cell.variables)
            found = self._cache.keep(job, png, bucket=workspace.bucket, key=key)
            self._end(turn, self._cached(turn, found, "Fetched from the bucket."))
        elif self._stop.is_set():
            turn.give_back_claim()
        else:
            self._cache.note_request(job)
            self._hand_to(self._slots, self._ask, turn)

    def _cached(self, turn: CellTask, found: CachedPicture, reason: str) -> Outcome:
        key = turn.job.key(self._workspace.prefix)
        outcome = Outcome(
            turn.cell.number,
            Status.CACHED,
            reason,
            key=key if found.is_at(self._workspace.bucket, key) else None,
        )
        return with_file(outcome, found)

    def _ask(self, turn: CellTask) -> None:
        """Ask the model and keep the picture here: as long as this takes, a slot is held."""
        if self._stop.is_set():
            turn.give_back_claim()
            return
        if self._no_place:
            raise ExplorationError(f"Not asked for, because the last picture could not be kept. {self._no_place}")
        job = turn.job
        begin = time.monotonic()
        png, turn.seed = generation.ask(self._models[job.model.region], job)
        seconds, usd = round(time.monotonic() - begin, 3), job.model.price_usd(job.size)
        turn.outcome = paid = Outcome(turn.cell.number, Status.MADE, seconds=seconds, usd=usd)
        parameters = generation.parameters_of(job, seed=turn.seed, created=datetime.now(UTC))
        parameters |= template_parameters(turn.cell.template, turn.cell.variables)
        turn.png = pictures.add_parameters(png, parameters)
        try:
            # Before the slot goes on: who is killed loses no more pictures than there are slots.
            turn.outcome = with_file(paid, self._cache.keep(job, turn.png, seconds=seconds, usd=usd))
        except ExplorationError as error:
            width, height = pictures.size(turn.png)
            turn.outcome = replace(paid, reason=str(error), width=width, height=height)
        self._hand_to(self._storers, self._store, turn)

    def _store(self, turn: CellTask) -> None:
        """Store the picture in the bucket; one that can be kept nowhere is lost, and the last that is paid for."""
        made = turn.outcome
        if made is None:
            return
        try:
            key = bucket.upload(self._s3, self._workspace, self._cache, turn.job, turn.png, seed=turn.seed)
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            if made.path is not None:
                self._end(
                    turn,
                    replace(made, reason=f"Not in the bucket yet; the next run stores it. {describe_error(error)}"),
                )
                return
            self._no_place = f"{made.reason} {describe_error(error)}"
            lost = f"The picture was paid for and is lost. {self._no_place}"
            self._end(turn, replace(made, status=Status.FAILED, reason=lost, width=None, height=None))
        else:
            reason = f"{made.reason} The picture is in the bucket." if made.reason else ""
            self._end(turn, replace(made, key=key, reason=reason))
