"""What the deployed system tells for the list: its addresses, and the alarm on the age of the oldest job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import alarms
from couch_explorers.deliverables.facts import Alarm, Missing, Reason
from couch_explorers.oncall.errors import said

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace

# The metric that the task names. The alarm is found by what it watches, so that a new name does not lose it.
METRIC = ("AWS/SQS", "ApproximateAgeOfOldestMessage")


def api_url(workspace: Workspace) -> str | Missing:
    """The address that prompts are posted to."""
    on_aws = workspace.target == "aws"
    return workspace.api_url or Missing(Reason.API_NOT_ON_AWS if on_aws else Reason.API_NOT_LOCAL)


def queue_url(workspace: Workspace) -> str | Missing:
    """The address of the queue that takes jobs."""
    return workspace.queue_url or _no_queue(workspace)


def alarm(workspace: Workspace) -> Alarm | Missing:
    """Read the alarm on the oldest job's age as it is deployed, and count who hears it."""
    if workspace.queue_url is None:
        return _no_queue(workspace)
    right = "cloudwatch:DescribeAlarms"
    try:
        found = _watching_the_age(workspace)
        if found is None:
            return Missing(Reason.ALARM_MISSING)
        topic = next((arn for arn in found.get("AlarmActions", ()) if ":sns:" in arn), None)
        right = "sns:ListSubscriptionsByTopic"
        heard = alarms.subscriptions(workspace.client("sns"), topic) if topic else alarms.Subscriptions()
    except (ClientError, BotoCoreError) as error:
        return Missing(Reason.ALARM_UNREADABLE, {"why": said(error, right)})
    return Alarm(
        name=found["AlarmName"],
        namespace=found["Namespace"],
        metric=found["MetricName"],
        statistic=found["Statistic"],
        period_s=int(found["Period"]),
        operator=found["ComparisonOperator"],
        threshold=float(found["Threshold"]),
        topic=topic.rsplit(":", 1)[-1] if topic else None,
        confirmed=len(heard.confirmed),
        pending=len(heard.pending),
    )


def _watching_the_age(workspace: Workspace) -> dict[str, Any] | None:
    # Without names CloudWatch would give every alarm of the account.
    if not workspace.alarms:
        return None
    answer = workspace.client("cloudwatch").describe_alarms(AlarmNames=list(workspace.alarms))
    return next((a for a in answer["MetricAlarms"] if (a.get("Namespace"), a.get("MetricName")) == METRIC), None)


def _no_queue(workspace: Workspace) -> Missing:
    return Missing(Reason.QUEUE_NOT_ON_AWS if workspace.target == "aws" else Reason.QUEUE_NOT_LOCAL)
