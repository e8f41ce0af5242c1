"""ListMetrics by https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html."""

from datetime import UTC, datetime

import pytest

from couch_explorers.core import errors
from couch_explorers.metrics import labels
from couch_explorers.metrics.errors import MetricsError
from couch_explorers.metrics.facts import API_FUNCTION, WORKER
from couch_explorers.metrics.series import Names
from tests.metrics.fake_aws import client_error, workspace_of

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORKER_SERVICE, API_SERVICE = {"service": "couch-explorers-42-worker"}, {"service": "couch-explorers-42-generate-image"}


def find(aws, model_arns=(), **changes):
    return labels.find(aws.client("cloudwatch"), Names.of(workspace_of(aws, **changes)), model_arns)


def put(aws, metric, dimensions):
    aws.put_metric("CouchExplorers", metric, dimensions, "Sum", {NOON: 1})


def test_only_metrics_with_just_the_service_and_the_label_count(aws):
    put(aws, "FailedJobs", WORKER_SERVICE)
    put(aws, "FailedJobs", WORKER_SERVICE | {"reason": "Throttled"})
    put(aws, "FailedJobs", WORKER_SERVICE | {"reason": "Other", "region": "x"})
    put(aws, "PostponedJobs", WORKER_SERVICE | {"reason": "ModelTimeout"})
    put(aws, "PicturesMade", WORKER_SERVICE | {"model": "a"})
    put(aws, "PicturesMade", API_SERVICE | {"model": "b"})
    put(aws, "FailedJobs", {"service": "couch-explorers-43-worker", "reason": "AnotherCandidates"})

    found = find(aws)

    assert found.reasons == {"Throttled"}
    assert found.models == {WORKER: {"a"}, API_FUNCTION: {"b"}}
    assert found.unanswered == {}


def test_a_function_that_is_not_deployed_is_not_asked_for(aws):
    find(aws, functions={"api": API_SERVICE["service"]})

    assert [call["Dimensions"][0]["Value"] for call in aws.calls("ListMetrics")] == [API_SERVICE["service"]]


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_without_a_list_everything_known_is_asked_for_and_that_is_told(aws, code):
    aws.errors["ListMetrics"] = client_error(code, operation="ListMetrics")

    found = find(aws, ["arn:aws:bedrock:us-west-2::foundation-model/stability.sd3-5-large-v1:0"])

    assert found.models[WORKER] == {"stability.sd3-5-large-v1:0"}
    assert found.reasons == labels.known_reasons()
    assert found.unanswered["cloudwatch:ListMetrics"].endswith("All that are known are asked for instead.")


def test_the_known_reasons_are_those_of_every_failure_and_of_the_one_nobody_foresaw():
    assert {errors.BlockedError.reason, errors.StorageError.reason, "Unexpected"} <= labels.known_reasons()
    assert errors.GenerationError.reason not in labels.known_reasons()


def test_credentials_that_nobody_knows_end_the_fetch_at_once(aws):
    aws.errors["ListMetrics"] = client_error(
        "InvalidClientTokenId", "The security token is invalid.", "ListMetrics", 403
    )

    with pytest.raises(MetricsError, match=r"refused ListMetrics \(InvalidClientTokenId\)"):
        find(aws)
