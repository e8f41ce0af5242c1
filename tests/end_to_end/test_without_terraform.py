"""A machine without Terraform: the queue is left out by name, the rest works."""

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
