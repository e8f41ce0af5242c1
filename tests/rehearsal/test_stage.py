import os
import stat

import pytest

from .stage import ORIGIN, Stage, find_act, missing


@pytest.fixture
def project(tmp_path):
    """A small project with a file that git ignores."""
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / ".gitignore").write_text("/reports/\n")
    (root / "notebooks" / "smoke_test.ipynb").write_text("{}")
    (root / "reports").mkdir()
    (root / "reports" / "summary.md").touch()
    return root


@pytest.fixture
def copied(project, tmp_path):
    made = Stage(tmp_path / "stage")
    made.copy_project(project)
    return made


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without act."""
    for name in ("GOBIN", "GOPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def program(folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "act"
    path.touch()
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_copy_is_what_git_would_take_on_main_with_an_origin_on_github(copied):
    assert copied.git("ls-files").split() == [".gitignore", "notebooks/smoke_test.ipynb"]
    assert sorted(path.name for path in copied.repository.iterdir()) == [".git", ".gitignore", "notebooks"]
    assert copied.git("branch", "--show-current") == "main"
    assert copied.git("remote", "get-url", "origin") == ORIGIN


def test_the_project_itself_is_left_as_it_is(project, copied):
    assert sorted(path.name for path in project.iterdir()) == [".gitignore", "notebooks", "reports"]


def test_a_change_is_committed_and_taken_back(copied):
    before = copied.git("rev-parse", "HEAD")

    with copied.changed("notebooks/smoke_test.ipynb", "{}", "[]"):
        assert copied.git("show", "HEAD:notebooks/smoke_test.ipynb") == "[]"

    assert copied.git("rev-parse", "HEAD") == before
    assert copied.git("status", "--porcelain") == ""


def test_a_file_is_added_and_taken_back(copied):
    with copied.with_file("GNUmakefile", "check:\n"):
        assert "GNUmakefile" in copied.git("ls-files")

    assert not (copied.repository / "GNUmakefile").exists()


def test_a_change_of_what_is_not_there_is_reported(copied):
    with (
        pytest.raises(AssertionError, match=r"\.gitignore has 'build' 0 times, not once"),
        copied.changed(".gitignore", "build", ""),
    ):
        pass


def test_a_branch_has_a_commit_of_its_own_and_main_is_there_again_afterwards(copied):
    with copied.branch("idea"):
        assert copied.git("branch", "--show-current") == "idea"
        assert copied.git("rev-parse", "HEAD") != copied.git("rev-parse", "main")

    assert copied.git("branch", "--show-current") == "main"


def test_of_the_users_environment_only_what_an_installation_needs_is_left(copied, monkeypatch):
    for name in ("AWS_PROFILE", "GITHUB_TOKEN", "COUCH_HOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "PYTHONPATH"):
        monkeypatch.setenv(name, "the user's own")
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example")

    environment = copied.clean_environment()

    assert "the user's own" not in environment.values()
    assert environment["PIP_INDEX_URL"] == "https://packages.example"
    assert environment["HOME"] == str(copied.folder / "home")


@pytest.mark.parametrize(("variable", "below"), [("GOBIN", ""), ("GOPATH", "bin"), ("HOME", "go/bin"), ("PATH", "")])
def test_act_is_found_where_go_installs_it(nowhere, monkeypatch, variable, below):
    monkeypatch.setenv(variable, str(nowhere / "there"))

    assert find_act() is None
    assert program(nowhere / "there" / below) == find_act()


def test_without_act_the_sentence_says_how_to_install_it(nowhere):
    assert missing() == "act is not installed, which runs the workflows: go install github.com/nektos/act@v0.2.89"


def test_a_program_that_a_workflow_needs_is_reported_by_name(nowhere, monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(program(nowhere / "bin")))  # noqa: PTH120

    assert missing("terraform") == "git and terraform not installed, which the rehearsed workflow needs"
