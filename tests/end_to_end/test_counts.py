"""What the local cloud counts is what happened: each invocation once, whichever of the three ways it came.

"Types of metrics for Lambda functions": https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.waiting import wait_until

from .test_api import post

EVENTS = Path(__file__).parents[1] / "events"
# No two sums of these are the same: a wrong count tells what was left out.
JOBS, API_CALLS, DIRECT_TO_API, DIRECT_TO_WORKER = 12, 6, 3, 2
A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def counted(workspace):
    """Give the function that reads how often worker and API function ran, and failed, since the minute in which this began."""
    cloudwatch = workspace.client("cloudwatch")
    begin = datetime.now(UTC).replace(second=0, microsecond=0)

    def total(metric, function):
        asked = {
            "Namespace": "AWS/Lambda",
            "MetricName": metric,
            "Dimensions": [{"Name": "FunctionName", "Value": function}],
        }
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "sums", "MetricStat": {"Metric": asked, "Period": 60, "Stat": "Sum"}}],
            StartTime=begin,
            EndTime=datetime.now(UTC) + A_MINUTE,
        )
        return sum(answer["MetricDataResults"][0]["Values"])

    def read():
        return {
            (metric, part): total(metric, workspace.functions[part])
            for metric in ("Invocations", "Errors")
            for part in ("worker", "api")
        }

    return read


@pytest.fixture
def at_rest(workspace):
    """Give the function that waits until no job waits for the worker, nor is in its hands."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty():
        asked = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=names)
        return all(asked["Attributes"][name] == "0" for name in names)

    return lambda: wait_until(is_empty, within_s=120, what="an empty queue")


@pytest.fixture
def happened(local_cloud, workspace, keys, counted, at_rest):
    """Jobs, requests and direct calls, all at the same time; what was counted before them, and after."""
    functions, run = workspace.client("lambda"), uuid.uuid4().hex[:8]
    at_rest()
    before = counted()
    small = {"prompt": "A fjord", "size": "512x512"}
    request = json.loads((EVENTS / "api_gateway_rest_proxy.json").read_text(encoding="utf-8"))
    batch = json.loads((EVENTS / "sqs_batch.json").read_text(encoding="utf-8"))
    batch["Records"] = [batch["Records"][0] | {"body": json.dumps(small)}]

    def invoke(part, event):
        answer = functions.invoke(FunctionName=workspace.functions[part], Payload=json.dumps(event))
        assert "FunctionError" not in answer

    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(local_cloud.send, workspace, id=f"count-{run}-{number}", size="512x512")
            for number in range(JOBS)
        ]
        asked += [pool.submit(post, workspace.api_url, json.dumps(small), "application/json") for _ in range(API_CALLS)]
        asked += [pool.submit(invoke, "api", request | {"body": json.dumps(small)}) for _ in range(DIRECT_TO_API)]
        asked += [pool.submit(invoke, "worker", batch) for _ in range(DIRECT_TO_WORKER)]
    for each in asked:
        each.result()
    wait_until(lambda: len(keys(f"count-{run}-")) == JOBS, within_s=120, what="a picture of each job")
    at_rest()
    return SimpleNamespace(before=before, counted=counted)


def test_each_invocation_is_counted_once_whether_it_came_from_the_queue_the_api_or_directly(happened):
    expected = {
        ("Invocations", "worker"): JOBS + DIRECT_TO_WORKER,
        ("Invocations", "api"): API_CALLS + DIRECT_TO_API,
        ("Errors", "worker"): 0,
        ("Errors", "api"): 0,
    }

    def since():
        return {name: number - happened.before[name] for name, number in happened.counted().items()}

    # A function is measured when it has ended, a moment after its picture is there.
    wait_until(
        lambda: all(since()[name] >= number for name, number in expected.items()), what="every invocation counted"
    )
    assert since() == expected
