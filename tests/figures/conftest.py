"""What figures are made from: frames, a deployed system in memory, a saved run."""

import json
from pathlib import Path

import pytest

from tests.aws_fakes.deployed import DeployedAws, workspace_of
from tests.metrics import believable
from tests.metrics.plots import legible

SAVED_RUN = Path(__file__).with_name("java_client.json")


@pytest.fixture
def frame_of():
    """Give the function that makes a frame with its facts; see `believable.frame_of`."""
    return believable.frame_of


@pytest.fixture
def faults():
    """Give the function that lists every text of a figure that is cut off, and every two that lie on each other."""
    return legible.faults


@pytest.fixture
def written():
    """Give the function that lists all that is written on a figure."""
    return legible.written


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """A deployed system in memory, and a home folder in which no local cloud stands."""
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COUCH_OUT", raising=False)
    return DeployedAws()


@pytest.fixture
def workspace(aws):
    """A workspace on the system in memory, as on AWS."""
    return workspace_of(aws)


@pytest.fixture
def saved(tmp_path):
    """Give the function that saves a run of the client's benchmark; `without` leaves figures out, `changes` replace fields."""

    def save(without=(), **changes):
        run = json.loads(SAVED_RUN.read_text(encoding="utf-8")) | changes
        run["figures"] = {key: figure for key, figure in run["figures"].items() if key not in without}
        folder = tmp_path / "results"
        folder.mkdir(exist_ok=True)
        (folder / "java_client.json").write_text(json.dumps(run), encoding="utf-8")
        return folder

    return save
