"""What the functions' runtime tells becomes metrics."""

from dataclasses import replace

import pytest

from couch_explorers.aws import REGION
from couch_explorers.local.engine.lambda_runtime.observers import InvocationRecord
from couch_explorers.local.engine.telemetry.lambda_ import FunctionMeter
from couch_explorers.local.settings import ACCOUNT_ID
from couch_explorers.local.telemetry import lambda_
from couch_explorers.local.telemetry.lambda_ import Concurrency

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:worker"
RECORD = InvocationRecord(
    "worker", f"{ARN}:$LATEST", "$LATEST", None, ACCOUNT_ID, "eu-north-1", "1", "invoke", 1_795_608_000.5, "ok", duration_ms=12.5
)  # fmt: skip


@pytest.fixture
def concurrency(clock):
    return Concurrency(clock)


@pytest.fixture
def meter(noted, concurrency):
    return FunctionMeter(noted, concurrency)


@pytest.mark.parametrize(("outcome", "errors"), [("ok", 0), ("error", 1), ("timeout", 1)])
def test_invocation_counts_with_its_outcome_at_its_start(meter, noted, outcome, errors):
    meter.invoked(replace(RECORD, outcome=outcome))

    assert noted.values("Invocations", FunctionName="worker") == [1]
    assert noted.values("Errors", FunctionName="worker") == [errors]
    assert noted.values("Duration", FunctionName="worker", Resource="worker") == [12.5]
    assert {sample.time_s for sample in noted.samples} == {RECORD.started_at}
    assert set(noted.regions) == {"eu-north-1"}


def test_alias_is_a_resource_of_its_own(meter, noted):
    meter.invoked(replace(RECORD, qualifier="live"))

    assert noted.values("Invocations", FunctionName="worker", Resource="worker:live") == [1]


def test_refused_invocation_is_a_throttle_only(meter, noted):
    meter.invoked(replace(RECORD, outcome="throttle"))

    assert noted.values("Throttles", FunctionName="worker") == [1]
    assert {sample.metric for sample in noted.samples} == {"Throttles"}


def test_most_that_ran_at_once_is_known_by_function_and_for_the_account(meter, noted, concurrency, clock):
    other = ARN.replace("worker", "other")
    for arn in (ARN, ARN, other):
        meter.began(arn)
    for arn in (ARN, ARN, other):
        meter.ended(arn)
    clock.passes(60)

    lambda_.publish_concurrency(noted, concurrency)

    assert noted.values("ConcurrentExecutions", FunctionName="worker") == [2]
    assert noted.values("ConcurrentExecutions") == [3]
