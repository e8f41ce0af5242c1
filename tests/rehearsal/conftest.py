"""A stage for each module's rehearsals, and a local cloud of their own: an account that is prepared, with nothing deployed."""

import os
from pathlib import Path

import pytest

from couch_explorers.workspace import local_session
from tests import account, bare_cloud

from .masking import mask
from .stage import Stage

SUMMARIES = Path(__file__).parent / "summaries"
# With this in the environment the summaries are written again instead of compared.
WRITE = "REHEARSAL_WRITE_SUMMARIES"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """The address of a local cloud on which nothing is deployed."""
    with bare_cloud.serving(tmp_path_factory.mktemp("cloud") / "home") as server:
        yield server.endpoint


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
        assert found == expected, (
            f"If this is what the page shall say, write it down: {WRITE}=1 pytest {SUMMARIES.parent}"
        )

    return compare
