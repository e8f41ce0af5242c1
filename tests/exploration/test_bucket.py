"""What was paid for reaches the bucket once."""

import random

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.core.errors import ConflictError, StorageError
from couch_explorers.core.generation import HASH_METADATA, SEED_METADATA
from couch_explorers.exploration import bucket
from couch_explorers.exploration.cache import ImageCache
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal
from tests.exploration.fleet import PREFIX, Fleet, make_cells
from tests.exploration.scenario import BUCKET


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def look(fleet):
    return lambda ids: bucket.find_results(fleet.client("s3"), BUCKET, PREFIX, ids)


@pytest.fixture
def job():
    return make_cells(1)[0].job


def fill(fleet, count, *, notes=()):
    """Ids as a sweep makes them, each with a picture, some with a note too."""
    rng = random.Random(7)
    ids = [f"image-{rng.getrandbits(160):040x}" for _ in range(count)]
    for number, job_id in enumerate(ids):
        fleet.s3.put(f"{PREFIX}/{job_id}.png", b"picture")
        if number in notes:
            fleet.s3.put(f"{PREFIX}/{job_id}.error.json", b"note")
    return ids


@pytest.mark.parametrize("wanted", [1, 2, 40, 2500])
def test_a_look_finds_exactly_what_is_there_of_the_jobs_asked_for(fleet, look, wanted):
    ids = fill(fleet, 2500, notes=range(0, 2500, 3))
    absent = [f"image-{number:040x}" for number in range(5)]

    seen = look([*ids[:wanted], *absent])

    assert seen.pictures == set(ids[:wanted])
    assert set(seen.notes) == set(ids[:wanted:3])


@pytest.mark.parametrize(
    ("in_bucket", "wanted", "most_requests"),
    [
        (5000, 1, 1),  # one job: its own keys
        (5000, 3, 3),  # few jobs in a full bucket: no more requests than jobs
        (300, 300, 1),  # many jobs in few pages: no more requests than pages
        (5000, 5000, 6),
        (5000, 0, 0),
    ],
)
def test_a_look_takes_no_more_requests_than_there_are_jobs_or_pages(fleet, look, in_bucket, wanted, most_requests):
    ids = fill(fleet, in_bucket)

    assert look(ids[:wanted]).requests <= most_requests


def test_a_look_for_one_job_lists_its_own_keys_alone(fleet, look):
    ids = fill(fleet, 50)

    look(ids[:1])

    assert [prefix for prefix, *_ in fleet.s3.lists] == [f"{PREFIX}/{ids[0]}"]


def test_keys_of_others_between_two_jobs_do_not_hold_a_look_up(fleet, look):
    ids = sorted(fill(fleet, 3))
    for number in range(2500):
        fleet.s3.put(f"{PREFIX}/{ids[0]}-copy-{number:04}.png", b"of somebody else")

    assert look(ids).pictures == set(ids)


def test_a_note_that_is_written_again_gets_another_mark(fleet, look, job):
    fleet.note(job)
    before = look([job.id]).notes[job.id]

    fleet.note(job)

    assert look([job.id]).notes[job.id] != before


def test_a_bucket_that_cannot_be_listed_says_so(fleet, look):
    fleet.s3.failures["list"] = refusal("AccessDenied", 403, "ListObjectsV2")

    with pytest.raises(StorageError, match="No right to list the bucket pictures") as failure:
        look(["image-1"])

    assert not failure.value.passing


def test_a_picture_is_fetched_as_it_was_stored(fleet, job):
    fleet.paint(job)

    assert bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job) == fleet.s3.objects[job.key(PREFIX)].body


def test_a_picture_that_is_not_there_is_none(fleet, job):
    assert bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job) is None
    assert bucket.fetch_note(fleet.client("s3"), BUCKET, PREFIX, job) is None


def test_the_picture_of_another_request_is_a_conflict(fleet, job):
    other = make_cells(2)[1].job
    fleet.paint(other)
    stored = fleet.s3.objects[other.key(PREFIX)].body

    fleet.paint(job, **{"couch-request-hash": other.request_hash})
    with pytest.raises(ConflictError, match="another request"):
        bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job)
    fleet.paint(job, stored)
    with pytest.raises(ConflictError, match="another request"):
        bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "cut off"), (b"no picture", "no PNG"), (drawn(), "no couch parameters")],
)
def test_what_is_no_picture_of_ours_is_reported_with_its_address(fleet, job, content, reason):
    fleet.paint(job, content)

    with pytest.raises(StorageError, match=f"s3://{BUCKET}/{PREFIX}/{job.id}.png cannot be used.*{reason}"):
        bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job)


