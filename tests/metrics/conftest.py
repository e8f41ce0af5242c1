"""Frames for anyone who reviews and draws, and a CloudWatch in memory for anyone who fetches."""

import pytest

from tests.aws_fakes.monitored import FakeAws, workspace_of
from tests.metrics import believable


@pytest.fixture
def frame_of():
    """Give the function that makes a frame with its facts; see `believable.frame_of`."""
    return believable.frame_of


@pytest.fixture
def alarms_of():
    """Give the function that makes the five deployed alarms; see `believable.alarms_of`."""
    return believable.alarms_of


@pytest.fixture
def aws(tmp_path, monkeypatch):
    """A deployed system in memory, and a home folder in which no local cloud stands."""
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return FakeAws()


@pytest.fixture
def workspace(aws):
    """A workspace on the system in memory, as on AWS; see `monitored.workspace_of` for others."""
    return workspace_of(aws)
