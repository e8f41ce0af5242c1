"""A prompt's way to a picture, by both paths, on the deployed stacks."""

import io
import json

import pytest
from PIL import Image

from couch_explorers.core import png
from couch_explorers.core.jobs import message_body
from tests.waiting import wait_until


@pytest.mark.parametrize("via", ["api", "queue"])
def test_couch_paint_gives_a_picture_that_tells_how_it_was_made(local_cloud, workspace, via):
    done = local_cloud.couch("paint", "Me on top of a pyramid", "--via", via, "--seed", "7", "--json")

    painted = json.loads(done.stdout)
    with open(painted["file"], "rb") as file:  # noqa: PTH123
        content = file.read()
    parameters = png.read_parameters(content)
    assert painted["uri"].startswith(f"s3://{workspace.bucket}/42/")
    assert Image.open(io.BytesIO(content)).size == (1024, 1024)
    assert parameters["request"]["prompt"] == "Me on top of a pyramid"
    assert parameters["seed"] == 7


def test_the_same_request_gives_the_same_pixels(local_cloud):
    pictures = []
    for _ in range(2):
        painted = json.loads(local_cloud.couch("paint", "A fjord at dawn", "--seed", "11", "--json").stdout)
        pictures.append(Image.open(painted["file"]).tobytes())

    assert pictures[0] == pictures[1]


def test_a_bare_prompt_on_the_queue_becomes_a_picture(workspace, keys):
    before = set(keys())

    workspace.client("sqs").send_message(QueueUrl=workspace.queue_url, MessageBody="Me on top of K2")

    new = wait_until(lambda: set(keys()) - before, what="the picture")
    assert all(key.endswith(".png") for key in new)


def test_a_message_delivered_again_is_not_paid_again(local_cloud, workspace, keys):
    local_cloud.send(workspace, id="twice", seed=5)
    wait_until(lambda: keys("twice.png"), what="the first picture")
    paid = local_cloud.stats.images

    local_cloud.send(workspace, id="twice", seed=5)
    wait_until(lambda: queue_is_empty(workspace), what="an empty queue")

    assert local_cloud.stats.images == paid
    assert keys("twice") == ["42/twice.png"]


def test_the_same_id_for_another_request_becomes_a_dead_letter(local_cloud, workspace, keys, dead_letters):
    local_cloud.send(workspace, "A lion", id="taken", seed=1)
    wait_until(lambda: keys("taken.png"), what="the first picture")

    local_cloud.send(workspace, "An elephant", id="taken", seed=1)

    letter = wait_until(lambda: dead_letters("taken"), what="the dead-letter message")
    assert letter["attributes"]["reason"] == "Conflict"


def test_a_poison_prompt_becomes_a_dead_letter_and_a_note_for_whoever_waits(local_cloud, workspace, keys, dead_letters):
    workspace.client("sqs").send_message(QueueUrl=workspace.queue_url, MessageBody='{"id": "poison", "prompt": 7}')

    letter = wait_until(lambda: dead_letters("poison"), what="the dead-letter message")
    note = json.load(workspace.client("s3").get_object(Bucket=workspace.bucket, Key="42/poison.error.json")["Body"])
    assert letter["attributes"]["reason"] == "InvalidRequest"
    assert note["reason"] == "InvalidRequest"
    assert keys("poison.png") == []


def test_a_message_that_only_looks_like_json_becomes_a_dead_letter(workspace):
    sqs = workspace.client("sqs")
    message_id = sqs.send_message(QueueUrl=workspace.queue_url, MessageBody='{"prompt": "a broken')["MessageId"]

    note = wait_until(lambda: error_note(workspace, message_id), what="the note")

    assert note["reason"] == "InvalidRequest"
    assert "JSON" in note["detail"]


def test_a_prompt_over_the_limit_is_refused_by_paint_before_anything_is_sent(local_cloud):
    calls = local_cloud.stats.calls

    done = local_cloud.couch("paint", "x" * 10_001, check=False)

    assert done.returncode == 1
    assert "10,000" in done.stderr or "10000" in done.stderr
    assert local_cloud.stats.calls == calls


def test_an_unlisted_model_is_refused_with_the_list_of_models(local_cloud):
    done = local_cloud.couch("paint", "A fjord", "--model", "no.such-model", check=False)

    assert done.returncode == 1
    assert "stability.stable-image-core-v1:1" in done.stderr


def test_emoji_and_norwegian_letters_survive_both_paths(local_cloud):
    for via in ("api", "queue"):
        painted = json.loads(local_cloud.couch("paint", "Nordlys over Ålesund 🏔️", "--via", via, "--json").stdout)
        with open(painted["file"], "rb") as file:  # noqa: PTH123
            assert png.read_parameters(file.read())["request"]["prompt"] == "Nordlys over Ålesund 🏔️"


def queue_is_empty(workspace):
    attributes = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=["All"])[
        "Attributes"
    ]
    return attributes["ApproximateNumberOfMessages"] == attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def error_note(workspace, job_id):
    s3 = workspace.client("s3")
    listed = s3.list_objects_v2(Bucket=workspace.bucket, Prefix=f"42/{job_id}.error.json").get("Contents")
    return json.load(s3.get_object(Bucket=workspace.bucket, Key=listed[0]["Key"])["Body"]) if listed else None


def test_a_job_message_carries_only_what_was_given():
    assert json.loads(message_body("A fjord", seed=3)) == {"prompt": "A fjord", "seed": 3}
