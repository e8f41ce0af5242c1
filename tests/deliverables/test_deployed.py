import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from couch_explorers.deliverables import deployed
from couch_explorers.deliverables.facts import Missing, Reason


def test_the_addresses_are_the_workspaces(workspace):
    assert deployed.api_url(workspace) == workspace.api_url
    assert deployed.queue_url(workspace) == workspace.queue_url


@pytest.mark.parametrize(
    ("target", "api", "queue"),
    [
        ("aws", Reason.API_NOT_ON_AWS, Reason.QUEUE_NOT_ON_AWS),
        ("local", Reason.API_NOT_LOCAL, Reason.QUEUE_NOT_LOCAL),
    ],
)
def test_what_is_not_deployed_is_missing_for_its_targets_reason(workspace, target, api, queue):
    workspace.target, workspace.api_url, workspace.queue_url = target, None, None

    assert deployed.api_url(workspace) == Missing(api)
    assert deployed.queue_url(workspace) == Missing(queue)
    assert deployed.alarm(workspace) == Missing(queue)


def test_the_alarm_is_found_by_what_it_watches_and_told_as_it_is_deployed(workspace, system):
    system.alarms[1] |= {"AlarmName": system.alarms[0]["AlarmName"], "Threshold": 240.5, "Period": 120}
    system.alarms[0]["AlarmName"] = "couch-explorers-42-oldest-message-age"

    found = deployed.alarm(workspace)

    assert (found.name, found.metric) == ("couch-explorers-42-dead-letters", "ApproximateAgeOfOldestMessage")
    assert (found.statistic, found.period_s, found.operator, found.threshold) == (
        "Maximum", 120, "GreaterThanThreshold", 240.5,
    )  # fmt: skip


def test_who_hears_the_alarm_is_counted_not_named(workspace):
    found = deployed.alarm(workspace)

    assert (found.topic, found.confirmed, found.pending) == ("couch-explorers-42-alarms", 1, 1)
    assert "example.com" not in repr(found)


def test_an_alarm_without_a_topic_tells_nobody(workspace, system):
    system.alarms[1]["AlarmActions"] = []

    found = deployed.alarm(workspace)

    assert (found.topic, found.confirmed, found.pending) == (None, 0, 0)


def test_a_queue_without_an_alarm_on_its_age_is_told_as_such(workspace, system):
    del system.alarms[1]

    assert deployed.alarm(workspace) == Missing(Reason.ALARM_MISSING)


def test_no_alarm_at_all_is_never_a_question_for_all_of_the_account(workspace, system):
    workspace.alarms = ()
    system.refusal = AssertionError("asked")

    assert deployed.alarm(workspace) == Missing(Reason.ALARM_MISSING)


def test_a_right_that_is_missing_is_told_by_its_name(workspace, system):
    system.refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")

    found = deployed.alarm(workspace)

    assert found == Missing(Reason.ALARM_UNREADABLE, {"why": "no right to do it: allow cloudwatch:DescribeAlarms"})


def test_an_alarm_that_cannot_be_asked_for_is_told_with_the_cause(workspace, system):
    system.refusal = EndpointConnectionError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com")

    assert "could not be reached" in deployed.alarm(workspace).details["why"]
