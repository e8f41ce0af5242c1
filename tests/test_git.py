import subprocess

import pytest

from couch_explorers import git
from couch_explorers.deliverables import workflow_runs
from couch_explorers.local import deploy


@pytest.fixture
def folder(tmp_path):
    def run(*arguments):
        identity = ["-c", "user.name=Kari", "-c", "user.email=kari@couch-explorers.example"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    run("init", "--quiet", "--initial-branch", "main")
    run("commit", "--quiet", "--allow-empty", "--message", "one")
    run("remote", "add", "origin", "https://github.com/kari/couch.git")
    return tmp_path


@pytest.mark.parametrize("variable", ["", "GIT_TEST_ASSUME_DIFFERENT_OWNER"])
def test_a_folder_of_another_user_is_read_as_ones_own(folder, monkeypatch, variable):
    if variable:
        monkeypatch.setenv(variable, "1")
        refused = subprocess.run(["git", "-C", str(folder), "log"], capture_output=True, text=True, check=False)
        assert "dubious ownership" in refused.stderr

    assert git.ask(folder, "branch", "--show-current") == "main"
    assert len(deploy.commit(folder)) == 7
    assert workflow_runs.origin(folder) == "https://github.com/kari/couch.git"


def test_no_repository_and_no_git_are_no_answer(tmp_path, monkeypatch):
    assert git.ask(tmp_path, "log") == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.ask(tmp_path, "--version") == ""
