"""Confirming e-mail subscriptions as their owners do: by the tokens in the mails of the local cloud's inbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from couch_explorers.aws import alarms
from couch_explorers.local import inbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.paths import Home

LINK = re.compile(r"^https?://\S*[?&]Action=ConfirmSubscription&\S+$", re.MULTILINE)


@dataclass(frozen=True)
class Confirmation:
    """An e-mail that asks for a confirmation: of whom, for which topic, and the token that confirms."""

    address: str
    topic_arn: str
    token: str


def requested(home: Home) -> Iterator[Confirmation]:
    """Every confirmation that an e-mail in the inbox asks for, oldest first, whether it is still pending or not."""
    for mail in inbox.read(home):
        if link := LINK.search(mail.body):
            parameters = parse_qs(urlsplit(link[0]).query)
            if "TopicArn" in parameters and "Token" in parameters:
                yield Confirmation(mail.to, parameters["TopicArn"][0], parameters["Token"][0])


def confirm(
    home: Home, sns: Any, *, address: str | None = None, topic_arn: str | None = None
) -> tuple[Confirmation, ...]:
    """Confirm every pending subscription that an e-mail in the inbox asks for, or only those of an address or a topic.

    A mail whose topic is gone, or whose token a newer subscription has replaced, is left alone.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - not needed to show the inbox

    confirmed = []
    for wanted in dict.fromkeys(requested(home)):
        if address not in {None, wanted.address} or topic_arn not in {None, wanted.topic_arn}:
            continue
        try:
            if wanted.address not in alarms.subscriptions(sns, wanted.topic_arn).pending:
                continue
            sns.confirm_subscription(TopicArn=wanted.topic_arn, Token=wanted.token)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NotFound", "InvalidParameter"}:
                raise
            continue
        confirmed.append(wanted)
    return tuple(confirmed)


def confirm_topic(home: Home, sns: Any, topic_arn: str) -> tuple[str, ...]:
    """Confirm the e-mail subscriptions of a topic; whoever's mail was deleted is sent another first. Gives the addresses."""
    pending = alarms.subscriptions(sns, topic_arn).pending
    asked = {one.address for one in requested(home) if one.topic_arn == topic_arn}
    for address in pending:
        if address not in asked:
            sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=address)
    return tuple(one.address for one in confirm(home, sns, topic_arn=topic_arn)) if pending else ()
