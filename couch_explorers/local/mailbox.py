"""E-mails of SNS as files: delivered by the engine, read by `couch emails`, and confirmed by the tokens in them.

What SNS sends to the protocols email and email-json: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html. Nothing
leaves this machine.
"""

from __future__ import annotations

import itertools
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from couch_explorers import files
from couch_explorers.aws import alarms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from couch_explorers.paths import Home

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
        """Write one e-mail and return its file.

        Raises:
            OSError: The file cannot be written.
        """
        now_s = self._clock()
        mail = EmailMessage()
        # A line break in a header would begin another header.
        mail["From"] = formataddr((" ".join((sender_name or SENDER_NAME).split()), SENDER))
        mail["To"] = to
        mail["Subject"] = " ".join((subject or SUBJECT).split())
        mail["Date"] = format_datetime(datetime.fromtimestamp(now_s, UTC))
        mail.set_content(text, cte="quoted-printable")
        return files.write_whole(self.folder / _file_name(now_s, next(self._numbers)), mail.as_bytes())


def notification_body(text: str, unsubscribe_url: str) -> str:
    """The body of a notification: the message, and below the signature how to stop them."""
    return (
        f"{text.rstrip()}\n\n{SIGNATURE}\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the link below to unsubscribe:\n"
        f"{unsubscribe_url}\n\n"
        "Please do not reply directly to this email. Nobody got it: the local cloud keeps what AWS would send.\n"
    )


def confirmation_body(topic_arn: str, confirm_url: str) -> str:
    """The body of the e-mail that asks an address whether it wants a topic's notifications."""
    return (
        f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
        "To confirm this subscription, click or visit the link below (If this was in error no action is necessary):\n"
        f"{confirm_url}\n\n"
        f"{SIGNATURE}\n"
        "Please do not reply directly to this email. Nobody got it: the local cloud keeps what AWS would send.\n"
    )


def _file_name(time_s: float, number: int) -> str:
    """Return a file name that sorts by time: 20261125T094103.123456Z-000007.eml; the number distinguishes e-mails of the same time."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y%m%dT%H%M%S.%fZ}-{number:06d}.eml"


WIDTH = 80
NO_MAILS = "The inbox is empty: no alarm has sent an e-mail."


@dataclass(frozen=True)
class Mail:
    """An e-mail: when it was sent (UTC), its recipient, its text, and its file."""

    time: datetime
    to: str
    subject: str
    body: str
    file: Path

    def to_json(self) -> dict[str, str]:
        """The same as plain values; the time in ISO 8601."""
        return {
            "time": self.time.isoformat(),
            "to": self.to,
            "subject": self.subject,
            "body": self.body,
            "file": str(self.file),
        }


def read_mails(home: Home) -> list[Mail]:
    """All e-mails, oldest first; a file that is deleted meanwhile is left out."""
    mails = []
    for file in _mail_files(home):
        with suppress(FileNotFoundError):
            mails.append(_parse_mail(file))
    return mails


def delete_mails(home: Home) -> int:
    """Delete all e-mails; return their number."""
    files = _mail_files(home)
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def format_mails(mails: Sequence[Mail]) -> list[str]:
    """Format e-mails for a terminal of 80 columns, oldest first, so that the newest is above the prompt.

    Long words such as ARNs are not broken, so that they can be copied.
    """
    if not mails:
        return [NO_MAILS]
    written = [f"{len(mails)} e-mail{'' if len(mails) == 1 else 's'}, the newest last"]
    for mail in mails:
        written += ["", "─" * WIDTH, *_wrap(mail.subject), *_wrap(f"{_local_time(mail.time)}  to {mail.to}"), ""]
        for line in mail.body.splitlines():
            written += _wrap(line)
    return written


def _mail_files(home: Home) -> list[Path]:
    """The files in the order of time, with which their names begin."""
    return sorted(home.inbox.glob("[!.]*.eml"))


def _parse_mail(file: Path) -> Mail:
    message = message_from_bytes(file.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    sent = message["Date"].datetime if message["Date"] else None
    return Mail(
        time=sent or datetime.fromtimestamp(file.stat().st_mtime, UTC),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        body=body.get_content().replace("\r\n", "\n") if body else "",
        file=file,
    )


def _local_time(time: datetime) -> str:
    """The time in the local time zone, with its name: the body has UTC."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _wrap(line: str) -> list[str]:
    """Break a line at 80 columns; the text of a list item `- Name:   ` is indented.

    Anybody who may publish to a topic writes e-mails, so nothing in them steers the terminal.
    """
    from couch_explorers.text_layout import printable, wrap_terminal  # noqa: PLC0415 - the engine only delivers

    line = printable(line)
    if len(line) <= WIDTH:
        return [line]
    return wrap_terminal(line, rest="    " if line.startswith("- ") else "", columns=WIDTH)


CONFIRMATION_LINK = re.compile(r"^https?://\S*[?&]Action=ConfirmSubscription&\S+$", re.MULTILINE)


@dataclass(frozen=True)
class Confirmation:
    """An e-mail that asks for a confirmation: of whom, for which topic, and the token that confirms."""

    address: str
    topic_arn: str
    token: str


def requested_confirmations(home: Home) -> Iterator[Confirmation]:
    """All confirmations that e-mails ask for, oldest first, pending or not."""
    for mail in read_mails(home):
        if link := CONFIRMATION_LINK.search(mail.body):
            parameters = parse_qs(urlsplit(link[0]).query)
            if "TopicArn" in parameters and "Token" in parameters:
                yield Confirmation(mail.to, parameters["TopicArn"][0], parameters["Token"][0])


def confirm(
    home: Home, sns: Any, *, address: str | None = None, topic_arn: str | None = None
) -> tuple[Confirmation, ...]:
    """Confirm the pending subscriptions that e-mails ask for, all or those of an address or a topic.

    E-mails of deleted topics, and tokens that a newer subscription has replaced, are ignored.

    Returns:
        The subscriptions that were confirmed.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - not needed to show e-mails

    from couch_explorers.aws.errors import error_code  # noqa: PLC0415 - likewise

    confirmed = []
    for wanted in dict.fromkeys(requested_confirmations(home)):
        if address not in {None, wanted.address} or topic_arn not in {None, wanted.topic_arn}:
            continue
        try:
            if wanted.address not in alarms.subscriptions(sns, wanted.topic_arn).pending:
                continue
            sns.confirm_subscription(TopicArn=wanted.topic_arn, Token=wanted.token)
        except ClientError as error:
            if error_code(error) not in {"NotFound", "InvalidParameter"}:
                raise
            continue
        confirmed.append(wanted)
    return tuple(confirmed)


def confirm_topic(home: Home, sns: Any, topic_arn: str) -> tuple[str, ...]:
    """Confirm the e-mail subscriptions of a topic and return the addresses; a deleted e-mail is sent again first."""
    pending = alarms.subscriptions(sns, topic_arn).pending
    requested = {one.address for one in requested_confirmations(home) if one.topic_arn == topic_arn}
    for address in pending:
        if address not in requested:
            sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=address)
    return tuple(one.address for one in confirm(home, sns, topic_arn=topic_arn)) if pending else ()
