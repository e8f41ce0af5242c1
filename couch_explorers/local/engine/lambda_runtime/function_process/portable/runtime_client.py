"""The native module of awslambdaric in plain Python, for machines that AWS does not build it for: it is published for Linux only.

It has the same four functions, over one persistent connection to the Runtime API.
"""

import http.client
import os
from collections.abc import Mapping
from http import HTTPStatus

_PATH = "/2018-06-01/runtime/invocation/"


class _Client:
    """The connection of this process, opened by the first call."""

    connection: http.client.HTTPConnection | None = None
    agent = ""

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send a request; return status, body and headers of the response."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.connection.request(method, _PATH + path, body, {"User-Agent": self.agent, **headers})
        response = self.connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())

    def post(self, path: str, body: bytes, headers: Mapping[str, str], what: str) -> None:
        """Send a result or an error.

        Raises:
            RuntimeError: It was not accepted.

        """
        status, answer, _ = self.exchange("POST", path, body, headers)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise RuntimeError(
                f"Failed to post {what}. Http response code: {status}. {answer.decode(errors='replace')}"
            )


_client = _Client()


def initialize_client(user_agent: str) -> None:
    """Set the user agent of every request."""
    _client.agent = user_agent


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the native module's name
    """Wait, without a time-out, for the next event; return its body and its headers."""
    status, body, headers = _client.exchange("GET", "next", None, {})
    if status != HTTPStatus.OK:
        raise RuntimeError(f"Failed to get next invocation. Http Response code: {status}")
    return body, headers


def post_invocation_result(
    invoke_id: str,
    result: bytes,
    content_type: str,
    invocation_id: str | None = None,  # noqa: ARG001 - the native function's parameter
) -> None:
    """Send the result of an invocation."""
    _client.post(f"{invoke_id}/response", result, {"Content-Type": content_type}, "handler success response")


def post_error(
    invoke_id: str,
    error: str,
    xray_fault: str,
    invocation_id: str | None = None,  # noqa: ARG001 - the native function's parameter
) -> None:
    """Send the error of an invocation."""
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": "Unhandled"}
    if xray_fault:
        headers["Lambda-Runtime-Function-XRay-Error-Cause"] = xray_fault.replace("\n", "")
    _client.post(f"{invoke_id}/error", error.encode(), headers, "error")
