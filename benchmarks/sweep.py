"""Measure a sweep of 64 pictures, 8 at a time, against its ideal, and beside it the two loops that one writes instead."""

import json
import subprocess
import sys

from own_cloud import OwnCloud, own_cloud
from results import Results, parser

PICTURES, AT_A_TIME, LATENCY_S = 64, 8, 1.0
IDEAL_S = PICTURES / AT_A_TIME * LATENCY_S

# Each in a process of its own, from a seed of its own: no picture is there before. What is imported and connected before
# the clock starts is so for all three.
SWEEP = """
import sys, time
from couch_explorers import workspace
from couch_explorers.exploration import direct_runner
from couch_explorers.exploration.sweep import Sweep
here = workspace.connect("local")
first, number = map(int, sys.argv[1:3])
sweep = Sweep({"couch": "A couch under an oak"}, models=["amazon.titan-image-generator-v2:0"], sizes=["512x512"],
              seeds=range(first, first + number))
if len(sys.argv) > 3:
    sweep.plan(here)
started = time.perf_counter()
frame = sweep.run(here, concurrency=8)
print(time.perf_counter() - started)
assert len(frame) == number and frame["path"].notna().all() and frame["key"].notna().all()
"""
LOOP = """
import base64, json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import boto3  # noqa: PLC0415 - takes longer than all the rest
first, number, threads = map(int, sys.argv[1:4])
folder = Path(os.environ["PICTURES"])
def paint(seed):
    body = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "A couch under an oak"}, "imageGenerationConfig":
            {"numberOfImages": 1, "quality": "standard", "cfgScale": 8.0, "height": 512, "width": 512, "seed": seed}}
    answer = bedrock.invoke_model(modelId="amazon.titan-image-generator-v2:0", body=json.dumps(body))
    picture = base64.b64decode(json.loads(answer["body"].read())["images"][0])
    (folder / f"{seed}.png").write_bytes(picture)
    s3.put_object(Bucket=os.environ["BUCKET_NAME"], Key=f"42/loop-{seed}.png", Body=picture)
started = time.perf_counter()
bedrock, s3 = boto3.client("bedrock-runtime", region_name="us-east-1"), boto3.client("s3")
if threads == 1:
    for seed in range(first, first + number):
        paint(seed)
else:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(paint, range(first, first + number)))
print(time.perf_counter() - started)
"""


def environment(cloud: OwnCloud) -> dict[str, str]:
    """The settings with which a plain boto3 program reaches the local cloud."""
    deployed = json.loads((cloud.home / "deployment.json").read_text())["workspace"]
    folder = cloud.home / "loop"
    folder.mkdir(exist_ok=True)
    # As on a machine that has run it before: what Python compiles it keeps, whatever the environment says.
    compiled = {"PYTHONPYCACHEPREFIX": str(cloud.home / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    return (
        cloud.environment
        | compiled
        | {
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": deployed["region"],
            "AWS_ENDPOINT_URL": deployed["endpoint"],
            "BUCKET_NAME": deployed["bucket"],
            "PICTURES": str(folder),
        }
    )


def seconds(script: str, variables: dict[str, str], *arguments: object) -> float:
    """The duration that a script in a new process reports."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=variables, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout)


def main() -> None:
    """Report the times, and how often an existing image was paid for again."""
    options = parser(__doc__, runs=3).parse_args()
    results = Results("sweep", options.runs)
    sweeps, planned, second, paid_again, threads = [], [], [], [], []
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("faults", f"latency={LATENCY_S}")
        variables = environment(cloud)
        # The painter loads its libraries with the first picture, and Python compiles what is imported.
        seconds(SWEEP, variables, 1, 2)
        seconds(LOOP, variables, 1, 2, 2)
        for number in range(1, options.runs + 1):
            first = number * 1000
            sweeps.append(seconds(SWEEP, variables, first, PICTURES))
            before = cloud.stats()["images"]
            second.append(seconds(SWEEP, variables, first, PICTURES))
            paid_again.append(cloud.stats()["images"] - before)
            threads.append(seconds(LOOP, variables, first + 200, PICTURES, AT_A_TIME))
            planned.append(seconds(SWEEP, variables, first + 400, PICTURES, "planned"))
        # Once: it takes longer than all others together, and one call after the other leaves little to chance.
        loop = seconds(LOOP, variables, 600, PICTURES, 1)
    ratio = f"ratio to {IDEAL_S:g} s"
    results.add("sweep.ratio", f"sweep of {PICTURES}, {ratio}", [took / IDEAL_S for took in sweeps], budget=1.05)
    after_plan = [took / IDEAL_S for took in planned]
    results.add("sweep.after_plan", "the same after a plan, as in the notebook", after_plan, budget=1.05)
    results.add("again.seconds", "the same again, nothing new", second, "s", budget=1)
    results.add("again.paid", "paid again", paid_again, "pictures", budget=0)
    results.add("thread_pool.ratio", f"thread pool over boto3, {ratio}", [took / IDEAL_S for took in threads])
    results.add("loop.ratio", f"loop over boto3, {ratio}", loop / IDEAL_S)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
