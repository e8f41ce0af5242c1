"""Runs a piece of code in the engine's own environment, where LocalEmu is."""

import json
import subprocess
from typing import Any

from couch_explorers.local.engine import settings
from couch_explorers.paths import PROJECT_ROOT


def in_engine(code: str) -> Any:
    """What `code`, a program for the engine's Python, prints as JSON on its last line."""
    done = subprocess.run(
        [settings.ENGINE_PYTHON, "-W", "ignore", "-c", code],
        cwd=PROJECT_ROOT,
        env={"PYTHONPATH": str(PROJECT_ROOT), "PATH": "/usr/bin:/bin", "LOCALEMU_VOLUME_DIR": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
