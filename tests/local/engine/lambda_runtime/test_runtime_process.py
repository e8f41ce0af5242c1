import http.client
import json

import pytest

from couch_explorers.local.engine.lambda_runtime.runtime_process import MAX_RESPONSE, Invocation, RuntimeApi

INVOCATION = "/2018-06-01/runtime/invocation/"


class Delegate:
    def __init__(self):
        self.events = [Invocation("request-1", b'{"prompt": "a jeep"}', "arn:x", 123, "Root=1", '{"custom": {}}')]
        self.calls = []

    def next_invocation(self):
        return self.events.pop() if self.events else None

    def responded(self, request_id, payload):
        self.calls.append(("response", request_id, len(payload)))
        return request_id == "request-1"

    def failed(self, request_id, payload):
        self.calls.append(("error", request_id, json.loads(payload)))
        return request_id == "request-1"

    def init_failed(self, payload, error_type):
        self.calls.append(("init", error_type, json.loads(payload)))


@pytest.fixture
def delegate():
    return Delegate()


@pytest.fixture
def ask(delegate):
    """Sends one request on a kept connection; gives status, headers and body."""
    api = RuntimeApi(delegate)
    connection = http.client.HTTPConnection(api.address)

    def send(method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield send
    connection.close()
    api.stop()


def test_next_gives_the_event_and_its_context(ask):
    status, headers, body = ask("GET", INVOCATION + "next")

    assert (status, json.loads(body)) == (200, {"prompt": "a jeep"})
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "request-1"
    assert headers["Lambda-Runtime-Deadline-Ms"] == "123"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:x"
    assert headers["Lambda-Runtime-Trace-Id"] == "Root=1"
    assert headers["Lambda-Runtime-Client-Context"] == '{"custom": {}}'
    assert "Lambda-Runtime-Cognito-Identity" not in headers


def test_connection_ends_when_there_is_no_next(ask, delegate):
    delegate.events.clear()

    with pytest.raises(http.client.RemoteDisconnected):
        ask("GET", INVOCATION + "next")


def test_results_and_errors_are_accepted_on_one_connection(ask, delegate):
    assert ask("POST", INVOCATION + "request-1/response", b"{}")[0] == 202
    assert ask("POST", INVOCATION + "request-1/error", b'{"errorType": "KeyError"}')[0] == 202
    assert delegate.calls == [("response", "request-1", 2), ("error", "request-1", {"errorType": "KeyError"})]


def test_result_of_an_unknown_invocation_is_refused(ask):
    status, _, body = ask("POST", INVOCATION + "request-2/response", b"{}")

    assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")


def test_result_that_is_too_large_is_refused(ask):
    status, _, body = ask("POST", INVOCATION + "request-1/response", b"x" * (MAX_RESPONSE + 1))

    assert (status, json.loads(body)["errorType"]) == (413, "RequestEntityTooLarge")


def test_init_error_carries_its_type(ask, delegate):
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}

    status, _, _ = ask("POST", "/2018-06-01/runtime/init/error", b'{"errorMessage": "no module"}', headers)

    assert status == 202
    assert delegate.calls == [("init", "Runtime.ImportModuleError", {"errorMessage": "no module"})]


def test_header_of_a_long_traceback_is_read(ask):
    headers = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * 200_000}

    assert ask("POST", INVOCATION + "request-1/error", b"{}", headers)[0] == 202


def test_restore_goes_on_at_once(ask):
    assert ask("GET", "/2018-06-01/runtime/restore/next")[0] == 200


def test_unknown_path_is_refused(ask):
    status, _, body = ask("GET", "/2018-06-01/runtime/elsewhere")

    assert (status, json.loads(body)["errorType"]) == (404, "PageNotFound")
