"""The mailbox of everybody who subscribes by e-mail: what SNS would send is written as files, and nothing leaves this machine.

What SNS sends to the protocols email and email-json: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING

from couch_explorers import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROTOCOLS = ("email", "email-json")
SENDER = "no-reply@sns.amazonaws.com"
# What SNS writes where the topic has no display name, and the publisher no subject.
SENDER_NAME = "AWS Notifications"
SUBJECT = "AWS Notification Message"
CONFIRMATION_SUBJECT = "AWS Notification - Subscription Confirmation"
# A plain-text e-mail's line that begins its signature: https://www.rfc-editor.org/rfc/rfc3676#section-4.3
SIGNATURE = "-- "


class Mailbox:
    """A folder of e-mails, one file each, whose names sort by time."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock
        self._numbers = itertools.count()

    def deliver(self, to: str, subject: str, text: str, *, sender_name: str = "") -> Path:
        """Write one e-mail; give its file. Raises OSError where it cannot be written."""
        now_s = self._clock()
        mail = EmailMessage()
        mail["From"] = formataddr((sender_name or SENDER_NAME, SENDER))
        mail["To"] = to
        # A line break in a header would begin another header.
        mail["Subject"] = " ".join((subject or SUBJECT).split())
        mail["Date"] = format_datetime(datetime.fromtimestamp(now_s, UTC))
        mail.set_content(text, cte="quoted-printable")
        return files.write_whole(self.folder / _file_name(now_s, next(self._numbers)), mail.as_bytes())


def notification(text: str, unsubscribe_url: str) -> str:
    """The body of a notification: the message, and below the signature how to stop them."""
    return (
        f"{text.rstrip()}\n\n{SIGNATURE}\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the link below to unsubscribe:\n"
        f"{unsubscribe_url}\n\n"
        "Please do not reply directly to this email. Nobody got it: the local cloud keeps what AWS would send.\n"
    )


def confirmation(topic_arn: str, confirm_url: str) -> str:
    """The body of the e-mail that asks an address whether it wants a topic's notifications."""
    return (
        f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
        "To confirm this subscription, click or visit the link below (If this was in error no action is necessary):\n"
        f"{confirm_url}\n\n"
        f"{SIGNATURE}\n"
        "Please do not reply directly to this email. Nobody got it: the local cloud keeps what AWS would send.\n"
    )


def _file_name(time_s: float, number: int) -> str:
    """A name that sorts by time: 20261125T094103.123456Z-000007.eml; the number parts e-mails of the same moment."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y%m%dT%H%M%S.%fZ}-{number:06d}.eml"
