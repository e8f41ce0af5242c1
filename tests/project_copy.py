"""A copy of the project for tests that change files, commit or deploy: a repository of its own, with the original's environment."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from couch_explorers.paths import PROJECT_ROOT
from tests.rehearsal.stage import Stage

ENVIRONMENT = Path(sys.prefix)
# Those of the local cloud and of its Lambda functions, as `make setup` installs them beside the project's own.
CLOUDS_ENVIRONMENTS = (".venv-engine", ".venv-lambda")
# What a user may have set for other programs, and must not reach a copy.
FOREIGN = ("AWS_", "COUCH_", "GITHUB_", "GIT_", "PYTEST_")


@dataclass(frozen=True)
class ProjectCopy:
    """Where the copy lies. Everything in it is committed; `.venv` leads to the environment that the tests run in,
    and beside it stand those of the local cloud.
    """

    root: Path

    @classmethod
    def make(cls, folder: Path) -> "ProjectCopy":
        """Copy what git would take of the project, committed or not."""
        stage = Stage(folder)
        stage.copy_project()
        copy = cls(stage.repository)
        (copy.root / ".venv").symlink_to(ENVIRONMENT, target_is_directory=True)
        for name in CLOUDS_ENVIRONMENTS:
            (copy.root / name).symlink_to(PROJECT_ROOT / name, target_is_directory=True)
        # The project's .gitignore speaks of folders, and these are links.
        exclude = "\n".join((".venv", *CLOUDS_ENVIRONMENTS, ""))
        (copy.root / ".git" / "info" / "exclude").write_text(exclude, encoding="utf-8")
        return copy

    @property
    def environment(self) -> dict[str, str]:
        """A shell's environment with `.venv` active, in which Python imports the copy's package instead of the original's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([str(self.root / ".venv" / "bin"), kept.get("PATH", os.defpath)])
        return kept | {"PATH": path, "PYTHONPATH": str(self.root), "GIT_CONFIG_GLOBAL": os.devnull}

    def run(self, *words: str, text: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the copy's folder, with standard error in its output."""
        return subprocess.run(
            words,
            cwd=self.root,
            env=self.environment | environment,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
