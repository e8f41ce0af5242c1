"""A sweep's result with real picture files, made without asking a model."""

from dataclasses import replace

import pytest
from PIL import Image

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.results import Outcome, RunContext, Status, to_frame
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.paths import Home
from tests.exploration.scenario import fake_workspace

COW = "A {medium} of a cow in {place}"
PLACES = {"Norway": "a fjord at dusk", "Egypt": "Giza"}
JEEP, CLIFF = "A jeep on the savanna at sunset", "A hiker on the edge of a cliff"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of the test's own."""
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return Home.current()


@pytest.fixture
def painted(home):
    """Make the result of a sweep in which every cell has a picture, but for those in `without` (number: status, reason)."""

    def make(prompts=None, without=None, **axes):
        sweep = Sweep(
            prompts or {"jeep": JEEP, "cliff": CLIFF},
            **{"models": DEFAULT_MODEL_ID, "seeds": (7, 21)} | axes,
        )
        folder = home.images("local")
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = {}
        for cell in sweep.cells():
            if cell.number in (without or {}):
                status, reason = without[cell.number]
                outcomes[cell.number] = Outcome(cell.number, status, reason)
                continue
            if cell.same_as is not None:
                first = outcomes[cell.same_as]
                status = Status.SAME if first.path else first.status
                outcomes[cell.number] = replace(first, number=cell.number, status=status, usd=0.0)
                continue
            path = folder / f"{cell.id}.png"
            Image.new("RGB", (64, 64), (cell.number * 20, 90, 120)).save(path)
            outcomes[cell.number] = Outcome(
                cell.number,
                Status.MADE,
                seconds=1.0,
                usd=0.04,
                path=path,
                key=f"42/{cell.id}.png",
                width=64,
                height=64,
            )
        return to_frame(sweep.cells(), outcomes, RunContext("local", title="Journeys"))

    return make


@pytest.fixture
def pictures(painted):
    """Four pictures: jeep with seeds 7 and 21 (numbers 1, 2), cliff with the same (3, 4)."""
    return painted()


@pytest.fixture
def workspace():
    return fake_workspace()


@pytest.fixture
def s3(workspace):
    return workspace.session.s3


@pytest.fixture
def models(workspace):
    return workspace.session.models


@pytest.fixture
def cache(tmp_path):
    cache = ImageCache(tmp_path / "images")
    cache.check_writable()
    return cache


@pytest.fixture
def cows(painted):
    """Four pictures of one template: a photo in Norway and in Egypt (numbers 1, 2), an oil painting in both (3, 4)."""
    return painted({"cow": COW}, seeds=7, variables={"medium": ["photo", "oil painting"], "place": PLACES})
