"""The e-mails of SNS topics, caught as files: MiniStack only logs that it would have sent one, and nothing leaves here.

What SNS sends to the protocols email and email-json: https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from couch_explorers.local.mailbox import PROTOCOLS, SIGNATURE, Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

logger = logging.getLogger("couch.local")


def mend(folder: Path, clock: Callable[[], float] = time.time) -> None:
    """Let each e-mail of a topic end as a file in the folder. One that cannot be written breaks no publishing."""
    from ministack.services import sns  # noqa: PLC0415 - reads its settings from the environment on import

    original = sns._fanout  # noqa: SLF001 - the pinned release has no public seam
    mailbox = Mailbox(folder, clock)

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
                footer = f"Caught by the local cloud for {topic['arn']}: it was sent to nobody."
                mailbox.deliver(
                    subscription["endpoint"],
                    subject,
                    f"{text.rstrip()}\n\n{SIGNATURE}\n{footer}\n",
                    sender_name=topic["attributes"].get("DisplayName") or "",
                )
            except Exception:
                logger.exception("The e-mail of %s to %s is lost", topic_arn, subscription.get("endpoint"))

    sns._fanout = fanout  # noqa: SLF001
