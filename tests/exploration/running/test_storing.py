"""What was paid for reaches the bucket once."""

import pytest

from couch_explorers.core.errors import ConflictError, StorageError
from couch_explorers.core.generation import HASH_METADATA, SEED_METADATA
from couch_explorers.exploration.running import storing
from couch_explorers.exploration.running.cache import ImageCache
from tests.exploration.fake_aws import BUCKET, drawn, make_cells, refusal

(CELL,) = make_cells(1)


@pytest.fixture
def s3(workspace):
    return storing.client(workspace, threads=3)


@pytest.fixture
def cache(tmp_path):
    cache = ImageCache(tmp_path)
    cache.keep(CELL.job, drawn())
    return cache


def test_a_picture_is_stored_with_its_metadata_and_the_cache_knows(workspace, s3, cache):
    key = storing.store(s3, workspace, cache, CELL.job, drawn(), seed=9)

    assert key == f"42/{CELL.id}.png"
    assert s3.objects[key]["Metadata"][HASH_METADATA] == CELL.job.request_hash
    assert s3.objects[key]["Metadata"][SEED_METADATA] == "9"
    assert cache.find(CELL.id).is_at(BUCKET, key)


def test_a_picture_that_is_there_already_stays_and_the_cache_knows(workspace, s3, cache):
    key = storing.store(s3, workspace, cache, CELL.job, drawn(1))

    assert storing.store(s3, workspace, cache, CELL.job, drawn(2)) == key

    assert s3.objects[key]["Body"] == drawn(1)


def test_another_requests_picture_is_a_conflict(workspace, s3, cache):
    key = storing.store(s3, workspace, cache, CELL.job, drawn(1))
    s3.objects[key]["Metadata"][HASH_METADATA] = "0" * 64

    with pytest.raises(ConflictError):
        storing.store(s3, workspace, cache, CELL.job, drawn(2))


def test_a_bucket_that_fails_leaves_the_cache_as_it_was(workspace, s3, cache):
    s3.failures["put"] = refusal("ServiceUnavailable", 503)

    with pytest.raises(StorageError):
        storing.store(s3, workspace, cache, CELL.job, drawn())

    assert "key" not in cache.record(CELL.id)


def test_the_client_has_a_connection_for_each_thread(workspace):
    configs = []
    workspace.session.client = lambda _, **arguments: configs.append(arguments["config"])

    storing.client(workspace, threads=17)

    assert configs[0].max_pool_connections == 17
    # botocore rewrites max_attempts as total_max_attempts, one more, in a configuration that a client was made with.
    assert configs[0].retries in (
        {"mode": "standard", "max_attempts": 4},
        {"mode": "standard", "total_max_attempts": 5},
    )
