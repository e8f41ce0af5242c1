"""Who hears an alarm: the subscriptions of its topic, and which of them their owners have confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What SNS gives in place of an ARN until the owner has clicked (SNS API reference, Subscription).
PENDING = "PendingConfirmation"
# What it gives for one that its owner has ended by the link in a mail, until SNS forgets it.
DELETED = "Deleted"


@dataclass(frozen=True)
class Subscriptions:
    """Addresses that a topic tells, and those that it will tell once their owners have confirmed."""

    confirmed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


NOBODY = Subscriptions()


def of_topic(sns: Any, topic_arn: str) -> Subscriptions:
    """Read a topic's subscriptions."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    listed = [(item["Endpoint"], item["SubscriptionArn"]) for page in pages for item in page["Subscriptions"]]
    return Subscriptions(
        confirmed=tuple(address for address, arn in listed if arn not in {PENDING, DELETED}),
        pending=tuple(address for address, arn in listed if arn == PENDING),
    )
