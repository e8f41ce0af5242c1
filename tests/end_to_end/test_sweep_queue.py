"""A sweep by the deployed queue, and its pictures made again from what they say about themselves."""

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.reproduce import reproduce
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from tests.waiting import wait_until

TITAN = "amazon.titan-image-generator-v2:0"
# A sweep of 1,000 is the same call and takes a minute and more on two cores: benchmarks/queue_sweep.py.
MANY = 120

SWEEP_IN_A_PROCESS = """
import sys
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.workspace import connect
count, model, prompt = int(sys.argv[1]), sys.argv[2], sys.argv[3]
Sweep({"killed": prompt}, models=(model,), seeds=range(1, count + 1), sizes=("512x512",)).run(connect("local"), via="queue")
"""

pytestmark = pytest.mark.filterwarnings("ignore:.*LEGACY.*")


def sweep(prompt, count=1, **axes):
    """So many pictures of a prompt that no other test asks for."""
    usual = {"models": (TITAN,), "seeds": range(1, count + 1), "sizes": ("512x512",)}
    return Sweep({"prompt": prompt}, **(usual | axes))


def test_a_sweep_by_the_queue_gives_a_row_and_an_image_for_each_job(local_cloud, workspace, faults, keys):
    faults("latency=0.2")
    images = local_cloud.stats.images

    frame = sweep("A sweep of many", MANY).run(workspace, via="queue")

    assert list(frame["number"]) == list(range(1, MANY + 1))
    assert set(frame["status"]) == {"made"}
    assert set(frame["key"]) <= set(keys("image-"))
    assert (frame["width"].unique(), frame["height"].unique()) == ([512], [512])
    assert frame["usd"].sum() == pytest.approx(MANY * 0.008)
    assert local_cloud.stats.images - images == MANY


def test_a_second_run_pays_nothing_and_another_machine_fetches_from_the_bucket(
    local_cloud, workspace, faults, tmp_path
):
    faults("latency=0.1")
    wanted = sweep("A sweep that is repeated", 10)
    wanted.run(workspace, via="queue")
    images = local_cloud.stats.images

    again_here = wanted.run(workspace, via="queue")
    elsewhere = wanted.run(workspace, via="queue", cache=ImageCache(tmp_path / "images"))

    assert set(again_here["status"]) == set(elsewhere["status"]) == {"cached"}
    assert set(elsewhere["reason"]) == {"Fetched from the bucket."}
    assert elsewhere["usd"].sum() == 0
    assert local_cloud.stats.images == images


def test_a_filtered_prompt_is_a_row_and_the_others_are_made(workspace, faults):
    faults("latency=0.1")
    prompts = {"gentle": "A lamb on a meadow", "not so": "A scene of gore"}

    frame = Sweep(prompts, models=(TITAN,), sizes=("512x512",)).run(workspace, via="queue")

    assert list(frame["status"]) == ["made", "filtered"]
    assert frame["reason"][1].startswith("ContentFiltered: ")


def test_a_run_after_a_failure_is_not_fooled_by_the_old_note(workspace, faults, keys):
    wanted = sweep("A picture that is withheld at first", 3)
    faults("latency=0.1", "filter=1")
    first = wanted.run(workspace, via="queue")
    notes = keys(f"{first['id'][0]}.error.json")
    faults("latency=0.1")

    second = wanted.run(workspace, via="queue")

    assert set(first["status"]) == {"filtered"}
    assert len(notes) == 1
    assert set(second["status"]) == {"made"}


def test_a_sweep_whose_process_is_killed_goes_on_and_pays_for_no_picture_twice(local_cloud, workspace, faults):
    faults("latency=0.5")
    prompt, count, images = "A sweep that is killed", 40, local_cloud.stats.images
    command = [sys.executable, "-c", SWEEP_IN_A_PROCESS, str(count), TITAN, prompt]
    with subprocess.Popen(command, env=local_cloud.environment, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: local_cloud.stats.images - images >= 10, what="the first pictures")
        process.send_signal(signal.SIGKILL)

    frame = sweep(prompt, count).run(workspace, via="queue")

    assert set(frame["status"]) <= {"made", "cached"}
    assert len(frame) == count
    assert local_cloud.stats.images - images == count


