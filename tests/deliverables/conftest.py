"""A deployed system's facts, a workspace in memory, and GitHub on a loopback port."""

from datetime import date
from types import SimpleNamespace

import pytest

from couch_explorers.deliverables.model import Alarm, Facts, Run
from tests.aws_fakes.services import Topics
from tests.aws_fakes.validated import checked

from .github_stand_in import StandIn, run, serve

TOPIC = "arn:aws:sns:eu-west-1:123456789012:couch-explorers-42-alarms"


@pytest.fixture
def github_runs():
    """Make a run as GitHub lists it."""
    return run


@pytest.fixture
def github():
    yield from serve(StandIn({"deploy_lambda.yml": [], "terraform_deploy.yml": []}))


@pytest.fixture
def system():
    """What a test breaks: the deployed alarms and the topic's subscriptions."""
    return SimpleNamespace(
        alarms=[
            {
                "AlarmName": "couch-explorers-42-dead-letters",
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Statistic": "Maximum",
                "Period": 60,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0.0,
                "AlarmActions": [TOPIC],
            },
            {
                "AlarmName": "couch-explorers-42-oldest-message-age",
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Statistic": "Maximum",
                "Period": 60,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 300.0,
                "AlarmActions": ["arn:aws:lambda:eu-west-1:123456789012:function:other", TOPIC],
            },
        ],
        subscriptions={
            TOPIC: [
                {"Endpoint": "operations@example.com", "SubscriptionArn": f"{TOPIC}:1"},
                {"Endpoint": "second@example.com", "SubscriptionArn": "PendingConfirmation"},
            ]
        },
        refusal=None,
    )


@pytest.fixture
def workspace(system):
    def describe_alarms(AlarmNames):  # noqa: N803 - boto3's argument
        if system.refusal:
            raise system.refusal
        return {"MetricAlarms": [alarm for alarm in system.alarms if alarm["AlarmName"] in AlarmNames]}

    clients = {
        "cloudwatch": checked("cloudwatch", SimpleNamespace(describe_alarms=describe_alarms)),
        "sns": checked("sns", Topics(system.subscriptions)),
    }
    return SimpleNamespace(
        target="aws",
        candidate="42",
        region="eu-west-1",
        api_url="https://abcde12345.execute-api.eu-west-1.amazonaws.com/prod/generate-image",
        queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs",
        alarms=tuple(alarm["AlarmName"] for alarm in system.alarms),
        endpoint=None,
        client=clients.__getitem__,
    )


@pytest.fixture
def facts():
    """Everything that a deployed copy can tell."""

    def address(number):
        return f"https://github.com/octocat/couch/actions/runs/{number}"

    return Facts(
        api_url="https://abcde12345.execute-api.eu-west-1.amazonaws.com/prod/generate-image",
        queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs",
        alarm=Alarm(
            "couch-explorers-42-oldest-message-age", "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 60,
            "GreaterThanThreshold", 300.0, "couch-explorers-42-alarms", confirmed=1, pending=0,
        ),
        lambda_run=Run(17, "main", date(2026, 11, 24), address(1)),
        terraform_run=Run(18, "main", date(2026, 11, 24), address(2)),
        plan_run=Run(19, "another-alarm", date(2026, 11, 23), address(3)),
        image="octocat/couch-explorers-client",
        target="aws",
        candidate="42",
        region="eu-west-1",
        read_on=date(2026, 11, 25),
    )  # fmt: skip
