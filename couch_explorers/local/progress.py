"""The steps of `couch up`: programs that run with their full output logged, and what a person sees of them meanwhile."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from couch_explorers.local.deploy import Choices, Deployment
    from couch_explorers.local.process import Cloud

# Of what a failed program wrote, so many lines are quoted, each of at most so many characters.
QUOTED_LINES, QUOTED_CHARACTERS = 12, 240
# After a line that names an error, so many say where and why.
LINES_OF_AN_ERROR = 4
ERROR_WORD = re.compile(
    r"\b(error|failed|failure|denied|invalid|unauthorized|exception|no space left)\b", re.IGNORECASE
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class StepError(Exception):
    """A step failed; the message names it, shows the end of its output and where the rest is."""


@dataclass(frozen=True)
class Progress:
    """A line of progress: the step, a text, and the seconds since the step began."""

    step: str
    text: str
    seconds: float
    done: bool = False


Report = Callable[[Progress], None]


def run_step(
    step: str,
    command: Sequence[str],
    *,
    log: Path,
    report: Report,
    environment: Mapping[str, str],
    folder: Path,
    reported: Callable[[str], str | None] = lambda _line: None,
) -> str:
    """Run a program as a named step and return its output.

    Args:
        step: The name of the step.
        command: The program and its arguments.
        log: The file that gets all output.
        report: Called with the progress of the step.
        environment: The environment of the program.
        folder: Its working directory.
        reported: The text to report for a line of output, None for none.

    Raises:
        StepError: The program fails or is not installed.
    """
    started = time.monotonic()
    report(Progress(step, "started", 0.0))
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with log.open("w", encoding="utf-8") as file:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise StepError(f"{step} failed: {command[0]} could not be started ({error}).") from error
        with process:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                lines.append(line)
                if text := reported(line):
                    report(Progress(step, text, time.monotonic() - started))
    if process.returncode != 0:
        quoted = "".join(f"    {line}\n" for line in error_lines(lines))
        raise StepError(f"{step} failed with exit code {process.returncode}:\n{quoted}  All of it: {log}")
    report(Progress(step, "done", time.monotonic() - started, done=True))
    return "".join(lines)


def error_lines(lines: Sequence[str]) -> list[str]:
    """The lines of a failed program's output that say why: those that name an error and the next few, else the last ones.

    Each is clipped; repeated lines are left out.
    """
    written = [ANSI.sub("", line).rstrip() for line in lines]
    written = [
        line for place, line in enumerate(written) if line.strip() and line != (written[place - 1] if place else "")
    ]
    chosen: dict[int, None] = {}
    for place, line in enumerate(written):
        if ERROR_WORD.search(line):
            chosen |= dict.fromkeys(range(place, min(place + 1 + LINES_OF_AN_ERROR, len(written))))
    # The last errors are the ones that ended the program.
    places = list(chosen)[-QUOTED_LINES:] or range(max(0, len(written) - QUOTED_LINES), len(written))
    return [_clip(written[place]) for place in places]


def _clip(line: str) -> str:
    return line if len(line) <= QUOTED_CHARACTERS else f"{line[: QUOTED_CHARACTERS - 1]}…"


def cloud_started(cloud: Cloud, what_was_done: str) -> Progress:
    """The first line: where the local cloud is, and whether something was lost."""
    return Progress("local cloud", f"{what_was_done} at {cloud.endpoint}", 0.0, done=True)


def settings_chosen(choices: Choices) -> Progress:
    """The second line: what is deployed, and who chose it."""
    return Progress("settings", str(choices), 0.0, done=True)


@contextmanager
def display() -> Iterator[Report]:
    """A report that prints on standard error: live lines on a terminal, one line a step and change elsewhere."""
    if not sys.stderr.isatty():
        lock = threading.Lock()

        def report(progress: Progress) -> None:
            with lock:
                print(_line(progress), file=sys.stderr, flush=True)  # noqa: T201

        yield report
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

    def report(progress: Progress) -> None:
        since.setdefault(progress.step, time.monotonic() - progress.seconds)
        rows[progress.step] = progress

    with Live(Steps(), console=Console(stderr=True), refresh_per_second=8, transient=False):
        yield report


def summary(cloud: Cloud, result: Deployment) -> str:
    """Summarize what is deployed and the commands to use next."""
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
