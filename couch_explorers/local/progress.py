"""What a person sees while `couch up` works: one line a step on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from couch_explorers.local.choices import Choices
from couch_explorers.local.cloud import Cloud
from couch_explorers.local.deploy import Deployment
from couch_explorers.local.steps import Progress, Report


def cloud_is_there(cloud: Cloud, what_was_done: str) -> Progress:
    """The first line: where the local cloud is, and whether something was lost."""
    return Progress("local cloud", f"{what_was_done} at {cloud.endpoint}", 0.0, done=True)


def chosen(choices: Choices) -> Progress:
    """The second line: what is deployed, and who chose it."""
    return Progress("settings", str(choices), 0.0, done=True)


@contextmanager
def shown() -> Iterator[Report]:
    """A report that prints on standard error: live lines on a terminal, one line a step and change elsewhere."""
    if not sys.stderr.isatty():
        lock = threading.Lock()

        def tell(progress: Progress) -> None:
            with lock:
                print(_line(progress), file=sys.stderr, flush=True)  # noqa: T201

        yield tell
        return
    yield from _live()


def _line(progress: Progress) -> str:
    seconds = f" ({progress.seconds:.1f} s)" if progress.seconds else ""
    return f"{progress.step:<16}{progress.text}{seconds}"


def _live() -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    rows: dict[str, Progress] = {}
    since: dict[str, float] = {}
    spinner = Spinner("dots")

    class Steps:
        """Redrawn by Live: a tick for what is done, a spinner and the seconds so far for what runs."""

        def __rich__(self) -> Table:
            table = Table.grid(padding=(0, 1))
            table.add_column(width=1)
            table.add_column(width=16)
            table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            table.add_column(justify="right", min_width=6)
            for step, progress in list(rows.items()):
                seconds = progress.seconds if progress.done else time.monotonic() - since[step]
                table.add_row(
                    Text("✓", style="green") if progress.done else spinner,
                    step,
                    Text(progress.text, style="dim"),
                    f"{seconds:.0f} s" if seconds >= 1 else "",
                )
            return table

    def tell(progress: Progress) -> None:
        since.setdefault(progress.step, time.monotonic() - progress.seconds)
        rows[progress.step] = progress

    with Live(Steps(), console=Console(stderr=True), refresh_per_second=8, transient=False):
        yield tell


def summary(cloud: Cloud, result: Deployment) -> str:
    """What is there now, and what to type next."""
    workspace = result.workspace
    lines = [
        f"Local cloud  {cloud.endpoint}   candidate {workspace.candidate}",
        f"API          {workspace.api_url or 'not deployed'}",
        f"Queue        {workspace.queue_url or 'not deployed'}",
        *(f"Skipped      {sentence}" for sentence in result.skipped),
        f"Deployed     {', '.join(result.changed) if result.changed else 'nothing changed'}",
        'Next         couch paint "a Parisian café at sunset"   or   couch run smoke_test',
    ]
    return "\n".join(lines)
