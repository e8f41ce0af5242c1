import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.core import image_models, png
from couch_explorers.exploration import queue_runner
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from tests.aws_fakes.validated import refusal
from tests.exploration.fleet import PREFIX, Fleet, make_cells
from tests.exploration.scenario import BUCKET

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(queue_runner, "FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(queue_runner, "LONGEST_PAUSE_S", 0.02)


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def run(fleet, cache):
    """Run cells to the end and give their outcomes in the order of the cells; each is reported exactly once."""

    def run(cells, *, stop=None, cache=cache, concurrency=4, **names):
        outcomes = []
        queue_runner.run(
            cells,
            workspace=fleet.workspace(**names),
            cache=cache,
            concurrency=concurrency,
            report=outcomes.append,
            stop=stop or threading.Event(),
        )
        assert sorted(outcome.number for outcome in outcomes) == [cell.number for cell in cells]
        return sorted(outcomes, key=lambda outcome: outcome.number)

    return run


def note_as_sent(cache, cell, *, seconds_ago, **more):
    """Leave in the cache what a run leaves that was killed after it had sent the cell's job."""
    sent = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    cache.note_request(cell.job, sent=sent.isoformat(), **more)


def test_every_job_becomes_a_picture_in_the_cache_and_a_row(fleet, cache, run):
    cells = make_cells(25)

    outcomes = run(cells)

    price = cells[0].job.model.price_usd("1024x1024")
    assert {outcome.status for outcome in outcomes} == {Status.MADE}
    assert {(outcome.reason, outcome.usd, outcome.width, outcome.height) for outcome in outcomes} == {
        ("", price, 48, 32),
    }
    assert [outcome.key for outcome in outcomes] == [f"{PREFIX}/{cell.id}.png" for cell in cells]
    assert all(0 <= outcome.seconds < 60 for outcome in outcomes)
    assert all(
        png.read_parameters(outcome.path.read_bytes())["id"] == cell.id
        for outcome, cell in zip(outcomes, cells, strict=True)
    )
    assert sorted(fleet.served) == sorted(cell.id for cell in cells)


def test_a_kept_picture_is_known_to_be_in_the_bucket_and_its_wait_is_not_taken_for_the_models_time(cache, run):
    cells = make_cells(1)

    (outcome,) = run(cells)

    picture = cache.find(cells[0].id)
    assert picture.is_at(BUCKET, outcome.key)
    assert picture.record["queue_seconds"] == outcome.seconds
    assert "seconds" not in picture.record


def test_a_picture_of_a_template_keeps_it_though_the_queue_is_sent_the_prompt_alone(fleet, run):
    (cell,) = Sweep("A {medium} of a cow", variables={"medium": {"a": "photo"}}).cells()

    (outcome,) = run([cell])

    kept, stored = png.read_parameters(outcome.path.read_bytes()), fleet.s3.objects[outcome.key].body
    assert kept["template"] == {"text": "A {medium} of a cow", "values": {"medium": {"name": "a", "text": "photo"}}}
    assert "template" not in png.read_parameters(stored)
    assert kept["request"]["prompt"] == "A photo of a cow"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("ContentFiltered", Status.FILTERED),
        ("Throttled", Status.THROTTLED),
        ("ModelRetired", Status.FAILED),
        ("SomethingNew", Status.FAILED),
    ],
)
def test_a_job_that_failed_is_a_row_with_its_reason_and_the_rest_go_on(fleet, run, reason, status):
    cells = make_cells(3)
    fleet.worker = lambda job: fleet.note(job, reason, "So it was.") if job.id == cells[1].id else fleet.paint(job)

    outcomes = run(cells)

    assert [outcome.status for outcome in outcomes] == [Status.MADE, status, Status.MADE]
    assert (outcomes[1].reason, outcomes[1].usd, outcomes[1].path) == (f"{reason}: So it was.", 0.0, None)


def test_a_picture_that_is_in_the_bucket_is_fetched_and_not_sent(fleet, run):
    cells = make_cells(2)
    fleet.paint(cells[0].job)

    outcomes = run(cells)

    assert (outcomes[0].status, outcomes[0].reason, outcomes[0].usd) == (Status.CACHED, "Fetched from the bucket.", 0.0)
    assert outcomes[0].path.exists()
    assert fleet.served == [cells[1].id]


