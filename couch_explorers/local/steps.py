"""Running other programs as named steps, with their full output kept and their failure told in a sentence."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAST_LINES = 12


class StepError(Exception):
    """A step failed; the message names it, shows the end of its output and where the rest is."""


@dataclass(frozen=True)
class Progress:
    """One thing that a person waiting may want to read: which step, what, and after how many seconds of the step."""

    step: str
    text: str
    seconds: float
    done: bool = False


Report = Callable[[Progress], None]


def run(
    step: str,
    command: Sequence[str],
    *,
    log: Path,
    report: Report,
    environment: Mapping[str, str],
    folder: Path,
    worth_telling: Callable[[str], str | None] = lambda _line: None,
) -> str:
    """Run a program to its end and return what it wrote; each line that is worth telling is reported as it comes.

    Raises StepError when it fails or is not installed.
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
                if told := worth_telling(line):
                    report(Progress(step, told, time.monotonic() - started))
    if process.returncode != 0:
        end = "".join(f"    {line}" for line in [line for line in lines if line.strip()][-LAST_LINES:])
        raise StepError(f"{step} failed with exit code {process.returncode}:\n{end}  All of it: {log}")
    report(Progress(step, "done", time.monotonic() - started, done=True))
    return "".join(lines)
