"""A machine without Terraform: the queue is left out by name, the rest works."""

import json
import shutil

import pytest

from .conftest import fresh_cloud


@pytest.fixture(scope="session")
def cloud_without_terraform(tmp_path_factory):
    programs = tmp_path_factory.mktemp("programs")
    for name in ("make", "sh", "env", "uname"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    with fresh_cloud(tmp_path_factory) as cloud:
        environment = cloud.environment | {"PATH": str(programs)}
        yield cloud, environment, cloud.couch("up", "--port", str(cloud.port), environment=environment)


def test_the_queue_is_skipped_by_name_and_the_api_paints(cloud_without_terraform):
    cloud, environment, up = cloud_without_terraform

    painted = cloud.couch("paint", "A fjord", environment=environment)
    queued = cloud.couch("paint", "A fjord", "--via", "queue", environment=environment, check=False)

    assert "Skipped      queue: Terraform is not installed" in up.stdout
    assert painted.stdout.startswith("s3://")
    assert queued.returncode == 1
    assert "Terraform 1.10" in queued.stderr


def test_the_smoke_test_skips_the_queue_by_name(cloud_without_terraform, tmp_path):
    cloud, environment, _ = cloud_without_terraform

    done = cloud.couch("run", "smoke_test", "--out", str(tmp_path), environment=environment)

    assert "SKIPPED" in done.stdout
    assert (tmp_path / "smoke_test.html").exists()


def test_the_exam_report_draws_what_there_is_and_says_what_deploys_the_rest(cloud_without_terraform, tmp_path):
    cloud, environment, _ = cloud_without_terraform

    cloud.couch("run", "exam_report", "--out", str(tmp_path), environment=environment)

    manifest = json.loads((tmp_path / "exam_report" / "figures.json").read_text(encoding="utf-8"))
    figures = {figure["name"]: figure for figure in manifest["figures"]}
    assert figures["architecture"]["missing"].startswith("The queue is not deployed: run `couch up`")
    assert "not deployed" in figures["architecture"]["alternative_text"]
    assert figures["age"]["reason"].startswith("The queue is not deployed")
    assert figures["contact_sheet"]["verdict"] == "OK"
