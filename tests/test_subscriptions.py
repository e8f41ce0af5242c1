from types import SimpleNamespace

from couch_explorers import subscriptions


def test_a_topics_subscriptions_are_told_apart_by_whether_their_owners_have_confirmed():
    pages = [
        {"Subscriptions": [{"Endpoint": "a@example.com", "SubscriptionArn": "arn:aws:sns:eu-west-1:1:topic:1"}]},
        {"Subscriptions": [{"Endpoint": "b@example.com", "SubscriptionArn": "PendingConfirmation"}]},
    ]
    sns = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda TopicArn: pages))  # noqa: N803

    found = subscriptions.of_topic(sns, "arn:aws:sns:eu-west-1:1:topic")

    assert found == subscriptions.Subscriptions(confirmed=("a@example.com",), pending=("b@example.com",))


def test_subscription_that_its_owner_ended_counts_as_nobody():
    pages = [{"Subscriptions": [{"Endpoint": "a@example.com", "SubscriptionArn": "Deleted"}]}]
    sns = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda TopicArn: pages))  # noqa: N803

    assert subscriptions.of_topic(sns, "arn:aws:sns:eu-west-1:1:topic") == subscriptions.NOBODY
