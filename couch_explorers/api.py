"""Asking the deployed API: one POST, and its answer whatever it was."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from couch_explorers import loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# API Gateway gives up after 29 s (its quotas page), so a longer wait learns nothing.
TIMEOUT_S = 35.0


@dataclass(frozen=True)
class Answer:
    """What the API said: HTTP status, the JSON object of the body (empty when there was none), and how many calls it took."""

    status: int
    body: dict[str, Any]
    text: str
    calls: int = 1

    def __str__(self) -> str:
        detail = self.body.get("detail") or self.text[:200] or "an empty body"
        return f"HTTP {self.status}: {detail}"


def post(
    url: str, body: str, *, retry_after_s: Sequence[float] = (), sleep: Callable[[float], None] = time.sleep
) -> Answer:
    """Send a body to the API; a throttled call (429) is sent again after each of the waits. Raises OSError where nothing answers."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"The API's address must be http or https, not {url!r}.")
    headers = {"Content-Type": "application/json"}
    answer = Answer(0, {}, "")
    for calls, wait in enumerate((*retry_after_s, None), start=1):
        request = urllib.request.Request(url, body.encode(), headers, method="POST")  # noqa: S310 - checked above
        try:
            with loopback.open_url(request, timeout_s=TIMEOUT_S) as response:
                answer = _answer(response.status, response.read(), calls)
        except urllib.error.HTTPError as error:
            with error:
                answer = _answer(error.code, error.read(), calls)
        except http.client.HTTPException as error:
            raise OSError(f"{url} broke the connection: {error!r}") from error
        if answer.status != HTTPStatus.TOO_MANY_REQUESTS or wait is None:
            break
        sleep(wait)
    return answer


def _answer(status: int, content: bytes, calls: int) -> Answer:
    text = content.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return Answer(status, body if isinstance(body, dict) else {}, text, calls)
