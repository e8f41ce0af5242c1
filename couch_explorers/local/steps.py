"""Running other programs as named steps, with their full output kept and their failure told in a sentence."""

import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        quoted = "".join(f"    {line}\n" for line in telling(lines))
        raise StepError(f"{step} failed with exit code {process.returncode}:\n{quoted}  All of it: {log}")
    report(Progress(step, "done", time.monotonic() - started, done=True))
    return "".join(lines)


def telling(lines: Sequence[str]) -> list[str]:
    """Choose the lines of a failed program's output that tell why: those that name an error with what follows, else the last.

    Each is clipped; no two in a row are the same.
    """
    written = [ANSI.sub("", line).rstrip() for line in lines]
    written = [
        line for place, line in enumerate(written) if line.strip() and line != (written[place - 1] if place else "")
    ]
    chosen: dict[int, None] = {}
    for place, line in enumerate(written):
        if ERROR_WORD.search(line):
            chosen |= dict.fromkeys(range(place, min(place + 1 + LINES_OF_AN_ERROR, len(written))))
    # A program that gives up says so at its end.
    places = list(chosen)[-QUOTED_LINES:] or range(max(0, len(written) - QUOTED_LINES), len(written))
    return [_clipped(written[place]) for place in places]


def _clipped(line: str) -> str:
    return line if len(line) <= QUOTED_CHARACTERS else f"{line[: QUOTED_CHARACTERS - 1]}…"
