"""A benchmark's measurements: printed as a table, and with `--save` kept in `results/` for the documentation and the report."""

import argparse
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from couch_explorers.files import write_json

FOLDER = Path(__file__).resolve().with_name("results")


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, once a run; `unit` is empty for a ratio, `budget` None where nothing was promised."""

    key: str
    title: str
    unit: str
    values: tuple[float, ...]
    budget: float | None

    def to_json(self) -> dict[str, Any]:
        """Write it as the saved file holds it."""
        return {
            "title": self.title,
            "unit": self.unit,
            "minimum": shortened(min(self.values)),
            "median": shortened(statistics.median(self.values)),
            "maximum": shortened(max(self.values)),
            "budget": self.budget,
        }


class Results:
    """The figures of one benchmark, in the order in which they were added; it knows the commit that it was started from."""

    def __init__(self, benchmark: str, runs: int) -> None:
        self.benchmark = benchmark
        self.runs = runs
        self.figures: list[Figure] = []
        # Now, because a benchmark takes minutes, in which a commit may be made.
        self._commit = commit()

    def add(
        self, key: str, title: str, values: Sequence[float] | float, unit: str = "", budget: float | None = None
    ) -> None:
        """Add what was measured: one value a run, or a single one for what does not vary.

        The key is how the documentation names the figure, `<who>.<what>`. Raises ValueError for a key without its dot, one
        that was used before, and no values.
        """
        taken = (values,) if isinstance(values, int | float) else tuple(values)
        if "." not in key:
            raise ValueError(f"The key {key!r} needs a dot: <who>.<what>.")
        if any(figure.key == key for figure in self.figures):
            raise ValueError(f"The key {key!r} is used twice in {self.benchmark}.")
        if not taken:
            raise ValueError(f"Nothing was measured for {key!r}.")
        self.figures.append(Figure(key, title, unit, taken, budget))

    def table(self) -> str:
        """Write each figure's minimum, median and maximum beside its budget; what was measured once stands in the middle."""
        wide = max([36, *(len(figure.title) + 2 for figure in self.figures)])
        lines = [f"{f'{self.runs} runs':<{wide}}{'minimum':>8} {'median':>8} {'maximum':>8}"]
        for figure in self.figures:
            low, high = (min(figure.values), max(figure.values)) if len(figure.values) > 1 else (None, None)
            numbers = " ".join(cell(number) for number in (low, statistics.median(figure.values), high))
            budget = "none" if figure.budget is None else f"{figure.budget:g} {figure.unit}".rstrip()
            lines.append(f"{figure.title:<{wide}}{numbers} {figure.unit:<8} budget {budget}")
        return "\n".join(lines)

    def to_json(self, now: datetime | None = None) -> dict[str, Any]:
        """Write everything as the saved file holds it."""
        return {
            "benchmark": self.benchmark,
            "measured": (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
            "commit": self._commit,
            "machine": machine(),
            "runs": self.runs,
            "figures": {figure.key: figure.to_json() for figure in self.figures},
        }

    def save(self, folder: Path = FOLDER) -> Path:
        """Write `<folder>/<benchmark>.json`, whole or not at all."""
        return write_json(folder / f"{self.benchmark}.json", self.to_json())

    def show(self, *, save: bool) -> None:
        """Print the table, and save it if requested."""
        print(self.table())
        if save:
            print(f"Saved: {self.save().relative_to(FOLDER.parents[1])}")


def parser(description: str | None, runs: int) -> argparse.ArgumentParser:
    """The command line that all benchmarks share: `--runs`, with the count to quote as its default, and `--save`."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--runs", type=int, default=runs, help=f"how often each thing is measured (default {runs})")
    made.add_argument(
        "--save",
        action="store_true",
        help="keep the figures in benchmarks/results, where the documentation takes them from",
    )
    return made


def cell(number: float | None) -> str:
    """A number of the table: counts whole, everything else with two decimals, or four where two would show none; nothing for None."""
    if number is None:
        return f"{'':8}"
    if isinstance(number, int):
        return f"{number:8d}"
    return f"{number:8.4f}" if 0 < abs(number) < 0.01 else f"{number:8.2f}"  # noqa: PLR2004 - the second decimal


def shortened(number: float) -> float:
    """Six digits of a measured number, which is more than any clock here is worth; a count stays as it is."""
    return number if isinstance(number, int) else float(f"{number:.6g}")


def commit(root: Path = FOLDER.parents[1]) -> str:
    """The commit that is measured, 12 digits, with a `+` when files differ from it; "unknown" where there is no git.

    Saved figures are left out: the first benchmark of several would make the others' commit a changed one.
    """
    saved = FOLDER.relative_to(FOLDER.parents[1])
    head = said_by_git(root, "rev-parse", "HEAD")
    changed = said_by_git(root, "status", "--porcelain", "--", ".", f":(exclude){saved}")
    return f"{head[:12]}{'+' if changed else ''}" or "unknown"


def said_by_git(root: Path, *words: str) -> str:
    """The output of git; empty without git or a repository."""
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, Any]:
    """The machine: enough to judge the figures by, nothing that identifies it."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor(listed: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name: from a file on Linux, elsewhere from Python."""
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
