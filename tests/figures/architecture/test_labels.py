from dataclasses import replace

import pytest

from couch_explorers.figures.architecture import deployment, labels
from couch_explorers.figures.architecture.deployment import AlarmRule, Queue, Topic
from couch_explorers.figures.architecture.labels import NBSP, boxes, rule
from tests.wording import numbers


@pytest.fixture
def deployed(workspace):
    return deployment.read(workspace)


def text_of(box):
    return " | ".join(box.lines).replace(NBSP, " ")


def test_settings_stand_in_the_box_of_their_part_with_their_units(deployed):
    listed = boxes(deployed)

    assert text_of(listed["gateway"]) == "stage prod | 5 requests/s, bursts of 10"
    assert text_of(listed["worker"]) == "time-out 60 s, 512 MB | python3.12, arm64 | batch size 1, at most 5 at once"
    assert text_of(listed["queue"]) == "visibility timeout 360 s | kept for 4 days"
    assert text_of(listed["dead_letters"]) == "kept for 14 days"
    assert text_of(listed["models"]) == "Amazon Bedrock in us-west-2 | and 1 more model"
    assert text_of(listed["email"]) == "1 confirmed subscriber"
    assert text_of(listed["bucket"]) == "42/<job id>.png"


def test_on_the_local_cloud_stand_in_and_inbox_are_named(deployed):
    listed = boxes(replace(deployed, target="local"))

    assert text_of(listed["models"]).startswith("local stand-in for Bedrock")
    assert "caught by couch emails" in text_of(listed["email"])


def test_a_part_that_is_not_deployed_says_so_under_the_name_that_it_would_have(deployed):
    box = boxes(replace(deployed, queue=None))["queue"]

    assert (box.deployed, box.name, box.lines) == (False, "couch-explorers-42-jobs", ("not deployed",))


def test_a_setting_that_is_not_known_is_shown_as_such(deployed):
    box = boxes(replace(deployed, queue=Queue("jobs")))["queue"]

    assert (box.deployed, box.lines) == (True, ("settings not known",))


def test_a_subscriber_who_has_not_confirmed_is_shown(deployed):
    box = boxes(replace(deployed, topic=Topic("alarms", 0, 1)))["email"]

    assert text_of(box) == "no confirmed subscriber | 1 not confirmed yet"


def test_the_notebooks_are_those_that_there_are(deployed):
    assert "metric_review" in text_of(boxes(deployed)["notebooks"])


@pytest.mark.parametrize(
    ("comparison", "metric", "expected"),
    [
        ("GreaterThanThreshold", "ApproximateAgeOfOldestMessage", "Maximum of each minute > 300 s"),
        ("GreaterThanThreshold", "TimeToPicture", "Maximum of each minute > 0.3 s"),
        ("GreaterThanOrEqualToThreshold", "Errors", "Maximum of each minute \u2265 300"),
        ("LessThanLowerOrGreaterThanUpperThreshold", "Errors", "Maximum of each minute LessThanLowerOrGreaterThanUpperThreshold 300"),
    ],
)  # fmt: skip
def test_an_alarms_rule_is_shown_with_its_unit(comparison, metric, expected):
    assert rule(AlarmRule("any", metric, "Maximum", 60, comparison, 300.0)) == expected


def test_the_sentence_says_both_ways_and_what_becomes_of_a_failure(deployed, snapshot):
    sentence = labels.sentence(deployed)
    assert sentence == snapshot
    assert numbers(sentence) == ["28", "5", "10", "2", "1"]
    assert labels.missing(deployed) == ""


def test_a_queue_that_is_not_deployed_is_reported_with_what_deploys_it(deployed):
    bare = replace(deployed, queue=None, dead_letters=None, worker=None, mapping=None, alarms=(), topic=None)

    assert labels.missing(bare).startswith("The queue is not deployed: run `terraform apply`")
    assert "queue" not in labels.sentence(bare)


def test_a_single_part_that_is_gone_is_named(deployed):
    sentence = labels.missing(replace(deployed, dead_letters=None))

    assert sentence.startswith("Missing, though other parts of the queue are there: SQS DLQ. To bring it back, run")


def test_a_queue_that_nobody_empties_is_reported(deployed):
    assert "no event source mapping" in labels.missing(replace(deployed, mapping=None))


def test_a_queue_that_gives_nothing_up_and_a_deaf_alarm_are_reported(deployed, snapshot):
    first, *others = deployed.alarms
    loose = replace(
        deployed, queue=replace(deployed.queue, max_receives=None), alarms=(replace(first, is_wired=False), *others)
    )

    assert labels.missing(loose) == snapshot


def test_a_bucket_that_is_not_there_is_reported(deployed):
    assert labels.missing(replace(deployed, bucket=None)) == "There is no bucket pictures."


def test_where_nothing_is_deployed_there_is_nothing_else_to_say(deployed):
    parts = ("gateway", "api_function", "queue", "dead_letters", "worker", "topic")

    assert labels.sentence(replace(deployed, alarms=(), **dict.fromkeys(parts))) == "Nothing is deployed."


def test_the_alternative_text_names_every_box_with_its_settings(deployed):
    text = labels.alternative(deployed)

    assert "SQS queue: couch-explorers-42-jobs, " in text
    assert "CloudWatch alarms: dead-letters: Maximum of each minute > 0" in text
    assert "not deployed" not in text


def test_alarms_that_could_not_be_read_are_not_reported_as_missing(deployed):
    assert "CloudWatch alarms: settings not known" in labels.alternative(replace(deployed, alarms=None))
