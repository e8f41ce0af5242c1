"""The run of a sweep: every cell ends as a row, what is there costs nothing, and an interrupt loses nothing."""

import _thread
import errno
import json
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from couch_explorers.core import png
from couch_explorers.exploration import direct_runner, queue_runner, results
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.results import COLUMNS
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.paths import Home
from couch_explorers.secret_scan import secrets_in
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal
from tests.secret_samples import PLANTED

DEADLINE_S = 20
CORE = "stability.stable-image-core-v1:1"
NOVA = "amazon.nova-canvas-v1:0"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return Home.current()


@pytest.fixture
def sweep():
    return Sweep({"fjord": "A fjord"}, seeds=range(1, 7), title="Morning", purpose="A picture for the wall")


def test_every_cell_is_a_row_in_order_with_its_picture(sweep, workspace, models, home):
    frame = Sweep.run(sweep, workspace)

    assert tuple(frame.columns) == COLUMNS
    assert frame["seed"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(frame["status"]) == {"made"}
    assert frame["path"].map(os.path.isfile).all()
    assert frame["usd"].sum() == pytest.approx(0.24)
    assert sorted(models.asked) == [1, 2, 3, 4, 5, 6]


def test_the_run_is_saved_with_what_was_asked_and_what_it_cost(sweep, workspace, home):
    frame = Sweep.run(sweep, workspace, concurrency=3)

    (saved,) = results.runs("local")
    record = json.loads((saved.folder / "run.json").read_text())
    assert frame.context == results.RunContext("local", saved.folder, "Morning", "A picture for the wall")
    assert saved.folder.parent == home.path / "runs" / "local"
    assert record["axes"] == sweep.axes()
    assert record["totals"] == {"requests": 6, "pictures": 6, "made": 6, "usd": 0.24}
    assert (record["candidate"], record["via"], record["concurrency"]) == ("42", "direct", 3)
    pd.testing.assert_frame_equal(results.load(saved.folder), frame)


def secrets_below(folder, environment):
    """The secrets in all files of a folder, by file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {path.name: found for path in files if (found := list(secrets_in(path.read_bytes(), environment)))}


def test_saved_run_and_its_images_hold_no_secret_of_the_environment(sweep, workspace, home, planted):
    Sweep.run(sweep, workspace)

    assert secrets_below(home.path, planted) == {}


@pytest.mark.parametrize("kind", PLANTED)
def test_secret_in_a_saved_run_is_seen(workspace, home, planted, kind):
    Sweep.run(Sweep({"fjord": "A fjord"}, seeds=[1], purpose=PLANTED[kind]), workspace)

    assert secrets_below(home.path, planted) == {"run.json": [kind]}


def test_a_second_run_pays_nothing_and_asks_nobody(sweep, workspace, models):
    first = Sweep.run(sweep, workspace)
    models.asked.clear()
    workspace.session.client = None

    second = Sweep.run(sweep, workspace)

    assert models.asked == []
    assert set(second["status"]) == {"cached"}
    assert second["usd"].sum() == 0
    assert second["path"].tolist() == first["path"].tolist()
    assert second["key"].tolist() == first["key"].tolist()
    assert len(results.runs("local")) == 2


def test_a_longer_sweep_pays_only_for_what_is_new(sweep, workspace, models):
    Sweep.run(sweep, workspace)
    models.asked.clear()

    frame = Sweep.run(Sweep({"fjord": "A fjord"}, seeds=range(1, 9)), workspace)

    assert sorted(models.asked) == [7, 8]
    assert frame["status"].tolist() == ["cached"] * 6 + ["made"] * 2


def test_what_the_model_does_not_take_is_a_row_with_the_models_sentence(workspace, models):
    frame = Sweep.run(Sweep({"fjord": "A fjord"}, models=[CORE, NOVA], sizes=["1000x1000"]), workspace)

    assert frame["status"].tolist() == ["made", "refused"]
    assert (
        frame["reason"].tolist()[1]
        == "Nova Canvas does not paint 1000x1000: each side must be a multiple of 16 pixels."
    )
    assert len(models.asked) == 1


def test_the_same_picture_is_paid_once_and_shown_for_both_cells(workspace, models):
    frame = Sweep.run(Sweep({"fjord": "A fjord"}, sizes=["512x512", "1024x1024"]), workspace)

    assert frame["status"].tolist() == ["made", "same"]
    assert frame["reason"].tolist() == ["", "The same picture as cell 1."]
    assert frame["path"][0] == frame["path"][1]
    assert frame["usd"].tolist() == [0.04, 0.0]
    assert len(models.asked) == 1


def test_a_cell_like_one_that_failed_says_so(workspace, models):
    def answer(_):
        raise refusal("ThrottlingException", 429)

    models.answer = answer

    frame = Sweep.run(Sweep({"fjord": "A fjord"}, sizes=["512x512", "1024x1024"]), workspace)

    assert frame["status"].tolist() == ["throttled", "throttled"]
    assert frame["reason"].tolist()[1].startswith("As cell 1: Throttled: ")


def test_a_failed_cell_is_a_row_and_asked_for_again_in_the_next_run(sweep, workspace, models):
    def answer(seed):
        if seed == 3:
            raise refusal("ServiceUnavailableException", 503)
        return drawn(seed)

    models.answer = answer
    first = Sweep.run(sweep, workspace)
    models.asked.clear()
    models.answer = drawn
    second = Sweep.run(sweep, workspace)

    assert first["status"].tolist() == ["made", "made", "failed", "made", "made", "made"]
    assert first["reason"].tolist()[2].startswith("ModelUnavailable: ")
    assert models.asked == [3]
    assert second["status"].tolist() == ["cached", "cached", "made", "cached", "cached", "cached"]


def test_a_truncated_picture_is_made_again_and_the_row_says_why(sweep, workspace, models, s3):
    path = Path(Sweep.run(sweep, workspace)["path"][0])
    path.write_bytes(path.read_bytes()[:100])
    s3.objects.clear()
    models.asked.clear()

    frame = Sweep.run(sweep, workspace)

    assert models.asked == [1]
    assert frame["status"][0] == "made"
    assert f"{path} was not whole." in frame["reason"][0]


def test_a_truncated_picture_that_is_in_the_bucket_is_fetched_and_not_paid(sweep, workspace, models):
    path = Path(Sweep.run(sweep, workspace)["path"][0])
    whole = path.read_bytes()
    path.write_bytes(path.read_bytes()[:100])
    models.asked.clear()

    frame = Sweep.run(sweep, workspace)

    assert (models.asked, frame["status"][0], frame["usd"].sum()) == ([], "cached", 0)
    assert frame["reason"][0].endswith("Fetched from the bucket.")
    assert path.read_bytes() == whole


def test_what_the_bucket_did_not_take_is_stored_by_the_next_run(sweep, workspace, s3, models):
    s3.failures["put"] = refusal("ServiceUnavailable", 503)
    first = Sweep.run(sweep, workspace)
    assert first["key"].isna().all()
    s3.failures.clear()

    second = Sweep.run(sweep, workspace)

    assert len(models.asked) == 6
    assert second["key"].tolist() == [f"42/{job_id}.png" for job_id in second["id"]]
    assert sorted(s3.objects) == sorted(second["key"])
    assert set(second["reason"]) == {""}


def test_what_the_bucket_still_does_not_take_says_so(sweep, workspace, s3):
    s3.failures["put"] = refusal("ServiceUnavailable", 503)
    Sweep.run(sweep, workspace)

    frame = Sweep.run(sweep, workspace)

    assert set(frame["status"]) == {"cached"}
    assert frame["reason"].str.startswith("Not in the bucket yet; the next run stores it. Storage: ").all()


def test_a_sweep_above_the_cost_limit_sends_nothing(sweep, workspace, models):
    with pytest.raises(ExplorationError, match=r"6 new pictures cost \$0\.24 .*more than max_cost_usd=0\.2"):
        Sweep.run(sweep, workspace, max_cost_usd=0.2)

    assert models.asked == []
    assert results.runs("local") == []


def test_a_refused_run_that_is_shown_has_the_cached_pictures_and_a_reason_for_the_rest(sweep, workspace, models):
    Sweep.run(Sweep({"fjord": "A fjord"}, seeds=(2, 3)), workspace)

    frame = Sweep.run(sweep, workspace, max_cost_usd=0.1, errors="show")

    assert frame["status"].tolist() == ["stopped", "cached", "cached", "stopped", "stopped", "stopped"]
    assert frame["reason"][0] == frame.context.unstarted
    assert frame["reason"][0].startswith("4 new pictures cost $0.16")
    assert frame["usd"].sum() == 0
    assert sorted(models.asked) == [2, 3]
    assert len(results.runs("local")) == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"via": "queue"}, "The queue is not deployed"),
        ({"via": "pigeon"}, "There is no way named"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"max_cost_usd": -1}, "max_cost_usd is -1"),
    ],
)
def test_whatever_stands_against_a_run_can_be_shown(sweep, workspace, models, asked, reason):
    frame = Sweep.run(sweep, replace(workspace, queue_url=None), errors="show", **asked)

    assert set(frame["status"]) == {"stopped"}
    assert frame["reason"].str.startswith(reason).all()
    assert models.asked == []


def test_a_plan_that_cannot_be_made_can_be_shown(sweep, workspace):
    elsewhere = replace(workspace, queue_url=None)

    shown = sweep.summary(elsewhere, via="queue", errors="show")

    assert str(shown).startswith("The queue is not deployed")
    assert "✗ BAD" in shown._repr_mimebundle_()["text/html"]
    with pytest.raises(ExplorationError, match="queue is not deployed"):
        sweep.summary(elsewhere, via="queue")


def test_what_is_there_does_not_count_towards_the_cost_limit(sweep, workspace):
    Sweep.run(sweep, workspace)

    assert len(Sweep.run(sweep, workspace, max_cost_usd=0)) == 6


def test_a_cache_that_cannot_be_written_is_reported_before_anything_is_paid(sweep, workspace, models, home):
    home.path.mkdir()
    (home.path / "images").write_text("a file in its place")

    with pytest.raises(ExplorationError, match=r"picture cache .* cannot be written"):
        Sweep.run(sweep, workspace)

    assert models.asked == []


def test_a_cache_of_ones_own_can_be_given(sweep, workspace, tmp_path):
    frame = Sweep.run(sweep, workspace, cache=ImageCache(tmp_path / "mine"))

    assert frame["path"].str.startswith(str(tmp_path / "mine")).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"via": "pigeon"}, "pigeon"),
        ({"via": "queue"}, "The queue is not deployed"),
        ({"concurrency": 0}, "concurrency is 0"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_sent(sweep, workspace, models, arguments, sentence):
    with pytest.raises(ExplorationError, match=sentence):
        Sweep.run(sweep, workspace, **arguments)

    assert models.asked == []


def test_the_queue_gets_the_same_cells(sweep, workspace, monkeypatch):
    given = []

    def noting(cells, *, report, **_):
        given.extend(cells)

    monkeypatch.setattr(queue_runner, "run", noting)
    deployed = replace(
        workspace,
        queue_url="http://queue",
        model_arns=(f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",),
    )

    frame = Sweep.run(sweep, deployed, via="queue")

    assert [cell.seed for cell in given] == [1, 2, 3, 4, 5, 6]
    assert set(frame["status"]) == {"stopped"}


def test_a_runner_that_breaks_down_loses_no_row(sweep, workspace, monkeypatch):
    whole = direct_runner.run

    def breaking(cells, **arguments):
        whole(cells[:2], **arguments)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(direct_runner, "run", breaking)

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        Sweep.run(sweep, workspace)

    (saved,) = results.runs("local")
    assert saved.frame()["status"].tolist() == ["made", "made", "stopped", "stopped", "stopped", "stopped"]


def test_a_run_that_cannot_be_saved_is_reported_and_its_rows_are_given(sweep, workspace, home, capsys):
    home.path.mkdir()
    (home.path / "runs").write_text("a file in its place")

    frame = Sweep.run(sweep, workspace)

    assert set(frame["status"]) == {"made"}
    assert "could not be saved" in capsys.readouterr().err


def test_an_interrupted_run_returns_at_once_and_the_next_goes_on(sweep, workspace, models, capsys):
    painting, finish = threading.Semaphore(0), threading.Event()

    def answer(seed):
        if seed > 2:
            painting.release()
            assert finish.wait(DEADLINE_S)
        return drawn(seed)

    def interrupt():
        for _ in range(2):
            assert painting.acquire(timeout=DEADLINE_S)
        _thread.interrupt_main()

    models.answer = answer
    somebody = threading.Thread(target=interrupt)
    somebody.start()

    with pytest.raises(KeyboardInterrupt):
        Sweep.run(sweep, workspace, concurrency=2)

    somebody.join()
    assert not finish.is_set()
    stderr = capsys.readouterr().err
    assert "Stopped: 2 of 6 pictures are here; run again to go on.\n" in stderr
    assert stderr.endswith("What is being painted just now is kept when it comes.\n")
    (saved,) = results.runs("local")
    assert saved.frame()["status"].tolist() == ["made", "made", "stopped", "stopped", "stopped", "stopped"]
    finish.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith(("slot", "storer"))]:
        thread.join(DEADLINE_S)
    assert sorted(models.asked) == [1, 2, 3, 4]
    frame = Sweep.run(sweep, workspace)
    assert sorted(models.asked) == [1, 2, 3, 4, 5, 6]
    assert frame["status"].tolist() == ["cached"] * 4 + ["made"] * 2


def test_a_legacy_model_is_warned_of_once(workspace, capsys):
    workspace.session.catalogue.lifecycles[NOVA] = "LEGACY"

    Sweep.run(Sweep({"fjord": "A fjord"}, models=[NOVA], seeds=[1, 2]), workspace)

    assert capsys.readouterr().err.count("LEGACY") == 1


def test_a_disk_that_fills_up_in_the_run_costs_no_row(sweep, workspace, models, s3, monkeypatch):
    """The first picture finds no room any more: what was paid for is in the bucket, the rest says what to do."""

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def answer(seed):
        monkeypatch.setattr(tempfile, "mkstemp", fail)
        return drawn(seed)

    models.answer = answer

    frame = Sweep.run(sweep, workspace, concurrency=1)

    assert len(frame) == 6
    assert frame["key"].notna().sum() == len(models.asked) == len(s3.objects)
    assert frame["reason"].str.contains("No space left on device").all()


def test_a_picture_of_a_template_keeps_it_and_is_the_picture_of_its_prompt(workspace, home):
    sweep = Sweep({"cow": "A {medium} of a cow"}, variables={"medium": {"a": "photo"}})

    frame = Sweep.run(sweep, workspace)

    parameters = png.read_parameters(Path(frame["path"][0]).read_bytes())
    assert parameters["template"] == {
        "text": "A {medium} of a cow",
        "values": {"medium": {"name": "a", "text": "photo"}},
    }
    assert parameters["request"]["prompt"] == "A photo of a cow"
    again = Sweep.run(Sweep({"plain": "A photo of a cow"}), workspace)
    assert (again["id"][0], again["status"][0]) == (frame["id"][0], "cached")
    pd.testing.assert_frame_equal(results.load(frame.context.run), frame, check_like=True)


def test_a_cancelled_run_ends_at_once_keeps_its_pictures_and_is_saved(workspace, models, home):
    cancel, release, steps = threading.Event(), threading.Event(), []

    def paint(seed):
        if seed > 1:
            cancel.set()
            assert release.wait(DEADLINE_S)
        return drawn(seed)

    models.answer = paint
    sweep = Sweep({"fjord": "A fjord"}, seeds=range(1, 7))
    try:
        frame = Sweep.run(sweep, workspace, concurrency=1, cancel=cancel, on_step=lambda *step: steps.append(step))
    finally:
        release.set()

    assert frame["status"].tolist() == ["made"] + ["stopped"] * 5
    assert steps[:2] == [(0, 6), (1, 6)]
    assert results.load(frame.context.run)["status"].tolist() == frame["status"].tolist()
