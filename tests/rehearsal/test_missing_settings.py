"""What is not set is named in the first step that can tell, and nobody on AWS is asked for anything."""

import re
import socket
from dataclasses import replace

import pytest

from .stage import SECRETS, VARIABLES, missing

MISSING = missing()
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

NEEDED = {
    "deploy_lambda": ("push", ["CANDIDATE", "MODEL_ARNS", *SECRETS]),
    "terraform_deploy": ("push", ["CANDIDATE", "ALARM_EMAIL", "MODEL_ARNS", *SECRETS]),
    "metric_review": ("workflow_dispatch", ["CANDIDATE", *SECRETS]),
}
CASES = [(workflow, event, name) for workflow, (event, names) in NEEDED.items() for name in names]


@pytest.fixture
def listener():
    """A port in AWS's place that tells whether anybody has called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def nobody_called(listener):
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize(
    ("workflow", "event", "name"), CASES, ids=[f"{workflow}-{name}" for workflow, _, name in CASES]
)
def test_a_missing_setting_is_named_with_the_command_that_sets_it_before_anything_is_deployed(
    stage, listener, workflow, event, name
):
    without = replace(
        stage,
        endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}",
        secrets={key: value for key, value in SECRETS.items() if key != name},
        variables={key: value for key, value in VARIABLES.items() if key != name},
    )

    rehearsal = without.rehearse(workflow, event)

    kind = "secret" if name in SECRETS else "variable"
    assert rehearsal.exit_code == 1
    assert f"{name} is missing: " in rehearsal.log
    assert re.search(rf"[Ss]et it with: gh {kind} set {name} ", rehearsal.log)
    assert rehearsal.log.count(" is missing: ") == 1
    assert rehearsal.ran().keys() <= {"actions/checkout", "Is everything set?", "Report"}
    assert rehearsal.ran()["Is everything set?"] == "failure"
    assert (rehearsal.summary, rehearsal.uploaded()) == ("", set())
    assert nobody_called(listener)


def test_a_malformed_setting_is_reported_with_its_value(stage):
    rehearsal = replace(stage, variables=VARIABLES | {"CANDIDATE": "candidate-42"}).rehearse("deploy_lambda")

    assert rehearsal.exit_code == 1
    assert "CANDIDATE is 'candidate-42', which is not your candidate number, 1 to 10 digits." in rehearsal.log


def test_publishing_the_image_asks_for_an_account_on_docker_hub(stage):
    rehearsal = replace(stage, secrets={}, variables={}).rehearse("docker_publish")

    assert rehearsal.exit_code == 1
    assert (
        "DOCKERHUB_USERNAME is missing, your name on Docker Hub; set it with: gh variable set DOCKERHUB_USERNAME --body NAME"
        in rehearsal.log
    )
    assert (
        "DOCKERHUB_TOKEN is missing, an access token of Docker Hub that may read and write; set it with: gh secret set DOCKERHUB_TOKEN"
        in rehearsal.log
    )
    assert rehearsal.ran() == {"Is everything set that publishing needs?": "failure"}


def test_a_secret_of_the_user_never_reaches_a_workflow(stage, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-users-own-secret")
    monkeypatch.setenv("GITHUB_TOKEN", "the-users-own-token")

    with stage.changed(
        ".github/workflows/deploy_lambda.yml",
        "run: python3 tools/require_settings.py CANDIDATE MODEL_ARNS credentials",
        "run: env | sort; exit 1",
    ):
        rehearsal = stage.rehearse("deploy_lambda")

    assert "CANDIDATE=42" in rehearsal.log
    assert "the-users-own" not in rehearsal.log
