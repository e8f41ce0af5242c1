"""The AWS SDK that a Lambda finds in its runtime: which release it is, and whether it is new enough.

The functions bundle no SDK: the managed runtime brings one, whose release moves without notice
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html), and a copy of our own would lengthen every cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import botocore

if TYPE_CHECKING:
    from collections.abc import Mapping

# PutObject takes IfNoneMatch from this release on (1.35.2, "Add support for conditional writes for PutObject"):
# https://github.com/boto/botocore/blob/develop/CHANGELOG.rst
OLDEST_BOTOCORE = (1, 35, 2)

# An event with this key, sent by Invoke, asks which SDK the function has and makes no image.
PROBE = "couch_probe"


class OldSdkError(RuntimeError):
    """The runtime's SDK lacks what the functions need; the message says which release is needed."""


def versions() -> dict[str, str]:
    """Return the releases: {"boto3": "1.40.4", "botocore": "1.40.4"}."""
    return {"boto3": boto3.__version__, "botocore": botocore.__version__}


def is_new_enough(botocore_version: str) -> bool:
    """Check whether a release of botocore, such as "1.40.4", has what the functions need."""
    numbers = [int(part) for part in botocore_version.split(".") if part.isdecimal()]
    return tuple(numbers) >= OLDEST_BOTOCORE


def require() -> dict[str, str]:
    """Return the releases, like `versions`.

    Raises:
        OldSdkError: botocore is too old to store an image once. A function that fails at its start pays for none.
    """
    found = versions()
    if not is_new_enough(found["botocore"]):
        oldest = ".".join(map(str, OLDEST_BOTOCORE))
        raise OldSdkError(f"botocore {found['botocore']} is too old: conditional writes to S3 need {oldest} or newer.")
    return found


def answer_probe(event: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the response to an event that asks for the SDK; None for any other event."""
    return versions() if PROBE in event else None
