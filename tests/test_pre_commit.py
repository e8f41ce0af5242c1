"""The hooks of a commit: a part of `make check`, by the project's own environment and nothing else."""

import json
from pathlib import Path

import pytest
import yaml

from tests.project_copy import ProjectCopy

pytestmark = pytest.mark.programs

HOOKS = yaml.safe_load((Path(__file__).parents[1] / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return ProjectCopy.make(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def pre_commit(copy, tmp_path_factory):
    """Run pre-commit in the copy, with a store of its own that shows what was downloaded."""
    store = tmp_path_factory.mktemp("store")
    return lambda *words: copy.run("pre-commit", *words, PRE_COMMIT_HOME=str(store))


def test_hooks_come_from_the_project_itself():
    assert [repository["repo"] for repository in HOOKS] == ["local"]
    assert {hook["language"] for repository in HOOKS for hook in repository["hooks"]} == {"system"}


def test_the_project_as_it_is_passes_every_hook(pre_commit):
    done = pre_commit("run", "--all-files")

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") == sum(len(repository["hooks"]) for repository in HOOKS)


def test_a_commit_of_a_notebook_with_outputs_is_refused(copy, pre_commit):
    assert pre_commit("install").returncode == 0
    path = copy.root / "notebooks" / "smoke_test.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["a secret\n"]}]
    path.write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")

    done = copy.run("git", *identity, "commit", "--all", "--message", "Show what came out")

    assert done.returncode != 0
    assert "FAILED   notebooks" in done.stdout
    assert copy.run("git", "log", "--format=%s").stdout == "The project as it is here\n"
