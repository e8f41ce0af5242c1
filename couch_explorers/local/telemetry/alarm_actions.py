"""What an alarm does when its state changes: it tells its topics, if their policies let CloudWatch publish.

MiniStack publishes whatever the policy says, and its message lacks the alarm's ARN and actions. Actions:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
"""

from __future__ import annotations

import logging
from typing import Any

from couch_explorers.local.cloudwatch import alarm_notifications
from couch_explorers.local.telemetry import alarm_history

logger = logging.getLogger("couch.local")

Alarm = dict[str, Any]

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def dispatch(alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
    """Take the actions of the state that an alarm has gone into; one that fails does not stop the others.

    Only topics are told: other actions are stored, and not taken. Account and region are those of this context.
    """
    from ministack.core.responses import (  # noqa: PLC0415 - reads its settings from the environment on import
        get_account_id,
        get_region,
    )
    from ministack.services import cloudwatch  # noqa: PLC0415 - likewise

    if not alarm.get("ActionsEnabled", True):
        return
    account, region = get_account_id(), get_region()
    topics = [each for each in alarm.get(ACTIONS.get(new_state, "")) or () if cloudwatch._is_sns_action_arn(each)]  # noqa: SLF001 - no public seam
    if not topics:
        return
    subject = alarm_notifications.subject(alarm, new_state, region)
    message = alarm_notifications.notification(alarm, old_state, new_state, reason, account=account, region=region)
    for topic in topics:
        try:
            refused = _publish(topic, subject, message, alarm["AlarmArn"], account)
        except Exception as error:
            logger.exception("The alarm %s could not tell %s", alarm["AlarmName"], topic)
            refused = f"Received error: {error}"
        if refused:
            logger.warning("The alarm %s did not tell %s: %s", alarm["AlarmName"], topic, refused)
        alarm_history.append(
            alarm_history.action(
                alarm["AlarmName"],
                "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm",
                time_s=alarm["StateUpdatedTimestamp"],
                resource=topic,
                refused=refused,
            )
        )


def _publish(topic: str, subject: str, message: str, alarm_arn: str, account: str) -> str:
    """Publish to a topic; say why not, where it is not there or its policy does not let CloudWatch in."""
    from ministack.core.responses import new_uuid  # noqa: PLC0415 - see above
    from ministack.services import sns  # noqa: PLC0415 - see above

    if sns._topic_by_arn_any_scope(topic) is None:  # noqa: SLF001
        return "The topic does not exist."
    if not sns.topic_policy_allows(topic, "cloudwatch.amazonaws.com", alarm_arn, account):
        return f"The policy of {topic} does not let cloudwatch.amazonaws.com publish for {alarm_arn}."
    sns._fanout(topic, new_uuid(), message, subject, "json")  # noqa: SLF001
    return ""