def test_a_picture_that_is_cut_off_behind_its_parameters_is_reported(fleet, job):
    fleet.paint(job)
    fleet.paint(job, fleet.s3.objects[job.key(PREFIX)].body[:-5])

    with pytest.raises(StorageError, match="cut off"):
        bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job)


def test_a_connection_that_breaks_is_passing(fleet, job):
    fleet.s3.failures["get"] = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(StorageError) as failure:
        bucket.fetch_picture(fleet.client("s3"), BUCKET, PREFIX, job)

    assert failure.value.passing


def test_a_note_gives_its_reason_and_detail(fleet, job):
    fleet.note(job, "Throttled", "Asked too often.")

    assert bucket.fetch_note(fleet.client("s3"), BUCKET, PREFIX, job) == ("Throttled", "Asked too often.")


@pytest.mark.parametrize("content", [b"no JSON", b"[]", b'{"reason": "Throttled"}'])
def test_a_note_that_cannot_be_read_is_reported_with_its_address(fleet, job, content):
    fleet.s3.put(job.error_key(PREFIX), content)

    with pytest.raises(StorageError, match=r"s3://pictures/42/.*\.error\.json cannot be read"):
        bucket.fetch_note(fleet.client("s3"), BUCKET, PREFIX, job)


def test_notes_are_removed_by_the_thousand(fleet):
    jobs = [cell.job for cell in make_cells(1001)]
    for job in jobs:
        fleet.note(job)

    assert bucket.remove_notes(fleet.client("s3"), BUCKET, PREFIX, jobs) == {job.id for job in jobs}
    assert fleet.s3.objects == {}
    assert fleet.s3.calls.count("delete") == 2


def test_without_the_right_to_remove_notes_they_stay(fleet, job):
    fleet.note(job)
    fleet.s3.may_remove = False

    assert bucket.remove_notes(fleet.client("s3"), BUCKET, PREFIX, [job]) == set()

    fleet.s3.failures["delete"] = refusal("AccessDenied", 403, "DeleteObjects")
    assert bucket.remove_notes(fleet.client("s3"), BUCKET, PREFIX, [job]) == set()
    assert len(fleet.s3.objects) == 1


(CELL,) = make_cells(1)


@pytest.fixture
def s3(workspace):
    return bucket.s3_client(workspace, threads=3)


@pytest.fixture
def cache(tmp_path):
    cache = ImageCache(tmp_path)
    cache.keep(CELL.job, drawn())
    return cache


def test_a_picture_is_stored_with_its_metadata_and_the_cache_knows(workspace, s3, cache):
    key = bucket.upload(s3, workspace, cache, CELL.job, drawn(), seed=9)

    assert key == f"42/{CELL.id}.png"
    assert s3.objects[key].metadata[HASH_METADATA] == CELL.job.request_hash
    assert s3.objects[key].metadata[SEED_METADATA] == "9"
    assert cache.find(CELL.id).is_at(BUCKET, key)


def test_a_picture_that_is_there_already_stays_and_the_cache_knows(workspace, s3, cache):
    key = bucket.upload(s3, workspace, cache, CELL.job, drawn(1))

    assert bucket.upload(s3, workspace, cache, CELL.job, drawn(2)) == key

    assert s3.objects[key].body == drawn(1)


def test_another_requests_picture_is_a_conflict(workspace, s3, cache):
    key = bucket.upload(s3, workspace, cache, CELL.job, drawn(1))
    s3.objects[key].metadata[HASH_METADATA] = "0" * 64

    with pytest.raises(ConflictError):
        bucket.upload(s3, workspace, cache, CELL.job, drawn(2))


def test_a_bucket_that_fails_leaves_the_cache_as_it_was(workspace, s3, cache):
    s3.failures["put"] = refusal("ServiceUnavailable", 503)

    with pytest.raises(StorageError):
        bucket.upload(s3, workspace, cache, CELL.job, drawn())

    assert "key" not in cache.record(CELL.id)


def test_the_client_has_a_connection_for_each_thread(workspace):
    configs = []
    workspace.session.client = lambda _, **arguments: configs.append(arguments["config"])

    bucket.s3_client(workspace, threads=17)

    assert configs[0].max_pool_connections == 17
    # botocore rewrites max_attempts as total_max_attempts, one more, in a configuration that a client was made with.
    assert configs[0].retries in (
        {"mode": "standard", "max_attempts": 4},
        {"mode": "standard", "total_max_attempts": 5},
    )
