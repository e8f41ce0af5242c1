"""Many jobs while models, S3, SQS and deliveries fail: every message is accounted for, and so is every picture that was paid for.

The short form of `make storm`, which also kills functions and the local cloud.
"""

import json
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks import storm_ledger
from couch_explorers.core.jobs import message_body
from tests.waiting import wait_until

MESSAGES = 60
FAULTS = ("throttle=0.6", "error=0.05", "latency=0.2", "unavailable=0.02", "reset=0.01", "duplicate=0.1", "reorder=0.5")


def test_storm_loses_no_message_and_explains_each_extra_call(local_cloud, workspace, faults, keys):
    jobs = {f"A storm, number {number}": f"storm-{number}" for number in range(MESSAGES)}
    bodies = {job: message_body(prompt, id=job, size="512x512") for prompt, job in jobs.items()}
    faults(*FAULTS)

    sent = send(workspace, bodies)
    wait_until(lambda: not messages(local_cloud, workspace.queue_url), within_s=600, what="an empty queue")
    faults("clear")

    whole = storm_ledger.account(
        sent=sent,
        jobs=jobs,
        model_log=storm_ledger.read_lines(local_cloud.home / "models.jsonl"),
        request_log=storm_ledger.read_lines(local_cloud.home / "requests.jsonl"),
        function_log=storm_ledger.endings_of(function_log(workspace)),
        outages=[],
        kept={Path(key).stem for key in keys("storm-") if key.endswith(".png")},
        dead={},
        waiting=set(),
        idempotent=True,
    )
    assert whole.pictures == set(bodies)
    assert whole.lost == set()
    assert whole.duplicated == 0
    assert whole.paid == MESSAGES + len(whole.extra)
    assert storm_ledger.UNEXPLAINED not in whole.causes(), whole.extra


def send(workspace, bodies):
    """Send everything, again what was not acknowledged; returns when each job was."""
    acknowledged = {}
    while left := [job for job in bodies if job not in acknowledged][:10]:
        entries = [{"Id": job, "MessageBody": bodies[job]} for job in left]
        try:
            answer = workspace.client("sqs").send_message_batch(QueueUrl=workspace.queue_url, Entries=entries)
        except (BotoCoreError, ClientError):
            continue
        acknowledged |= {each["Id"]: time.time() for each in answer.get("Successful", [])}
    return acknowledged


def messages(cloud, queue_url):
    """All messages of a queue, none of them received."""
    with urlopen(f"http://127.0.0.1:{cloud.port}/_couch/messages{urlsplit(queue_url).path}", timeout=30) as answer:
        return json.load(answer)["messages"]


def function_log(workspace):
    """The messages of the worker's log."""
    pages = workspace.client("logs").get_paginator("filter_log_events")
    group = f"/aws/lambda/{workspace.functions['worker']}"
    return [event["message"] for page in pages.paginate(logGroupName=group) for event in page["events"]]
