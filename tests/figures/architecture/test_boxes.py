from dataclasses import replace

import pytest

from couch_explorers.figures.architecture import reading
from couch_explorers.figures.architecture.boxes import NBSP, boxes, rule
from couch_explorers.figures.architecture.deployed import AlarmRule, Queue, Topic


@pytest.fixture
def deployed(workspace):
    return reading.read(workspace)


def told(box):
    return " | ".join(box.lines).replace(NBSP, " ")


def test_settings_stand_in_the_box_of_their_part_with_their_units(deployed):
    listed = boxes(deployed)

    assert told(listed["gateway"]) == "stage prod | 5 requests/s, bursts of 10"
    assert told(listed["worker"]) == "time-out 60 s, 512 MB | python3.12, arm64 | batch size 1, at most 5 at once"
    assert told(listed["queue"]) == "visibility timeout 360 s | kept for 4 days"
    assert told(listed["dead_letters"]) == "kept for 14 days"
    assert told(listed["models"]) == "Amazon Bedrock in us-west-2 | and 1 more model"
    assert told(listed["email"]) == "1 confirmed subscriber"
    assert told(listed["bucket"]) == "42/<job id>.png"


def test_on_the_local_cloud_stand_in_and_inbox_are_named(deployed):
    listed = boxes(replace(deployed, target="local"))

    assert told(listed["models"]).startswith("local stand-in for Bedrock")
    assert "caught by couch emails" in told(listed["email"])


def test_a_part_that_is_not_deployed_says_so_under_the_name_that_it_would_have(deployed):
    box = boxes(replace(deployed, queue=None))["queue"]

    assert (box.deployed, box.name, box.lines) == (False, "couch-explorers-42-jobs", ("not deployed",))


def test_a_setting_that_is_not_known_is_told_as_such(deployed):
    box = boxes(replace(deployed, queue=Queue("jobs")))["queue"]

    assert (box.deployed, box.lines) == (True, ("settings not known",))


def test_a_subscriber_who_has_not_confirmed_is_told(deployed):
    box = boxes(replace(deployed, topic=Topic("alarms", 0, 1)))["email"]

    assert told(box) == "no confirmed subscriber | 1 not confirmed yet"


def test_the_notebooks_are_those_that_there_are(deployed):
    assert "metric_review" in told(boxes(deployed)["notebooks"])


@pytest.mark.parametrize(
    ("comparison", "metric", "told"),
    [
        ("GreaterThanThreshold", "ApproximateAgeOfOldestMessage", "Maximum of each minute > 300 s"),
        ("GreaterThanOrEqualToThreshold", "Errors", "Maximum of each minute \u2265 300"),
        ("LessThanLowerOrGreaterThanUpperThreshold", "Errors", "Maximum of each minute LessThanLowerOrGreaterThanUpperThreshold 300"),
    ],
)  # fmt: skip
def test_an_alarms_rule_is_told_with_its_unit(comparison, metric, told):
    assert rule(AlarmRule("any", metric, "Maximum", 60, comparison, 300.0)) == told
