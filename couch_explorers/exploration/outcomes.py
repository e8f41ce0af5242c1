"""What became of a cell: a picture, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Status(StrEnum):
    """How a cell ended."""

    MADE = "made"  # asked for in this run, and paid
    CACHED = "cached"  # there already, here or in the bucket; not paid
    SAME = "same"  # another cell of this sweep asks for the same picture
    REFUSED = "refused"  # the model does not take it; never sent
    FILTERED = "filtered"  # a content filter withheld it
    THROTTLED = "throttled"  # the model was asked too often, retries included
    FAILED = "failed"  # anything else
    STOPPED = "stopped"  # the run was not started, or interrupted before the answer was there


# Those that have a picture.
WITH_PICTURE = (Status.MADE, Status.CACHED, Status.SAME)

# The columns of a sweep's result, in this order.
COLUMNS = (
    "number", "prompt_name", "prompt", "model", "seed", "size", "cfg_scale", "negative_prompt",
    "status", "reason", "seconds", "usd", "path", "key", "width", "height", "id",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How the cell of this number ended.

    `reason` is one sentence wherever there is no picture; `seconds` are the cell's own, from asking to having; `usd` is
    what was paid for it in this run; `path` is the picture here, `key` the one in the bucket, None where it is not there.
    """

    number: int
    status: Status
    reason: str = ""
    seconds: float | None = None
    usd: float = 0.0
    path: Path | None = None
    key: str | None = None
    width: int | None = None
    height: int | None = None
