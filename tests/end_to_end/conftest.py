"""Local clouds for tests: each with its own folder and its own port, deployed by the real `couch up`."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

from couch_explorers import workspace as workspaces
from couch_explorers.aws import REGION
from couch_explorers.aws.discovery import EndpointSession
from couch_explorers.core.jobs import message_body
from couch_explorers.local import faults as fault_settings
from couch_explorers.local import process, users
from couch_explorers.local.settings import ACCOUNT_ID, DEFAULT_CANDIDATE
from couch_explorers.paths import Home
from tests.bare_cloud import free_port

from .deployed_cloud import copy_deployed

COUCH = str(Path(sys.executable).with_name("couch"))

# Modules that build images, run the workflows, drive a browser, run a notebook dozens of times or wait for minutes take two thirds of
# all the time: `make test` leaves them to `make test ALL=1`.
SLOW = (
    "test_alarm",
    "test_documentation",
    "test_account",
    "test_trouble",
    "test_terraform_deploy",
    "test_repair",
    "test_client_image",
    "test_deploy_lambda",
    "test_docker_publish",
    "test_checks_workflow",
    "test_missing_settings",
    "test_java_client",
    "test_without_terraform",
    "test_storm",
    "test_notebook_inputs",
    "test_exam_report",
    "test_lab",
    "test_closed_api",
    "test_api_abuse",
)
# What takes longest starts first. Each module's tests run in one process, one after the other, and the modules start in this
# order (`--dist loadfile --no-loadscope-reorder`: by itself xdist starts those with the most tests first, whatever they take).
FIRST = (
    "test_alarm",
    "test_documentation",
    "test_account",
    "test_trouble",
    "test_terraform_deploy",
    "test_lab",
    "test_repair",
    "test_client_image",
    "test_deploy_lambda",
    "test_notebook_inputs",
    "test_api",
    "test_notebooks",
    "test_exam_report",
    "test_closed_api",
    "test_docker_publish",
)


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder and the slow ones; let what takes longest start before all others."""

    def place(item):
        if item.path.stem in FIRST:
            return FIRST.index(item.path.stem)
        return len(FIRST) + ("end_to_end" not in item.path.parts)

    for item in items:
        if "end_to_end" in item.path.parts:
            item.add_marker(pytest.mark.end_to_end)
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)
    items.sort(key=place)


@dataclass(frozen=True)
class LocalCloud:
    """A cloud under test and the means to wait for it."""

    home: Path
    port: int
    # Seconds. Six times that is how long a dead worker's job stays hidden.
    worker_timeout_s: int = 20

    @property
    def environment(self):
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_", "GITHUB_"))
        }
        logs = {"COUCH_REQUEST_LOG": self.home / "requests.jsonl", "COUCH_MODEL_LOG": self.home / "models.jsonl"}
        operator = {"COUCH_HOME": str(self.home), users.USER_VARIABLE: users.OPERATOR}
        return clean | operator | {name: str(file) for name, file in logs.items()}

    def exported_environment(self, user=users.OPERATOR):
        """The environment of any AWS tool that acts as a user of the cloud, as `couch env` exports it."""
        lines = self.couch("env", environment=self.environment | {users.USER_VARIABLE: user}).stdout.splitlines()
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | exported

    def session(self, user):
        """A session as a user of the cloud."""
        keys = users.keys_of(Home(self.home), user)
        return EndpointSession(f"http://127.0.0.1:{self.port}", **keys.arguments, region_name=REGION)

    def as_deployer(self):
        """A session as the user that deploys both stacks."""
        return self.session(users.DEPLOY)

    def as_owner(self):
        """A session as the account's root user, for modules in `identities.OWNERS` alone."""
        return self.session(users.ROOT_USER)

    def couch(self, *arguments, environment=None, check=True, timeout=240):
        """Run the real `couch` against this cloud."""
        done = subprocess.run(
            [COUCH, *arguments],
            env=environment or self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"couch {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def up(self, **arguments):
        return self.couch("up", "--port", str(self.port), "--worker-timeout", str(self.worker_timeout_s), **arguments)

    @property
    def stats(self):
        # Not by `couch status`: a process takes seconds to start on a busy machine, and what is waited for has passed by then.
        with urlopen(f"http://127.0.0.1:{self.port}/_couch/stats", timeout=30) as answer:
            return SimpleNamespace(**json.load(answer))

    def set_faults(self, *settings):
        """Replace the faults as `couch faults` does, without the second of CPU that each of its processes takes."""
        process.required(Home(self.home)).ask("PUT", "/_couch/faults", fault_settings.parse(settings).to_json())

    def send(self, workspace, prompt="A jeep on the savanna", **fields):
        """Put one job on the queue."""
        body = message_body(prompt, **fields)
        workspace.client("sqs").send_message(QueueUrl=workspace.queue_url, MessageBody=body)


@contextmanager
def fresh_cloud(tmp_path_factory, **settings):
    """A cloud with a folder and a port of its own, not yet started; gone afterwards, whatever happened to it."""
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), free_port(), **settings)
    try:
        yield cloud
    finally:
        cloud.couch("down", "--erase")


