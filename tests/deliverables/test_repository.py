import subprocess

import pytest

from couch_explorers.deliverables import repository
from couch_explorers.deliverables.facts import Missing, Reason


@pytest.fixture
def checkout(tmp_path):
    """Make a git repository whose origin is at an address; without one, it has none."""

    def made(address=None):
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        if address:
            subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", address], check=True)
        return tmp_path

    return made


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/octocat/couch.git",
        "https://github.com/octocat/couch",
        "https://GitHub.com/octocat/couch/",
        "https://octocat:a-password@github.com/octocat/couch.git",
        "git@github.com:octocat/couch.git",
        "github.com:octocat/couch",
        "ssh://git@github.com/octocat/couch.git",
        "ssh://git@ssh.github.com:443/octocat/couch.git",
    ],
)
def test_a_remote_at_github_is_read_in_every_form_that_git_takes(checkout, address):
    assert repository.find(None, {}, checkout(address)) == "octocat/couch"


def test_what_is_given_counts_before_what_a_workflow_sets_and_that_before_git(checkout):
    folder = checkout("https://github.com/octocat/from-git")
    workflow = {"GITHUB_REPOSITORY": "octocat/from-workflow"}

    assert repository.find("octocat/given", workflow, folder) == "octocat/given"
    assert repository.find(None, workflow, folder) == "octocat/from-workflow"
    assert repository.find(None, {}, folder) == "octocat/from-git"


def test_a_remote_elsewhere_is_told_by_its_host_without_the_password_in_it(checkout):
    folder = checkout("https://octocat:a-password@gitlab.com/octocat/couch.git")

    assert repository.find(None, {}, folder) == Missing(Reason.NOT_ON_GITHUB, {"host": "gitlab.com"})


def test_a_companys_own_github_is_known_by_the_address_that_its_workflows_set(checkout):
    folder = checkout("git@github.example.com:octocat/couch.git")

    assert repository.find(None, {"GITHUB_SERVER_URL": "https://github.example.com"}, folder) == "octocat/couch"


@pytest.mark.parametrize(
    "address", [None, "/srv/git/couch.git", "file:///srv/git/couch.git", "https://github.com/octocat"]
)
def test_without_a_remote_that_names_a_repository_it_is_not_known(checkout, address):
    assert repository.find(None, {}, checkout(address)) == Missing(Reason.NO_REPOSITORY)


def test_outside_of_git_and_without_git_it_is_not_known(tmp_path, monkeypatch):
    assert repository.origin(tmp_path / "nowhere") == ""

    monkeypatch.setenv("PATH", str(tmp_path))

    assert repository.origin(tmp_path) == ""
