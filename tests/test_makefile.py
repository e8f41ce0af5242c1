"""What `make` would do, told by make itself."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make not found")


def told(*arguments, **environment):
    """The commands that make would run if the locked packages were newer than the environment."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "MAKEFLAGS")}
    done = subprocess.run(
        ["make", "--dry-run", "--what-if=requirements.lock", *arguments],
        cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_packages_are_compiled_at_once_where_python_may_not_keep_what_it_compiles():
    assert "--compile-bytecode" in told("setup", PYTHONDONTWRITEBYTECODE="1")


def test_elsewhere_python_compiles_what_it_needs_and_keeps_it():
    assert "pip sync" in told("setup")
    assert "--compile-bytecode" not in told("setup")
