"""What a rehearsal led to, read from the log that act writes as JSON, one entry a line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# How act tells, several times an action, that it takes a stand-in.
OF_STAND_INS = "LocalRepositoryCache "


@dataclass(frozen=True)
class Step:
    """One step of a workflow that act ran: `result` is success or failure."""

    job: str
    name: str
    result: str


@dataclass(frozen=True)
class Rehearsal:
    """A run of a workflow: `summary` is what stands on the job's page, `artifacts` the folder with all that was uploaded."""

    exit_code: int
    log: str = field(repr=False)
    summary: str = field(repr=False)
    artifacts: Path
    steps: tuple[Step, ...]

    def ran(self) -> dict[str, str]:
        """What became of each step that ran, by its name in the workflow; what was skipped is not there."""
        return {step.name.partition("@")[0]: step.result for step in self.steps}

    def uploaded(self) -> set[str]:
        """The paths of all files that were uploaded, each behind its artifact's name."""
        return {path.relative_to(self.artifacts).as_posix() for path in self.artifacts.rglob("*") if path.is_file()}


def read(exit_code: int, lines: list[str], artifacts: Path) -> Rehearsal:
    """Read what steps printed, what became of them, and what they wrote for the job's page."""
    entries = [entry for entry in _entries(lines) if not str(entry.get("msg", "")).startswith(OF_STAND_INS)]
    return Rehearsal(
        exit_code,
        "\n".join(str(entry.get("msg", "")).rstrip() for entry in entries),
        "".join(_summaries(entries)),
        artifacts,
        tuple(
            Step(entry["jobID"], entry["step"], entry["stepResult"])
            for entry in entries
            # One number for a step of the workflow, several for a step of an action.
            if entry.get("stepResult") and entry.get("stage") == "Main" and len(entry["stepID"]) == 1
        ),
    )


def _entries(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        # What is no entry is printed by act before it begins, or by a program that is not known.
        yield entry if isinstance(entry, dict) else {"msg": line}


def _summaries(entries: list[dict[str, Any]]) -> Iterator[str]:
    """The summaries in the order in which steps wrote them. An action tells that of its last step again, as its own."""
    before: dict[str, Any] = {"content": None, "stepID": []}
    for entry in entries:
        if entry.get("command") != "summary":
            continue
        again = entry["content"] == before["content"] and entry["stepID"] == before["stepID"][: len(entry["stepID"])]
        if not (again and len(before["stepID"]) > len(entry["stepID"])):
            yield entry["content"]
        before = entry
