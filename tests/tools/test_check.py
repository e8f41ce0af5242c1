import subprocess
import sys

import pytest

from tools import check

pytestmark = pytest.mark.programs

UNQUOTED = "rm -r $1/build\n"
ACTION = """runs:
  using: composite
  steps:
    - uses: actions/checkout@v1
    - shell: bash
      run: |
        echo begin
        rm -r $FOLDER/build
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project in the place of this one."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (tmp_path / "good").write_text('#!/bin/sh\necho "$1"\n')
    return tmp_path


@pytest.mark.parametrize("shebang", ["#!/bin/sh", "#!/usr/bin/env bash", "#!/bin/bash -e", "#!/bin/dash"])
def test_a_script_is_known_by_its_first_line_whatever_its_name(project, shebang):
    (project / "bin").mkdir()
    (project / "bin" / "tidy").write_text(f"{shebang}\n{UNQUOTED}")

    outcome = check.shell_texts()

    assert outcome.verdict == "FAILED"
    assert f"In {project / 'bin' / 'tidy'} line 2:" in outcome.text


def test_a_script_that_forgot_its_first_line_is_reported_by_its_name(project):
    (project / "tidy.sh").write_text(UNQUOTED)

    assert "tidy.sh" in check.shell_texts().text


def test_the_steps_of_a_composite_action_are_read_too(project):
    (project / "tidy").mkdir()
    (project / "tidy" / "action.yml").write_text(ACTION)

    outcome = check.shell_texts()

    assert outcome.verdict == "FAILED"
    assert "In tidy/step-2 line 3:\nrm -r $FOLDER/build" in outcome.text


def test_other_programs_are_left_to_others(project):
    (project / "tidy").write_text("#!/usr/bin/env python3\nprint( $1 )\n")
    (project / "picture.png").write_bytes(b"\x89PNG\xff")

    assert check.shell_texts() == check.Outcome("passed")


def test_snapshots_without_their_tests_are_reported(project):
    kept = project / "__snapshots__"
    kept.mkdir()
    for name in ("test_there", "test_gone"):
        (kept / f"{name}.ambr").write_text("# serializer version: 1\n")
    (project / "test_there.py").touch()

    assert check.snapshots() == check.Outcome("FAILED", "__snapshots__/test_gone.ambr: test_gone.py is gone")


OPEN_QUEUE = """
resource "aws_sqs_queue_policy" "open" {
  queue_url = "jobs"
  policy    = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "*", Resource = "*" }] })
}
"""


@pytest.mark.skipif(not check.CHECKOV.exists(), reason="checkov not found: make check installs it")
def test_a_hole_in_the_infrastructure_is_reported_with_its_place(project):
    (project / "infra").mkdir()
    (project / "infra" / "queue.tf").write_text(OPEN_QUEUE)

    outcome = check.infrastructure()

    assert outcome.verdict == "FAILED"
    assert "FAILED for resource: aws_sqs_queue_policy.open" in outcome.text
    assert "queue.tf:2-5" in outcome.text


def run(*names):
    return subprocess.run([sys.executable, check.__file__, *names], capture_output=True, text=True, check=False)


def test_only_the_named_checks_are_run():
    done = run("notebooks", "text files")

    assert [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()[:2]] == ["notebooks", "text files"]
    assert "2 checks in" in done.stdout


def test_a_name_that_is_no_check_is_reported_with_those_there_are():
    done = run("spelling")

    assert done.returncode == 2
    assert "No such check: spelling. There are: mypy, " in done.stdout
