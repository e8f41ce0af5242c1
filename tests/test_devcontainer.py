"""The development container is what the workflows run on, and what the README asks for. Keys: https://containers.dev/implementors/json_reference/."""

import json
import re

import pytest

from couch_explorers.local.settings import DEFAULT_PORT
from tests.rehearsal import workflow_files

FILE = workflow_files.ROOT / ".devcontainer" / "devcontainer.json"
FEATURES = "ghcr.io/devcontainers/features"


@pytest.fixture(scope="module")
def container():
    return json.loads(FILE.read_text(encoding="utf-8"))


def versions(action, setting):
    """The versions that the workflows give an action, each once."""
    files = [*workflow_files.workflow_files(), *workflow_files.action_files()]
    steps = [step for path in files for step in workflow_files.steps(path)]
    return {str(step["with"][setting]) for step in steps if step.get("uses", "").startswith(f"{action}@")}


def test_python_is_that_of_the_workflows_which_deploy(container):
    workspace = workflow_files.ROOT / ".github" / "actions" / "workspace" / "action.yml"
    (wanted,) = {step["with"]["python-version"] for step in workflow_files.steps(workspace) if "with" in step}

    assert re.fullmatch(rf"mcr\.microsoft\.com/devcontainers/python:{re.escape(wanted)}(-[a-z]+)?", container["image"])


@pytest.mark.parametrize(
    ("feature", "action", "setting"),
    [
        ("terraform", "hashicorp/setup-terraform", "terraform_version"),
        ("java", "actions/setup-java", "java-version"),
    ],
)
def test_a_programs_version_is_that_of_the_workflows(container, feature, action, setting):
    assert {container["features"][f"{FEATURES}/{feature}:1"]["version"]} == versions(action, setting)


def test_maven_comes_with_java(container):
    assert container["features"][f"{FEATURES}/java:1"]["installMaven"] == "true"


def test_the_container_is_made_of_one_image_and_sets_itself_up(container):
    assert [kind for kind in ("image", "build", "dockerComposeFile") if kind in container] == ["image"]
    assert container["postCreateCommand"].startswith("make setup")
    assert "${containerWorkspaceFolder}/.venv/bin:" in container["remoteEnv"]["PATH"]


def test_the_local_cloud_and_jupyterlab_are_reached_from_outside(container):
    assert container["forwardPorts"] == [DEFAULT_PORT, 8888]
    assert set(container["portsAttributes"]) == {str(port) for port in container["forwardPorts"]}
