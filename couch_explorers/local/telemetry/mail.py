"""The e-mails of SNS topics, caught as files: MiniStack only logs that it would have sent one, and nothing leaves here.

What SNS sends to the protocols email and email-json: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

import itertools
import logging
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, Any

from couch_explorers import files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

logger = logging.getLogger("couch.local")

PROTOCOLS = ("email", "email-json")
SENDER = "no-reply@sns.amazonaws.com"
# What SNS writes where the topic has no display name, and the publisher no subject.
SENDER_NAME = "AWS Notifications"
SUBJECT = "AWS Notification Message"
# A plain-text e-mail's line that begins its signature: https://www.rfc-editor.org/rfc/rfc3676#section-4.3
SIGNATURE = "-- "


def mend(folder: Path, clock: Callable[[], float] = time.time) -> None:
    """Let each e-mail of a topic end as a file in the folder. One that cannot be written breaks no publishing."""
    from ministack.services import sns  # noqa: PLC0415 - reads its settings from the environment on import

    original = sns._fanout  # noqa: SLF001 - the pinned release has no public seam
    numbers = itertools.count()

    def fanout(
        topic_arn: str,
        msg_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        original(topic_arn, msg_id, message, subject, message_structure, message_attributes, **others)
        topic = sns._topic_by_arn_any_scope(topic_arn)  # noqa: SLF001
        for subscription in topic["subscriptions"] if topic else ():
            protocol = subscription.get("protocol")
            if protocol not in PROTOCOLS or not subscription.get("confirmed"):
                continue
            text = sns._resolve_message_for_protocol(message, message_structure, protocol)  # noqa: SLF001
            if not sns._matches_filter_policy(subscription, message_attributes or {}, text):  # noqa: SLF001
                continue
            if protocol == "email-json":
                text = sns._build_envelope(topic_arn, msg_id, text, subject, message_attributes or {}, False)  # noqa: FBT003, SLF001
            try:
                now_s = clock()
                mail = _mail(topic, subscription["endpoint"], subject, text, now_s)
                files.write_whole(folder / _file_name(now_s, next(numbers)), mail.as_bytes())
            except Exception:
                logger.exception("The e-mail of %s to %s is lost", topic_arn, subscription.get("endpoint"))

    sns._fanout = fanout  # noqa: SLF001


def _mail(topic: Mapping[str, Any], to: str, subject: str, text: str, time_s: float) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = formataddr((topic["attributes"].get("DisplayName") or SENDER_NAME, SENDER))
    mail["To"] = to
    # A line break in a header would begin another header.
    mail["Subject"] = " ".join((subject or SUBJECT).split())
    mail["Date"] = format_datetime(datetime.fromtimestamp(time_s, UTC))
    footer = f"Caught by the local cloud for {topic['arn']}: it was sent to nobody."
    mail.set_content(f"{text.rstrip()}\n\n{SIGNATURE}\n{footer}\n", cte="quoted-printable")
    return mail


def _file_name(time_s: float, number: int) -> str:
    """A name that sorts by time: 20261125T094103.123456Z-000007.eml; the number parts e-mails of the same moment."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y%m%dT%H%M%S.%fZ}-{number:06d}.eml"
