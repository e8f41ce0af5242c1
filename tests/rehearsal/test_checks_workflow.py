"""The real checks.yml, with programs in the place of make's targets, Maven, Go and Terraform: whether what they find reaches the one check that counts.

What the targets do is not rehearsed: these tests are a part of it.
"""

from dataclasses import replace

import pytest

from tools.check import ACTIONLINT

from .stage import missing

MISSING = missing("terraform", "java", "make")
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture
def with_programs(stage, tmp_path):
    """The copy, and on the PATH a Maven and a Terraform that find nothing wrong and a Go that installs nothing.

    Terraform, because the job that asks the registry for the provider's oldest version needs the network.
    """
    outputs = {"mvn": "", "go": "", "terraform": " + provider registry.terraform.io/hashicorp/aws v5.74.0"}
    for name, more in outputs.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*{more}"\n')
        program.chmod(0o755)
    return replace(stage, environment={"PATH": f"{tmp_path}:{stage.clean_environment()['PATH']}"})


def makefile(check="true", test="true"):
    # GNU make reads this one before the Makefile.
    return f".PHONY: check test\ncheck:\n\t@{check}\ntest:\n\t@{test}\n"


def results(rehearsal):
    return {step.job: step.result for step in rehearsal.steps}


def test_the_check_that_a_branch_needs_is_green_when_all_jobs_are(with_programs):
    with with_programs.with_file("GNUmakefile", makefile()):
        rehearsal = with_programs.rehearse("checks")

    assert rehearsal.exit_code == 0, rehearsal.log[-4000:]
    assert results(rehearsal) == dict.fromkeys(("check", "test", "java", "provider", "all"), "success")
    assert "mvn --batch-mode --no-transfer-progress --file java_sqs_client verify" in rehearsal.log
    assert f"go install {ACTIONLINT}" in rehearsal.log


def test_the_check_that_a_branch_needs_is_red_when_one_job_is(with_programs):
    with with_programs.with_file("GNUmakefile", makefile(test="false")):
        rehearsal = with_programs.rehearse("checks", "pull_request")

    assert rehearsal.exit_code == 1
    assert results(rehearsal) == {
        "check": "success", "test": "failure", "java": "success", "provider": "success", "all": "failure",
    }  # fmt: skip
    assert "A job ended with: failure" in rehearsal.log
