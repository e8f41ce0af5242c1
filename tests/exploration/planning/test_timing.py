from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from couch_explorers.exploration.planning import timing

MODEL, OTHER = "stability.stable-image-core-v1:1", "amazon.nova-canvas-v1:0"


def cache(*records):
    return SimpleNamespace(records=lambda: iter(records))


def workspace(mappings, **names):
    def list_event_source_mappings(**_arguments):
        if isinstance(mappings, Exception):
            raise mappings
        return {"EventSourceMappings": mappings}

    fake = SimpleNamespace(list_event_source_mappings=list_event_source_mappings)
    return SimpleNamespace(functions={"worker": "couch-worker"} | names, client=lambda _service: fake)


def test_a_picture_takes_the_median_of_those_that_were_timed():
    records = [{"model": MODEL, "seconds": seconds} for seconds in (2.0, 9.0, 4.0)]
    untimed = [{"model": MODEL}, {"model": MODEL, "seconds": None}, {"model": OTHER, "seconds": 99.0}, {}]

    assert timing.seconds_by_model(cache(*untimed, *records), [MODEL], "aws") == {MODEL: 4.0}


@pytest.mark.parametrize(("target", "seconds"), [("aws", 10.0), ("local", 1.0)])
def test_a_model_that_was_never_timed_takes_what_is_usual_on_its_target(target, seconds):
    assert timing.seconds_by_model(cache(), [MODEL], target) == {MODEL: seconds}


def test_this_process_asks_for_as_many_pictures_at_a_time_as_it_was_told():
    assert timing.at_a_time(workspace([]), 8, via="direct") == 8


def test_the_queue_makes_as_many_pictures_at_a_time_as_its_lambda_may():
    mappings = [{"UUID": "1"}, {"UUID": "2", "ScalingConfig": {"MaximumConcurrency": 5}}]

    assert timing.at_a_time(workspace(mappings), 8, via="queue") == 5


@pytest.mark.parametrize("answer", [[], ClientError({"Error": {"Code": "AccessDeniedException"}}, "List")])
def test_a_queue_whose_limit_is_not_told_is_taken_to_keep_pace(answer):
    assert timing.at_a_time(workspace(answer), 8, via="queue") == 8


def test_a_queue_without_a_known_worker_is_taken_to_keep_pace():
    assert timing.at_a_time(SimpleNamespace(functions={}), 8, via="queue") == 8


def test_the_expected_time_is_the_work_by_how_much_is_done_at_once_and_never_less_than_the_longest():
    assert timing.expected_s([1.0] * 64, 8) == 8.0
    assert timing.expected_s([1.0, 1.0, 12.0], 8) == 12.0
    assert timing.expected_s([], 8) == 0.0
