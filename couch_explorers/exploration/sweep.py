"""A sweep on a target: its plan, its run, and the saved result."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.exploration import plan, progress, results
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.plan import Planned
from couch_explorers.exploration.results import Outcome, RunContext, Status
from couch_explorers.exploration.runner import Executor
from couch_explorers.exploration.sweep_spec import ExplorationError, SweepSpec
from couch_explorers.paths import Home

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from couch_explorers.exploration.frames import PlanFrame, RunFrame
    from couch_explorers.exploration.plan import NoPlan, PlanSummary
    from couch_explorers.exploration.runner import Runner
    from couch_explorers.workspace import Workspace


# An interrupt ends the wait, not the requests already sent.
AFTER_INTERRUPT = {
    "direct": "What is being painted just now is kept when it comes.",
    "queue": "What was sent stays in the queue and will be made and paid for; the next run fetches it.",
}


@dataclass(frozen=True, init=False)
class Sweep(SweepSpec):
    """A specification that can be planned and run on a workspace; see `SweepSpec` for the arguments."""

    def plan(self, workspace: Workspace, via: str = "direct", concurrency: int = 8) -> PlanFrame:
        """Plan a run, before anything is paid for: one row per cell, see `plan.plan_frame`.

        Checks this machine's cache and the models' lifecycle on the target, but not the bucket: a picture that is only
        there is planned as new and fetched in the run. Raises ExplorationError for an unknown `via`, and for via="queue"
        if no queue is deployed.
        """
        return plan.make_plan(self, workspace, via=via, concurrency=concurrency)

    def summary(
        self,
        workspace: Workspace,
        via: str = "direct",
        concurrency: int = 8,
        *,
        errors: Literal["raise", "show"] = "raise",
    ) -> PlanSummary | NoPlan:
        """Summarize the calls, cost and time of a run.

        Raises ExplorationError like `plan`; with errors="show", its message is returned in place of the summary, so that a
        notebook continues.
        """
        try:
            return plan.summarize_plan(self.plan(workspace, via=via, concurrency=concurrency))
        except ExplorationError as error:
            if errors == "raise":
                raise
            return plan.NoPlan(str(error))

    def run(
        self,
        workspace: Workspace,
        via: str = "direct",
        concurrency: int = 8,
        max_cost_usd: float | None = None,
        cache: ImageCache | None = None,
        *,
        errors: Literal["raise", "show"] = "raise",
        cancel: threading.Event | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> RunFrame:
        """Make the missing pictures and return one row per cell, in order, whatever its outcome.

        Args:
            workspace: the workspace whose models, queue and bucket are used.
            via: "direct" from this process, or "queue" by the deployed Lambdas.
            concurrency: the number of pictures requested at a time; the queue has its own limit.
            max_cost_usd: a plan that costs more is not started; None means no limit.
            cache: where pictures are saved, by default the target's cache.
            errors: with "show", an error that prevents the start is not raised: the rows are returned, "stopped" with its
                message as their reason unless their picture is in the cache; `conclude` then returns BAD.
            cancel: once it is set, from another thread, the run ends within a fraction of a second and is saved; the cells
                without a picture are "stopped".
            on_step: called with (done, total) in place of the progress bar, from any thread.

        Returns:
            The columns of `results.columns_of`; `seconds` and `usd` (USD) are the cell's own. Its `context` has the
            target and the folder of the saved run.

        Raises:
            ExplorationError: before anything is sent: like `plan`, and if the new pictures cost more than
                `max_cost_usd`.

        """
        begin, started = time.monotonic(), datetime.now(UTC)
        cache = cache or ImageCache(Home.current().images(workspace.target))
        try:
            plan.check_concurrency(concurrency)
            planned = plan.plan_rows(self, workspace, cache, via)
            plan.check_cost(planned, max_cost_usd)
            executor = Executor(planned, workspace, cache)
            if executor.new:
                cache.check_writable()
        except ExplorationError as error:
            if errors == "raise":
                raise
            return _unstarted(self, workspace, cache, str(error))
        for warning in dict.fromkeys(row.warning for row in planned if row.warning and row.status is Planned.NEW):
            progress.print_line(warning)
        interrupted = None
        try:
            executor.do(_runner(via), concurrency, f"{self.title or 'sweep'} ({via})", cancel=cancel, on_step=on_step)
        except KeyboardInterrupt as stopped:
            interrupted = stopped
        cells, outcomes = [row.cell for row in planned], executor.outcomes()
        found = results.result_rows(cells, outcomes)
        about = {"via": via, "concurrency": concurrency, "seconds": round(time.monotonic() - begin, 3)}
        context = _save(found, results.columns_of(cells), self, workspace, started, about)
        if interrupted is not None:
            available = results.run_totals(found)["pictures"]
            progress.print_line(f"Stopped: {available} of {len(found)} pictures are here; run again to go on.")
            progress.print_line(AFTER_INTERRUPT[via])
            raise interrupted
        if executor.error is not None:
            raise executor.error
        return results.to_frame(cells, outcomes, context)


def _unstarted(sweep: SweepSpec, workspace: Workspace, cache: ImageCache, reason: str) -> RunFrame:
    """Return the rows of a run that was not started: cached pictures, and the reason for all other cells.

    It is not saved as a run; `unstarted` of its context has the reason for `conclude`.
    """
    # "direct", which only looks into the cache, even if the requested `via` was the problem.
    planned = plan.plan_rows(sweep, workspace, cache, via="direct")
    known = Executor(planned, workspace, cache).outcomes()
    cells = [row.cell for row in planned]
    stopped = {cell.number: Outcome(cell.number, Status.STOPPED, reason) for cell in cells}
    context = RunContext(workspace.target, None, sweep.title, sweep.purpose, unstarted=reason)
    return results.to_frame(cells, stopped | known, context)


def _save(
    found: Sequence[results.ResultRow],
    columns: Sequence[str],
    sweep: SweepSpec,
    workspace: Workspace,
    started: datetime,
    about: dict[str, Any],
) -> RunContext:
    """Save the run and return its frame's context; a run that cannot be saved is reported, and loses no row."""
    folder = results.new_run_folder(workspace.target, sweep.title, started)
    run = {"title": sweep.title, "purpose": sweep.purpose, "target": workspace.target}
    about |= {
        "candidate": workspace.candidate,
        "started": started.isoformat(timespec="seconds"),
        "axes": sweep.axes(),
        "totals": results.run_totals(found),
    }
    try:
        results.save_run(found, folder, run | about, columns)
    except ExplorationError as error:
        progress.print_line(str(error))
    return RunContext(workspace.target, folder, sweep.title, sweep.purpose)


def _runner(via: str) -> Runner:
    # Only the runner in use is imported, with its clients.
    if via == "queue":
        from couch_explorers.exploration import queue_runner  # noqa: PLC0415

        return queue_runner.run
    from couch_explorers.exploration import direct_runner  # noqa: PLC0415

    return direct_runner.run
