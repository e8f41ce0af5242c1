"""What awslambdaric asks of its native module, in plain Python, for machines that the module is not built for.

AWS publishes it for Linux only. The same four functions, by one kept connection to the Runtime API.
"""

import http.client
import os
from collections.abc import Mapping
from http import HTTPStatus

_PATH = "/2018-06-01/runtime/invocation/"


class _Client:
    """The connection of this process; it is made by the first call."""

    connection: http.client.HTTPConnection | None = None
    agent = ""

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.connection.request(method, _PATH + path, body, {"User-Agent": self.agent, **headers})
        response = self.connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())

    def post(self, path: str, body: bytes, headers: Mapping[str, str], what: str) -> None:
        """Send what must be accepted; raises RuntimeError where it is not."""
        status, answer, _ = self.exchange("POST", path, body, headers)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise RuntimeError(
                f"Failed to post {what}. Http response code: {status}. {answer.decode(errors='replace')}"
            )


_client = _Client()


def initialize_client(user_agent: str) -> None:
    """Name the runtime in every request."""
    _client.agent = user_agent


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the native module's name
    """The next event: its body and its headers. Waits without a limit."""
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
    """Answer an invocation."""
    _client.post(f"{invoke_id}/response", result, {"Content-Type": content_type}, "handler success response")


def post_error(
    invoke_id: str,
    error: str,
    xray_fault: str,
    invocation_id: str | None = None,  # noqa: ARG001 - the native function's parameter
) -> None:
    """Say that the handler failed."""
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": "Unhandled"}
    if xray_fault:
        headers["Lambda-Runtime-Function-XRay-Error-Cause"] = xray_fault.replace("\n", "")
    _client.post(f"{invoke_id}/error", error.encode(), headers, "error")
