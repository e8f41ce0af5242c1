"""Measure a sweep of 1,000 pictures by the queue, and beside it the loop that one writes instead: rows, images, time, requests."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from own_cloud import OwnCloud, own_cloud

# The local cloud's workers.
AT_A_TIME = 8

SWEEP = """
import sys, time
from couch_explorers import workspace
from couch_explorers.exploration.planning.sweep import Sweep
here = workspace.connect("local")
number = int(sys.argv[1])
sweep = Sweep({"couch": "A couch under an oak"}, models=["amazon.titan-image-generator-v2:0"], sizes=["512x512"],
              seeds=range(1, number + 1))
started = time.perf_counter()
frame = sweep.run(here, via="queue")
print(time.perf_counter() - started, len(frame), int(frame["path"].notna().sum()))
"""
# One message a call, one question a picture, until all are there.
LOOP = """
import json, sys, time
from pathlib import Path
from botocore.exceptions import ClientError
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


def images(cloud: OwnCloud) -> int:
    """How many pictures a provider would have billed so far."""
    with urlopen(f"http://127.0.0.1:{cloud.port}/_couch/stats") as answer:
        return int(json.load(answer)["images"])


def requests(log: Path, since: int, number: int) -> tuple[str, int]:
    """Count what was asked of the queue and the bucket since a line of the log, and the lines by now.

    Left out is what the workers ask themselves: one look into the bucket and one picture stored a job.
    """
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    paths = [(line["method"], line["path"].strip("/")) for line in lines[since:]]
    bucket = [(method, path.partition("/")[2]) for method, path in paths if path.startswith("pgr301-couch-explorers")]
    looks = sum(method == "GET" and not key for method, key in bucket) - number
    heads = sum(method == "HEAD" for method, _ in bucket)
    reads = sum(method == "GET" and bool(key) for method, key in bucket)
    return f"{looks} lists, {heads} heads, {reads} reads", len(lines)


def measure(name: str, cloud: OwnCloud, script: str, number: int, *arguments: str) -> None:
    """Run a script in a new process and print what it says and what was asked meanwhile."""
    log = cloud.home / "requests.jsonl"
    _, since = requests(log, 0, 0)
    before = images(cloud)
    command = [sys.executable, "-c", script, str(number), *arguments]
    done = subprocess.run(command, env=cloud.environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    seconds, rows, there = done.stdout.split()
    asked, _ = requests(log, since, number)
    print(
        f"{name:<28}{float(seconds):8.1f} s  {rows} rows, {there} pictures, {images(cloud) - before} images paid; {asked}"
    )


def main() -> None:
    """Print both, and the time in which the workers could do it if nothing but the model took any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds that the model takes")
    options = parser.parse_args()
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("faults", f"latency={options.latency}")
        # The workers start, and the painter loads its libraries, with the first pictures.
        measure("the first 16, to warm up", cloud, LOOP, 16, str(cloud.home / "warm"))
        measure("sweep by the queue", cloud, SWEEP, options.pictures)
        measure("loop over boto3", cloud, LOOP, options.pictures, str(cloud.home / "loop"))
    print(f"{'the models alone':<28}{options.pictures * options.latency / AT_A_TIME:8.1f} s  {AT_A_TIME} workers")


if __name__ == "__main__":
    main()
