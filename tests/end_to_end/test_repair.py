"""What `couch up` makes whole again: a deploy that was killed halfway, a cloud that was killed, one that is suspended."""

import json
import os
import signal
import subprocess

import psutil
import pytest

from tests.waiting import wait_until

from .conftest import COUCH, fresh_cloud


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    """A cloud whose first `couch up` was killed while `terraform` made the queues, and what the second one printed."""
    with fresh_cloud(tmp_path_factory) as cloud:
        command = [COUCH, "up", "--port", str(cloud.port)]
        begun = subprocess.Popen(
            command, env=cloud.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in begun.stderr:
            if line.startswith("terraform apply aws_"):
                break
        begun.kill()
        begun.stderr.close()
        begun.wait()
        done = cloud.up()
        yield cloud, done


def cloud_process(cloud):
    return json.loads((cloud.home / "cloud.json").read_text())["pid"]


def assert_both_paths_paint(cloud):
    for via in ("api", "queue"):
        assert cloud.couch("paint", "After the repair", "--via", via).stdout.startswith("s3://")


def test_a_deploy_that_was_killed_halfway_is_finished_by_the_next(repaired):
    cloud, done = repaired

    assert "Deployed     api, queue" in done.stdout or "Deployed     queue, api" in done.stdout
    assert_both_paths_paint(cloud)


def test_a_cloud_that_was_killed_comes_back_with_its_deploy(repaired):
    cloud, _ = repaired
    pid = cloud_process(cloud)
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, what="its end"
    )

    refused = cloud.couch("paint", "A fjord", check=False)
    restarted = cloud.up()

    assert "couch up" in refused.stderr
    assert "had not been stopped" in restarted.stderr
    assert_both_paths_paint(cloud)


def test_a_cloud_that_is_suspended_is_named_and_left_alone(repaired):
    cloud, _ = repaired
    pid = cloud_process(cloud)
    os.kill(pid, signal.SIGSTOP)

    refused = cloud.couch("up", check=False)
    status = cloud.couch("status")
    os.kill(pid, signal.SIGCONT)

    assert refused.returncode == 1
    assert f"kill -CONT {pid}" in refused.stderr
    assert f"kill -CONT {pid}" in status.stdout
    assert cloud_process(cloud) == pid
    assert_both_paths_paint(cloud)


def test_a_cloud_that_is_suspended_saves_its_state_when_it_is_stopped(repaired):
    cloud, _ = repaired
    os.kill(cloud_process(cloud), signal.SIGSTOP)

    stopped = cloud.couch("down")
    restarted = cloud.up()

    assert "brings everything back" in stopped.stdout
    assert "had not been stopped" not in restarted.stderr
    assert "Deployed     nothing changed" in restarted.stdout
    assert_both_paths_paint(cloud)
