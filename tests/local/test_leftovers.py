import os
import subprocess
import sys

import psutil
import pytest

from couch_explorers.local.leftovers import end_leftovers
from couch_explorers.paths import Home


@pytest.fixture
def started():
    """Start a stand-in for a program under its name, in a folder; ended afterwards."""
    processes = []

    def start(name, folder, *words):
        script = folder / name
        script.write_text("import sys; print('ready', flush=True); sys.stdin.read()")
        process = subprocess.Popen(
            [sys.executable, str(script), *words], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home" / "infra").mkdir(parents=True)
    return Home(tmp_path / "home")


def test_a_terraform_that_works_in_the_folder_is_ended(home, started):
    process = started("terraform", home.path / "infra", "apply")

    assert end_leftovers(home)
    assert not psutil.pid_exists(process.pid)


def test_a_sam_that_builds_into_the_folder_is_ended(home, started, tmp_path):
    process = started("sam", tmp_path, "build", "--build-dir", str(home.path / "sam" / "build"))

    assert end_leftovers(home)
    assert not psutil.pid_exists(process.pid)


@pytest.mark.parametrize("name", ["editor", "bash"])
def test_another_program_that_stands_in_the_folder_is_left_alone(home, started, name):
    process = started(name, home.path / "infra", str(home.path))

    assert end_leftovers(home) == []
    assert process.poll() is None


def test_a_terraform_of_another_folder_is_left_alone(home, started, tmp_path):
    process = started("terraform", tmp_path, "apply")

    assert end_leftovers(home) == []
    assert process.poll() is None


def test_this_process_is_never_a_leftover(home):
    assert os.getpid()
    assert end_leftovers(home) == []
