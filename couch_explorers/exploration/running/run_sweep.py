"""The run of a sweep: what is new is asked for, what is there is not, and every cell ends as a row."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Outcome, Status
from couch_explorers.exploration.planning import plan
from couch_explorers.exploration.planning.plan import Planned
from couch_explorers.exploration.running import progress, results
from couch_explorers.exploration.running.cache import ImageCache
from couch_explorers.exploration.running.work import Work
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from couch_explorers.exploration.planning.sweep import Sweep
    from couch_explorers.exploration.running.work import Runner
    from couch_explorers.workspace import Workspace

# An interrupt ends the waiting, not what was asked for already.
WHAT_GOES_ON = {
    "direct": "What is being painted just now is kept when it comes.",
    "queue": "What was sent stays in the queue and will be made and paid for; the next run fetches it.",
}


def run(
    sweep: Sweep,
    workspace: Workspace,
    *,
    via: str = "direct",
    concurrency: int = 8,
    max_cost_usd: float | None = None,
    cache: ImageCache | None = None,
    errors: Literal["raise", "show"] = "raise",
) -> pd.DataFrame:
    """Make the pictures of a sweep that are not there yet, save the run, and return `results.to_frame`.

    Cells that fail are rows with a reason. Interrupted (Ctrl-C, or the stop button of JupyterLab), it begins nothing more,
    saves what is there and raises KeyboardInterrupt at once; pictures that are being painted just then are kept when they
    come, and the next run goes on from there. Raises ExplorationError, before anything is paid for, for what `plan.rows`
    and `plan.check_cost` refuse and for a cache that cannot be written; with errors="show" the rows say it, see `_unstarted`.
    """
    begin, started = time.monotonic(), datetime.now(UTC)
    cache = cache or ImageCache(Home.current().images(workspace.target))
    try:
        plan.check_concurrency(concurrency)
        planned = plan.rows(sweep, workspace, cache, via)
        plan.check_cost(planned, max_cost_usd)
        work = Work(planned, workspace, cache)
        if work.new:
            cache.check_writable()
    except ExplorationError as error:
        if errors == "raise":
            raise
        return _unstarted(sweep, workspace, cache, str(error))
    for warning in dict.fromkeys(row.warning for row in planned if row.warning and row.status is Planned.NEW):
        progress.tell(warning)
    interrupted = None
    try:
        work.do(_runner(via), concurrency, f"{sweep.title or 'sweep'} ({via})")
    except KeyboardInterrupt as stopped:
        interrupted = stopped
    cells, outcomes = [row.cell for row in planned], work.outcomes()
    found = results.rows(cells, outcomes)
    about = {"via": via, "concurrency": concurrency, "seconds": round(time.monotonic() - begin, 3)}
    attributes = _save(found, sweep, workspace, started, about)
    if interrupted is not None:
        here = results.totals(found)["pictures"]
        progress.tell(f"Stopped: {here} of {len(found)} pictures are here; run again to go on.")
        progress.tell(WHAT_GOES_ON[via])
        raise interrupted
    if work.trouble is not None:
        raise work.trouble
    frame = results.to_frame(cells, outcomes)
    frame.attrs = attributes
    return frame


def _unstarted(sweep: Sweep, workspace: Workspace, cache: ImageCache, reason: str) -> pd.DataFrame:
    """Give the rows of a run that was not started: what is in the cache, and the reason wherever a picture is missing.

    It is not saved among the runs; the attribute "unstarted" has the reason for `conclude`.
    """
    # Whatever was wrong with the way that was asked for: this one only looks into the cache.
    planned = plan.rows(sweep, workspace, cache, via="direct")
    known = Work(planned, workspace, cache).outcomes()
    cells = [row.cell for row in planned]
    stopped = {cell.number: Outcome(cell.number, Status.STOPPED, reason) for cell in cells}
    frame = results.to_frame(cells, stopped | known)
    frame.attrs = _named(sweep, workspace) | {"unstarted": reason}
    return frame


def _named(sweep: Sweep, workspace: Workspace) -> dict[str, str]:
    return {"title": sweep.title, "purpose": sweep.purpose, "target": workspace.target}


def _save(
    found: Sequence[results.Row], sweep: Sweep, workspace: Workspace, started: datetime, about: dict[str, Any]
) -> dict[str, str]:
    """Save the run and return its frame's attributes; where there is no room for it, say so and lose no row."""
    folder = results.new_folder(workspace.target, sweep.title, started)
    named = _named(sweep, workspace)
    about |= {
        "candidate": workspace.candidate,
        "started": started.isoformat(timespec="seconds"),
        "axes": sweep.axes(),
        "totals": results.totals(found),
    }
    try:
        results.save(found, folder, named | about)
    except ExplorationError as error:
        progress.tell(str(error))
    return {"run": str(folder)} | named


def _runner(via: str) -> Runner:
    # Each brings its own clients and helpers; only the one that is used is loaded.
    if via == "queue":
        from couch_explorers.exploration.running import queue  # noqa: PLC0415

        return queue.run
    from couch_explorers.exploration.running import direct  # noqa: PLC0415

    return direct.run
