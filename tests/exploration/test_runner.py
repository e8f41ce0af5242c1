"""What a plan leaves to do: runners report from other threads, and anyone who interrupts finds everything that is there."""

import _thread
import threading

import pytest

from couch_explorers.exploration.plan import Planned, PlanRow
from couch_explorers.exploration.results import Outcome, Status
from couch_explorers.exploration.runner import Executor
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal
from tests.exploration.scenario import BUCKET, make_cells, painted

DEADLINE_S = 60


@pytest.fixture
def make_work(workspace, cache):
    def make(rows):
        return Executor(rows, workspace, cache)

    return make


def new(cells, reason=""):
    return [PlanRow(cell, Planned.NEW, reason, 0.04) for cell in cells]


def reporting(status=Status.MADE):
    """A runner that ends every cell in the same way, each from a thread of its own."""

    def runner(cells, *, report, **_):
        threads = [threading.Thread(target=report, args=(Outcome(cell.number, status),)) for cell in cells]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return runner


def test_every_report_arrives(make_work):
    work = make_work(new(make_cells(50)))

    work.do(reporting(), 8, "trial")

    assert sorted(work.outcomes()) == list(range(1, 51))


def test_what_is_refused_or_cached_is_known_without_any_work(make_work, cache):
    refused, cached = make_cells(2)
    cache.keep(cached.job, drawn(2))
    cache.note_stored(cached.job, BUCKET, f"42/{cached.id}.png")
    picture = cache.find(cached.id)
    work = make_work([PlanRow(refused, Planned.REFUSED, "No."), PlanRow(cached, Planned.CACHED, picture=picture)])

    work.do(None, 8, "trial")

    assert work.outcomes() == {
        1: Outcome(1, Status.REFUSED, "No."),
        2: Outcome(
            2, Status.CACHED, path=cache.path(cached.id), key=f"42/{cached.id}.png", width=48, height=32,
        ),
    }  # fmt: skip


def test_a_picture_that_is_only_here_is_stored_even_while_a_runner_works(make_work, cache, workspace):
    cached, fresh = make_cells(2)
    picture = cache.keep(cached.job, painted(cached.job))
    work = make_work([PlanRow(cached, Planned.CACHED, picture=picture), *new([fresh])])

    work.do(reporting(), 8, "trial")

    assert work.outcomes()[1].key == f"42/{cached.id}.png"
    assert list(workspace.session.s3.objects) == [f"42/{cached.id}.png"]


def test_a_picture_of_another_program_in_the_cache_does_not_go_into_the_bucket(make_work, cache, workspace):
    (cached,) = make_cells(1)
    work = make_work([PlanRow(cached, Planned.CACHED, picture=cache.keep(cached.job, drawn(1)))])

    work.do(reporting(), 8, "trial")

    assert workspace.session.s3.objects == {}
    assert work.outcomes()[1].reason.startswith("Not in the bucket: The picture holds no couch parameters")


def test_a_picture_that_vanished_before_it_was_stored_is_reported(make_work, cache):
    (cached,) = make_cells(1)
    picture = cache.keep(cached.job, painted(cached.job))
    work = make_work([PlanRow(cached, Planned.CACHED, picture=picture)])
    picture.path.unlink()

    work.do(reporting(), 8, "trial")

    assert work.outcomes()[1].reason.startswith("Not in the bucket: ")


def test_a_bucket_that_still_fails_is_reported(make_work, cache, workspace):
    (cached,) = make_cells(1)
    workspace.session.s3.failures["put"] = refusal("SlowDown", 503)
    work = make_work([PlanRow(cached, Planned.CACHED, picture=cache.keep(cached.job, painted(cached.job)))])

    work.do(reporting(), 8, "trial")

    assert work.outcomes()[1].reason.startswith("Not in the bucket yet; the next run stores it. Storage: ")


def test_why_a_picture_was_made_again_stands_before_what_became_of_it(make_work):
    work = make_work(new(make_cells(1), reason="The file was not whole."))

    work.do(reporting(), 8, "trial")

    assert work.outcomes()[1].reason == "The file was not whole."


def test_a_cell_like_another_shares_its_picture_or_its_fate(make_work):
    made, failed, like_made, like_failed = make_cells(4)
    rows = [*new([made, failed])]
    for cell, leader in ((like_made, 1), (like_failed, 2)):
        object.__setattr__(cell, "same_as", leader)
        rows.append(PlanRow(cell, Planned.SAME))
    work = make_work(rows)

    def runner(cells, *, report, **_):
        report(Outcome(1, Status.MADE, seconds=1.0, usd=0.04))
        report(Outcome(2, Status.FILTERED, "ContentFiltered: No."))

    work.do(runner, 8, "trial")

    outcomes = work.outcomes()
    assert outcomes[3] == Outcome(3, Status.SAME, "The same picture as cell 1.")
    assert outcomes[4] == Outcome(4, Status.FILTERED, "As cell 2: ContentFiltered: No.")


def test_a_runner_that_breaks_down_leaves_its_error_and_its_reports(make_work):
    work = make_work(new(make_cells(2)))

    def runner(cells, *, report, **_):
        report(Outcome(1, Status.MADE))
        raise ValueError("a mistake of ours")

    work.do(runner, 8, "trial")

    assert isinstance(work.error, ValueError)
    assert list(work.outcomes()) == [1]


def test_an_interrupt_stops_the_runner_and_leaves_what_was_reported_until_then(make_work):
    work = make_work(new(make_cells(3)))
    ended = threading.Event()

    def runner(cells, *, report, stop, **_):
        report(Outcome(1, Status.MADE))
        _thread.interrupt_main()
        assert stop.wait(DEADLINE_S)
        report(Outcome(2, Status.MADE))
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        work.do(runner, 8, "trial")

    assert ended.wait(DEADLINE_S)
    assert list(work.outcomes()) == [1]


def test_a_picture_that_is_here_counts_although_the_run_was_stopped_before_it_could_be_reported(make_work, cache):
    cells = make_cells(2)
    cache.keep(cells[1].job, drawn(2), seconds=1.5, usd=0.04)
    work = make_work(new(cells))

    outcomes = work.outcomes()

    assert list(outcomes) == [2]
    assert (outcomes[2].status, outcomes[2].seconds, outcomes[2].usd) == (Status.MADE, 1.5, 0.04)
    assert outcomes[2].path == cache.path(cells[1].id)
    assert outcomes[2].reason == "Not in the bucket yet; the next run stores it."
