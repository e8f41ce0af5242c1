"""What a benchmark measured and kept in `benchmarks/results/`: figures with minimum, median, maximum and budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.figures.errors import FigureError
from couch_explorers.files import read_json
from couch_explorers.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = PROJECT_ROOT / "benchmarks" / "results"
UNKNOWN_COMMIT = "unknown"


@dataclass(frozen=True)
class Measured:
    """One figure of a run; `unit` is empty for a ratio, `budget` None where nothing was promised."""

    title: str
    unit: str
    minimum: float
    median: float
    maximum: float
    budget: float | None = None


@dataclass(frozen=True)
class SavedRun:
    """A run of a benchmark: when (UTC), at which commit (empty where it is not known), how often, on what, and its figures."""

    benchmark: str
    measured: datetime
    commit: str
    runs: int
    machine: Mapping[str, Any]
    figures: Mapping[str, Measured]

    @property
    def machine_text(self) -> str:
        """What it was measured on, in a clause."""
        told = self.machine
        parts = [
            str(told.get("cpu") or "a processor that is not known"),
            f"{told['cores']} cores" if told.get("cores") else "",
            f"{told['memory_gb']} GB" if told.get("memory_gb") else "",
            str(told.get("system") or ""),
        ]
        return ", ".join(filter(None, parts))


def command(benchmark: str) -> str:
    """The command that makes a saved run."""
    return f"`.venv/bin/python benchmarks/{benchmark}.py --save`"


def read(benchmark: str, folder: Path | None = None) -> SavedRun:
    """Read the saved run of a benchmark; FigureError says which command makes one where there is none that can be read.

    Without a folder it is looked for where benchmarks keep them.
    """
    path = (folder or FOLDER) / f"{benchmark}.json"
    found = read_json(path)
    if found is None:
        what = "holds no JSON" if path.exists() else "is not there"
        raise FigureError(f"The saved run {path.name} {what}: make it with {command(benchmark)}.")
    try:
        return SavedRun(
            benchmark=str(found["benchmark"]),
            measured=datetime.fromisoformat(found["measured"]),
            commit="" if found["commit"] == UNKNOWN_COMMIT else str(found["commit"]),
            runs=int(found["runs"]),
            machine=dict(found["machine"]),
            figures={str(key): _figure(value) for key, value in found["figures"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise FigureError(
            f"The saved run {path.name} is not of the shape that is expected ({told}): make it anew with {command(benchmark)}."
        ) from error


def _figure(value: Mapping[str, Any]) -> Measured:
    budget = value.get("budget")
    return Measured(
        title=str(value["title"]),
        unit=str(value["unit"]),
        minimum=float(value["minimum"]),
        median=float(value["median"]),
        maximum=float(value["maximum"]),
        budget=None if budget is None else float(budget),
    )
