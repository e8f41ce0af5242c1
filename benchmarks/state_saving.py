"""Measure what saving the state costs a run of 1,000 messages through the queue, and how soon a killed cloud is back."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
from own_cloud import OwnCloud, own_cloud
from results import Results, parser

RUN = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from couch_explorers import workspace
from couch_explorers.core.jobs import message_body
here = workspace.connect("local")
number, first = int(sys.argv[1]), int(sys.argv[2])
sqs = here.client("sqs")
def send(start):
    entries = [{"Id": str(seed), "MessageBody": message_body("A couch", seed=seed)} for seed in range(start, start + 10)]
    assert not sqs.send_message_batch(QueueUrl=here.queue_url, Entries=entries).get("Failed")
began = time.perf_counter()
with ThreadPoolExecutor(4) as threads:
    list(threads.map(send, range(first, first + number, 10)))
while True:
    depth = sqs.get_queue_attributes(QueueUrl=here.queue_url, AttributeNames=["All"])["Attributes"]
    if not int(depth["ApproximateNumberOfMessages"]) + int(depth["ApproximateNumberOfMessagesNotVisible"]):
        break
    time.sleep(0.2)
print(time.perf_counter() - began)
"""
COST = re.compile(r"The state is saved; that took ([\d.]+) s of processor time, ([\d.]+) s at most at once")


def process(cloud: OwnCloud) -> psutil.Process:
    """The server of a cloud that runs."""
    return psutil.Process(json.loads((cloud.home / "cloud.json").read_text())["pid"])


def run(cloud: OwnCloud, number: int, first: int) -> float:
    """Send so many messages, wait until all are worked off, and give the seconds."""
    command = [sys.executable, "-c", RUN, str(number), str(first)]
    done = subprocess.run(command, env=cloud.environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout)


def main() -> None:
    """Report the share of a run that saving took, its longest pause, the size of the state, and the time of a restart."""
    command_line = parser(__doc__, runs=1)
    command_line.add_argument("--messages", type=int, default=1000)
    options = command_line.parse_args()
    results = Results("state_saving", options.runs)
    seconds, processor, longest, back = [], [], [], []
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("faults", "latency=0.2")
        for index in range(options.runs):
            # A process of its own for each run, so that its last word is about this run only.
            cloud.couch("down")
            cloud.up()
            cloud.couch("faults", "latency=0.2")
            seconds.append(run(cloud, options.messages, 1 + index * options.messages))
            memory_mb = process(cloud).memory_info().rss / 1e6
            cloud.couch("down")
            found = COST.findall((cloud.home / "logs" / "cloud.log").read_text())[-1]
            processor.append(float(found[0]))
            longest.append(float(found[1]) * 1000)
            cloud.up()
            os.kill(process(cloud).pid, signal.SIGKILL)
            began = time.perf_counter()
            cloud.up()
            back.append(time.perf_counter() - began)
        saved = cloud.home / "saved"
        journal_mb = (saved / "state.sqlite").stat().st_size / 1e6
        bodies_mb = sum(file.stat().st_size for file in (saved / "objects").iterdir()) / 1e6
    shares = [100 * cost / whole for cost, whole in zip(processor, seconds, strict=True)]
    # Of 1024 x 1024 pixels: `queue_sweep.py` holds smaller pictures to the budget.
    results.add("run.seconds", f"{options.messages} messages through the queue", seconds, "s")
    results.add("saving.processor", "processor time that saving took of it", processor, "s")
    results.add("saving.share", "share of the run", shares, "%", budget=5)
    results.add("saving.longest", "longest time at once", longest, "ms", budget=50)
    results.add("restart.seconds", "couch up after kill -9, nothing deployed anew", back, "s")
    results.add("state.journal", "the journal on disk", journal_mb, "MB")
    results.add("state.bodies", "the bodies of its objects", bodies_mb, "MB")
    results.add("server.memory", "memory of the server after the run", memory_mb, "MB", budget=700)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
