"""Calls the deployed API with the key and the signature that its stack may require."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import loopback
from couch_explorers.aws import errors
from couch_explorers.aws.discovery import WorkspaceError, not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from couch_explorers.aws.discovery import Workspace

# API Gateway times out after 29 s (its quotas page): waiting longer is useless.
TIMEOUT_S = 35.0


@dataclass(frozen=True)
class Answer:
    """The API's response: HTTP status, the JSON object in the body (or an empty one), and the number of calls."""

    status: int
    body: dict[str, Any]
    text: str
    calls: int = 1

    def __str__(self) -> str:
        detail = self.body.get("detail") or self.text[:200] or "an empty body"
        return f"HTTP {self.status}: {detail}"


@dataclass(frozen=True)
class Api:
    """The deployed API, and what its stack requires in a request.

    Attributes:
        url: Where prompts are posted.
        key: The API key, where the stack's parameter `ApiKeyRequired` is on; "" otherwise.
        sign: Adds a signature to a request, where its parameter `ApiAuthorizer` is AWS_IAM.

    """

    url: str
    key: str = field(default="", repr=False)
    sign: Callable[[AWSRequest], None] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, workspace: Workspace) -> Api:
        """Return the API of a workspace; looks up its key where it requires one.

        Raises:
            WorkspaceError: The API is not deployed, its key may not be read, or there are no credentials to sign with.

        """
        if workspace.api_url is None:
            raise WorkspaceError(f"{not_deployed('API', workspace.target)}.")
        key = _key(workspace, workspace.api_key_id) if workspace.api_key_id else ""
        return cls(workspace.api_url, key, _signer(workspace) if workspace.api_is_signed else None)

    def post(
        self, body: str, *, retry_after_s: Sequence[float] = (), sleep: Callable[[float], None] = time.sleep
    ) -> Answer:
        """Post a body to the API; retries a throttled call (429) after each of the waits.

        Raises:
            OSError: Nothing answers.

        """
        if not self.url.startswith(("https://", "http://")):
            raise ValueError(f"The API's address must be http or https, not {self.url!r}.")
        answer = Answer(0, {}, "")
        for calls, wait in enumerate((*retry_after_s, None), start=1):
            request = urllib.request.Request(self.url, body.encode(), dict(self._headers(body)), method="POST")  # noqa: S310 - checked above
            try:
                with loopback.open_url(request, timeout_s=TIMEOUT_S) as response:
                    answer = _answer(response.status, response.read(), calls)
            except urllib.error.HTTPError as error:
                with error:
                    answer = _answer(error.code, error.read(), calls)
            except http.client.HTTPException as error:
                raise OSError(f"{self.url} broke the connection: {error!r}") from error
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS or wait is None:
                break
            sleep(wait)
        return answer

    def _headers(self, body: str) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json"} | ({"x-api-key": self.key} if self.key else {})
        if self.sign is None:
            return headers
        request = AWSRequest("POST", self.url, data=body.encode(), headers=headers)
        self.sign(request)
        return dict(request.headers)


def _key(workspace: Workspace, key_id: str) -> str:
    try:
        return str(workspace.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"])
    except (BotoCoreError, ClientError) as error:
        place = f"arn:aws:apigateway:{workspace.region}::/apikeys/{key_id}"
        why = errors.reason(error, "apigateway:GET")
        raise WorkspaceError(
            f"The API requires a key, which cannot be read ({why}): allow apigateway:GET on {place}."
        ) from error


def _signer(workspace: Workspace) -> Callable[[AWSRequest], None]:
    credentials = workspace.session.get_credentials()
    if credentials is None:
        raise WorkspaceError("The API requires signed requests, and there are no AWS credentials to sign with.")

    def sign(request: AWSRequest) -> None:
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", workspace.region).add_auth(request)

    return sign


def _answer(status: int, content: bytes, calls: int) -> Answer:
    text = content.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return Answer(status, body if isinstance(body, dict) else {}, text, calls)
