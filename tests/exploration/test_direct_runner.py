"""The direct runner: so many calls at a time and no more, every cell reported once, nothing paid twice or in vain."""

import errno
import io
import os
import tempfile
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from couch_explorers.core import png
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    ModelTimeoutError,
    StorageError,
    ThrottledError,
)
from couch_explorers.core.generation import HASH_METADATA
from couch_explorers.exploration import direct_runner
from couch_explorers.exploration.cache import CachedPicture, ImageCache
from couch_explorers.exploration.direct_runner import CellTask, failed_outcome, with_file
from couch_explorers.exploration.results import Outcome, Status
from couch_explorers.exploration.sweep_spec import ExplorationError
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal
from tests.exploration.scenario import BUCKET, make_cells


@pytest.fixture
def turn():
    (cell,) = make_cells(1)
    return CellTask(cell, cell.job)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (BlockedError("No."), Status.FILTERED, "ContentFiltered: No."),
        (ThrottledError("Later."), Status.THROTTLED, "Throttled: Later."),
        (AccessDeniedError("No right."), Status.FAILED, "AccessDenied: No right."),
        (ModelTimeoutError("Too late."), Status.FAILED, "ModelTimeout: Too late. It may have been billed."),
        (StorageError("No bucket.", passing=False), Status.FAILED, "Storage: No bucket."),
        (ExplorationError("The cache is full."), Status.FAILED, "The cache is full."),
        (KeyError("images"), Status.FAILED, "KeyError: 'images'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_trouble_has_its_status_and_its_sentence(turn, error, status, reason):
    assert failed_outcome(turn, error) == Outcome(1, status, reason)


def test_what_was_paid_before_the_trouble_stays_recorded(turn):
    turn.outcome = Outcome(1, Status.MADE, seconds=1.5, usd=0.04)

    ended = failed_outcome(turn, KeyError("a mistake of ours"))

    assert (ended.status, ended.seconds, ended.usd) == (Status.FAILED, 1.5, 0.04)


def test_a_turn_without_a_claim_has_none_to_give_back(turn):
    turn.release_claim()


def test_a_picture_gives_the_outcome_its_place_and_size():
    outcome = with_file(Outcome(1, Status.MADE), CachedPicture(Path("image-1.png"), 48, 32))

    assert outcome == Outcome(1, Status.MADE, path=Path("image-1.png"), width=48, height=32)


DEADLINE_S = 20


@pytest.fixture
def run(workspace, cache):
    """Run cells to the end and return their outcomes by number; every cell is reported once."""

    def run(cells, *, concurrency=4, stop=None, cache=cache):
        outcomes = []
        direct_runner.run(
            cells,
            workspace=workspace,
            cache=cache,
            concurrency=concurrency,
            report=outcomes.append,
            stop=stop or threading.Event(),
        )
        assert all(count == 1 for count in Counter(outcome.number for outcome in outcomes).values())
        return {outcome.number: outcome for outcome in outcomes}

    return run


@pytest.fixture
def no_room(monkeypatch):
    """Let every new file fail from now on."""

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(tempfile, "mkstemp", fail)


def test_every_cell_becomes_a_picture_here_and_in_the_bucket(run, cache, s3, models):
    cells = make_cells(10)

    outcomes = run(cells)

    assert sorted(models.asked) == list(range(1, 11))
    for cell in cells:
        outcome = outcomes[cell.number]
        key = f"42/{cell.id}.png"
        assert (outcome.status, outcome.reason, outcome.key) == (Status.MADE, "", key)
        assert (outcome.width, outcome.height, outcome.usd) == (48, 32, 0.04)
        assert outcome.seconds >= 0
        assert outcome.path == cache.path(cell.id)
        assert outcome.path.read_bytes() == s3.objects[key].body
        assert png.read_parameters(s3.objects[key].body)["request"] == cell.job.request
        assert s3.objects[key].metadata[HASH_METADATA] == cell.job.request_hash
        assert cache.find(cell.id).is_at(BUCKET, key)
        assert {"asked", "kept", "seconds", "usd"} <= cache.record(cell.id).keys()
    assert not list(cache.folder.glob("*.lock"))


def test_no_cells_are_no_work(run, models):
    assert run([]) == {}

    assert models.asked == []


def test_never_more_calls_are_open_than_there_are_slots_and_never_fewer(run, models):
    """The first calls wait for each other: they are answered only when all slots have asked."""
    all_asked = threading.Barrier(3)

    def answer(seed):
        if seed <= 3:
            all_asked.wait(DEADLINE_S)
        return drawn(seed)

    models.answer = answer

    run(make_cells(12), concurrency=3)

    assert models.most_open == 3


def test_a_slot_does_not_wait_until_the_last_picture_is_stored(run, s3, models):
    """The bucket takes the first picture only when the second one has been asked for, with a single slot."""
    second_asked = threading.Event()
    put = s3.put_object

    def answer(seed):
        if seed == 2:
            second_asked.set()
        return drawn(seed)

    def slow_put(**arguments):
        assert second_asked.wait(DEADLINE_S)
        put(**arguments)

    models.answer, s3.put_object = answer, slow_put

    outcomes = run(make_cells(3), concurrency=1)

    assert {outcome.status for outcome in outcomes.values()} == {Status.MADE}


def test_a_slot_does_not_wait_for_a_look_into_the_bucket(run, s3, models):
    """With a single slot, the next cell has been looked for before the model answers the one before."""
    looks = threading.Semaphore(0)
    look = s3.list_objects_v2

    def counted_look(**arguments):
        looks.release()
        return look(**arguments)

    def answer(seed):
        if seed == 1:
            for _ in range(2):
                assert looks.acquire(timeout=DEADLINE_S)
        return drawn(seed)

    s3.list_objects_v2, models.answer = counted_look, answer

    outcomes = run(make_cells(3), concurrency=1)

    assert {outcome.status for outcome in outcomes.values()} == {Status.MADE}


def test_the_request_is_written_down_before_the_model_is_asked(run, cache, models):
    (cell,) = make_cells(1)
    seen = []

    def answer(seed):
        seen.append(cache.record(cell.id))
        return drawn(seed)

    models.answer = answer

    run([cell])

    assert seen[0]["request"] == cell.job.request
    assert "kept" not in seen[0]


def test_what_is_in_the_bucket_is_fetched_and_not_paid(run, cache, s3, models, tmp_path):
    cells = make_cells(6)
    run(cells[:4], cache=ImageCache(tmp_path / "another machine"))
    models.asked.clear()

    outcomes = run(cells)

    assert sorted(models.asked) == [5, 6]
    assert [outcomes[number].status for number in range(1, 7)] == [Status.CACHED] * 4 + [Status.MADE] * 2
    assert {outcomes[number].reason for number in range(1, 5)} == {"Fetched from the bucket."}
    assert sum(outcome.usd for outcome in outcomes.values()) == pytest.approx(0.08)
    assert outcomes[1].key == f"42/{cells[0].id}.png"
    assert cache.find(cells[0].id).is_at(BUCKET, outcomes[1].key)


def test_another_requests_picture_under_the_key_is_neither_taken_nor_paid_for(run, cache, s3, models, tmp_path):
    (cell,) = make_cells(1)
    run([cell], cache=ImageCache(tmp_path / "another machine"))
    s3.objects[f"42/{cell.id}.png"].metadata[HASH_METADATA] = "0" * 64
    models.asked.clear()

    (outcome,) = run([cell]).values()

    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith("Conflict: ")
    assert (models.asked, cache.find(cell.id)) == ([], None)


def test_a_bucket_that_cannot_be_listed_costs_nothing(run, s3, models):
    s3.failures["list"] = EndpointConnectionError(endpoint_url="http://gone")

    outcomes = run(make_cells(5), concurrency=2)

    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert all(outcome.reason.startswith("Storage: Could not list the bucket") for outcome in outcomes.values())
    assert models.asked == []


def test_a_picture_that_the_bucket_does_not_take_stays_here(run, cache, s3):
    s3.failures["put"] = refusal("ServiceUnavailable", 503)
    (cell,) = make_cells(1)

    (outcome,) = run([cell]).values()

    assert (outcome.status, outcome.key, outcome.usd) == (Status.MADE, None, 0.04)
    assert outcome.reason.startswith("Not in the bucket yet; the next run stores it. Storage: S3 would not write")
    assert not cache.find(cell.id).is_at(BUCKET, f"42/{cell.id}.png")


@pytest.mark.parametrize(
    ("trouble", "status", "reason"),
    [
        (refusal("ThrottlingException", 429), Status.THROTTLED, "Throttled: "),
        (refusal("ServiceUnavailableException", 503), Status.FAILED, "ModelUnavailable: "),
        (refusal("AccessDeniedException", 403), Status.FAILED, "AccessDenied: "),
        (ReadTimeoutError(endpoint_url="http://slow"), Status.FAILED, "ModelTimeout: "),
        (KeyError("a mistake of ours"), Status.FAILED, "KeyError: "),
    ],
    ids=["throttled", "unavailable", "no right", "time-out", "unforeseen"],
)
def test_a_cell_that_fails_is_an_outcome_and_the_others_go_on(run, cache, models, trouble, status, reason):
    def answer(seed):
        if seed == 2:
            raise trouble
        return drawn(seed)

    models.answer = answer

    outcomes = run(make_cells(5))

    assert [outcomes[number].status for number in (1, 3, 4, 5)] == [Status.MADE] * 4
    assert (outcomes[2].status, outcomes[2].path, outcomes[2].usd) == (status, None, 0.0)
    assert outcomes[2].reason.startswith(reason)
    assert not list(cache.folder.glob("*.lock"))


def test_a_withheld_picture_is_reported_as_filtered(run, models):
    withheld = b'{"seeds":[],"finish_reasons":["Filter reason: prompt"],"images":[]}'
    models.invoke_model = lambda **_: {"body": io.BytesIO(withheld), "contentType": "application/json"}

    (outcome,) = run(make_cells(1)).values()

    assert outcome.status is Status.FILTERED
    assert outcome.reason.startswith("ContentFiltered: ")


def test_a_time_out_says_that_it_may_have_been_billed(run, models):
    def answer(_):
        raise ReadTimeoutError(endpoint_url="http://slow")

    models.answer = answer

    (outcome,) = run(make_cells(1)).values()

    assert outcome.reason.endswith("It may have been billed.")


def test_a_paid_picture_that_finds_no_room_here_still_reaches_the_bucket(run, cache, s3, models, no_room):
    def answer(seed):
        no_room()
        return drawn(seed)

    models.answer = answer
    (cell,) = make_cells(1)

    (outcome,) = run([cell]).values()

    assert f"42/{cell.id}.png" in s3.objects
    assert (outcome.status, outcome.path, outcome.key) == (Status.MADE, None, f"42/{cell.id}.png")
    assert (outcome.width, outcome.height, outcome.usd) == (48, 32, 0.04)
    assert "(No space left on device)" in outcome.reason
    assert outcome.reason.endswith("The picture is in the bucket.")


def test_where_no_record_can_be_written_nothing_is_paid(run, models, no_room):
    no_room()

    outcomes = run(make_cells(5))

    assert models.asked == []
    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert all("(No space left on device)" in outcome.reason for outcome in outcomes.values())


def test_nothing_more_is_paid_once_a_picture_can_be_kept_nowhere(run, cache, s3, models, monkeypatch):
    """The records are small and still find room; the pictures do not, and the bucket is gone."""

    def fail(*_, **__):
        raise ExplorationError("The picture cache cannot be written (No space left on device).")

    monkeypatch.setattr(cache, "keep", fail)
    s3.failures["put"] = refusal("AccessDenied", 403)

    outcomes = run(make_cells(12), concurrency=1)

    lost = [outcome for outcome in outcomes.values() if "paid for and is lost" in outcome.reason]
    spared = [outcome for outcome in outcomes.values() if outcome.reason.startswith("Not generated")]
    assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
    assert len(lost) == len(models.asked)
    assert len(lost) + len(spared) == 12
    # What was asked while the bucket was still trying to take the first one.
    assert len(lost) <= 4
    assert sum(outcome.usd for outcome in outcomes.values()) == pytest.approx(0.04 * len(lost))


def test_two_runs_of_the_same_cells_pay_once_and_share_the_work(run, cache, models, workspace):
    cells = make_cells(40)
    results = []

    both = [
        threading.Thread(target=lambda: results.append(run(cells, cache=ImageCache(cache.folder)))) for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert sorted(models.asked) == list(range(1, 41))
    assert all(len(outcomes) == 40 for outcomes in results)
    made = [sum(outcome.status is Status.MADE for outcome in outcomes.values()) for outcomes in results]
    assert sum(made) == 40
    waited = [outcome for outcomes in results for outcome in outcomes.values() if outcome.status is Status.CACHED]
    assert {outcome.reason for outcome in waited} <= {"Made by another run meanwhile."}
    assert all(outcome.key for outcome in waited)


def test_what_another_run_failed_to_make_is_asked_for_here(run, cache, models):
    (cell,) = make_cells(1)
    theirs = cache.try_claim(cell.id)
    giving_up = threading.Timer(0.3, theirs.release)
    giving_up.start()

    (outcome,) = run([cell]).values()

    giving_up.join()
    assert (outcome.status, models.asked) == (Status.MADE, [1])


def test_a_stopped_run_returns_at_once_begins_nothing_and_keeps_what_was_being_painted(run, cache, s3, models):
    stop, painting, finish = threading.Event(), threading.Semaphore(0), threading.Event()

    def answer(seed):
        painting.release()
        assert finish.wait(DEADLINE_S)
        return drawn(seed)

    models.answer = answer
    cells = make_cells(20)
    running = threading.Thread(target=run, args=(cells,), kwargs={"concurrency": 2, "stop": stop})
    running.start()
    assert painting.acquire(timeout=DEADLINE_S)
    assert painting.acquire(timeout=DEADLINE_S)

    stop.set()
    running.join(DEADLINE_S)
    assert not running.is_alive()
    finish.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith(("slot", "storer"))]:
        thread.join(DEADLINE_S)

    kept = [cell.seed for cell in cells if cache.find(cell.id)]
    assert sorted(models.asked) == sorted(kept)
    assert len(kept) == 2
    assert len(s3.objects) == 2
    assert not list(cache.folder.glob("*.lock"))


def test_cells_of_several_regions_are_asked_for_in_their_own(workspace, run):
    (west,) = make_cells(1)
    (east,) = make_cells(1, "amazon.titan-image-generator-v1")
    regions = []
    client = workspace.session.client

    def noting(service, **arguments):
        if service == "bedrock-runtime":
            regions.append(arguments["config"].region_name)
            assert arguments["config"].max_pool_connections == 4
        return client(service, **arguments)

    workspace.session.client = noting

    run([west, replace(east, number=2)])

    assert sorted(regions) == ["us-east-1", "us-west-2"]
