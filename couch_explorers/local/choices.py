"""What a person chooses for `couch up`, and what stays chosen from one to the next: candidate, worker time-out, port."""

import os
from dataclasses import dataclass
from typing import Any

from couch_explorers.files import read_json, write_json
from couch_explorers.local.settings import DEFAULT_CANDIDATE, WORKER_TIMEOUT_S
from couch_explorers.local.stacks import Settings
from couch_explorers.paths import Home
from couch_explorers.workspace import CANDIDATE_PATTERN, WorkspaceError, check_candidate

CANDIDATE_VARIABLE = "COUCH_CANDIDATE"
# Seconds: less than Bedrock takes is of no use, more than Lambda's 15 minutes is refused (Lambda quotas).
WORKER_TIMEOUT_RANGE_S = (3, 900)


@dataclass(frozen=True)
class Choices:
    """The settings of a deploy, and where each comes from, in words."""

    settings: Settings
    candidate_from: str
    worker_timeout_from: str

    def __str__(self) -> str:
        return (
            f"candidate {self.settings.candidate} ({self.candidate_from}), "
            f"worker timeout {self.settings.worker_timeout_s} s ({self.worker_timeout_from})"
        )


def choose(home: Home, candidate: str | None, worker_timeout_s: int | None) -> Choices:
    """What is asked for now, else in the environment (COUCH_CANDIDATE), else what was chosen last time, else the default.

    Raises WorkspaceError for a candidate number that is none.
    """
    kept = last_time(home)
    number, number_from = _candidate(candidate, kept.get("candidate"))
    timeout_s, timeout_from = WORKER_TIMEOUT_S, "the default"
    if worker_timeout_s is not None:
        timeout_s, timeout_from = worker_timeout_s, "--worker-timeout"
    elif "worker_timeout_s" in kept:
        timeout_s, timeout_from = kept["worker_timeout_s"], "as last time; another: --worker-timeout SECONDS"
    return Choices(Settings(candidate=number, worker_timeout_s=timeout_s), number_from, timeout_from)


def keep(home: Home, settings: Settings, port: int) -> None:
    """Note what was chosen, for the next `couch up`."""
    write_json(
        home.choices_file,
        {"candidate": settings.candidate, "worker_timeout_s": settings.worker_timeout_s, "port": port},
    )


def last_time(home: Home) -> dict[str, Any]:
    """What was chosen last time, as far as it is valid; of a deploy that kept no choices, its candidate."""
    noted, deployment = read_json(home.choices_file), read_json(home.deployment_file)
    kept = noted if isinstance(noted, dict) else {}
    workspace = deployment.get("workspace") if isinstance(deployment, dict) else None
    candidate = kept.get("candidate") or (workspace.get("candidate") if isinstance(workspace, dict) else None)
    timeout_s = kept.get("worker_timeout_s")
    low, high = WORKER_TIMEOUT_RANGE_S
    found: dict[str, Any] = {}
    if isinstance(candidate, str) and CANDIDATE_PATTERN.fullmatch(candidate):
        found["candidate"] = candidate
    if type(timeout_s) is int and low <= timeout_s <= high:
        found["worker_timeout_s"] = timeout_s
    return found


def _candidate(asked: str | None, kept: str | None) -> tuple[str, str]:
    if asked is not None:
        return check_candidate(asked), "--candidate"
    if named := os.environ.get(CANDIDATE_VARIABLE):
        try:
            return check_candidate(named), CANDIDATE_VARIABLE
        except WorkspaceError as error:
            raise WorkspaceError(f"{CANDIDATE_VARIABLE} is set wrongly. {error}") from error
    if kept is not None:
        return kept, "as last time; another: --candidate NUMBER"
    return DEFAULT_CANDIDATE, "the default"
