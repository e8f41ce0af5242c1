from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from couch_explorers.metrics import surroundings_functions
from couch_explorers.metrics.facts import WORKER
from tests.metrics.believable import NAMES
from tests.metrics.fake_aws import client_error, function


def read(aws):
    return surroundings_functions.read(aws.client("lambda"), WORKER, NAMES.worker)


def test_a_function_is_read_with_its_limits_its_change_and_its_commit(aws):
    aws.functions[NAMES.worker] = function(NAMES.worker, "2026-11-24T23:51:07.120+0000", commit="ab12cd3")

    found = read(aws)

    assert (found.timeout_s, found.memory_mb, found.commit) == (60.0, 512, "ab12cd3")
    assert found.updated == datetime(2026, 11, 24, 23, 51, 7, 120_000, tzinfo=UTC)


def test_a_function_without_tags_or_a_readable_time_is_read_all_the_same(aws):
    aws.functions[NAMES.worker] = function(NAMES.worker, "yesterday")

    found = read(aws)

    assert (found.updated, found.commit) == (None, "")


def test_a_function_that_is_not_there_is_none(aws):
    aws.functions.clear()

    assert read(aws) is None


def test_a_refusal_is_not_taken_for_absence(aws):
    aws.errors["GetFunction"] = client_error("AccessDeniedException", status=403)

    with pytest.raises(ClientError):
        read(aws)


@pytest.mark.parametrize(
    ("mappings", "bound"),
    [
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}], 8),
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}, {"ScalingConfig": {"MaximumConcurrency": 2}}], 10),
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}, {}], None),
        ([{"ScalingConfig": {}}], None),
        ([], None),
    ],
)
def test_the_workers_bound_is_that_of_its_mappings(aws, mappings, bound):
    aws.mappings = mappings

    assert surroundings_functions.maximum_concurrency(aws.client("lambda"), NAMES.worker) == bound
