"""The workflow files and the actions they call, read as plain YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "actions"
USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<action>[^@\s]+)@(?P<ref>\S+)(?:\s+#\s*(?P<tag>\S+))?\s*$")


@dataclass(frozen=True)
class Use:
    """One `uses:` of an action that lies in another repository: where it stands, and what the comment beside it says."""

    place: str
    action: str
    ref: str
    tag: str


def workflow_files(root: Path = ROOT) -> list[Path]:
    """Find the workflows."""
    return sorted((root / ".github" / "workflows").glob("*.y*ml"))


def action_files(root: Path = ROOT) -> list[Path]:
    """Find the project's own actions."""
    return sorted((root / ".github" / "actions").glob("*/action.y*ml"))


def read(path: Path) -> dict[str, Any]:
    """Read one file. YAML takes the key `on` for a truth value; here it is `on` again."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


def uses(path: Path) -> Iterator[Use]:
    """List what one file calls from other repositories, line by line, since YAML drops the comments."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if match := USES.match(line):
            yield Use(f"{path.name}:{number}", match["action"], match["ref"], match["tag"] or "")


def all_uses(root: Path = ROOT) -> list[Use]:
    """List what the workflows and the project's own actions call from other repositories."""
    return [use for path in [*workflow_files(root), *action_files(root)] for use in uses(path)]


def stand_in(use: Use, folder: Path = STAND_INS) -> Path:
    """Find the folder that stands in for an action; AssertionError says how to make one that is missing."""
    found = folder / use.action
    if not (found / "action.yml").is_file():
        raise AssertionError(
            f"{use.place} uses {use.action}, which nothing stands in for: write {found.relative_to(folder.parents[2])}/action.yml, "
            "a composite action with the same inputs, and say at its head what it does instead."
        )
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow by their ids."""
    found: dict[str, dict[str, Any]] = read(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    """All steps of a workflow's jobs, or of an action of the project's own."""
    content = read(path)
    holders = [content["runs"]] if "runs" in content else content["jobs"].values()
    return [step for holder in holders for step in holder["steps"]]
