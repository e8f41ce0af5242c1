"""What must not be lost, whatever happens to models, workers and the cloud itself."""

import json
import signal

import psutil
import pytest

from tests.waiting import wait_until

from .conftest import deployed_cloud
from .test_pictures import error_note

POLICY_OF_THE_WORKER = ("couch-explorers-42-worker", "worker")


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory):
    """A cloud whose workers have little time, so that what a dead one held comes back within the test's patience."""
    with deployed_cloud(tmp_path_factory, worker_timeout_s=5) as cloud:
        yield cloud


def test_a_worker_without_the_right_to_the_model_sends_the_job_to_the_dead_letters(
    local_cloud, workspace, owner, dead_letters, faults
):
    """IAM at work: the statement for Bedrock is taken out of the deployed role, and only that."""
    iam = owner.client("iam")
    role, name = POLICY_OF_THE_WORKER
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    without = [statement for statement in policy["Statement"] if "bedrock:InvokeModel" not in json.dumps(statement)]
    assert len(without) == len(policy["Statement"]) - 1
    faults("latency=0")

    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy | {"Statement": without}))
    try:
        local_cloud.send(workspace, id="no-right")
        letter = wait_until(lambda: dead_letters("no-right"), what="the dead-letter message")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    assert letter["attributes"]["reason"] == "AccessDenied"
    assert error_note(workspace, "no-right")["reason"] == "AccessDenied"


@pytest.mark.parametrize("function", ["worker", "api"])
def test_no_deployed_role_holds_a_wildcard_action_or_a_bare_star(workspace, owner, function):
    iam = owner.client("iam")
    deployed = workspace.client("lambda").get_function_configuration(FunctionName=workspace.functions[function])
    name = deployed["Role"].rsplit("/", 1)[-1]

    policies = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]

    statements = [statement for policy in policies for statement in policy["Statement"]]
    assert statements
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    for statement in statements:
        actions, resources = (
            [value] if isinstance(value := statement[field], str) else value for field in ("Action", "Resource")
        )
        assert not any("*" in action for action in actions), statement
        assert "*" not in resources, statement


def test_a_worker_killed_in_mid_job_loses_nothing(local_cloud, workspace, faults, keys):
    faults("latency=3")
    calls = local_cloud.stats.calls
    local_cloud.send(workspace, id="killed")
    wait_until(lambda: local_cloud.stats.calls > calls, what="the call to the model")

    for process in worker_processes(local_cloud):
        process.send_signal(signal.SIGKILL)
    faults("latency=0.1")

    wait_until(lambda: keys("killed.png"), within_s=local_cloud.worker_timeout_s * 6 + 60, what="the picture")


def test_a_model_that_hangs_for_a_while_costs_patience_not_the_picture(local_cloud, workspace, faults, keys):
    faults(f"latency={local_cloud.worker_timeout_s * 2}")
    calls = local_cloud.stats.calls
    local_cloud.send(workspace, id="hanging")
    wait_until(lambda: local_cloud.stats.calls > calls, what="the call to the model")

    faults("latency=0.1")

    wait_until(lambda: keys("hanging.png"), within_s=local_cloud.worker_timeout_s * 6 + 60, what="the picture")


def test_messages_that_wait_outlive_a_stop_and_a_start(local_cloud, workspace, faults, keys):
    faults("throttle=1", "latency=0")
    for number in range(5):
        local_cloud.send(workspace, id=f"waiting-{number}")

    local_cloud.couch("down")
    stopped = local_cloud.couch("paint", "A fjord", check=False)
    local_cloud.up()

    assert stopped.returncode == 1
    assert "couch up" in stopped.stderr
    wait_until(lambda: len(keys("waiting-")) == 5, within_s=local_cloud.worker_timeout_s * 6 + 60, what="five pictures")


def worker_processes(cloud):
    """The processes in which the cloud runs Lambda code."""
    server = psutil.Process(json.loads((cloud.home / "cloud.json").read_text())["pid"])
    return [child for child in server.children(recursive=True) if "python" in child.name()]