@pytest.mark.parametrize("may_remove", [True, False])
def test_the_note_of_an_earlier_try_is_no_news(fleet, run, may_remove):
    cells = make_cells(2)
    fleet.s3.may_remove = may_remove
    for cell in cells:
        fleet.note(cell.job, "Throttled", "Long ago.")
    fleet.worker = lambda job: fleet.note(job, detail="Just now.") if job.id == cells[1].id else fleet.paint(job)

    outcomes = run(cells)

    assert [outcome.status for outcome in outcomes] == [Status.MADE, Status.FILTERED]
    assert outcomes[1].reason == "ContentFiltered: Just now."


def test_after_a_failure_the_next_run_sends_the_job_again(fleet, run):
    cells = make_cells(1)
    fleet.s3.may_remove = False
    fleet.worker = fleet.note
    run(cells)
    fleet.worker = fleet.paint

    (outcome,) = run(cells)

    assert outcome.status is Status.MADE
    assert fleet.served == [cells[0].id] * 2


def test_a_job_that_a_killed_run_has_sent_is_awaited_and_not_sent(fleet, cache, run):
    cells = make_cells(2)
    note_as_sent(cache, cells[0], seconds_ago=5)
    fleet.sqs.depth = 1
    # The worker comes to the earlier job when the later one is sent.
    fleet.worker = lambda job: [fleet.paint(cell.job) for cell in cells]

    outcomes = run(cells)

    assert fleet.served == [cells[1].id]
    assert (outcomes[0].status, outcomes[0].reason) == (Status.MADE, "Sent by an earlier run.")
    assert outcomes[0].seconds >= 5
    assert outcomes[0].usd > 0


@pytest.mark.parametrize(
    ("seconds_ago", "depth"),
    [
        (queue_runner.EMPTY_AFTER_S + 5, 0),  # the queue is empty, and it has had time to say so
        (queue_runner.LOST_AFTER_S + 5, 7),  # the queue is not, but nothing was heard for so long
        (queue_runner.LOST_AFTER_S + 5, refusal("AccessDenied", 403)),  # nobody may ask the queue
    ],
)
def test_a_job_that_got_lost_with_its_run_is_sent_again(fleet, cache, run, seconds_ago, depth):
    cells = make_cells(1)
    note_as_sent(cache, cells[0], seconds_ago=seconds_ago)
    fleet.sqs.depth = depth

    (outcome,) = run(cells)

    assert (outcome.status, outcome.reason) == (Status.MADE, "")
    assert fleet.served == [cells[0].id]


def test_a_job_that_proves_lost_while_it_is_awaited_is_sent_again(fleet, cache, run, monkeypatch):
    monkeypatch.setattr(queue_runner, "EMPTY_AFTER_S", 0.2)
    cells = make_cells(1)
    note_as_sent(cache, cells[0], seconds_ago=0)

    (outcome,) = run(cells)

    assert outcome.status is Status.MADE
    assert fleet.served == [cells[0].id]


def test_an_answer_that_came_after_its_run_was_killed_is_reported_and_nothing_is_sent(fleet, cache, run):
    cells = make_cells(2)
    for cell in cells:
        fleet.note(cell.job, detail="Before it was sent.")
    mark = queue_runner.bucket.find_results(fleet.client("s3"), BUCKET, PREFIX, [cells[0].id]).notes[cells[0].id]
    note_as_sent(cache, cells[0], seconds_ago=5, old_note=mark)
    fleet.note(cells[0].job, detail="After it was sent.")
    note_as_sent(cache, cells[1], seconds_ago=5)

    outcomes = run(cells)

    assert outcomes[0].reason == "ContentFiltered: After it was sent."
    assert outcomes[1].reason == "ContentFiltered: Before it was sent."
    assert fleet.served == []


def test_a_picture_that_was_sent_kept_and_lost_again_is_sent_anew(fleet, cache, run):
    cells = make_cells(1)
    run(cells)
    cache.path(cells[0].id).unlink()
    fleet.s3.objects.clear()

    (outcome,) = run(cells)

    assert outcome.status is Status.MADE
    assert fleet.served == [cells[0].id] * 2


def test_a_run_that_hears_nothing_gives_up_and_the_next_one_goes_on_waiting(fleet, run, monkeypatch):
    monkeypatch.setattr(queue_runner, "SILENCE_S", 0.3)
    cells = make_cells(2)
    fleet.worker = lambda job: None
    fleet.sqs.depth = 2

    outcomes = run(cells)

    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert "nothing came" in outcomes[0].reason
    assert "/aws/lambda/couch-explorers-42-worker" in outcomes[0].reason
    assert outcomes[0].reason.endswith("not lost: run again to look for its picture.")

    for cell in cells:
        fleet.paint(cell.job)
    outcomes = run(cells)

    assert {outcome.status for outcome in outcomes} == {Status.CACHED}
    assert sorted(fleet.served) == sorted(cell.id for cell in cells)


