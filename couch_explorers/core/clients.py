"""The clients for the image models, one per region, which a Lambda reuses between invocations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couch_explorers.core.generation import bedrock_client
from couch_explorers.core.image_models import parse_arn

if TYPE_CHECKING:
    import boto3

    from couch_explorers.core.clock import Clock


class ImageModelClients:
    """Returns the client of a region; each is created once, that of the default model immediately.

    A function starts where time costs no caller anything, so the client that nearly every job needs is made there.
    """

    def __init__(
        self, default_arn: str, *, read_timeout_s: float, clock: Clock, session: boto3.session.Session
    ) -> None:
        # `generate` retries a call, after checking for the picture.
        self._settings: dict[str, Any] = {
            "attempts": 1,
            "read_timeout_s": read_timeout_s,
            "time_left_s": clock.left_s,
            "session": session,
        }
        self._clients: dict[str, Any] = {}
        self(parse_arn(default_arn)[0])

    def __call__(self, region: str) -> Any:
        """Return the client for the image models of a region."""
        if region not in self._clients:
            self._clients[region] = bedrock_client(region, **self._settings)
        return self._clients[region]
