"""A workspace whose AWS is played by fakes, and an empty cache of pictures."""

import pytest

from couch_explorers.exploration.running.cache import ImageCache
from tests.exploration.fake_aws import fake_workspace


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
