"""What Terraform itself says about `infra/`. The relations and the rights are stated in `infra/tests`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

INFRA = Path(__file__).resolve().parents[2] / "infra"
TEST_FILES = sorted(path.relative_to(INFRA).as_posix() for path in INFRA.glob("tests/*.tftest.hcl"))

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_code_stands_as_terraform_formats_it(program: str) -> None:
    result = subprocess.run(
        [program, "fmt", "-check", "-recursive", "-diff", "-no-color", str(INFRA)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_code_is_valid_for_the_providers_schema(run_terraform: Run) -> None:
    result = run_terraform("validate")

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("file", TEST_FILES)
def test_terraforms_own_tests_pass(run_terraform: Run, file: str) -> None:
    result = run_terraform("test", f"-filter={file}")

    assert result.returncode == 0, result.stdout
    # A filter that matches nothing ends well, too.
    assert f"{file}... pass" in result.stdout, result.stdout
