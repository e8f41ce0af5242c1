"""The output of git in a folder."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 10.0


def ask(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output; empty if there is no git, no repository, or no response.

    A folder that belongs to another user, as a mounted one does in a container, is read all the same: git's "dubious
    ownership" protects from what the repository's own configuration may run, and the code of this folder is run anyway.
    """
    trusted = ["-c", f"safe.directory={folder.resolve()}"]
    try:
        done = subprocess.run(
            ["git", *trusted, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
