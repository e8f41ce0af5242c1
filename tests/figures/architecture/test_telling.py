from dataclasses import replace

import pytest

from couch_explorers.figures.architecture import reading, telling


@pytest.fixture
def deployed(workspace):
    return reading.read(workspace)


def test_the_sentence_says_both_ways_and_what_becomes_of_a_failure(deployed):
    assert telling.sentence(deployed) == (
        "A prompt comes by the API couch-explorers-42-api, answered within 28 s; or as a message on the queue "
        "couch-explorers-42-jobs, of which at most 5 are painted at once; what cannot succeed, or was received 10 times, "
        "lies among the dead letters; 2 alarms tell 1 confirmed subscriber."
    )
    assert telling.missing(deployed) == ""


def test_a_queue_that_is_not_deployed_is_told_with_what_deploys_it(deployed):
    bare = replace(deployed, queue=None, dead_letters=None, worker=None, mapping=None, alarms=(), topic=None)

    assert telling.missing(bare).startswith("The queue is not deployed: run `terraform apply`")
    assert "queue" not in telling.sentence(bare)


def test_a_single_part_that_is_gone_is_named(deployed):
    said = telling.missing(replace(deployed, dead_letters=None))

    assert said.startswith(
        "Missing, though other parts of the queue are there: SQS dead letters. To bring it back, run"
    )


def test_a_queue_that_nobody_empties_is_told(deployed):
    assert "no event source mapping" in telling.missing(replace(deployed, mapping=None))


def test_a_queue_that_gives_nothing_up_and_a_deaf_alarm_are_told(deployed):
    first, *others = deployed.alarms
    loose = replace(
        deployed, queue=replace(deployed.queue, max_receives=None), alarms=(replace(first, is_wired=False), *others)
    )

    assert telling.missing(loose) == (
        "Nothing is ever given up on: the queue has no redrive policy. Wired to no topic, or switched off: dead-letters."
    )


def test_a_bucket_that_is_not_there_is_told(deployed):
    assert telling.missing(replace(deployed, bucket=None)) == "There is no bucket pictures."


def test_where_nothing_is_deployed_there_is_nothing_else_to_say(deployed):
    parts = ("gateway", "api_function", "queue", "dead_letters", "worker", "topic")

    assert telling.sentence(replace(deployed, alarms=(), **dict.fromkeys(parts))) == "Nothing is deployed."


def test_the_alternative_text_names_every_box_with_its_settings(deployed):
    told = telling.alternative(deployed)

    assert "SQS queue: couch-explorers-42-jobs, " in told
    assert "CloudWatch alarms: dead-letters: Maximum of each minute > 0" in told
    assert "not deployed" not in told


def test_alarms_that_could_not_be_read_are_not_told_to_be_missing(deployed):
    assert "CloudWatch alarms: settings not known" in telling.alternative(replace(deployed, alarms=None))
