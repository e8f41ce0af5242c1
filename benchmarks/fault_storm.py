"""Measure a storm: 100 jobs while the model refuses most calls; beside it the same for a worker of the exam's shape."""

import os
import sys
import time
from typing import Any, NamedTuple

from exam_queue import Contender, deploy
from own_cloud import OwnCloud, own_cloud
from results import Results, parser

from couch_explorers import workspace

MESSAGES, REFUSED, LATENCY_S = 100, 0.6, 0.2
WARM_UP = 20
PATIENCE_S = 1200

COUNTS = ("Messages", "MessagesNotVisible", "MessagesDelayed")
OWN, EXAM = "own", "exam"
TITLES = {OWN: "this worker", EXAM: "a worker of the exam's shape"}


class Storm(NamedTuple):
    """One storm: seconds until no message is left, calls of the model, pictures paid for and stored, messages given up on."""

    seconds: float
    calls: int
    paid: int
    pictures: int
    lost: int


FIGURES = {
    "seconds": ("until the queue is empty", "s"),
    "calls": ("calls of the model", "calls"),
    "paid": ("pictures paid for", "pictures"),
    "pictures": ("pictures stored", "pictures"),
    "lost": ("messages given up on", "messages"),
}


def send(sqs: Any, queue_url: str, number: int) -> None:
    """Send this many prompts to a queue, in batches of ten."""
    for first in range(0, number, 10):
        entries = [{"Id": str(n), "MessageBody": f"A storm, number {n}"} for n in range(first, min(first + 10, number))]
        if refused := sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed"):
            sys.exit(f"The queue took only a part of the messages: {refused}")


def left(sqs: Any, queue_url: str) -> int:
    """The number of messages on a queue, visible or in flight."""
    names = [f"ApproximateNumberOf{count}" for count in COUNTS]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def wait_until_empty(sqs: Any, queue_url: str) -> None:
    """Come back when a queue is empty; leaves with one sentence when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while waiting := left(sqs, queue_url):
        if time.monotonic() > deadline:
            sys.exit(f"{waiting} messages are still on {queue_url} after {PATIENCE_S} s.")
        time.sleep(0.1)


def stored(deployed: workspace.Workspace, prefix: str) -> int:
    """The number of pictures under a prefix."""
    pages = deployed.client("s3").get_paginator("list_objects_v2").paginate(Bucket=deployed.bucket, Prefix=prefix)
    return sum(item["Key"].endswith(".png") for page in pages for item in page.get("Contents", []))


def storm(cloud: OwnCloud, deployed: workspace.Workspace, contender: Contender) -> Storm:
    """Send all messages at once, wait until none is left, and count."""
    sqs = deployed.client("sqs")
    before, pictures = cloud.stats(), stored(deployed, contender.prefix)
    dead = left(sqs, contender.dead_letter_url)
    started = time.perf_counter()
    send(sqs, contender.queue_url, MESSAGES)
    wait_until_empty(sqs, contender.queue_url)
    seconds, after = time.perf_counter() - started, cloud.stats()
    return Storm(
        seconds,
        calls=after["calls"] - before["calls"],
        paid=after["images"] - before["images"],
        pictures=stored(deployed, contender.prefix) - pictures,
        lost=left(sqs, contender.dead_letter_url) - dead,
    )


def main() -> None:
    """Report for both what was paid, stored and lost, and how long it took."""
    options = parser(__doc__, runs=3).parse_args()
    results = Results("fault_storm", options.runs)
    storms: dict[str, list[Storm]] = {OWN: [], EXAM: []}
    with own_cloud() as cloud:
        cloud.up()
        os.environ["COUCH_HOME"] = str(cloud.home)
        deployed = workspace.connect("local")
        own = Contender(str(deployed.queue_url), str(deployed.dead_letter_url), f"{deployed.prefix}/")
        contenders = {OWN: own, EXAM: deploy(deployed)}
        for contender in contenders.values():
            # The workers start, and the painter loads its libraries, with the first pictures.
            send(deployed.client("sqs"), contender.queue_url, WARM_UP)
            wait_until_empty(deployed.client("sqs"), contender.queue_url)
        cloud.couch("faults", f"throttle={REFUSED}", f"latency={LATENCY_S}")
        for _ in range(options.runs):
            for name, contender in contenders.items():
                storms[name].append(storm(cloud, deployed, contender))
    results.add("storm.messages", "messages", MESSAGES, "messages")
    results.add("storm.refused", "part of the model's calls that is refused", REFUSED)
    budgets = {"paid": MESSAGES, "pictures": MESSAGES, "lost": 0}
    for name, taken in storms.items():
        for what, (title, unit) in FIGURES.items():
            values = [getattr(each, what) for each in taken]
            budget = budgets.get(what) if name == OWN else None
            results.add(f"{name}.{what}", f"{TITLES[name]}: {title}", values, unit, budget)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
