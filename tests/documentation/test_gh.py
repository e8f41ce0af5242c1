"""The stand-in of GitHub's command line, which the documentation's commands are compared with."""

import subprocess
import sys

import pytest

from .session import STAND_INS


def gh(*words):
    return subprocess.run([sys.executable, STAND_INS / "gh", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        "variable set CANDIDATE --body 42",
        "secret set AWS_SECRET_ACCESS_KEY",
        "workflow run deploy_lambda.yml",
        "workflow run terraform_deploy",
    ],
)
def test_what_a_workflow_reads_can_be_set_and_what_can_be_started_by_hand_is(command):
    done = gh(*command.split())

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("variable set CANDIDAT --body 42", "no workflow reads a variable CANDIDAT, only "),
        ("variable set AWS_SECRET_ACCESS_KEY --body x", "no workflow reads a variable AWS_SECRET_ACCESS_KEY"),
        ("secret set CANDIDATE", "no workflow reads a secret CANDIDATE"),
        ("workflow run deploy.yml", "no workflow deploy.yml can be started by hand, only "),
    ],
)
def test_what_would_be_of_no_use_is_refused_with_what_would_be(command, reason):
    done = gh(*command.split())

    assert done.returncode == 1
    assert reason in done.stderr


@pytest.mark.parametrize(
    "command",
    ["variable set CANDIDATE 42", "variable set CANDIDATE", "variables set CANDIDATE --body 42", "secret CANDIDATE"],
)
def test_words_that_gh_does_not_take_are_refused(command):
    assert gh(*command.split()).returncode == 2
