"""Pages of a list that is sorted by a text, and the tokens that name the next one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

from couch_explorers.local.cloudwatch.errors import RefusedError, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Item = TypeVar("Item")


def page(
    items: Sequence[Item], key: Callable[[Item], str], request: Mapping[str, Any], usual: int, most: int
) -> tuple[list[Item], str]:
    """The page of `items` that a request asks for by MaxRecords and NextToken, and the token of the next one, if any.

    Raises:
        RefusedError: MaxRecords is out of its range, or the token is none of these.

    """
    asked = request.get("MaxRecords")
    size = usual if asked is None else asked
    if not 1 <= size <= most:
        raise validation_error(f"MaxRecords must be 1 to {most}, not {size}.")
    left = list(items)
    if token := request.get("NextToken"):
        try:
            after = base64.urlsafe_b64decode(token).decode()
        except ValueError:
            raise RefusedError("InvalidNextToken", f"Invalid NextToken : {token}") from None
        left = [item for item in left if key(item) > after]
    shown = left[:size]
    return shown, base64.urlsafe_b64encode(key(shown[-1]).encode()).decode() if len(shown) < len(left) else ""
