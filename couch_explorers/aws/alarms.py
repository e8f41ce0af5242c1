"""CloudWatch alarms as they are deployed: their comparison operators, and the subscriptions that they notify."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Comparison(NamedTuple):
    """A comparison with a threshold, its sign and its wording."""

    is_beyond: Callable[[float, float], bool]
    sign: str
    words: str


# CloudWatch's ComparisonOperator: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html.
# Those of anomaly detection bands, which have no threshold, are not among them.
GREATER = "GreaterThanThreshold"
COMPARISONS: Mapping[str, Comparison] = {
    "GreaterThanOrEqualToThreshold": Comparison(operator.ge, "\u2265", "greater than or equal to"),
    GREATER: Comparison(operator.gt, ">", "greater than"),
    "LessThanOrEqualToThreshold": Comparison(operator.le, "\u2264", "less than or equal to"),
    "LessThanThreshold": Comparison(operator.lt, "<", "less than"),
}

# What SNS returns in place of an ARN until the owner has confirmed (SNS API reference, Subscription).
PENDING = "PendingConfirmation"
# What it gives for one that its owner has ended by the link in an e-mail, until SNS forgets it.
DELETED = "Deleted"


@dataclass(frozen=True)
class Subscriptions:
    """The addresses that a topic notifies, and those that it will notify once their owners have confirmed."""

    confirmed: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


def subscriptions(sns: Any, topic_arn: str) -> Subscriptions:
    """Read a topic's subscriptions.

    Raises:
        ClientError: the caller may not list them, or there is no such topic.
        BotoCoreError: SNS cannot be reached.

    """
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    listed = [(item["Endpoint"], item["SubscriptionArn"]) for page in pages for item in page["Subscriptions"]]
    return Subscriptions(
        confirmed=tuple(address for address, arn in listed if arn not in {PENDING, DELETED}),
        pending=tuple(address for address, arn in listed if arn == PENDING),
    )
