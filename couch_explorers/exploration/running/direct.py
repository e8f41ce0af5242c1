"""The direct runner: asks the image models from this machine, so many at a time, and no slot waits for anything else.

A cell goes through three hands. One looks whether the picture is in the bucket, before it is the cell's turn; a slot asks
the model and keeps the picture here; another stores it in the bucket while the slot is with the next cell.
"""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from couch_explorers.core import generation
from couch_explorers.core import png as pictures
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Outcome, Status
from couch_explorers.exploration.running import bucket, storing
from couch_explorers.exploration.running.turns import Turn, failure, why, with_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from couch_explorers.exploration.cells import Cell
    from couch_explorers.exploration.running.cache import CachedPicture, ImageCache
    from couch_explorers.workspace import Workspace

# AWS's advice for image models: botocore's standard retries, and a long wait for the answer (seconds).
ATTEMPTS = 5
READ_TIMEOUT_S = 120.0
# Threads that look into the bucket and fetch from it.
LOOKERS = 8
# Slots for each thread that stores in the bucket. A picture takes seconds to paint and a fraction of one to store: a few
# keep up with many, and more would only fight with the slots for the processor.
SLOTS_FOR_A_STORER, FEWEST_STORERS = 4, 2
# Cells under way, as a multiple of the slots: some are asked for, as many wait for a slot, are looked up, are being stored.
# More would only keep cells from another process that sweeps the same grid.
UNDER_WAY = 4
# Seconds between two looks: at `stop`, and at a picture that another process is paying for.
LOOK_EVERY_S = 0.1


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
    turns = [Turn(cell, cell.job) for cell in cells if cell.job is not None]
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
        storers = max(FEWEST_STORERS, concurrency // SLOTS_FOR_A_STORER)
        self._s3 = storing.client(workspace, threads=LOOKERS + storers + concurrency)
        self._models = {region: self._model_client(region, workspace.session, concurrency) for region in regions}
        # One batch at a time, so that the cells' turns come in their order.
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._lookers = ThreadPoolExecutor(LOOKERS, thread_name_prefix="looker")
        self._slots = ThreadPoolExecutor(concurrency, thread_name_prefix="slot")
        self._storers = ThreadPoolExecutor(storers, thread_name_prefix="storer")
        self._batch, self._most_under_way = concurrency, UNDER_WAY * concurrency
        # Turns that have come to an end, or, without an outcome, to somebody else's claim.
        self._back: SimpleQueue[Turn] = SimpleQueue()
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

    def go(self, turns: Sequence[Turn]) -> None:
        """Hand the turns out until all have ended or the run is stopped."""
        waiting, claimed_elsewhere = deque(turns), deque[tuple[float, Turn]]()
        left, under_way = len(waiting), 0
        try:
            while left and not self._stop.is_set():
                while claimed_elsewhere and claimed_elsewhere[0][0] <= time.monotonic():
                    waiting.append(claimed_elsewhere.popleft()[1])
                while waiting and self._most_under_way - under_way >= (size := min(self._batch, len(waiting))):
                    self._ahead.submit(self._look_ahead, [waiting.popleft() for _ in range(size)])
                    under_way += size
                try:
                    turn = self._back.get(timeout=LOOK_EVERY_S)
                except Empty:
                    continue
                under_way -= 1
                if turn.outcome is not None:
                    left -= 1
                else:
                    claimed_elsewhere.append((time.monotonic() + LOOK_EVERY_S, turn))
        finally:
            # What is under way looks at `stop` itself.
            for pool in (self._ahead, self._lookers, self._slots, self._storers):
                pool.shutdown(wait=False)

    def _guarded(self, hand: Callable[[Turn], None], turn: Turn) -> None:
        """Let one hand do its part; whatever goes wrong ends this turn alone."""
        try:
            hand(turn)
        except Exception as error:  # noqa: BLE001 - an outcome tells it; the other cells go on
            self._end(turn, failure(turn, error))

    def _end(self, turn: Turn, outcome: Outcome) -> None:
        turn.outcome, turn.png = outcome, b""
        turn.give_back_claim()
        self._report(outcome)
        self._back.put(turn)

    def _hand_to(self, pool: ThreadPoolExecutor, hand: Callable[[Turn], None], turn: Turn) -> Future[None] | None:
        try:
            return pool.submit(self._guarded, hand, turn)
        except RuntimeError:
            # The run was stopped meanwhile and its pools take nothing more: what is begun is finished here.
            self._guarded(hand, turn)
            return None

    def _look_ahead(self, turns: Sequence[Turn]) -> None:
        """Look for the pictures of some cells before it is their turn."""
        if self._stop.is_set():
            return
        for turn in turns:
            self._guarded(self._claim, turn)
        mine = [turn for turn in turns if turn.claim is not None and turn.outcome is None]
        wait([look for turn in mine if (look := self._hand_to(self._lookers, self._look, turn)) is not None])

    def _claim(self, turn: Turn) -> None:
        """Make the picture this run's own to pay for; what another run has made meanwhile needs no paying."""
        turn.claim = self._cache.try_claim(turn.job.id)
        if turn.claim is None:
            self._back.put(turn)
        elif (found := self._cache.find(turn.job.id)) is not None:
            self._end(turn, self._cached(turn, found, "Made by another run meanwhile."))

    def _look(self, turn: Turn) -> None:
        """Fetch the picture from the bucket, or let a slot ask for it; what cannot be looked for is not paid for."""
        s3, workspace, job = self._s3, self._workspace, turn.job
        key = job.key(workspace.prefix)
        png = None
        # One key is asked for at a time: a page of a thousand others takes longer to read than it takes to ask.
        if generation.find(s3, workspace.bucket, key):
            png = bucket.fetch(s3, workspace.bucket, workspace.prefix, job)
        if png is not None:
            found = self._cache.keep(job, png, bucket=workspace.bucket, key=key)
            self._end(turn, self._cached(turn, found, "Fetched from the bucket."))
        elif self._stop.is_set():
            turn.give_back_claim()
        else:
            self._cache.note_request(job)
            self._hand_to(self._slots, self._ask, turn)

    def _cached(self, turn: Turn, found: CachedPicture, reason: str) -> Outcome:
        key = turn.job.key(self._workspace.prefix)
        outcome = Outcome(
            turn.cell.number, Status.CACHED, reason, key=key if found.is_at(self._workspace.bucket, key) else None
        )
        return with_file(outcome, found)

    def _ask(self, turn: Turn) -> None:
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
        turn.png = pictures.add_parameters(png, parameters)
        try:
            # Before the slot goes on: who is killed loses no more pictures than there are slots.
            turn.outcome = with_file(paid, self._cache.keep(job, turn.png, seconds=seconds, usd=usd))
        except ExplorationError as error:
            width, height = pictures.size(turn.png)
            turn.outcome = replace(paid, reason=str(error), width=width, height=height)
        self._hand_to(self._storers, self._store, turn)

    def _store(self, turn: Turn) -> None:
        """Store the picture in the bucket; one that can be kept nowhere is lost, and the last that is paid for."""
        made = turn.outcome
        if made is None:
            return
        try:
            key = storing.store(self._s3, self._workspace, self._cache, turn.job, turn.png, seed=turn.seed)
        except Exception as error:  # noqa: BLE001 - the picture is paid for, whatever this is
            if made.path is not None:
                self._end(turn, replace(made, reason=f"Not in the bucket yet; the next run stores it. {why(error)}"))
                return
            self._no_place = f"{made.reason} {why(error)}"
            lost = f"The picture was paid for and is lost. {self._no_place}"
            self._end(turn, replace(made, status=Status.FAILED, reason=lost, width=None, height=None))
        else:
            reason = f"{made.reason} The picture is in the bucket." if made.reason else ""
            self._end(turn, replace(made, key=key, reason=reason))