def test_an_interrupted_sweep_ends_at_once_and_the_next_one_fetches_what_it_had_sent(local_cloud, workspace, faults):
    faults("latency=1")
    prompt, count, images = "A sweep that is interrupted", 24, local_cloud.stats.images
    command = [sys.executable, "-c", SWEEP_IN_A_PROCESS, str(count), TITAN, prompt]
    with subprocess.Popen(command, env=local_cloud.environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: local_cloud.stats.images > images, what="the first picture")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    assert "What was sent stays in the queue and will be made and paid for" in stderr

    frame = sweep(prompt, count).run(workspace, via="queue")

    assert set(frame["status"]) <= {"made", "cached"}
    assert local_cloud.stats.images - images == count


def test_a_sweep_outlives_a_stop_and_a_start_of_the_cloud(local_cloud, workspace, deployer):
    """The jobs wait in the queue meanwhile; its workers are let at them only when everything is there again."""
    (mapping,) = workspace.client("lambda").list_event_source_mappings(FunctionName=workspace.functions["worker"])[
        "EventSourceMappings"
    ]
    lambdas = deployer.client("lambda")
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    frames = []
    running = threading.Thread(target=lambda: frames.append(sweep("A cloud that goes", 5).run(workspace, via="queue")))
    try:
        running.start()
        wait_until(lambda: depth(workspace) == 5, what="the jobs in the queue")
        local_cloud.couch("down")
    finally:
        local_cloud.up()
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    running.join()

    assert list(frames[0]["status"]) == ["made"] * 5


def test_a_queue_that_is_not_deployed_is_reported_before_anything_is_done(workspace, local_cloud):
    calls = local_cloud.stats.calls

    with pytest.raises(ExplorationError, match=r"queue is not deployed.*couch up"):
        sweep("A sweep without a queue").run(replace(workspace, queue_url=None), via="queue")

    assert local_cloud.stats.calls == calls


@pytest.mark.parametrize("via", ["api", "queue"])
def test_a_painted_picture_is_made_again_byte_by_byte(local_cloud, workspace, faults, via):
    faults("latency=0")
    painted = json.loads(local_cloud.couch("paint", "A lion at noon", "--via", via, "--json").stdout)
    images = local_cloud.stats.images

    done = local_cloud.couch("reproduce", painted["file"])

    made = Path(done.stdout.strip())
    assert made.read_bytes() == Path(painted["file"]).read_bytes()
    assert done.stderr.splitlines()[-1] == "The same picture: every byte is the same."
    assert local_cloud.stats.images - images == 1


def test_a_foreign_picture_is_reported_in_one_sentence(local_cloud, tmp_path):
    foreign = tmp_path / "foreign.png"
    Image.new("RGB", (8, 8)).save(foreign)

    done = local_cloud.couch("reproduce", str(foreign), check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"couch: {foreign}: The picture holds no couch parameters")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("via", ["direct", "queue"])
def test_a_picture_of_a_sweep_is_made_again_byte_by_byte(workspace, faults, tmp_path, via):
    faults("latency=0")
    axes = {"negative_prompts": ("fog",), "cfg_scales": (5.5,)}
    frame = sweep(f"A giraffe over Ålesund 🦒 by {via}", **axes).run(workspace, via=via)

    made = reproduce(frame["path"][0], workspace, tmp_path / "again.png")

    assert made.same_bytes


def test_a_picture_whose_model_is_retired_is_reported_with_a_model_that_works(workspace, faults, tmp_path):
    faults("latency=0")
    frame = sweep("A model that goes").run(workspace)
    faults("latency=0", f"retired={TITAN}")

    with pytest.raises(ExplorationError, match=r"is retired: use stability\.stable-image-core-v1:1, which works\."):
        reproduce(frame["path"][0], workspace, tmp_path / "again.png")


def depth(workspace):
    """How many messages lie in the queue and are not being served."""
    answer = workspace.client("sqs").get_queue_attributes(
        QueueUrl=workspace.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