def test_whatever_comes_keeps_a_run_waiting_however_long_the_queue_is(fleet, run, monkeypatch):
    monkeypatch.setattr(queue_runner, "SILENCE_S", 1.0)
    jobs = []
    fleet.worker = jobs.append

    def work():
        for _ in range(4):
            time.sleep(0.4)
            fleet.paint(jobs.pop())

    worker = threading.Thread(target=work)
    worker.start()
    outcomes = run(make_cells(4))
    worker.join()

    assert {outcome.status for outcome in outcomes} == {Status.MADE}


def test_a_stopped_run_returns_at_once_and_says_what_is_in_the_queue(fleet, cache, run):
    cells = make_cells(30)
    stop = threading.Event()

    def stop_at_the_first(_job):
        stop.set()

    fleet.worker = stop_at_the_first
    began = time.monotonic()
    outcomes = run(cells, stop=stop, concurrency=1)

    assert time.monotonic() - began < 5
    assert {outcome.status for outcome in outcomes} == {Status.STOPPED}
    assert Counter(outcome.reason for outcome in outcomes) == {queue_runner.STOPPED: 10, queue_runner.NOT_SENT: 20}


def test_what_a_stopped_run_had_sent_is_not_sent_again_by_the_next(fleet, run):
    cells = make_cells(20)
    stop = threading.Event()
    jobs = []
    fleet.worker = lambda job: (jobs.append(job), stop.set())
    run(cells, stop=stop, concurrency=1)
    fleet.sqs.depth = len(jobs)
    fleet.worker = lambda job: [fleet.paint(each) for each in (*jobs, job)]

    outcomes = run(cells)

    assert {outcome.status for outcome in outcomes} == {Status.MADE}
    assert Counter(fleet.served) == Counter(cell.id for cell in cells)


def test_two_runs_at_once_send_each_job_once(fleet, run, tmp_path):
    cells = make_cells(40)
    jobs = []
    fleet.worker = jobs.append
    results = {}
    runs = [
        threading.Thread(target=lambda name=name: results.update({name: run(cells, cache=ImageCache(tmp_path / "images"))}))
        for name in ("one", "other")
    ]  # fmt: skip
    for each in runs:
        each.start()
    while len(fleet.served) < len(cells) and any(each.is_alive() for each in runs):
        time.sleep(0.01)
    for job in jobs:
        fleet.paint(job)
    for each in runs:
        each.join()

    assert Counter(fleet.served) == Counter(cell.id for cell in cells)
    assert {outcome.status for outcomes in results.values() for outcome in outcomes} <= {Status.MADE, Status.CACHED}


def test_what_another_process_pays_for_just_now_is_awaited(fleet, cache, run):
    cells = make_cells(2)
    claim = cache.try_claim(cells[0].id)
    fleet.worker = lambda job: [fleet.paint(cell.job) for cell in cells]

    outcomes = run(cells, cache=ImageCache(cache.folder))
    claim.release()

    assert fleet.served == [cells[1].id]
    assert (outcomes[0].status, outcomes[0].reason) == (Status.CACHED, "Made by another run meanwhile.")


def test_a_job_that_sqs_does_not_take_is_a_row_with_the_message_of_sqs(fleet, cache, run):
    cells = make_cells(3)
    fleet.sqs.refuse = lambda entry: (
        {"Code": "InvalidMessageContents", "SenderFault": True} if entry["Id"] == cells[0].id else None
    )

    outcomes = run(cells)

    assert [outcome.status for outcome in outcomes] == [Status.FAILED, Status.MADE, Status.MADE]
    assert "InvalidMessageContents" in outcomes[0].reason
    assert "sent" not in cache.record(cells[0].id)


def test_a_model_that_the_worker_does_not_know_is_refused_and_never_sent(fleet, run):
    cells = make_cells(1)
    other = image_models.get("amazon.titan-image-generator-v2:0")

    (outcome,) = run(cells, model_arns=(other.arn,))

    assert outcome.status is Status.REFUSED
    assert other.id in outcome.reason
    assert fleet.sqs.batches == []


def test_a_queue_that_is_not_deployed_is_reported_with_what_to_do(fleet, run):
    with pytest.raises(ExplorationError, match=r"The queue is not deployed.*couch up"):
        run(make_cells(1), queue_url=None)


