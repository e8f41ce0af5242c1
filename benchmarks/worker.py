"""Measure the worker: its time above the model's own when warm, and its cold start against a bare boto3 with two clients."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from own_cloud import ROOT, OwnCloud, own_cloud
from results import Results, parser

BARE = "import boto3; s = boto3.session.Session(region_name='eu-west-1'); s.client('s3'); s.client('bedrock-runtime', region_name='us-west-2')"
WARM_UP, LATENCY_S = 3, 0.3

# Runs beside the staged handler, as Lambda would: one process, one event after the other.
WARM = """
import json, sys, time, types, lambda_sqs
context = types.SimpleNamespace(function_name="worker", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="r",
                                get_remaining_time_in_millis=lambda: 60000)
for number in range(int(sys.argv[1])):
    sent = str(round(time.time() * 1000))
    record = {"messageId": f"m{number}", "receiptHandle": "h", "body": json.dumps({"id": f"bench-{time.time_ns()}", "prompt": "A fjord"}),
              "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": sent, "ApproximateFirstReceiveTimestamp": sent},
              "messageAttributes": {}, "eventSource": "aws:sqs"}
    start = time.time()
    failed = lambda_sqs.lambda_handler({"Records": [record]}, context)["batchItemFailures"]
    sys.stderr.write(json.dumps({"start": start, "end": time.time(), "failed": bool(failed)}) + "\\n")
"""


def environment(cloud: OwnCloud, stage: Path) -> dict[str, str]:
    """The environment of the deployed worker, with the staged package as its only code of ours."""
    deployed = json.loads((cloud.home / "deployment.json").read_text())["workspace"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_"))}
    return clean | {
        "PYTHONPATH": str(stage),
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": deployed["region"],
        "AWS_DEFAULT_REGION": deployed["region"],
        "AWS_ENDPOINT_URL": deployed["endpoint"],
        "BUCKET_NAME": deployed["bucket"],
        "CANDIDATE": deployed["candidate"],
        "MODEL_ARNS": ",".join(deployed["model_arns"]),
        "QUEUE_URL": deployed["queue_url"],
        "DEAD_LETTER_URL": deployed["dead_letter_url"],
        "MAX_RECEIVE_COUNT": "10",
        "FUNCTION_TIMEOUT_S": "60",
        "OBJECTIVE_S": "60",
        "OBJECTIVE_PERCENT": "95",
        "POWERTOOLS_SERVICE_NAME": "benchmark",
        "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
    }


def seconds(script: str, variables: dict[str, str]) -> float:
    """The wall time of a Python process that runs a script, in seconds."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], env=variables, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Report both figures."""
    options = parser(__doc__, runs=20).parse_args()
    results = Results("worker", options.runs)
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("faults", f"latency={LATENCY_S}")
        stage = cloud.home / "stage"
        staging = [sys.executable, ROOT / "tools" / "stage_lambda.py", "lambda_code", stage]
        subprocess.run(staging, check=True, stdout=subprocess.DEVNULL)
        # Lambda compiles nothing at a cold start either: it keeps what the first import of an instance compiled.
        subprocess.run([sys.executable, "-m", "compileall", "-q", stage], check=True)
        variables = environment(cloud, stage)

        cold = [(seconds("import lambda_sqs", variables), seconds(BARE, variables)) for _ in range(options.runs)]

        serving = [sys.executable, "-c", WARM, str(options.runs + WARM_UP)]
        done = subprocess.run(serving, env=variables, check=True, capture_output=True, text=True)
        served = [json.loads(entry) for entry in done.stderr.splitlines() if entry.startswith('{"start"')][WARM_UP:]
        calls = [json.loads(entry) for entry in (cloud.home / "requests.jsonl").read_text().splitlines()]
        invocations = [call for call in calls if call["path"].endswith("/invoke")]
        above = []
        for job in served:
            model = sum(
                call["end"] - call["start"] for call in invocations if job["start"] <= call["start"] <= job["end"]
            )
            above.append((job["end"] - job["start"] - model) * 1000)
    if any(job["failed"] for job in served):
        sys.exit(f"The worker failed on a job, so there is nothing to measure:\n{done.stdout}")
    results.add("warm.above_model", "warm, above the model's own time", above, "ms", budget=50)
    results.add("cold.worker", "cold start", [worker for worker, _ in cold], "s")
    results.add("cold.bare_boto3", "bare boto3 and two clients", [bare for _, bare in cold], "s")
    ratios = [worker / bare for worker, bare in cold]
    results.add("cold.ratio", "cold start, ratio pair by pair", ratios, budget=1.25)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
