"""The e-mails that the local cloud has caught, as `couch inbox` shows them."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from couch_explorers.paths import Home

WIDTH = 80
EMPTY = "The inbox is empty: no alarm has sent an e-mail."


@dataclass(frozen=True)
class Mail:
    """One e-mail: when it was sent (UTC), to whom, what it says, and the file that holds it."""

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


def read(home: Home) -> list[Mail]:
    """Every e-mail in the inbox, oldest first; a file that went away meanwhile is left out."""
    mails = []
    for file in _files(home):
        with suppress(FileNotFoundError):
            mails.append(_mail(file))
    return mails


def clear(home: Home) -> int:
    """Throw every e-mail away; give their number."""
    files = _files(home)
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def lines(mails: Sequence[Mail]) -> list[str]:
    """Write e-mails for a terminal of 80 columns, oldest first, so that the newest is the last that one sees.

    A long word, such as an ARN, is never cut: it can be copied.
    """
    if not mails:
        return [EMPTY]
    written = [f"{len(mails)} e-mail{'' if len(mails) == 1 else 's'}, the newest last"]
    for mail in mails:
        written += ["", "─" * WIDTH, *_wrapped(mail.subject), f"{_local(mail.time)}  to {mail.to}", ""]
        for line in mail.body.splitlines():
            written += _wrapped(line)
    return written


def _files(home: Home) -> list[Path]:
    """Their names begin with the time, so that they sort by it."""
    return sorted(home.inbox.glob("[!.]*.eml"))


def _mail(file: Path) -> Mail:
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


def _local(time: datetime) -> str:
    """The reader's own time, with its zone: the body says UTC."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _wrapped(line: str) -> list[str]:
    """Break a line at 80 columns; what follows a list's `- Name:   ` stands under its text."""
    if len(line) <= WIDTH:
        return [line]
    return textwrap.wrap(
        line,
        WIDTH,
        subsequent_indent="    " if line.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
