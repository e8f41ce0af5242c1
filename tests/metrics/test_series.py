import pytest

from couch_explorers.core.errors import client_reasons
from couch_explorers.metrics import series
from couch_explorers.metrics.model import API, API_FUNCTION, DEAD_LETTERS, QUEUE, WORKER
from tests.aws_fakes.monitored import workspace_of
from tests.metrics.believable import CORE, NAMES


def built(**changes):
    arguments = {"period_s": 60, "percentile_period_s": 3600} | changes
    return {line.key: line for line in series.build(NAMES, **arguments)}


# One test a namespace, each by the page on which AWS lists its metrics, dimensions and statistics.


def test_queues_are_asked_for_by_queue_name_and_ages_for_their_maximum():
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    found = {key: line for key, line in built().items() if line.namespace == "AWS/SQS"}

    assert set(found) == {
        series.VISIBLE, series.IN_FLIGHT, series.SENT, series.DELETED, series.AGE, series.DEAD_LETTERS_VISIBLE,
    }  # fmt: skip
    assert found[series.AGE].cloudwatch_metric == "ApproximateAgeOfOldestMessage"
    assert (found[series.AGE].statistic, found[series.AGE].unit) == ("Maximum", "Seconds")
    assert found[series.AGE].dimensions == (("QueueName", "couch-explorers-42-jobs"),)
    assert found[series.DEAD_LETTERS_VISIBLE].dimensions == (("QueueName", "couch-explorers-42-jobs-dead-letter"),)


@pytest.mark.parametrize(
    ("resource", "name"),
    [(WORKER, "couch-explorers-42-worker"), (API_FUNCTION, "couch-explorers-42-generate-image")],
)
def test_functions_are_asked_for_by_function_name_with_percentiles_of_their_durations(resource, name):
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    found = [line for line in built().values() if (line.namespace, line.resource) == ("AWS/Lambda", resource)]

    assert {(line.cloudwatch_metric, line.statistic) for line in found} == {
        ("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("ConcurrentExecutions", "Maximum"),
        ("Duration", "Average"), ("Duration", "p50"), ("Duration", "p95"), ("Duration", "p99"), ("Duration", "Maximum"),
    }  # fmt: skip
    assert {line.dimensions for line in found} == {(("FunctionName", name),)}


def test_the_api_is_asked_for_by_api_name():
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    found = [line for line in built().values() if line.resource == API]

    assert {(line.cloudwatch_metric, line.statistic) for line in found} == {
        ("Count", "Sum"), ("4XXError", "Sum"), ("5XXError", "Sum"), ("Latency", "p50"), ("Latency", "p95"),
    }  # fmt: skip
    assert {(line.namespace, line.dimensions) for line in found} == {
        ("AWS/ApiGateway", (("ApiName", "couch-explorers-42-api"),))
    }


def test_failed_jobs_are_asked_for_in_total_and_by_each_reason():
    found = built(reasons=["Throttled", "ContentFiltered"])

    assert found[series.FAILED_JOBS].dimensions == (("service", "couch-explorers-42-worker"),)
    by_reason = found[series.failed_jobs("Throttled")]
    assert by_reason.key == (WORKER, "FailedJobs Throttled", "Sum")
    assert by_reason.cloudwatch_metric == "FailedJobs"
    assert by_reason.dimensions == (("reason", "Throttled"), ("service", "couch-explorers-42-worker"))
    assert series.failed_jobs() == series.FAILED_JOBS


def test_pictures_are_asked_for_by_each_functions_models():
    found = built(models={API_FUNCTION: [CORE]})

    assert found[series.pictures(API_FUNCTION, CORE)].dimensions == (
        ("model", CORE),
        ("service", "couch-explorers-42-generate-image"),
    )
    assert series.pictures(WORKER) in found
    assert series.pictures(WORKER, CORE) not in found


def test_percentiles_have_a_longer_period_of_their_own():
    found = built()

    assert found[series.duration(WORKER, "p95")].period_s == found[series.api_latency("p50")].period_s == 3600
    assert found[series.duration(WORKER, "Maximum")].period_s == found[series.AGE].period_s == 60


def test_no_two_series_have_the_same_key():
    lines = series.build(NAMES, period_s=60, percentile_period_s=3600, reasons=["A"], models={WORKER: ["m"]})

    assert len({line.key for line in lines}) == len(lines)


def test_facts_tell_which_reasons_and_models_were_asked_for(frame_of):
    facts = frame_of(reasons=("Throttled", "Conflict"), models=("b", "a")).context

    # Beside those that are the client's, which are always asked for.
    assert series.reasons(facts) == tuple(sorted({"Throttled", *client_reasons()}))
    assert series.models(facts, WORKER) == ("a", "b")


def test_names_come_from_the_workspace(workspace):
    names = series.Names.of(workspace)

    assert names.queue == "couch-explorers-42-jobs"
    assert names.deployed == {QUEUE, DEAD_LETTERS, WORKER, API, API_FUNCTION}


def test_what_is_not_deployed_has_a_name_all_the_same(aws):
    workspace = workspace_of(aws, queue_url=None, dead_letter_url=None, functions={"api": "my-function"})

    names = series.Names.of(workspace)

    assert names.deployed == {API, API_FUNCTION}
    assert (names.dead_letters, names.worker) == ("couch-explorers-42-jobs-dead-letter", "couch-explorers-42-worker")
    assert names.api_function == "my-function"


def test_the_local_historys_marks_are_asked_for_by_candidate():
    marks = series.synthetic_marks(NAMES, 60)

    assert [(mark.namespace, mark.cloudwatch_metric) for mark in marks] == [
        ("CouchExplorers/Local", "SyntheticHistory"),
        ("CouchExplorers/Local", "SyntheticDeploy"),
    ]
    assert {mark.dimensions for mark in marks} == {(("candidate", "42"),)}
