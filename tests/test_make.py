"""`make help` is the list of what a person may type."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# One `.PHONY:` line names whatever is no file.
TARGETS = [target for line in re.findall(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE) for target in line.split()]


@pytest.fixture(scope="module")
def listed():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_help_lists_every_target_that_a_person_types_with_what_it_does(listed):
    told = [line.split(maxsplit=2) for line in listed if line.startswith("  make ")]

    assert sorted(target for _, target, _ in told) == sorted(TARGETS)
    assert all(len(words) == 3 for words in told)


def test_help_fits_a_terminal_of_80_columns(listed):
    assert [line for line in listed if len(line) > 80] == []


def test_every_target_that_is_no_file_is_declared_as_one():
    rules = re.findall(r"^([a-z][a-z_-]*):", MAKEFILE, re.MULTILINE)

    assert sorted(rules) == sorted(TARGETS)


def test_make_alone_is_make_help():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "make demo" in done.stdout
