"""The Postman collection, sent by newman to the deployed API."""

import json
import os
import shutil
import subprocess

import pytest

from couch_explorers.deliverables.render import POSTMAN_COLLECTION
from couch_explorers.paths import PROJECT_ROOT

# As .ci/run installs it.
INSTALL = "npm install --global newman@6.2.2"

pytestmark = pytest.mark.skipif(
    shutil.which("newman") is None, reason=f"newman is not installed, which sends the collection: {INSTALL}"
)


@pytest.fixture
def newman(workspace, tmp_path):
    """Send the whole collection; the exit code and newman's report."""

    def sent():
        report = tmp_path / "report.json"
        done = subprocess.run(
            ["newman", "run", str(PROJECT_ROOT / POSTMAN_COLLECTION), "--env-var", f"endpoint={workspace.api_url}",
             "--reporters", "cli,json", "--reporter-json-export", str(report), "--color", "off"],
            env=os.environ | {"NO_PROXY": "127.0.0.1"}, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        return done, json.loads(report.read_text(encoding="utf-8"))["run"]

    return sent


def failed(run):
    return {execution["item"]["name"] for execution in run["executions"]
            for assertion in execution.get("assertions", []) if "error" in assertion}  # fmt: skip


def test_every_assertion_passes_in_one_run_and_in_the_next(newman):
    written = (PROJECT_ROOT / POSTMAN_COLLECTION).read_text(encoding="utf-8").count("pm.test(")

    for _ in range(2):
        done, run = newman()

        assert done.returncode == 0, done.stdout + done.stderr
        assert run["stats"]["requests"] == {"total": 7, "pending": 0, "failed": 0}
        assert run["stats"]["assertions"]["failed"] == 0
        # Those of a folder are made once for each of its requests.
        assert run["stats"]["assertions"]["total"] > written


def test_each_run_paints_two_pictures_and_refuses_the_rest_unpaid(local_cloud, newman):
    before = local_cloud.stats.images

    newman()

    assert local_cloud.stats.images == before + 2


def test_an_api_without_a_model_fails_the_good_requests_and_what_rests_on_them(faults, newman):
    faults("error=1", "latency=0")

    done, run = newman()

    assert done.returncode == 1
    assert failed(run) == {
        "A bare prompt",
        "A prompt with seed and size",
        "The same id again",
        "The same id with another request",
    }
