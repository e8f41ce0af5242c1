"""A copy of `infra/` in which the real Terraform runs; nothing is left beside the code, and no cloud is called."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from couch_explorers.local import terraform

INFRA = Path(__file__).resolve().parents[2] / "infra"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def program() -> str:
    try:
        return terraform.executable()
    except terraform.TerraformError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run_terraform(program: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    try:
        source = terraform.provider_source()
    except terraform.TerraformError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("infra")
    shutil.copytree(INFRA, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    # Not a variable of the user's may change what the tests see, nor a credential leave this machine.
    environment = {
        name: value for name, value in terraform.environment().items() if not name.startswith(("AWS_", "TF_VAR_"))
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments, "-no-color"],
            cwd=folder,
            env=environment | {"TF_DATA_DIR": os.fspath(folder / ".terraform")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    initialised = run("init", "-backend=false", *source.arguments)
    assert initialised.returncode == 0, initialised.stdout
    return run
