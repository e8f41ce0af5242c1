"""A stage for each module's rehearsals, and a local cloud of their own: an account that is prepared, with nothing deployed."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from couch_explorers.workspace import local_session
from tests import account

from .masking import mask
from .stage import Stage

SERVER = Path(__file__).resolve().parents[1] / "bare_cloud.py"
SUMMARIES = Path(__file__).parent / "summaries"
# With this in the environment the summaries are written again instead of compared.
WRITE = "REHEARSAL_WRITE_SUMMARIES"
READY_WITHIN_S = 60


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """The address of a local cloud on which nothing is deployed."""
    folder = tmp_path_factory.mktemp("cloud")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        command = [sys.executable, str(SERVER), str(port), str(folder / "home")]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(url, process, folder / "log")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def session(endpoint):
    """The owner of the account of that cloud: no workflow does."""
    return local_session(endpoint)


@pytest.fixture(scope="module")
def prepared(session):
    """The account as CONTRIBUTING has it prepared, and the keys of a user who has the pipeline's two policies."""
    made = account.prepare(session)
    return made, account.make_user(session, made, "pipeline", account.PIPELINE)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A copy of the project, without a cloud."""
    made = Stage(tmp_path_factory.mktemp("stage"))
    made.copy_project()
    return made


@pytest.fixture(scope="module")
def stage_on_cloud(stage, endpoint, prepared):
    """The copy on the module's cloud, whose workflows have exactly the rights of `policies/`."""
    made, keys = prepared
    stage.endpoint = endpoint
    stage.secrets |= keys
    stage.variables |= {"PERMISSIONS_BOUNDARY": made.policy_arn("boundary")}
    return stage


@pytest.fixture
def same_summary():
    """Compare a summary, with what varies masked, with the file of the given name."""

    def compare(rehearsal, name):
        path, found = SUMMARIES / f"{name}.md", mask(rehearsal.summary)
        if os.environ.get(WRITE):
            path.parent.mkdir(exist_ok=True)
            path.write_text(found, encoding="utf-8")
            pytest.fail(f"{path} was written, not compared: read what changed in it, then run again without {WRITE}")
        expected = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert found == expected, f"If this is what the page shall say, write it down: {WRITE}=1 pytest {SERVER.parent}"

    return compare


def _wait(url, process, log):
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            with urlopen(f"{url}/_couch/health", timeout=5):
                return
        except (URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The local cloud did not start: {log.read_text()}") from None
            time.sleep(0.1)
