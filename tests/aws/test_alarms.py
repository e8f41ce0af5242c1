from types import SimpleNamespace

import botocore.session
import pytest

from couch_explorers.aws import alarms
from couch_explorers.aws.alarms import COMPARISONS


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, ComparisonOperator
@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        ("GreaterThanThreshold", {6}),
        ("GreaterThanOrEqualToThreshold", {5, 6}),
        ("LessThanThreshold", {4}),
        ("LessThanOrEqualToThreshold", {4, 5}),
    ],
)
def test_a_value_lies_beyond_a_threshold_by_the_operators_name(name, beyond):
    assert {value for value in (4, 5, 6) if COMPARISONS[name].is_beyond(value, 5)} == beyond


def test_every_operator_of_cloudwatch_is_known_but_those_of_anomaly_bands():
    model = botocore.session.get_session().get_service_model("cloudwatch")
    operators = set(model.shape_for("ComparisonOperator").enum)

    assert {name for name in operators if "Lower" not in name and "Upper" not in name} == set(COMPARISONS)


def test_a_topics_subscriptions_are_told_apart_by_whether_their_owners_have_confirmed():
    pages = [
        {"Subscriptions": [{"Endpoint": "a@example.com", "SubscriptionArn": "arn:aws:sns:eu-west-1:1:topic:1"}]},
        {"Subscriptions": [{"Endpoint": "b@example.com", "SubscriptionArn": "PendingConfirmation"}]},
    ]
    sns = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda TopicArn: pages))  # noqa: N803

    found = alarms.subscriptions(sns, "arn:aws:sns:eu-west-1:1:topic")

    assert found == alarms.Subscriptions(confirmed=("a@example.com",), pending=("b@example.com",))


def test_subscription_that_its_owner_ended_counts_as_nobody():
    pages = [{"Subscriptions": [{"Endpoint": "a@example.com", "SubscriptionArn": "Deleted"}]}]
    sns = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda TopicArn: pages))  # noqa: N803

    assert alarms.subscriptions(sns, "arn:aws:sns:eu-west-1:1:topic") == alarms.Subscriptions()
