"""What stands in for docker where there is no container engine: the words it takes, and what reaches a container."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCKER = Path(__file__).with_name("bin") / "docker"
CLOUD = "http://127.0.0.1:4566"


@pytest.fixture
def docker(tmp_path):
    """Run it with one image, whose program lists its environment."""
    images = tmp_path / "images.json"
    images.write_text(json.dumps({"client": {"command": ["/usr/bin/env"], "environment": {"LANG": "C.UTF-8"}}}))
    environment = {"COUCH_DOCKER_IMAGES": str(images), "AWS_ENDPOINT_URL": CLOUD, "QUEUE": "jobs", "SECRET": "x"}
    return lambda *words: subprocess.run(
        [sys.executable, DOCKER, *words], env=environment, capture_output=True, text=True, check=False
    )


def test_a_container_has_nothing_but_its_own_environment_what_it_is_given_and_the_local_cloud_for_aws(docker):
    done = docker("run", "-i", "--rm", "-e", "QUEUE", "--env", "A=1", "-e", "NOT_SET", "client")

    assert sorted(done.stdout.split()) == ["A=1", f"AWS_ENDPOINT_URL={CLOUD}", "LANG=C.UTF-8", "QUEUE=jobs"]


def test_a_container_on_this_machines_network_must_be_told_where_the_local_cloud_is(docker):
    assert "AWS_ENDPOINT_URL" not in docker("run", "--network", "host", "client").stdout
    assert CLOUD in docker("run", "--network", "host", "-e", "AWS_ENDPOINT_URL", "client").stdout


def test_an_image_that_was_not_built_is_not_pulled(docker):
    done = docker("run", "another")

    assert done.returncode == 1
    assert "no image another was built here, only client" in done.stderr


@pytest.mark.parametrize("words", ["run --detach client", "run --network bridge client", "pull client", "build ."])
def test_words_that_it_does_not_know_are_refused(docker, words):
    assert docker(*words.split()).returncode == 2