@contextmanager
def deployed_cloud(tmp_path_factory, **settings):
    """A cloud of its own with everything deployed: all of a test run with the same settings are copies of one deploy."""

    def deploy(folder):
        original = LocalCloud(folder, free_port(), **settings)
        try:
            original.up()
        finally:
            original.couch("down")
        return original.port

    # Each of xdist's processes has a folder of its own within that of the run.
    run = tmp_path_factory.getbasetemp()
    run = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    with fresh_cloud(tmp_path_factory, **settings) as cloud:
        original = run / f"deployed-{cloud.worker_timeout_s}"
        copy_deployed(original, cloud.home, cloud.port, deploy)
        cloud.up()
        yield cloud


@contextmanager
def connected(cloud):
    """A connection to a cloud as its operator, as whom this process acts by default for as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COUCH_HOME", str(cloud.home))
        patch.setenv(users.USER_VARIABLE, users.OPERATOR)
        workspace = workspaces.connect("local")
        operator = users.user_name(DEFAULT_CANDIDATE, users.OPERATOR)
        assert workspace.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT_ID}:user/{operator}"
        yield workspace


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory):
    """A deployed cloud with the defaults of `couch up`."""
    with deployed_cloud(tmp_path_factory) as cloud:
        yield cloud


@pytest.fixture
def workspace(local_cloud):
    """A connection to the cloud under test as its operator, with no faults set."""
    local_cloud.set_faults("clear")
    with connected(local_cloud) as workspace:
        yield workspace
    local_cloud.set_faults("clear")


@pytest.fixture
def owner(local_cloud):
    """A session as the account's root user, for modules in `identities.OWNERS` alone."""
    return local_cloud.as_owner()


@pytest.fixture
def deployer(local_cloud):
    """A session as the user that deploys both stacks."""
    return local_cloud.as_deployer()


@pytest.fixture
def faults(local_cloud):
    return local_cloud.set_faults


@pytest.fixture
def keys(workspace):
    """The keys in the bucket that begin with the candidate's prefix and the given text."""

    def listed(beginning=""):
        pages = (
            workspace.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=workspace.bucket, Prefix=f"{workspace.prefix}/{beginning}")
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    return listed


@pytest.fixture
def dead_letters(workspace):
    """The messages in the dead-letter queue of a job, by its id; taken out once seen."""
    sqs = workspace.client("sqs")

    def taken(job_id):
        answer = sqs.receive_message(
            QueueUrl=workspace.dead_letter_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=0,
        )
        for message in answer.get("Messages", []):
            attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            if attributes.get("job_id") == job_id:
                sqs.delete_message(QueueUrl=workspace.dead_letter_url, ReceiptHandle=message["ReceiptHandle"])
                return message | {"attributes": attributes}
        return None

    return taken


@pytest.fixture(scope="module")
def week(local_cloud):
    """A cloud with a believable week behind it, which is forgotten again."""
    local_cloud.couch("seed-metrics")
    yield local_cloud
    local_cloud.couch("seed-metrics", "--erase")
