"""S3: listings, and the host name of S3, where LocalEmu differs from AWS or leaves this machine.

- A listing by prefix reads only the objects below the prefix. LocalEmu sorts and quotes all keys of a bucket for each listing, so that
  looking for one key takes longer with every object, which it does not on AWS:
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
- A listing's parameters are checked and limited: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
- LocalEmu asks a name server for a name below its own address when it loads S3. The answer is given here.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.patches import before_loading, service_error, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.services.s3.models:KeyStore.values": "ba3beb0f6548",
    "localemu.services.s3.provider:S3Provider.list_objects": "85c18ad33a55",
    "localemu.services.s3.provider:S3Provider.list_objects_v2": "faa96e9fada6",
    "localemu.services.s3.utils:decode_continuation_token": "0f57ba5462b2",
    "localemu.utils.aws.aws_stack:get_s3_hostname": "2e5622480672",
}

LISTINGS = ("ListObjects", "ListObjectsV2", "ListObjectVersions")
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html: "returns up to 1,000 key names".
MOST_KEYS = 1000
LARGEST_MAX_KEYS = 2_147_483_647
# The prefix of the listing that is in progress.
_prefix: ContextVar[str] = ContextVar("prefix", default="")


def apply() -> None:
    """Let listings read only the objects below their prefix, and set the result of the look-up of S3's host name."""
    from localemu.utils.aws import aws_stack

    # Names below 127.0.0.1 do not exist.
    aws_stack.CACHE_S3_HOSTNAME_DNS_STATUS = False
    before_loading("s3", _replace_listings)


def _replace_listings() -> None:
    from localemu.services.s3.models import KeyStore  # loads the service
    from localemu.services.s3.provider import S3Provider

    wrap(KeyStore, "values", _values_below_prefix)
    for name in ("list_objects", "list_objects_v2"):
        wrap(S3Provider, name, _list_with_prefix)


def _values_below_prefix(values: Callable[..., list[Any]], self: Any, *arguments: Any, **options: Any) -> list[Any]:
    found = values(self, *arguments, **options)
    prefix = _prefix.get()
    return [each for each in found if each.key.startswith(prefix)] if prefix else found


def _list_with_prefix(
    operation: Callable[..., Any], self: Any, context: Any, *arguments: Any, **parameters: Any
) -> Any:
    token = _prefix.set(str((context.service_request or {}).get("Prefix") or ""))
    try:
        return operation(self, context, *arguments, **parameters)
    finally:
        _prefix.reset(token)


def check_request(context: Any, request: Any) -> None:
    """Raise S3's error for a listing whose parameters are out of range or unknown."""
    if context.operation.name not in LISTINGS:
        return
    most = request.get("MaxKeys")
    if most is not None and not 0 <= most <= LARGEST_MAX_KEYS:
        raise service_error("InvalidArgument", f"Argument maxKeys must be an integer between 0 and {LARGEST_MAX_KEYS}")
    if most is not None and most > MOST_KEYS:
        request["MaxKeys"] = MOST_KEYS
    if token := request.get("ContinuationToken"):
        from localemu.services.s3.utils import decode_continuation_token

        try:
            decode_continuation_token(token)
        except ValueError:
            raise service_error("InvalidArgument", "The continuation token provided is incorrect") from None
