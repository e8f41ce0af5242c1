"""Measure a sweep of 1,000 pictures by the queue, and beside it the loop that one writes instead: rows, images, time, requests."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from own_cloud import OwnCloud, own_cloud
from results import Results, parser

# The local cloud's workers.
AT_A_TIME = 8

SWEEP = """
import sys, time
from couch_explorers import workspace
from couch_explorers.exploration.sweep import Sweep
here = workspace.connect("local")
number, first = map(int, sys.argv[1:3])
sweep = Sweep({"couch": "A couch under an oak"}, models=["amazon.titan-image-generator-v2:0"], sizes=["512x512"],
              seeds=range(first, first + number))
started = time.perf_counter()
frame = sweep.run(here, via="queue")
print(time.perf_counter() - started, len(frame), int(frame["path"].notna().sum()))
"""
# One message a call, one question a picture, until all are there.
LOOP = """
import json, sys, time
from pathlib import Path
from botocore.exceptions import ClientError  # noqa: PLC0415
from couch_explorers import workspace
here = workspace.connect("local")
number, folder = int(sys.argv[1]), Path(sys.argv[2])
folder.mkdir()
started = time.perf_counter()
sqs, s3 = here.client("sqs"), here.client("s3")
waiting = {f"{folder.name}-{seed}" for seed in range(1, number + 1)}
for job in waiting:
    body = {"id": job, "prompt": "A couch under an oak", "model": "amazon.titan-image-generator-v2:0", "size": "512x512"}
    sqs.send_message(QueueUrl=here.queue_url, MessageBody=json.dumps(body))
while waiting:
    for job in sorted(waiting):
        try:
            s3.head_object(Bucket=here.bucket, Key=f"42/{job}.png")
        except ClientError:
            continue
        s3.download_file(here.bucket, f"42/{job}.png", str(folder / f"{job}.png"))
        waiting.discard(job)
    time.sleep(1)
print(time.perf_counter() - started, number, len(list(folder.iterdir())))
"""


class Sample(NamedTuple):
    """One run: seconds, rows, pictures on this disk, images paid for, and what was asked of the bucket."""

    seconds: float
    rows: int
    pictures: int
    paid: int
    lists: int
    heads: int
    reads: int


UNITS = {"seconds": "s", "rows": "rows", "pictures": "pictures", "paid": "pictures"}


def asked_of_the_bucket(requests: Sequence[tuple[str, str]], number: int) -> tuple[int, int, int]:
    """Count lists, heads and reads among requests, given as method and path.

    Left out is what the workers ask themselves: one look into the bucket and one picture stored a job.
    """
    bucket = [
        (method, path.partition("/")[2]) for method, path in requests if path.startswith("pgr301-couch-explorers")
    ]
    lists = sum(method == "GET" and not key for method, key in bucket) - number
    heads = sum(method == "HEAD" for method, _ in bucket)
    reads = sum(method == "GET" and bool(key) for method, key in bucket)
    return lists, heads, reads


def requests_so_far(cloud: OwnCloud) -> list[tuple[str, str]]:
    """Every request that the cloud has answered, as method and path."""
    lines = map(json.loads, (cloud.home / "requests.jsonl").read_text().splitlines())
    return [(line["method"], line["path"].strip("/")) for line in lines]


def measure(cloud: OwnCloud, script: str, number: int, *arguments: object) -> Sample:
    """Run a script in a new process, and count what it says and what was asked meanwhile."""
    since, before = len(requests_so_far(cloud)), cloud.stats()["images"]
    command = [sys.executable, "-c", script, *map(str, (number, *arguments))]
    done = subprocess.run(command, env=cloud.environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    seconds, rows, there = done.stdout.split()
    paid = cloud.stats()["images"] - before
    bucket_calls = asked_of_the_bucket(requests_so_far(cloud)[since:], number)
    return Sample(float(seconds), int(rows), int(there), paid, *bucket_calls)


def main() -> None:
    """Report both, and the time that the workers would need for the model alone."""
    command_line = parser(__doc__, runs=1)
    command_line.add_argument("--pictures", type=int, default=1000)
    command_line.add_argument("--latency", type=float, default=0.2, help="seconds that the model takes")
    options = command_line.parse_args()
    number = options.pictures
    results = Results("queue_sweep", options.runs)
    taken: dict[str, list[Sample]] = {"sweep": [], "loop": []}
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("faults", f"latency={options.latency}")
        # The workers start, and the painter loads its libraries, with the first pictures.
        measure(cloud, LOOP, 16, cloud.home / "warm")
        for run in range(options.runs):
            taken["sweep"].append(measure(cloud, SWEEP, number, 1 + run * number))
            taken["loop"].append(measure(cloud, LOOP, number, cloud.home / f"loop-{run}"))
    results.add(
        "models_alone.seconds", f"the models alone, {AT_A_TIME} at a time", number * options.latency / AT_A_TIME, "s"
    )
    for name, title in (("sweep", f"sweep of {number} by the queue"), ("loop", f"loop over boto3, {number}")):
        for what in Sample._fields:
            values = [getattr(sample, what) for sample in taken[name]]
            results.add(f"{name}.{what}", f"{title}: {what}", values, UNITS.get(what, "requests"))
    results.show(save=options.save)


if __name__ == "__main__":
    main()
