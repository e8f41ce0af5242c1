"""Many jobs while the model refuses most calls: every picture is made, and none is paid twice."""

import json

from .conftest import wait_until
from .test_pictures import queue_is_empty


def test_a_storm_of_throttles_costs_no_picture_and_pays_none_twice(local_cloud, workspace, faults, keys):
    """Facts: with 60 % of calls throttled the exam's worker paid for 141 pictures out of 100 messages."""
    faults("throttle=0.6", "latency=0.2")
    before = local_cloud.stats.images
    sqs = workspace.client("sqs")
    for batch in range(10):
        entries = [
            {"Id": str(n), "MessageBody": json.dumps({"id": f"storm-{batch}-{n}", "prompt": "A storm"})}
            for n in range(10)
        ]
        assert not sqs.send_message_batch(QueueUrl=workspace.queue_url, Entries=entries).get("Failed")

    wait_until(lambda: len(keys("storm-")) == 100, within_s=180, what="100 pictures")
    wait_until(lambda: queue_is_empty(workspace), what="an empty queue")

    assert local_cloud.stats.images - before == 100
    assert all(key.endswith(".png") for key in keys("storm-"))
