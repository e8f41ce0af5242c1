import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scripts

pytestmark = pytest.mark.programs

TOOL = Path(__file__).resolve().parents[2] / "tools" / "require_settings.py"
SET = {
    "CANDIDATE": "42",
    "ALARM_EMAIL": "kari@couch-explorers.example",
    "MODEL_ARNS": "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
    "AWS_ACCESS_KEY_ID_IS_SET": "true",
    "AWS_SECRET_ACCESS_KEY_IS_SET": "true",
}
EVERYTHING = ("CANDIDATE", "ALARM_EMAIL", "MODEL_ARNS", "credentials")


@pytest.fixture
def require():
    """Run the tool as a workflow does: an environment and nothing else."""

    def require(*names, **environment):
        surrounding = {"PATH": os.environ["PATH"], **environment}
        done = subprocess.run(
            [sys.executable, str(TOOL), *names], env=surrounding, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return require


def test_when_everything_is_set_it_says_so(require):
    assert require(*EVERYTHING, **SET) == (0, ["Everything is set."])


@pytest.mark.parametrize("name", ["CANDIDATE", "ALARM_EMAIL", "MODEL_ARNS"])
def test_a_missing_variable_is_named_with_the_command_that_sets_it(require, name):
    code, [sentence] = require(*EVERYTHING, **{**SET, name: " "})

    assert code == 1
    assert sentence.startswith(f"{name} is missing")
    assert f"gh variable set {name} --body " in sentence


def test_every_missing_setting_is_named_at_once(require):
    code, sentences = require(*EVERYTHING)

    assert code == 1
    assert [sentence.split()[0] for sentence in sentences] == [
        "CANDIDATE", "ALARM_EMAIL", "MODEL_ARNS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CANDIDATE", "forty-two"),
        ("ALARM_EMAIL", "kari"),
        ("MODEL_ARNS", "arn:aws:bedrock:us-west-2:1:foundation-model/x"),
    ],
)
def test_a_malformed_variable_is_shown_with_what_it_should_be(require, name, value):
    code, [sentence] = require(name, **{name: value})

    assert code == 1
    assert repr(value) in sentence


def test_several_models_stand_with_commas_between(require):
    assert require("MODEL_ARNS", MODEL_ARNS=", ".join([SET["MODEL_ARNS"]] * 2))[0] == 0


def test_inference_profile_stands_before_the_models_behind_it(require):
    profile = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3d4e5f6"

    assert require("MODEL_ARNS", MODEL_ARNS=f"{profile}+{SET['MODEL_ARNS']},{SET['MODEL_ARNS']}")[0] == 0
    assert require("MODEL_ARNS", MODEL_ARNS=profile)[0] == 1


def test_a_role_takes_the_place_of_keys(require):
    assert require("credentials", AWS_ROLE_ARN="arn:aws:iam::000000000000:role/deploy")[0] == 0


def test_on_github_a_sentence_becomes_an_annotation(require):
    _, [sentence] = require("CANDIDATE", GITHUB_ACTIONS="true")

    assert sentence.startswith("::error title=A setting is missing::CANDIDATE is missing")


@pytest.mark.parametrize("names", [(), ("CANDIDAT",)])
def test_a_name_that_is_not_known_is_a_wrong_call(require, names):
    code, [sentence] = require(*names, **SET)

    assert code == 2
    assert "CANDIDATE" in sentence


def test_the_values_of_secrets_are_never_looked_at():
    module = scripts.load("tools/require_settings.py")
    asked = []

    class Recorded(dict):
        def get(self, name, default=None):
            asked.append(name)
            return super().get(name, default)

    module.problems(list(EVERYTHING), Recorded(SET))

    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} & set(asked)
