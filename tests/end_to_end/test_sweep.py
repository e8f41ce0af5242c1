"""Sweeps on a real local cloud: nothing is lost and nothing paid twice, whatever is killed, stopped or started meanwhile."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

from couch_explorers.exploration import results
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.paths import Home
from tests.waiting import wait_until

# Paints 512 x 512, the quickest there is.
TITAN = "amazon.titan-image-generator-v2:0"
# Every test has seeds of its own, hence pictures that no other test has asked for.
SEEDS = count(1000, 1000)
# What another process runs: the same sweep, from the same arguments.
SCRIPT = """
import sys
from couch_explorers import workspace
from couch_explorers.exploration.sweep import Sweep
first, number = map(int, sys.argv[1:])
sweep = Sweep({"couch": "A couch under an oak"}, models=[%r], sizes=["512x512"], seeds=range(first, first + number))
print(sweep.run(workspace.connect("local"))["status"].value_counts().to_dict(), flush=True)
"""


@pytest.fixture
def first_seed():
    return next(SEEDS)


@pytest.fixture
def make_sweep(first_seed):
    def make(number):
        seeds = range(first_seed, first_seed + number)
        return Sweep({"couch": "A couch under an oak"}, models=[TITAN], sizes=["512x512"], seeds=seeds, title="Trial")

    return make


@pytest.fixture
def sweeping(local_cloud, first_seed):
    """Run the sweep of so many cells in another process."""

    @contextmanager
    def sweeping(number):
        command = [sys.executable, "-c", SCRIPT % TITAN, str(first_seed), str(number)]
        with subprocess.Popen(
            command, env=local_cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return sweeping


@pytest.fixture
def pictures(workspace):
    """Find the sweep's pictures that are here."""

    def found(sweep):
        folder = Home.current().images("local")
        return [cell for cell in sweep.cells(workspace.model_arns) if (folder / f"{cell.id}.png").exists()]

    return found


def test_a_sweep_is_paid_once_and_its_pictures_are_here_and_in_the_bucket(
    local_cloud, workspace, faults, make_sweep, keys
):
    faults("latency=0.2")
    sweep = make_sweep(12)
    before = local_cloud.stats.images

    first = sweep.run(workspace, max_cost_usd=0.10)
    second = sweep.run(workspace, max_cost_usd=0)

    assert local_cloud.stats.images - before == 12
    assert set(first["status"]) == {"made"}
    assert set(second["status"]) == {"cached"}
    assert set(first["key"]) <= set(keys("image-"))
    assert (first["width"] == 512).all()
    assert first["usd"].sum() == pytest.approx(12 * 0.008)
    pd.testing.assert_frame_equal(results.load(first.context.run), first)


def test_what_another_machine_has_made_is_fetched_and_not_paid(local_cloud, workspace, faults, make_sweep):
    faults("latency=0.2")
    sweep = make_sweep(10)
    made = sweep.run(workspace)
    before = local_cloud.stats.images
    there = [Path(path).read_bytes() for path in made["path"]]
    for path in map(Path, made["path"]):
        path.unlink()
        path.with_suffix(".json").unlink()

    fetched = sweep.run(workspace)

    assert local_cloud.stats.images == before
    assert set(fetched["reason"]) == {"Fetched from the bucket."}
    assert [Path(path).read_bytes() for path in fetched["path"]] == there


def test_a_sweep_that_is_killed_at_half_goes_on_from_there(
    local_cloud, workspace, faults, make_sweep, sweeping, pictures
):
    faults("latency=0.5")
    sweep = make_sweep(32)
    before = local_cloud.stats.images
    with sweeping(32) as process:
        wait_until(lambda: len(pictures(sweep)) >= 16, what="half of the pictures")
        process.kill()
        process.wait()
    here = len(pictures(sweep))

    frame = sweep.run(workspace)

    assert set(frame["status"]) == {"made", "cached"}
    assert (frame["status"] == "cached").sum() >= here
    assert 32 <= local_cloud.stats.images - before <= 32 + 8


def test_two_processes_that_sweep_the_same_pay_once(local_cloud, workspace, faults, make_sweep, sweeping, pictures):
    faults("latency=0.3")
    before = local_cloud.stats.images

    with sweeping(40) as one, sweeping(40) as other:
        outputs = [process.communicate(timeout=60) for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert local_cloud.stats.images - before == 40
    assert len(pictures(make_sweep(40))) == 40


def test_an_interrupt_stops_at_once_and_keeps_what_is_being_painted(
    local_cloud, workspace, faults, make_sweep, sweeping, pictures
):
    faults("latency=3.0")
    sweep = make_sweep(20)
    stats = local_cloud.stats
    before = stats.images
    with sweeping(20) as process:
        wait_until(lambda: len(pictures(sweep)) >= 8, what="the first pictures")
        # The next eight take three seconds from when they are asked for.
        wait_until(lambda: local_cloud.stats.calls - stats.calls >= 16, what="the next calls")
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        line = next(line for line in process.stderr if line.startswith("Stopped"))
        took = time.monotonic() - sent
        rest = process.stderr.read()

    assert line == "Stopped: 8 of 20 pictures are here; run again to go on.\n"
    assert took < 1.5
    assert "KeyboardInterrupt" in rest
    assert len(pictures(sweep)) == local_cloud.stats.images - before == 16
    assert results.runs("local")[0].frame()["status"].value_counts().to_dict() == {"stopped": 12, "made": 8}


def test_a_cloud_that_is_stopped_midway_leaves_reasons_and_the_next_run_completes(
    local_cloud, workspace, faults, make_sweep, pictures
):
    # Long enough that on a busy machine too the cloud is gone before the last picture is asked for.
    faults("latency=2.0")
    sweep = make_sweep(24)
    frames = []
    running = threading.Thread(target=lambda: frames.append(sweep.run(workspace, concurrency=4)))
    running.start()
    wait_until(lambda: len(pictures(sweep)) >= 4, what="the first pictures")

    local_cloud.couch("down")
    running.join(120)
    local_cloud.up()
    faults("latency=0.1")
    completed = sweep.run(workspace)

    (stopped,) = frames
    assert {"made", "failed"} == set(stopped["status"])
    failed = stopped[stopped["status"] == "failed"]
    assert failed["reason"].str.match(r"(ModelUnavailable|Storage): .+\.").all()
    assert set(completed["status"]) <= {"made", "cached"}
    assert len(pictures(sweep)) == 24
