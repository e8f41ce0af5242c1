"""S3: lists a bucket by prefix without looking at every object in it, and asks no name server for its own address.

LocalEmu sorts and quotes all keys of a bucket for each listing, so that looking for one key takes longer with every picture.
S3's own listing depends on what it returns: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.patches import before_loading

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.utils.aws.aws_stack:get_s3_hostname": "2e5622480672",
    "localemu.services.s3.models:KeyStore.values": "ba3beb0f6548",
    "localemu.services.s3.provider:S3Provider.list_objects": "85c18ad33a55",
    "localemu.services.s3.provider:S3Provider.list_objects_v2": "faa96e9fada6",
}

# The prefix of the listing that this thread is at work on.
_prefix: ContextVar[str] = ContextVar("prefix", default="")


def apply() -> None:
    """Give listings only the objects below their prefix, and services an address of S3 that needs no look-up."""
    from localemu.utils.aws import aws_stack  # noqa: PLC0415 - only the engine's environment has it

    # What the look-up would find: a name below 127.0.0.1 does not exist.
    aws_stack.CACHE_S3_HOSTNAME_DNS_STATUS = False
    before_loading("s3", _replace)


def _replace() -> None:
    from localemu.services.s3.models import KeyStore  # noqa: PLC0415 - loads the service
    from localemu.services.s3.provider import S3Provider  # noqa: PLC0415 - likewise

    values = KeyStore.values

    def values_below(self: Any, *arguments: Any, **options: Any) -> list[Any]:
        found: list[Any] = values(self, *arguments, **options)
        prefix = _prefix.get()
        return [each for each in found if each.key.startswith(prefix)] if prefix else found

    KeyStore.values = values_below
    for name in ("list_objects", "list_objects_v2"):
        setattr(S3Provider, name, _with_prefix(getattr(S3Provider, name)))


def _with_prefix(operation: Callable[..., Any]) -> Callable[..., Any]:
    """A listing that notes its prefix while it runs."""

    @functools.wraps(operation)
    def listing(self: Any, context: Any, *arguments: Any, **parameters: Any) -> Any:
        token = _prefix.set(str((context.service_request or {}).get("Prefix") or ""))
        try:
            return operation(self, context, *arguments, **parameters)
        finally:
            _prefix.reset(token)

    return listing
