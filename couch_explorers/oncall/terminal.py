"""How on-call commands write to a terminal of 80 columns: times in UTC, wrapped lines, nothing that a terminal obeys."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace


WIDTH = 80
# Longer texts are cut on the terminal; JSON has them whole.
MAX_TEXT_CHARACTERS = 300


def from_milliseconds(milliseconds: float) -> datetime:
    """Read a time as SQS and CloudWatch Logs give it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def day_and_time(time: datetime) -> str:
    """Write a time such as "25 Nov 09:12:04", in UTC."""
    time = time.astimezone(UTC)
    return f"{time.day} {time:%b %H:%M:%S}"


def iso(time: datetime | None) -> str | None:
    """Write a time for a program, such as "2026-11-25T09:12:04.120Z"."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units, such as "4 s", "3 min 20 s" or "2 days 4 h"."""
    left = max(0, round(seconds))
    if left == 0:
        return "under a second"
    parts = []
    for name, size in (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'s' if name == 'day' and count > 1 else ''}")
        elif parts:
            break
    return " ".join(parts[:2])


def plain(text: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Make a text from anywhere safe to print: one line, no control characters, at most `limit` characters."""
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def wrap(text: str, first: str = "", rest: str | None = None) -> list[str]:
    """Wrap a text to the terminal's width; an id or address that is longer stays whole, so that it can be copied."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def couch_command(workspace: Workspace, words: str) -> str:
    """Write a `couch` command that works on the same target."""
    on_aws = f" --target aws --candidate {workspace.candidate}" if workspace.target == "aws" else ""
    return f"couch {words}{on_aws}"
