"""What a person may type after `make`, and what it would do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# One `.PHONY:` line names whatever is no file.
TARGETS = [target for line in re.findall(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE) for target in line.split()]


pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make not found")


@pytest.fixture(scope="module")
def listed():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_help_lists_every_target_that_a_person_types_with_what_it_does(listed):
    rows = [line.split(maxsplit=2) for line in listed if line.startswith("  make ")]

    assert sorted(target for _, target, _ in rows) == sorted(TARGETS)
    assert all(len(words) == 3 for words in rows)


def test_help_fits_a_terminal_of_80_columns(listed):
    assert [line for line in listed if len(line) > 80] == []


def test_every_target_that_is_no_file_is_declared_as_one():
    rules = re.findall(r"^([a-z][a-z_-]*):", MAKEFILE, re.MULTILINE)

    assert sorted(rules) == sorted(TARGETS)


def test_make_alone_is_make_help():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "make demo" in done.stdout


def commands(*arguments, **environment):
    """The commands that make would run if the locked packages were newer than the environment."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "MAKEFLAGS")}
    done = subprocess.run(
        ["make", "--dry-run", "--what-if=requirements.lock", *arguments],
        cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_packages_are_compiled_at_once_where_python_may_not_keep_what_it_compiles():
    assert "--compile-bytecode" in commands("setup", PYTHONDONTWRITEBYTECODE="1")


def test_elsewhere_python_compiles_what_it_needs_and_keeps_it():
    assert "pip sync" in commands("setup")
    assert "--compile-bytecode" not in commands("setup")
