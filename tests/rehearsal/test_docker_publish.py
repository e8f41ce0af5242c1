"""The real docker_publish.yml as a pull request runs it: settings, then the image for this machine, built by buildah and run.

What cannot be rehearsed: the arm64 half of the image, which is built on a runner of that architecture; publishing, which needs a
registry; BuildKit's cache, provenance and SBOM. What is asked for before publishing: test_missing_settings.py.
"""

import json
import platform
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.java import stand_ins
from tests.java.image import CACHE

from .build_image import ARCHITECTURES
from .stage import missing

HERE = ARCHITECTURES.get(platform.machine())
ACCOUNT = {"variables": {"DOCKERHUB_USERNAME": "couchexplorers"}, "secrets": {"DOCKERHUB_TOKEN": "a-token-of-nobody"}}
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def pull_request(stage):
    """The workflow for a pull request; it needs no account."""
    if reason := stand_ins.missing():
        pytest.skip(reason)
    if HERE != "amd64":
        pytest.skip(f"the runner that the workflow asks for is amd64; this machine is {platform.machine()}")
    where = {"COUCH_IMAGE_CACHE": str(CACHE), "REHEARSAL_MAVEN_HOME": str(Path.home())}
    nobody = replace(stage, secrets={}, variables={}, environment=where)
    # One of the matrix alone: act 0.2.89 takes the runner of whichever is looked at first for all.
    return nobody.rehearse("docker_publish", "pull_request", "--matrix", f"architecture:{HERE}")


def test_a_pull_request_builds_the_image_and_runs_it(pull_request):
    assert pull_request.exit_code == 0, pull_request.log[-4000:]
    assert pull_request.ran() == dict.fromkeys(
        (
            *("actions/checkout", "When was this commit made?", "docker/setup-buildx-action"),
            *("Build, and push without a tag", "Run the image just built", "Hand on the digest"),
        ),
        "success",
    )


def test_the_image_just_built_says_how_it_is_used_with_its_classes_from_the_archive(pull_request):
    output = pull_request.log.partition("Run Main Run the image just built")[2]

    assert "Picked up _JAVA_OPTIONS: -Xshare:on" in output
    assert re.search(r"SQS_QUEUE_URL", output)


def test_the_image_tells_the_commit_that_it_was_built_from(pull_request, stage):
    (how,) = json.loads((pull_request.artifacts.parent / "images" / "images.json").read_text()).values()

    assert how["labels"]["org.opencontainers.image.revision"] == stage.git("rev-parse", "HEAD")
    assert how["labels"]["org.opencontainers.image.created"] == "2026-11-01T12:00:00Z"


def test_a_pull_request_publishes_nothing(pull_request):
    assert {step.job for step in pull_request.steps} == {"settings", "build"}


def test_the_image_for_arm64_is_left_to_a_runner_that_is_one(stage):
    rehearsal = stage.rehearse("docker_publish", "pull_request", "--matrix", "architecture:arm64")

    assert "Skipping unsupported platform -- Try running with `-P ubuntu-24.04-arm=...`" in rehearsal.log
    assert {step.job for step in rehearsal.steps} == {"settings"}


def test_on_main_the_settings_are_found_and_the_commits_time_is_handed_on(stage):
    rehearsal = replace(stage, **ACCOUNT).rehearse("docker_publish", "push", "--job", "settings")

    assert rehearsal.exit_code == 0, rehearsal.log[-4000:]
    assert rehearsal.ran() == dict.fromkeys(
        ("Is everything set that publishing needs?", "actions/checkout", "When was this commit made?"), "success"
    )


def test_a_name_that_no_image_can_have_is_reported(stage):
    account = ACCOUNT | {"variables": {"DOCKERHUB_USERNAME": "Couch Explorers"}}
    rehearsal = replace(stage, **account).rehearse("docker_publish", "push", "--job", "settings")

    assert rehearsal.exit_code == 1
    assert "Couch Explorers/couch-explorers-client is no name of an image" in rehearsal.log