def test_a_bucket_that_is_away_for_a_while_costs_nothing_but_the_while(fleet, run):
    fleet.s3.failures["list"] = UNREACHABLE

    def come_back():
        time.sleep(0.1)
        del fleet.s3.failures["list"]

    back = threading.Thread(target=come_back)
    back.start()
    outcomes = run(make_cells(3))
    back.join()

    assert {outcome.status for outcome in outcomes} == {Status.MADE}


def test_a_bucket_that_stays_away_is_the_reason_in_every_row(fleet, run, monkeypatch):
    monkeypatch.setattr(queue_runner, "SILENCE_S", 0.1)
    fleet.s3.failures["list"] = UNREACHABLE

    outcomes = run(make_cells(2))

    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert outcomes[0].reason.startswith("Storage: Could not list the bucket pictures")
    assert outcomes[0].reason.endswith(queue_runner.NOT_SENT)


def test_without_the_right_to_list_nothing_is_sent_and_every_row_says_why(fleet, run):
    fleet.s3.failures["list"] = refusal("AccessDenied", 403, "ListObjectsV2")

    outcomes = run(make_cells(2))

    assert {outcome.reason.split(":")[1] for outcome in outcomes} == {" No right to list the bucket pictures"}
    assert fleet.sqs.batches == []


def test_a_picture_that_cannot_be_read_just_now_is_read_at_a_later_look(fleet, run):
    fleet.s3.failures["get"] = UNREACHABLE
    reads = fleet.s3.calls

    def come_back():
        while reads.count("get") < 3:
            time.sleep(0.01)
        del fleet.s3.failures["get"]

    back = threading.Thread(target=come_back)
    back.start()
    outcomes = run(make_cells(1))
    back.join()

    assert outcomes[0].status is Status.MADE


def test_the_picture_of_another_request_under_the_jobs_key_is_reported(fleet, run):
    cells = make_cells(2)
    fleet.paint(cells[0].job, **{"couch-request-hash": "of another request"})

    outcomes = run(cells)

    assert outcomes[0].status is Status.FAILED
    assert outcomes[0].reason.startswith("Conflict: ")
    assert outcomes[1].status is Status.MADE


def test_a_picture_that_cannot_be_kept_here_says_that_it_is_in_the_bucket(run, cache, monkeypatch):
    def full(*_arguments, **_more):
        raise ExplorationError("The cache is full.")

    monkeypatch.setattr(cache, "keep", full)

    (outcome,) = run(make_cells(1))

    assert (outcome.status, outcome.reason) == (Status.FAILED, "The picture is in the bucket. The cache is full.")


def test_a_request_that_cannot_be_noted_is_not_sent(fleet, run, cache, monkeypatch):
    def full(*_arguments, **_more):
        raise ExplorationError("The cache is full.")

    monkeypatch.setattr(cache, "note_request", full)

    (outcome,) = run(make_cells(1))

    assert (outcome.status, outcome.reason) == (Status.FAILED, "The cache is full.")
    assert fleet.sqs.batches == []


def test_what_nobody_foresaw_ends_one_row_alone(fleet, cache, run, monkeypatch):
    cells = make_cells(2)
    find = cache.find

    def fail_once(job_id):
        if job_id == cells[0].id:
            raise RuntimeError("nobody foresaw this")
        return find(job_id)

    monkeypatch.setattr(cache, "find", fail_once)

    outcomes = run(cells[:1]) + run(cells[1:])

    assert [outcome.status for outcome in outcomes] == [Status.FAILED, Status.MADE]
    assert outcomes[0].reason == "RuntimeError: nobody foresaw this"


def test_a_run_of_no_cells_asks_nobody(fleet, run):
    assert run([]) == []
    assert fleet.s3.calls == []


def test_looks_are_few_while_nothing_comes(fleet, run, monkeypatch):
    monkeypatch.setattr(queue_runner, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(queue_runner, "LONGEST_PAUSE_S", 0.2)
    monkeypatch.setattr(queue_runner, "SILENCE_S", 1.0)
    fleet.worker = lambda job: None

    started = time.monotonic()
    run(make_cells(200))
    took_s = time.monotonic() - started

    # 0.01 s growing by half up to 0.2 s: 8 looks until then, one for each 0.2 s after that, however long a busy machine takes.
    assert fleet.s3.calls.count("list") <= 10 + took_s / 0.2
